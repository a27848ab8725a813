import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snakepit_jupyter import exact_json
from snakepit_jupyter.errors import InvalidParameter, UnserializableValue

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False) | st.text()
)
VALUES = st.recursive(
    SCALARS | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return math.copysign(1, one) == math.copysign(1, other) and one == other
    return bool(one == other)


@settings(max_examples=300)
@given(VALUES)
def test_every_json_value_comes_back_as_it_was(value: Any) -> None:
    assert same(exact_json.decode(exact_json.encode(value)), value)


@settings(max_examples=100)
@given(VALUES)
def test_the_standard_library_reads_what_is_written(value: Any) -> None:
    assert same(json.loads(exact_json.encode(value)), value)


def test_nan_comes_back_also_beside_none() -> None:
    nan, nothing, word = exact_json.decode(exact_json.encode([math.nan, None, "null"]))
    assert math.isnan(nan)
    assert (nothing, word) == (None, "null")


@pytest.mark.parametrize("value", [math.inf, -math.inf, 2**64, -(2**63) - 1, 10**300, -0.0, "\ud800", "\x00"])
def test_what_strict_json_has_no_place_for_comes_back(value: Any) -> None:
    assert same(exact_json.decode(exact_json.encode({"a": [value]}))["a"][0], value)


@dataclass
class Point:
    x: int
    y: float


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, 2), b"[1,2]"),
        ({1: "a"}, b'{"1":"a"}'),
        (Point(1, 2.5), b'{"x":1,"y":2.5}'),
        (datetime(2024, 1, 2, 3, tzinfo=UTC), b'"2024-01-02T03:00:00Z"'),
        (Decimal("1.10"), b'"1.10"'),
        (np.float32(0.5), b"0.5"),
        (np.int64(7), b"7"),
        (np.array([[1, 2], [3, 4]]), b"[[1,2],[3,4]]"),
        ({"n": np.float64("nan"), "none": None}, b'{"n":NaN,"none":null}'),
        ([np.array([1.0, math.inf])], b"[[1.0,Infinity]]"),
    ],
    ids=str,
)
def test_what_is_nearly_json_is_written_as_such(value: Any, text: bytes) -> None:
    assert exact_json.encode(value) == text


class Secretive:
    def __repr__(self) -> str:
        return "the secret"


def a_circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    "value",
    [Secretive(), {"a": [Secretive()]}, [math.nan, None, Secretive()], {Secretive(): 1}, print, a_circle()],
    ids=["object", "nested", "beside null", "as key", "function", "circle"],
)
def test_what_cannot_be_sent_is_refused_without_showing_it(value: Any) -> None:
    with pytest.raises(UnserializableValue, match="this value cannot be sent: ") as caught:
        exact_json.encode(value)
    assert "the secret" not in str(caught.value)
    assert "save the object to a file and send its path" in caught.value.hint


@pytest.mark.parametrize("text", [b"", b"{", b"nul", b"[1,]", b"\xff"])
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's or msgspec's own
        exact_json.decode(text)


@pytest.mark.parametrize("text", [b"", b"[]", b"1", b"{", b"null", b"\xff"])
def test_arguments_that_are_no_json_object_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidParameter, match="no JSON object"):
        exact_json.names(text)


def test_the_names_of_arguments_are_read_whatever_their_values_are() -> None:
    assert exact_json.names(b'{"a": [1, {"b": 2}], "c": NaN, "d": null}') == ["a", "c", "d"]
