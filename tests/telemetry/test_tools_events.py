"""What tools tell: `from snakepit_bridge import telemetry`."""

import asyncio
import threading
from collections.abc import Iterator
from contextvars import copy_context
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import run_async

from snakepit_jupyter.messages import Call
from snakepit_jupyter.telemetry import Event, Tap
from snakepit_jupyter.worker import telemetry
from snakepit_jupyter.worker.context import CURRENT, SessionContext


class Colour(Enum):
    RED = "red"


@pytest.fixture
def tap() -> Iterator[Tap]:
    """What is told from now on."""
    attached = telemetry.EMITTER.attach()
    attached._events.clear()
    yield attached
    telemetry.EMITTER.detach(attached)


def told(tap: Tap) -> list[Event]:
    return list(tap._events)


def one(tap: Tap) -> Event:
    (event,) = told(tap)
    return event


def in_call(correlation_id: str, work: Any, *, cancelled: bool = False) -> None:
    """Run something inside of a call."""

    def inside() -> None:
        CURRENT.set(SessionContext("s", correlation_id=correlation_id, was_cancelled=lambda: cancelled))
        work()

    copy_context().run(inside)


def test_an_event_has_what_it_was_given(tap: Tap) -> None:
    telemetry.emit("model.loaded", {"bytes": 5, "ms": 1.5}, {"model": "small"}, "sp-1")
    event = one(tap)
    assert (event.name, event.measurements, event.metadata, event.correlation_id) == (
        "model.loaded",
        {"bytes": 5, "ms": 1.5},
        {"model": "small"},
        "sp-1",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1),
        (np.int64(7), 7),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.bool_(True), 1),
        (np.array(3), 3),
        (np.array([3]), "ndarray 1 int64"),
        (None, "None"),
        (Decimal("1.50"), "1.50"),
        ([1, 2], "list of 2"),
        ("text", "text"),
        (10**30, 10**30),
        (1 + 2j, "(1+2j)"),
        (object(), "object"),
    ],
)
def test_numbers_are_measured_as_numbers_and_all_else_is_text_or_a_shape(tap: Tap, value: Any, expected: Any) -> None:
    telemetry.emit("x", {"value": value})
    measured = one(tap).measurements["value"]
    assert measured == expected
    assert type(measured) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (5, "5"),
        (None, "None"),
        (Path("/a/b"), "/a/b"),
        (date(2026, 1, 2), "2026-01-02"),
        (Colour.RED, "Colour.RED"),
        (b"content", "bytes 7"),
        ({"content": 1}, "dict of 1"),
        (ValueError("content"), "ValueError"),
        ("x" * 10_000, "x" * 4095 + "…"),
    ],
)
def test_metadata_are_texts_without_the_contents_of_things(tap: Tap, value: Any, expected: str) -> None:
    telemetry.emit("x", metadata={"value": value})
    assert one(tap).metadata == {"value": expected}


@given(
    st.recursive(st.none() | st.text() | st.floats() | st.integers() | st.binary(), st.lists),
    st.dictionaries(st.integers() | st.text(), st.text() | st.lists(st.integers())) | st.none(),
)
def test_nothing_that_is_told_can_fail_a_tool(value: Any, metadata: Any) -> None:
    tap = telemetry.EMITTER.attach()
    telemetry.emit(value, {"x": value, value if isinstance(value, str) else "y": value}, metadata, value)
    telemetry.emit("x", value, value, value)
    telemetry.emit("last")
    telemetry.EMITTER.detach(tap)
    assert told(tap)[-1].name == "last"


def test_an_event_belongs_to_the_running_call(tap: Tap) -> None:
    in_call("sp-1", lambda: telemetry.emit("x"))
    in_call("sp-1", lambda: telemetry.emit("x", correlation_id="own"))
    telemetry.emit("x")
    assert [event.correlation_id for event in told(tap)] == ["sp-1", "own", ""]


def test_a_thread_of_a_tool_tells_for_the_call_that_runs(tap: Tap) -> None:
    def tool() -> None:
        with telemetry.execution(Call("t", correlation_id="sp-1")):
            thread = threading.Thread(target=telemetry.emit, args=["x"])
            thread.start()
            thread.join()

    in_call("sp-1", tool)
    assert [(event.name, event.correlation_id) for event in told(tap)][1] == ("x", "sp-1")
    assert telemetry.get_correlation_id() == ""


# Spans.


def test_a_span_tells_of_its_start_and_its_end_with_how_long_it_took(tap: Tap) -> None:
    with telemetry.span("load", {"model": "small"}, "sp-1"):
        pass
    start, stop = told(tap)
    assert (start.name, stop.name) == ("load.start", "load.stop")
    assert start.metadata == stop.metadata == {"model": "small"}
    assert start.correlation_id == stop.correlation_id == "sp-1"
    assert 0 <= float(stop.measurements["duration_ms"]) < 1000


def test_a_span_tells_of_an_error_by_its_type_and_lets_it_through(tap: Tap) -> None:
    with pytest.raises(ValueError, match="content"), telemetry.span("load"):
        raise ValueError("content")
    event = told(tap)[1]
    assert event.name == "load.exception"
    assert event.metadata == {"error_type": "ValueError"}
    assert "content" not in str(event)


def test_spans_may_be_nested_and_overlap_and_be_awaited(tap: Tap) -> None:
    async def part(name: str, turn: asyncio.Barrier) -> None:
        async with telemetry.span(name):
            await turn.wait()

    async def scene() -> None:
        turn = asyncio.Barrier(2)
        with telemetry.span("all"):
            await asyncio.gather(part("a", turn), part("b", turn))

    run_async(scene())
    names = [event.name for event in told(tap)]
    assert names[:3] == ["all.start", "a.start", "b.start"]
    assert sorted(names[3:5]) == ["a.stop", "b.stop"]
    assert names[5:] == ["all.stop"]


def test_work_that_was_asked_to_stop_has_not_failed(tap: Tap) -> None:
    def items() -> Iterator[int]:
        with telemetry.span("items"):
            yield 1

    def interrupted() -> None:
        with pytest.raises(KeyboardInterrupt), telemetry.span("work"):
            raise KeyboardInterrupt

    stream = items()
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    in_call("sp-1", interrupted, cancelled=True)
    in_call("sp-1", interrupted)
    ends = [(event.name, event.metadata) for event in told(tap) if not event.name.endswith("start")]
    assert ends == [
        ("items.stop", {"stopped": "true"}),
        ("work.stop", {"stopped": "true"}),
        ("work.exception", {"error_type": "KeyboardInterrupt"}),
    ]


def test_the_run_of_a_tool_is_told_with_tool_session_and_call(tap: Tap) -> None:
    call = Call("add", session_id="s-1", call_id="r-1", correlation_id="sp-1")
    with telemetry.execution(call):
        assert telemetry.get_correlation_id() == "sp-1"
    with pytest.raises(ValueError, match="content"), telemetry.execution(call):
        raise ValueError("content")
    assert [event.name for event in told(tap)] == [
        "tool.execution.start",
        "tool.execution.stop",
        "tool.execution.start",
        "tool.execution.exception",
    ]
    assert {event.correlation_id for event in told(tap)} == {"sp-1"}
    assert all(event.metadata.items() >= {"tool": "add", "session_id": "s-1"}.items() for event in told(tap))
    assert "content" not in str(told(tap))
