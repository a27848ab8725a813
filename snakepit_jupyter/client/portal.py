"""The one place where threads and other loops cross into the client's own loop.

The client speaks grpc.aio, which wants one loop for a process. That loop runs on a thread of its own, so that a
kernel, a script and any number of asyncio programs can use the same client, one after another or at once.
"""

import asyncio
import concurrent.futures
import contextvars
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from snakepit_jupyter.errors import GrpcUnavailable

T = TypeVar("T")
TICK = 0.1


class Portal:
    """A loop on a daemon thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="snakepit-client", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    @property
    def inside(self) -> bool:
        """Whether the caller is on the loop's own thread, where it must not wait for the loop."""
        return threading.current_thread() is self._thread

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for it. An interrupt of the waiting thread cancels it."""
        assert not self.inside, "this would wait for itself"
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    async def acall(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and await it from another loop, or from this one. Cancelling it cancels that."""
        if self.inside:
            return await work
        future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))
        try:
            await wake_often(future)
        except asyncio.CancelledError:
            future.cancel()
            raise
        return future.result()

    def spawn(
        self, work: Coroutine[Any, Any, T], context: contextvars.Context | None = None
    ) -> "concurrent.futures.Future[T]":
        """Begin a coroutine on the loop, in a context of the caller's choice, and do not wait for it."""
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._loop.call_soon_threadsafe(self._begin, work, context, done)
        return done

    def _begin(
        self,
        work: Coroutine[Any, Any, T],
        context: contextvars.Context | None,
        done: "concurrent.futures.Future[T]",
    ) -> None:
        task = self._loop.create_task(work, context=context)
        task.add_done_callback(lambda ended: _hand_over(ended, done))


def _hand_over(task: "asyncio.Task[T]", done: "concurrent.futures.Future[T]") -> None:
    if task.cancelled():
        done.cancel()
    elif error := task.exception():
        done.set_exception(error)
    else:
        done.set_result(task.result())


async def wake_often(future: "asyncio.Future[Any]") -> None:
    """Wait until it is done. A kernel's interrupt reaches a coroutine only when its loop wakes: so it does."""
    while not future.done():
        await asyncio.wait([future], timeout=TICK)


_portal: Portal | None = None
_lock = threading.Lock()
_forked = False


def portal() -> Portal:
    """The process's portal; made at its first use.

    Raises:
        GrpcUnavailable: in a process that was forked from one with a portal.
    """
    global _portal  # noqa: PLW0603 - one loop for a process is the point
    if _forked:
        raise GrpcUnavailable(
            "this process was forked from one that uses snakepit, and gRPC does not survive a fork",
            hint='Start processes by the "spawn" method: multiprocessing.get_context("spawn").',
        )
    with _lock:
        if _portal is None:
            _portal = Portal()
        return _portal


def _mark_forked() -> None:
    """A forked child has the portal's memory but not its thread."""
    global _forked  # noqa: PLW0603
    _forked = _portal is not None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark_forked)
