import json
import math
from collections import OrderedDict
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


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value", [None, 1, "a", [], {}, {"a": [1, {"b": None}], "c": math.nan}, deep(exact_json.DEPTH)]
)
def test_json_says_all_of_what_is_json(value: Any) -> None:
    assert exact_json.is_exact(value)


@pytest.mark.parametrize(
    "value",
    [
        *((), (1,), {1: 2}, [(1,)], {"a": {"b": [set()]}}, b"", {"a": b""}, np.float64(1), Name("a"), {Name("a"): 1}),
        *(datetime.now(UTC), [Decimal(1)], OrderedDict(a=1), deep(exact_json.DEPTH + 2), {"a": deep(100_000)}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_of_other_types_json_says_less(value: Any) -> None:
    assert not exact_json.is_exact(value)


@pytest.mark.parametrize(
    ("value", "is_finite"),
    [
        ({"a": [1, 2.5, None, "NaN"]}, True),
        ([{"a": math.nan}], False),
        (-math.inf, False),
        (10**400, True),
        ((1,), False),
    ],
)
def test_whether_every_number_is_finite(value: Any, is_finite: bool) -> None:
    assert exact_json.is_finite(value) is is_finite


class Secretive:
    def __repr__(self) -> str:
        return "the secret"


def a_circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    "value",
    [Secretive(), {"a": [Secretive()]}, [None, Secretive()], {Secretive(): 1}, print, a_circle(), ["\ud800", 10**5000]],
    ids=["object", "nested", "beside null", "as key", "function", "circle", "endless number"],
)
def test_what_cannot_be_sent_is_refused_without_showing_it(value: Any) -> None:
    with pytest.raises(UnserializableValue, match="this value cannot be sent: ") as caught:
        exact_json.encode(value)
    assert "the secret" not in str(caught.value)
    assert "save the object to a file and send its path" in caught.value.hint


@pytest.mark.parametrize(
    "text", [b"", b"{", b"nul", b"[1,]", b"\xff", b"[" * 100_000, b"9" * 5000], ids=lambda text: text[:9]
)
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's or msgspec's own
        exact_json.decode(text)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"1", b"{", b"null", b"\xff", b'{"a":' * 100_000], ids=lambda text: text[:9]
)
def test_arguments_that_are_no_json_object_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidParameter, match="no JSON object"):
        exact_json.names(text)


def test_the_names_of_arguments_are_read_whatever_their_values_are() -> None:
    assert exact_json.names(b'{"a": [1, {"b": 2}], "c": NaN, "d": null}') == ["a", "c", "d"]
