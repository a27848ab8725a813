"""Subscriptions: what the bridge and its workers tell of their work, as calls of a function of the user's."""

import asyncio
import contextvars
import queue
import threading
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any, Protocol, Self

import grpc.aio

from snakepit_jupyter.client.portal import portal
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.codecs.telemetry import Requests, controls_of, event_from_pb
from snakepit_jupyter.errors import GrpcUnavailable, InvalidParameter, SnakepitError
from snakepit_jupyter.telemetry import LIMIT, Event, Policy

Callback = Callable[[Event], object]


class CallbackFailed(UserWarning):
    """A function that was subscribed raised; it is told of later events all the same."""


class Source(Protocol):
    """A connection to a bridge."""

    def telemetry(self, policy: Policy, opened: Callable[[], None]) -> AsyncGenerator[Event, None]:
        """The events that a policy admits; `opened` is called once none can be missed any more."""
        ...


async def events(
    channel: grpc.aio.Channel, metadata: Sequence[tuple[str, str]], policy: Policy, opened: Callable[[], None]
) -> AsyncGenerator[Event, None]:
    """What a bridge tells, until it ends.

    Args:
        channel: the channel to the bridge.
        metadata: what it wants to see.
        policy: which events are wanted; also held against what was sent before the bridge knew of it.
        opened: called once the bridge has said that from now on none is missed.

    Raises:
        grpc.aio.AioRpcError: if it could not be opened, or the connection broke.
    """
    stub: Any = bridge_grpc.BridgeServiceStub(channel)
    requests = Requests(controls_of(policy))
    rpc = stub.StreamTelemetry(requests, metadata=tuple(metadata))
    try:
        await rpc.initial_metadata()
        if not rpc.done():
            opened()
        # A share was taken by the bridge already; taken twice it would be smaller.
        wanted = policy.sampled(1.0)
        async for message in rpc:
            event = event_from_pb(message)
            if wanted.admits(event.name, 0.0):
                yield event
    finally:
        requests.close()
        rpc.cancel()


class Subscription:
    """A function that is told of events, one after another, on a thread of its own, until it is cancelled.

    It ends by itself with the bridge. As a `with` block it is cancelled at the end.

    Args:
        callback: the function. It runs in a copy of the context that subscribed: what it prints goes to that cell.

    Attributes:
        dropped: events that came while 1,024 others waited for the function, and were left out.
    """

    def __init__(self, callback: Callback) -> None:
        if not callable(callback):
            raise InvalidParameter(
                f"{type(callback).__name__} cannot be called",
                hint="Give a function of one event: subscribe(print).",
                details={"key": "callback"},
            )
        self.dropped = 0
        self._callback = callback
        self._context = contextvars.copy_context()
        # Only the portal's loop puts events in, so it may look at the length before.
        self._waiting: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._cancelled = False
        self._warned = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, connect: Callable[[], Awaitable[Source]], patterns: Sequence[str] = ()) -> Self:
        """Begin, on the portal's loop; what happens after this has returned is not missed.

        Args:
            connect: gives the connection to the bridge.
            patterns: globs of the names of events; none for all.

        Raises:
            InvalidParameter: if the patterns are none.
            GrpcUnavailable: if the bridge cannot be reached, or tells nothing.
        """
        policy = _policy(patterns)
        self._loop = asyncio.get_running_loop()
        opened = asyncio.Event()
        self._task = asyncio.create_task(self._follow(await connect(), policy, opened))
        waiting = asyncio.create_task(opened.wait())
        try:
            await asyncio.wait([self._task, waiting], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        finally:
            waiting.cancel()
        if not opened.is_set():
            await self._task
            raise GrpcUnavailable("the bridge has ended")
        threading.Thread(target=self._context.run, args=[self._deliver], name="snakepit-events", daemon=True).start()
        return self

    def cancel(self) -> None:
        """Be told nothing more; a call of the function that goes on is not waited for. Any thread."""
        self._cancelled = True
        self._waiting.put(None)
        if self._loop and self._task:
            self._loop.call_soon_threadsafe(self._task.cancel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    # The portal's loop.

    async def _follow(self, source: Source, policy: Policy, opened: asyncio.Event) -> None:
        try:
            async with aclosing(source.telemetry(policy, opened.set)) as told:
                async for event in told:
                    self._take(event)
        except SnakepitError:
            if not opened.is_set():
                raise
        finally:
            self._waiting.put(None)

    def _take(self, event: Event) -> None:
        if self._waiting.qsize() < LIMIT:
            self._waiting.put(event)
        else:
            self.dropped += 1

    # The thread.

    def _deliver(self) -> None:
        while (event := self._waiting.get()) is not None and not self._cancelled:
            try:
                self._callback(event)
            except Exception as error:
                self._warn(error)

    def _warn(self, error: Exception) -> None:
        """Say it once: what comes with each event would fill the notebook."""
        if self._warned:
            return
        self._warned = True
        name = getattr(self._callback, "__qualname__", type(self._callback).__name__)
        text = f"{name}, subscribed to telemetry, raised {type(error).__name__}: {error}. It is said only once."
        with suppress(CallbackFailed):  # who makes errors of warnings is to get the further events as well
            warnings.warn(text, CallbackFailed, stacklevel=1)


def subscribe(
    connect: Callable[[], Awaitable[Source]], callback: Callback, patterns: Sequence[str] = ()
) -> Subscription:
    """Tell a function of events, for code that waits. Arguments and errors as `Subscription` and its `open`."""
    return portal().call(Subscription(callback).open(connect, patterns))


def _policy(patterns: Sequence[str]) -> Policy:
    given: Sequence[object] = patterns
    if isinstance(given, str) or not all(isinstance(pattern, str) for pattern in given):
        raise InvalidParameter(
            "the patterns of events are no texts",
            hint='Give names or globs: subscribe(print, "snakepit.call.*", "tool.*").',
            details={"key": "patterns"},
        )
    return Policy(allow=tuple(patterns))
