"""The bridge's events, its own and its workers'."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from waiting import run_async

from snakepit_jupyter.bridge.telemetry import Hub, Line, outward
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb
from snakepit_jupyter.codecs.telemetry import stream
from snakepit_jupyter.messages import Call, RunStatus
from snakepit_jupyter.telemetry import Emitter, Event, Policy, Tap

SAID = {"node": "here", "pool_name": "default", "worker_id": "w-1", "python_pid": "42"}


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go on until something is so; who runs the scene says for how long at most."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0)


class Worker:
    """A worker's telemetry, without the worker."""

    def __init__(self) -> None:
        self.emitter = Emitter(buffered=True)
        self.asked = 0

    def line(self, *, listened: bool = True) -> Line:
        return Line(SAID, self.telemetry, self.ask, listened=listened)

    def telemetry(self, controls: AsyncIterable[pb.TelemetryControl]) -> AsyncGenerator[pb.TelemetryEvent, None]:
        async def opened() -> None: ...

        return stream(self.emitter, controls, opened)

    async def ask(self, timeout: float) -> None:
        self.asked += 1

    def tell(self, event: Event) -> None:
        self.emitter.emit(event.name, lambda: event)

    async def hears(self, *, listened: bool) -> None:
        """Wait until it has been told."""
        await until(lambda: [tap.policy.enabled for tap in self.emitter._listeners] == [listened])  # type: ignore[attr-defined]


def run(scene: Coroutine[Any, Any, None]) -> None:
    run_async(scene, 10)


def waiting(tap: Tap) -> list[Event]:
    return list(tap._events)


def names(tap: Tap) -> list[str]:
    return [event.name for event in waiting(tap)]


# The bridge's own.


def test_a_call_is_told_from_its_start_to_its_end_with_one_id() -> None:
    hub = Hub()
    tap = hub.emitter.attach()
    call = Call("add", session_id="s-1", call_id="r-1", correlation_id="sp-1")
    hub.call_started(call, "w-1", 0.25)
    hub.call_ended(call, "w-1", RunStatus.DONE, 1.5, 0)
    start, stop = waiting(tap)
    about = {"tool": "add", "session_id": "s-1", "call_id": "r-1", "worker_id": "w-1"}
    assert (start.name, start.measurements, start.metadata) == ("snakepit.call.started", {"queued_ms": 250.0}, about)
    assert (stop.name, stop.measurements) == ("snakepit.call.stopped", {"duration_ms": 1500.0})
    assert stop.metadata == {**about, "outcome": "done"}
    assert start.correlation_id == stop.correlation_id == "sp-1"
    assert abs(start.timestamp - stop.timestamp) < 5


def test_a_stream_has_names_of_its_own_and_counts_its_chunks() -> None:
    hub = Hub()
    tap = hub.emitter.attach()
    call = Call("count", streaming=True)
    hub.call_started(call, "w-1", 0)
    hub.call_ended(call, "w-1", RunStatus.STOPPED, 1, 7, "stopped")
    hub.call_ended(call, "", RunStatus.FAILED, 1, 0, "worker_timeout")
    assert names(tap) == ["snakepit.stream.started", "snakepit.stream.stopped", "snakepit.stream.failed"]
    _, stop, fail = waiting(tap)
    assert stop.measurements["chunks"] == 7
    assert (stop.metadata["outcome"], stop.metadata["code"]) == ("stopped", "stopped")
    assert fail.metadata["code"] == "worker_timeout"
    assert "worker_id" not in fail.metadata


def test_sessions_are_told() -> None:
    hub = Hub()
    tap = hub.emitter.attach()
    hub.session_started("s-1")
    hub.session_stopped("s-1", 2.0)
    hub.session_stopped("s-2", 2.0, expired=True)
    assert [(event.name, dict(event.metadata)) for event in waiting(tap)] == [
        ("snakepit.session.started", {"session_id": "s-1"}),
        ("snakepit.session.stopped", {"session_id": "s-1", "reason": "closed"}),
        ("snakepit.session.stopped", {"session_id": "s-2", "reason": "expired"}),
    ]
    started, closed, expired = waiting(tap)
    assert closed.measurements == {"duration_ms": 2000.0}
    assert started.correlation_id == closed.correlation_id != expired.correlation_id


def test_the_end_of_a_worker_is_a_stop_or_a_failure_and_says_how() -> None:
    hub = Hub(node="here")
    tap = hub.emitter.attach()
    hub.worker_gone("w-1", "with exit code 0", expected=True)
    hub.worker_gone("w-2", "by the signal SIGKILL; token=abc", expected=False)
    stop, fail = waiting(tap)
    assert (stop.name, fail.name) == ("snakepit.worker.stopped", "snakepit.worker.failed")
    assert stop.metadata["ending"] == "with exit code 0"
    assert fail.metadata["ending"] == "by the signal SIGKILL; token=***"


# The workers'.


def test_a_workers_event_is_passed_on_with_what_is_known_of_the_worker() -> None:
    async def scene() -> None:
        hub, worker = Hub(), Worker()
        tap = hub.emitter.attach()
        hub.follow(worker.line())
        worker.tell(
            Event(
                "model.loaded",
                {"bytes": 5, "unheard_of": "x"},
                {"model": "small", "worker_id": "another", "python_pid": "1"},
                1_700_000_000.0,
                "sp-1",
            )
        )
        event = await anext(tap)
        assert event == Event(
            "snakepit.python.model.loaded",
            {"bytes": 5, "unheard_of": "x"},
            {"model": "small", **SAID},
            1_700_000_000.0,
            "sp-1",
        )
        await hub.aclose()

    run(scene())


def test_what_a_worker_tells_outside_of_any_call_belongs_to_its_life() -> None:
    async def scene() -> None:
        hub, worker = Hub(), Worker()
        tap = hub.emitter.attach()
        hub.follow(worker.line())
        worker.tell(Event("loaded"))
        first = (await anext(tap)).correlation_id
        assert first.startswith("sp-")
        hub.worker_gone("w-1", "with exit code 1", expected=False)
        hub.worker_gone("w-1", "with exit code 1", expected=False)
        assert [(await anext(tap)).correlation_id == first for _ in range(2)] == [True, False]
        await hub.aclose()

    run(scene())


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("tool.execution.start", "snakepit.python.tool.execution.start"),
        ("python.call.start", "snakepit.python.call.start"),
        ("snakepit.call.started", "snakepit.python.snakepit.call.started"),
        ("", "snakepit.python."),
        ("anything at all", "snakepit.python.anything at all"),
    ],
)
def test_no_name_is_dropped_and_none_can_pass_for_the_bridges_own(name: str, full: str) -> None:
    async def scene() -> None:
        hub, worker = Hub(), Worker()
        tap = hub.emitter.attach()
        worker.tell(Event(name))
        hub.follow(worker.line())
        assert (await anext(tap)).name == full
        await hub.aclose()

    run(scene())


def test_an_event_without_a_time_has_that_of_its_arrival() -> None:
    async def scene() -> None:
        hub, worker = Hub(), Worker()
        tap = hub.emitter.attach()
        hub.follow(worker.line())
        worker.tell(Event("x", timestamp=0.0))
        worker.tell(Event("y"))
        assert abs((await anext(tap)).timestamp - (await anext(tap)).timestamp) < 5
        await hub.aclose()

    run(scene())


def test_what_goes_out_is_masked() -> None:
    event = Event(
        "a.b", {"n": 1, "text": "password=abc"}, {"api_key": "abc", "url": "https://me:abc@host"}, 1.0, "sp-1"
    )
    told = outward(event)
    assert "abc" not in str(told)
    assert (told.name, told.timestamp, told.measurements["n"]) == ("a.b", 1.0, 1)


def test_each_subscriber_has_its_own_filter_on_names() -> None:
    async def scene() -> None:
        hub, worker = Hub(), Worker()
        calls = hub.emitter.attach(Policy(allow=("snakepit.call.*",)))
        tools = hub.emitter.attach(Policy(allow=("tool.*",)))
        everything = hub.emitter.attach()
        hub.follow(worker.line())
        hub.call_started(Call("add"), "w-1", 0)
        worker.tell(Event("tool.x"))
        await until(lambda: len(waiting(everything)) == 2)
        assert names(calls) == ["snakepit.call.started"]
        assert names(tools) == ["snakepit.python.tool.x"]
        await hub.aclose()

    run(scene())


# Whether workers speak.


def test_a_worker_is_silent_while_nobody_listens_and_speaks_as_soon_as_somebody_does() -> None:
    async def scene() -> None:
        hub, worker = Hub(), Worker()
        hub.follow(worker.line(listened=False))
        await worker.hears(listened=False)
        worker.tell(Event("lost"))
        tap = hub.emitter.attach()
        await hub.listening()
        assert worker.asked == 1
        await worker.hears(listened=True)
        worker.tell(Event("heard"))
        assert (await anext(tap)).name == "snakepit.python.heard"
        hub.emitter.detach(tap)
        await worker.hears(listened=False)
        await hub.aclose()

    run(scene())


def test_a_subscriber_does_not_wait_for_a_worker_that_does_not_answer() -> None:
    async def scene() -> None:
        hub, worker = Hub(), Worker()

        async def never(timeout: float) -> None:
            await asyncio.Event().wait()

        hub.follow(Line(SAID, worker.telemetry, never, listened=True))
        hub.emitter.attach()
        await hub.listening()
        await hub.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(scene())


def test_a_worker_that_tells_nothing_at_all_is_forgotten() -> None:
    async def scene() -> None:
        hub = Hub()

        async def nothing(controls: AsyncIterable[pb.TelemetryControl]) -> AsyncGenerator[pb.TelemetryEvent, None]:
            for event in list[pb.TelemetryEvent]():
                yield event

        hub.follow(Line(SAID, nothing, Worker().ask, listened=True))
        await until(lambda: not hub._readers)
        assert not hub._lines

    run(scene())


def test_the_end_of_a_worker_leaves_the_others_and_the_subscribers_alone() -> None:
    async def scene() -> None:
        hub, first, second = Hub(), Worker(), Worker()
        tap = hub.emitter.attach()
        hub.follow(first.line())
        hub.follow(Line({**SAID, "worker_id": "w-2"}, second.telemetry, second.ask, listened=True))
        await first.hears(listened=True)
        await second.hears(listened=True)
        first.tell(Event("last"))
        first.emitter.close()
        assert (await anext(tap)).name == "snakepit.python.last"
        second.tell(Event("on"))
        assert (await anext(tap)).metadata["worker_id"] == "w-2"
        await hub.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(tap)

    run(scene())


def test_nothing_is_made_while_nobody_listens() -> None:
    hub = Hub()

    class Untouchable:
        def __str__(self) -> str:
            raise AssertionError

    hub._tell("x", {}, {"a": Untouchable()}, "sp-1")  # type: ignore[dict-item]


def test_the_page_on_telemetry_names_every_event_and_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()
    hub = Hub()
    tap = hub.emitter.attach()
    call = Call("t", session_id="s", streaming=True)
    hub.call_started(call, "w-1", 0)
    hub.call_ended(call, "w-1", RunStatus.FAILED, 0, 0, "tool_error")
    hub.session_started("s")
    hub.session_stopped("s", 0)
    hub.worker_gone("w-1", "somehow", expected=True)
    for event in waiting(tap):
        assert event.name in page or event.name.rpartition(".")[2] in page
        for name in (*event.measurements, *event.metadata):
            assert f"`{name}`" in page
