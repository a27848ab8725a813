import os
from typing import Any

import pytest

from snakepit_jupyter.adapters.demo import DemoAdapter
from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.worker.adapter import marked_tools
from snakepit_jupyter.worker.arguments import Signature

demo = DemoAdapter()


def test_the_tools_and_which_of_them_stream() -> None:
    assert {name: mark.supports_streaming for name, _, mark in marked_tools(DemoAdapter)} == {
        "ping": False,
        "ping_stream": True,
        "echo": False,
        "compute": False,
        "stream_progress": True,
    }


def test_a_ping_tells_who_answers() -> None:
    answer = demo.ping("hello")
    assert answer["message"] == "pong: hello"
    assert answer["pid"] == os.getpid()
    assert answer["time"].endswith("+00:00")


def test_the_quick_start_streams_five_messages_and_says_which_is_last() -> None:
    chunks = list(demo.ping_stream(count=5))
    assert [chunk["message"] for chunk in chunks] == [f"ping {i} of 5" for i in range(1, 6)]
    assert [chunk["index"] for chunk in chunks] == [1, 2, 3, 4, 5]
    assert [chunk["is_final"] for chunk in chunks] == [False] * 4 + [True]


def test_progress_has_exactly_the_fields_of_the_guide() -> None:
    chunks = list(demo.stream_progress(steps=4, delay_ms=0))
    assert all(set(chunk) == {"is_final", "message", "progress", "step", "total"} for chunk in chunks)
    assert [chunk["progress"] for chunk in chunks] == [25.0, 50.0, 75.0, 100.0]
    assert all(type(chunk["progress"]) is float for chunk in chunks)
    assert [chunk["is_final"] for chunk in chunks] == [False, False, False, True]


def test_it_waits_between_chunks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    list(demo.stream_progress(steps=3))
    assert pauses == [0.75, 0.75]


def test_one_step_is_first_and_last() -> None:
    (chunk,) = demo.stream_progress(steps=1, delay_ms=750)
    assert chunk["is_final"]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": -3}, "steps"),
        ({"delay_ms": -1.0}, "delay_ms"),
        ({"delay_ms": float("nan")}, "delay_ms"),
        ({"delay_ms": 1e12}, "delay_ms"),
    ],
)
def test_numbers_out_of_range_are_refused_by_name(arguments: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidParameter, match="allowed is") as caught:
        next(demo.stream_progress(**arguments))
    assert caught.value.key == key


def test_the_quick_start_refuses_to_count_to_zero() -> None:
    with pytest.raises(InvalidParameter, match="count is 0; allowed is 1 or more"):
        next(demo.ping_stream(count=0))


def test_an_echo_returns_any_argument_even_one_called_self() -> None:
    arguments = {"self": 1, "b": [None, {"c": 2.5}], "name": "é"}
    assert demo.echo(**arguments) == arguments
    assert demo.echo() == {}


@pytest.mark.parametrize(
    ("operation", "a", "b", "result"),
    [
        ("add", 5, 3, 8),
        ("subtract", 5, 3, 2),
        ("multiply", 5, 0.5, 2.5),
        ("divide", 5, 2, 2.5),
        ("floor_divide", 5, 2, 2),
        ("mod", -5, 3, 1),
        ("power", 2, 100, 2**100),
        ("power", 2, -1, 0.5),
        ("power", 1, 10**30, 1),
    ],
)
def test_it_calculates_as_python_does(operation: Any, a: float, b: float, result: float) -> None:
    answer = demo.compute(operation, a, b)
    assert answer == {"operation": operation, "a": a, "b": b, "result": result}
    assert type(answer["result"]) is type(result)


def test_whole_numbers_stay_whole_through_the_check_of_the_arguments() -> None:
    arguments = Signature("compute", DemoAdapter.compute).bind({"operation": "add", "a": 5, "b": 3})
    assert type(demo.compute(**arguments)["result"]) is int


@pytest.mark.parametrize("operation", ["divide", "floor_divide", "mod"])
def test_a_division_by_zero_is_pythons_own_error(operation: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        demo.compute(operation, 1, 0)


def test_a_power_without_a_real_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="no real value"):
        demo.compute("power", -8, 0.5)


def test_a_power_that_would_never_end_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="more than 10,000 binary digits"):
        demo.compute("power", 10, 10**9)


def test_an_operation_it_does_not_know_never_reaches_it() -> None:
    with pytest.raises(InvalidParameter, match="'operation'"):
        Signature("compute", DemoAdapter.compute).bind({"operation": "root", "a": 4, "b": 2})
