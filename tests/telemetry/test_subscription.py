"""A function that is told of events, over a real channel."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from waiting import eventually

from snakepit_jupyter.client.portal import portal
from snakepit_jupyter.client.telemetry import CallbackFailed, Subscription, events, subscribe
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as pb_grpc
from snakepit_jupyter.codecs.telemetry import stream
from snakepit_jupyter.errors import GrpcUnavailable, InvalidParameter
from snakepit_jupyter.telemetry import LIMIT, Emitter, Event, Policy

PLACE = contextvars.ContextVar("place", default="nowhere")


class Service(pb_grpc.BridgeServiceServicer):
    """A bridge's StreamTelemetry, and nothing else of a bridge."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter

    async def StreamTelemetry(  # noqa: N802 - gRPC gives the name
        self, request_iterator: AsyncIterator[pb.TelemetryControl], context: Any
    ) -> AsyncIterator[pb.TelemetryEvent]:
        async for event in stream(self._emitter, request_iterator, lambda: context.send_initial_metadata(())):
            yield event


class Bridge:
    """A bridge that tells what a test tells it, and the connection to it."""

    def __init__(self, address: str) -> None:
        self.emitter = Emitter()
        self.connected = 0
        self._address = address
        portal().call(self._open())

    async def _open(self) -> None:
        self._server = grpc.aio.server()
        service = Service(self.emitter)  # type: ignore[abstract]
        pb_grpc.add_BridgeServiceServicer_to_server(service, self._server)
        self._server.add_insecure_port(self._address)
        await self._server.start()
        self._channel = grpc.aio.insecure_channel(self._address)

    async def connect(self) -> "Bridge":
        self.connected += 1
        return self

    async def telemetry(self, policy: Policy, opened: Callable[[], None]) -> AsyncGenerator[Event, None]:
        try:
            async for event in events(self._channel, (), policy, opened):
                yield event
        except grpc.aio.AioRpcError as error:
            raise GrpcUnavailable(error.details() or "") from error

    def subscribe(self, callback: Callable[[Event], object], *patterns: str) -> Subscription:
        return subscribe(self.connect, callback, patterns)

    def tell(self, *names: str) -> None:
        for name in names:
            self.emitter.emit(name, lambda name=name: Event(name))  # type: ignore[misc]

    def close(self) -> None:
        self.emitter.close()
        portal().call(self._server.stop(None))
        portal().call(self._channel.close())


@pytest.fixture
def bridge(directory: Path) -> Iterator[Bridge]:
    made = Bridge(f"unix:{directory}/bridge.sock")
    yield made
    made.close()
    eventually(lambda: not threads())


def tell_and_wait(bridge: Bridge, seen: list[str], *names: str) -> None:
    bridge.tell(*names)
    eventually(lambda: len(seen) == len(names))


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "snakepit-events"]


def test_a_function_is_told_of_every_event_from_its_subscription_on_in_their_order(bridge: Bridge) -> None:
    names: list[str] = []
    bridge.tell("before")
    bridge.subscribe(lambda event: names.append(event.name))
    bridge.tell(*(f"event.{number}" for number in range(500)))
    eventually(lambda: len(names) == 500)
    assert names == [f"event.{number}" for number in range(500)]


def test_it_is_told_of_what_matches_its_patterns_only(bridge: Bridge) -> None:
    names: list[str] = []
    bridge.subscribe(lambda event: names.append(event.name), "snakepit.call.*", "tool.*")
    bridge.tell("snakepit.call.started", "snakepit.worker.started", "snakepit.python.tool.x", "snakepit.call.stopped")
    eventually(lambda: names[-1:] == ["snakepit.call.stopped"])
    assert names == ["snakepit.call.started", "snakepit.python.tool.x", "snakepit.call.stopped"]


def test_it_runs_on_one_thread_of_its_own_in_the_context_that_subscribed(bridge: Bridge) -> None:
    seen: list[tuple[str, int]] = []
    PLACE.set("cell 3")
    bridge.subscribe(lambda _event: seen.append((PLACE.get(), threading.get_ident())))
    PLACE.set("cell 4")
    bridge.tell("a", "b", "c")
    eventually(lambda: len(seen) == 3)
    assert {place for place, _ in seen} == {"cell 3"}
    assert len({thread for _, thread in seen}) == 1
    assert threading.get_ident() not in {thread for _, thread in seen}


def test_an_error_in_it_is_warned_of_once_and_it_is_told_of_later_events(bridge: Bridge) -> None:
    names: list[str] = []

    def note(event: Event) -> None:
        names.append(event.name)
        raise ValueError(event.name)

    bridge.subscribe(note)
    with pytest.warns(CallbackFailed) as warned:
        tell_and_wait(bridge, names, "a", "b", "c")
    assert len(warned) == 1
    assert "note, subscribed to telemetry, raised ValueError: a" in str(warned[0].message)


def test_who_makes_errors_of_warnings_is_told_of_later_events_too(bridge: Bridge) -> None:
    names: list[str] = []

    def note(event: Event) -> None:
        names.append(event.name)
        raise ValueError

    bridge.subscribe(note)
    tell_and_wait(bridge, names, "a", "b")


def test_a_cancelled_subscription_is_told_nothing_more_and_others_are(bridge: Bridge) -> None:
    names: list[str] = []
    others: list[str] = []
    bridge.subscribe(lambda event: others.append(event.name))
    with bridge.subscribe(lambda event: names.append(event.name)):
        bridge.tell("a")
        eventually(lambda: names)
    bridge.tell("b")
    eventually(lambda: len(others) == 2)
    eventually(lambda: len(threads()) == 1)
    eventually(lambda: len(bridge.emitter._listeners) == 1)
    assert names == ["a"]


def test_a_function_may_cancel_its_own_subscription(bridge: Bridge) -> None:
    names: list[str] = []

    def once(event: Event) -> None:
        names.append(event.name)
        subscription.cancel()

    subscription = bridge.subscribe(once)
    bridge.tell("a", "b", "c")
    eventually(lambda: not threads())
    assert names == ["a"]
    subscription.cancel()


def test_events_that_wait_too_long_for_the_function_are_dropped_and_counted(bridge: Bridge) -> None:
    gate = threading.Event()
    names: list[str] = []

    def slow(event: Event) -> None:
        gate.wait()
        names.append(event.name)

    subscription = bridge.subscribe(slow)

    def flooded() -> int:
        bridge.tell(*["x"] * 100)
        return subscription.dropped

    eventually(flooded)
    gate.set()
    eventually(lambda: len(names) >= LIMIT)


def test_a_subscription_ends_without_a_word_when_the_bridge_does(bridge: Bridge) -> None:
    names: list[str] = []
    subscription = bridge.subscribe(lambda event: names.append(event.name))
    bridge.tell("last")
    bridge.emitter.close()
    eventually(lambda: not threads())
    assert names == ["last"]
    subscription.cancel()


def test_a_subscription_ends_without_a_word_when_the_connection_breaks(bridge: Bridge) -> None:
    bridge.subscribe(lambda _event: None)
    portal().call(bridge._server.stop(None))
    eventually(lambda: not threads())


def test_a_bridge_that_is_not_there_is_an_error_at_once(bridge: Bridge) -> None:
    portal().call(bridge._server.stop(None))
    with pytest.raises(GrpcUnavailable):
        bridge.subscribe(lambda _event: None)
    assert not threads()


def test_what_cannot_be_subscribed_is_refused_before_anything_is_opened(bridge: Bridge) -> None:
    with pytest.raises(InvalidParameter, match="int cannot be called"):
        bridge.subscribe(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameter, match="patterns"):
        bridge.subscribe(print, 5)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameter, match="patterns"):
        subscribe(bridge.connect, print, "tool.*")
    assert bridge.connected == 0


def test_it_may_be_opened_from_another_loop(bridge: Bridge) -> None:
    names: list[str] = []

    async def scene() -> Subscription:
        return await portal().acall(Subscription(lambda event: names.append(event.name)).open(bridge.connect, ["a*"]))

    with asyncio.Runner() as runner:
        runner.run(scene())
    bridge.tell("a.b", "c")
    eventually(lambda: names)
    assert names == ["a.b"]
