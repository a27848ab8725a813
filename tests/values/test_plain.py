"""Values for readers that know strict JSON and bytes only."""

import datetime as dt
import json
import math
import pathlib
import uuid
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from strategies import any_value, json_values, same

from snakepit_jupyter.values import Encoding, encode_plain
from snakepit_jupyter.values.payload import TAG

pd: Any = pytest.importorskip("pandas")


def refuse(literal: str) -> NoReturn:
    raise AssertionError(f"{literal} is no JSON")


def plain(value: Any) -> Any:
    """What a strict reader gets."""
    payload = encode_plain(value)
    assert payload.encoding is Encoding.JSON
    return json.loads(payload.data, parse_constant=refuse)


class Pair(NamedTuple):
    a: int
    b: Any


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        ({"a": [1, 2.5, "ä", True, None]}, {"a": [1, 2.5, "ä", True, None]}),
        (2**80 + 1, 2**80 + 1),
        ({"n": [math.nan, math.inf, -math.inf, None, "null"]}, {"n": ["NaN", "Infinity", "-Infinity", None, "null"]}),
        (math.nan, "NaN"),
        ("\ud800", "\ud800"),
        ((1, (2,)), [1, [2]]),
        ({3, 1, 2}, [1, 2, 3]),
        ([frozenset({"b", "a"})], [["a", "b"]]),
        (Pair(1, (2,)), {"a": 1, "b": [2]}),
        ({1: "a", 2.5: "b", None: "d", "e": 1}, {"1": "a", "2.5": "b", "null": "d", "e": 1}),
        ({False: 1, (1, "a"): 2, dt.date(2024, 1, 2): 3}, {"false": 1, '[1, "a"]': 2, "2024-01-02": 3}),
        ({TAG: (1,)}, {TAG: [1]}),
        (dt.datetime(2024, 1, 2, 3, 4, 5, 6, ZoneInfo("Europe/Berlin")), "2024-01-02T03:04:05.000006+01:00"),
        (dt.date(2024, 1, 2), "2024-01-02"),
        (dt.time(3, 4), "03:04:00"),
        (dt.timedelta(days=1, milliseconds=5), 86400.005),
        (Decimal("1.10"), "1.10"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (1 + 2j, "(1+2j)"),
        (
            {"b": b"\x00\xff", "c": bytearray(b"abc")},
            {"b": {"raw_data_base64": "AP8="}, "c": {"raw_data_base64": "YWJj"}},
        ),
    ],
    ids=repr,
)
def test_each_type_becomes_its_nearest(value: Any, read: Any) -> None:
    assert same(plain(value), read)
    assert same(plain([(value,)]), [[read]])


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (np.int8(-3), -3),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), "NaN"),
        (np.longdouble(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.complex64(1j), "1j"),
        (np.datetime64("2024-01-02T03:04:05.123456789"), "2024-01-02T03:04:05.123456789"),
        (np.datetime64("NaT"), None),
        (np.timedelta64(1500, "ms"), 1.5),
        (np.array([[1, 2], [3, 4]], ">i2"), [[1, 2], [3, 4]]),
        (np.array([0.5, math.nan, math.inf]), [0.5, "NaN", "Infinity"]),
        (np.array(["2024-01-02", "NaT"], "M8[D]"), ["2024-01-02", None]),
        (np.array([1j]), ["1j"]),
        (np.array([(1, "a")], [("x", "i1"), ("y", "U1")]), [[1, "a"]]),
        (np.array([None, (1,)], object), [None, [1]]),
        (np.array(5), 5),
        (np.zeros((0, 2)), []),
        (pd.Timestamp("2024-01-02", tz="UTC"), "2024-01-02T00:00:00+00:00"),
        (pd.Timedelta("1h"), 3600.0),
        ([pd.NaT, pd.NA], [None, None]),
        (pd.Period("2024-01"), "2024-01"),
        (pd.Interval(0, 1), "(0, 1]"),
        (pd.Series([1.5, None], index=["x", "y"]), [1.5, "NaN"]),
        (pd.Series(["a", None]), ["a", None]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Series([1.5, None], dtype="Float64"), [1.5, None]),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pd.date_range("2024-01-02", periods=1), ["2024-01-02T00:00:00"]),
        (pd.MultiIndex.from_tuples([(1, "a")]), [[1, "a"]]),
        (pd.DataFrame({"a": [1, 2], 3: ["x", None]}), {"a": [1, 2], "3": ["x", None]}),
        (
            pa.table({"a": [1, None], "b": ["x", "y"]}),
            {"a": [1, None], "b": ["x", "y"]},
        ),
        (pa.RecordBatch.from_pydict({"a": [Decimal("1.5")]}), {"a": ["1.5"]}),
        (pa.array([1, None]), [1, None]),
        (pa.chunked_array([["a"], ["b"]]), ["a", "b"]),
        (pa.scalar(3), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arrays_and_tables_become_lists(value: Any, read: Any) -> None:
    assert same(plain(value), read)


@pytest.mark.parametrize("value", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00a\xffb")[::2]])
def test_bytes_alone_are_bytes(value: Any) -> None:
    assert encode_plain(value) == (b"\x00\xff", Encoding.BYTES)


def test_an_integer_that_no_reader_takes_is_hexadecimal_text() -> None:
    for read in (plain([10**5000]), plain([10**5000, math.nan])):
        assert int(read[0], 16) == 10**5000


@settings(max_examples=200)
@given(any_value())
def test_a_strict_reader_can_read_any_value(value: Any) -> None:
    payload = encode_plain(value)
    if payload.encoding is Encoding.JSON:
        json.loads(payload.data, parse_constant=refuse)


@settings(max_examples=100)
@given(json_values().filter(lambda value: "NaN" not in repr(value)))
def test_json_stays_as_it_is(value: Any) -> None:
    assert same(plain(value), json.loads(json.dumps(value), parse_constant=NAMES.get))


NAMES = {"NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity"}
