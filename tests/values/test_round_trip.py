"""What is encoded comes back as it was, whatever it is and however deep it lies."""

import collections
import dataclasses
import datetime as dt
import enum
import json
import math
import pathlib
import subprocess
import sys
import uuid
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from strategies import any_value, json_values, same

from snakepit_jupyter import values
from snakepit_jupyter.errors import InvalidParameter, UnserializableValue
from snakepit_jupyter.exact_json import DEPTH as JSON_DEPTH
from snakepit_jupyter.values import Encoding, LibraryMissing, decode, encode, encode_marked, frame, walk
from snakepit_jupyter.values.payload import INLINE, TAG
from snakepit_jupyter.values.walk import DEPTH

pd: Any = pytest.importorskip("pandas")

BERLIN = ZoneInfo("Europe/Berlin")
NOON = dt.datetime.fromisoformat("2024-10-27T02:30:00.000007")
STRUCTURED = np.dtype(
    {"names": ["a", "b", "c"], "formats": ["<i4", (">f8", (2,)), "U3"], "offsets": [0, 8, 24], "itemsize": 40}
)


def there_and_back(value: Any) -> Any:
    return decode(*encode(value))


def nested(depth: int, inner: Any) -> list[Any]:
    value = [inner]
    for _ in range(depth - 1):
        value = [value]
    return value


STANDARD: list[Any] = [
    *(None, True, 0, -(2**63), 2**64, 10**300, 0.1, -0.0, math.nan, math.inf, -math.inf, "", "\x00", "\ud800", "null"),
    *(b"", b"\x00\xff", b"x" * INLINE, b"x" * (INLINE + 1), bytearray(b""), bytearray(b"x" * (INLINE + 1))),
    *((), (1,), [(1, [2]), ()], {1, 2}, frozenset({("a", frozenset())}), [], {}, [[]], {"": {}}),
    *({1: "a", None: 2, (1, "b"): 3, b"k": 4, 1.5: 5, False: 6}, {dt.date(2024, 1, 2): 1}, {pathlib.Path("a"): 1}),
    *({TAG: "datetime"}, {TAG: {TAG: "tuple", "value": [1]}, "t": ()}, [{TAG: 1, 2: 3}], {"value": (), "part": 0}),
    *(NOON, NOON.replace(tzinfo=BERLIN), NOON.replace(tzinfo=BERLIN, fold=1), NOON.replace(tzinfo=dt.UTC)),
    *(NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=-3, seconds=1))), dt.datetime.min, dt.datetime.max),  # noqa: DTZ901
    *(
        dt.date(1, 1, 1),
        dt.time(23, 59, 59, 999999),
        dt.time(1, fold=1),
        dt.time(1, tzinfo=BERLIN),
        dt.time(1, tzinfo=dt.UTC),
    ),
    *(dt.timedelta(0), dt.timedelta.min, dt.timedelta.max, dt.timedelta(microseconds=-1)),
    *(Decimal("1.10"), Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), Decimal("1E+999999"), Decimal("-0")),
    *(1 + 2j, complex(math.nan, -0.0), uuid.UUID(int=7), pathlib.Path("/a/ä\udcff"), pathlib.Path()),
    *(pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath("c:/d")),
]

NUMPY: list[Any] = [
    *(np.float64(0.1), np.float32(0.1), np.float16("nan"), np.longdouble(1) / 3, np.int8(-1), np.uint64(2**64 - 1)),
    *(np.bool_(True), np.complex64(1 - 2j), np.datetime64("2024-01-02T03:04:05.123456789"), np.datetime64("NaT", "D")),
    *(np.timedelta64(5, "M"), np.timedelta64(3), np.str_("ä"), np.bytes_(b"a\x00"), np.void(b"\x00\x01")),
    *(np.array(5), np.array("text"), np.zeros((0, 3)), np.zeros((2, 0), "U3"), np.arange(12).reshape(3, 4)),
    *(np.array([math.nan, math.inf, -0.0]), np.array([1, 2**64 - 1], np.uint64), np.array([True, False])),
    *(np.arange(12, dtype=">i4").reshape(3, 4), np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.arange(9)[::-2]),
    *(np.array(["a", "längere", "\ud800"]), np.array([b"a", b"bc"]), np.array([1 + 2j]), np.ones(3, np.longdouble)),
    *(np.array(["2024-01-02", "NaT"], "M8[ns]"), np.array([1, 2], "m8[25us]"), np.zeros(2, "V3")),
    *(np.zeros(3, STRUCTURED), np.zeros((2, 2), np.dtype([("x", "i1"), ("y", [("z", "f4")])], align=True))),
    *(
        np.array([None, "a", [1], (2,), np.int8(3)], object),
        np.array([[1, "a"], [None, 2]], object),
        np.array({}, object),
    ),
    *(np.random.default_rng(1).random((50, 60)), np.random.default_rng(1).random((60, 50)).T, np.ones(20_000, bool)),
    *(np.full(4000, "text"), np.zeros(2000, STRUCTURED), np.random.default_rng(1).random((40, 40))[::2, 1::3]),
]

PANDAS: list[Any] = [
    *(pd.Timestamp("2024-01-02 03:04:05.123456789"), pd.Timestamp("2024-01-02", tz="Europe/Berlin"), pd.NaT, pd.NA),
    *(pd.Timestamp("2024-01-02").as_unit("s"), pd.Timestamp("2024-01-02T00:00+02:00"), pd.Timedelta("1D 3ns")),
    *(pd.RangeIndex(2, 9, 3, name="r"), pd.Index([1, 2]), pd.Index(["a", "b"], name=("n", 1)), pd.Index([1.5, None])),
    *(pd.Index(["a", (1, 2), None], dtype=object, tupleize_cols=False), pd.Index([], dtype=object), pd.Index([True])),
    *(pd.MultiIndex.from_product([[1, 2], ["a", "b"]], names=["x", None]), pd.CategoricalIndex(["a"], ordered=True)),
    *(pd.date_range("2024", periods=3, freq="h", tz="UTC"), pd.DatetimeIndex(["2024-01-01", "2024-01-05"])),
    *(
        pd.timedelta_range(0, periods=3, freq="D"),
        pd.period_range("2024", periods=3, freq="M"),
        pd.interval_range(0, 3),
    ),
    *(pd.Series([1.5, None], name="x"), pd.Series(["a", None]), pd.Series([], dtype=float), pd.Series([1 + 1j])),
    pd.Series(
        [None, math.nan, pd.NA, pd.NaT, 3, (1,), [1], {"a": {1}}, NOON, b"x"], dtype=object, index=list("abcdefghij")
    ),
    *(pd.Series([1, None], dtype="Int64"), pd.Series([True, None], dtype="boolean"), pd.Series([1], dtype="float16")),
    *(pd.Series(["a", None], dtype="string[python]"), pd.Series(["a", None], dtype="string[pyarrow]")),
    *(pd.Series([1, None], dtype="int64[pyarrow]"), pd.Series([[1]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))),
    *(pd.Series([None] * 99, dtype=pd.ArrowDtype(pa.null())), pd.Series(pd.cut([1, 2, 3], 2))),
    *(
        pd.Series(["a", "b"], dtype="category"),
        pd.Series([1, "b", None], dtype="category"),
        pd.Series([], dtype="category"),
    ),
    *(pd.Series(pd.date_range("2024", periods=2, tz="Europe/Berlin")), pd.Series(pd.period_range("2024", periods=2))),
    *(
        pd.DataFrame(),
        pd.DataFrame(index=[1, 2]),
        pd.DataFrame(columns=["a"]),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
    ),
    pd.DataFrame({"a": [1], "b": ["x"], 3: [None], "c": [[1]], "d": [1j], "e": [pd.Timestamp("2024")]}, index=["row"]),
    pd.DataFrame(np.eye(3), columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)]), index=list("xyz")),
    pd.DataFrame(np.random.default_rng(1).random((500, 5))),
]

ARROW: list[Any] = [
    pa.table({"a": [1, None], "b": ["x", "y"], "c": [[1], [2, 3]], "d": [Decimal("1.5"), None]}, metadata={"k": "v"}),
    *(pa.table({}), pa.table({"a": pa.chunked_array([[1], [2, 3]])}), pa.table({"a": range(5000)}).slice(3)),
    *(
        pa.RecordBatch.from_pydict({"a": [1, 2]}),
        pa.array([1, None]),
        pa.array([1, 2, 3])[1:],
        pa.nulls(3),
        pa.array([]),
    ),
    *(pa.array(["a", "b", "a"]).dictionary_encode(), pa.array([{"x": 1}, None]), pa.array([NOON])),
    *(pa.chunked_array([["a"], ["b"]]), pa.chunked_array([], pa.int8())),
]


@pytest.mark.parametrize("value", [*STANDARD, *NUMPY, *PANDAS, *ARROW], ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_it_was_alone_and_inside(value: Any) -> None:
    assert same(there_and_back(value), value)
    assert same(there_and_back({"a": [value, (value,)], 1: {"b": value}}), {"a": [value, (value,)], 1: {"b": value}})
    assert encode_marked(value) == encode(value)


@settings(max_examples=300)
@given(any_value())
def test_any_nesting_comes_back_as_it_was(value: Any) -> None:
    assert same(there_and_back(value), value)


@settings(max_examples=100)
@given(any_value())
def test_binary_parts_give_the_same_as_text(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "INLINE", -1)
        payload = encode(value)
    assert same(decode(*payload), value)


@settings(max_examples=150)
@given(json_values())
def test_json_values_travel_as_json_without_tags(value: Any) -> None:
    payload = encode(value)
    assert payload.encoding is Encoding.JSON
    assert same(json.loads(payload.data), value)


def test_an_integer_is_never_too_long() -> None:
    for value in (10**5000, [-(10**5000), math.nan, None], {"a": {1: 10**5000, 2: ()}}):
        assert same(there_and_back(value), value)


# How they are written.


def text_and_parts(value: Any) -> tuple[Any, list[int]]:
    payload = encode(value)
    assert payload.encoding is Encoding.TYPED
    text, parts = frame.split(payload.data)
    return json.loads(bytes(text)), list(map(len, parts))


def test_bytes_alone_are_sent_as_they_are() -> None:
    assert encode(b"\x00\xff") == (b"\x00\xff", Encoding.BYTES)
    assert encode_marked(b"") == (b"", Encoding.BYTES)


def test_small_things_can_be_read_in_the_text() -> None:
    text, parts = text_and_parts({"a": np.array([[1, 2], [3, 4]], np.int8), "b": b"abc", "at": NOON})
    assert text == {
        "a": {TAG: "numpy.array", "shape": [2, 2], "format": "|i1", "value": [1, 2, 3, 4]},
        "b": {TAG: "bytes", "base64": "YWJj"},
        "at": {TAG: "datetime", "value": "2024-10-27T02:30:00.000007"},
    }
    assert parts == []


@pytest.mark.parametrize("make", [lambda size: b"x" * size, lambda size: np.zeros(size // 8)], ids=["bytes", "array"])
def test_ten_kibibytes_are_the_most_that_stands_in_the_text(make: Any) -> None:
    assert text_and_parts([make(10_240)])[1] == []
    assert text_and_parts([make(10_248)])[1] == [10_248]


def test_parts_are_counted_over_the_whole_value() -> None:
    text, parts = text_and_parts([np.zeros(3000), {"b": bytearray(20_000)}, np.array([1j])])
    assert [text[0]["part"], text[1]["b"]["part"]] == [0, 1]
    assert parts == [24_000, 20_000]


def test_a_large_array_keeps_its_layout_and_shares_nothing() -> None:
    array = np.asfortranarray(np.zeros((100, 50)))
    payload = encode(array)
    back = decode(*payload)
    assert back.flags.f_contiguous
    back[:] = 1
    assert same(decode(*payload), array)


class Colour(enum.Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    at: Any = None


class Struct(msgspec.Struct, frozen=True):
    x: int


class Named(NamedTuple):
    a: int
    b: str = "b"


class Text(str):
    __slots__ = ()


class Numbers(list[int]):
    pass


class Later(dt.datetime):
    pass


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (Colour.RED, "red"),
        (Colour.PAIR, (1, 2)),
        ({Level.LOW: Level.LOW}, {1: 1}),
        (Point(1, NOON), {"x": 1, "at": NOON}),
        (Struct(1), {"x": 1}),
        (Named(1), {"a": 1, "b": "b"}),
        ({Named(1): {Named(2)}}, {(1, "b"): {(2, "b")}}),
        (Text("text"), "text"),
        ({Text("k"): Text("v")}, {"k": "v"}),
        (Numbers([1, 2]), [1, 2]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (Later(2024, 1, 2, tzinfo=BERLIN), dt.datetime(2024, 1, 2, tzinfo=BERLIN)),
        (memoryview(b"abcd")[::2], b"ac"),
        (np.ma.masked_array([1, 2], [False, True]), [1, None]),
        (np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")])),
        (pd.Series([1, 0], dtype="Sparse[int64]"), pd.Series([1, 0])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_type_of_its_own_arrives_as_its_nearest(value: Any, arrives: Any) -> None:
    assert same(there_and_back([value]), [arrives])


# What cannot be sent.


class Secretive:
    def __repr__(self) -> str:
        return "the secret"


A_CIRCLE: list[Any] = []
A_CIRCLE.append({"inner": A_CIRCLE})


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (Secretive(), "$"),
        ({"config": {"model": Secretive()}}, "$.config.model"),
        ({"a": [1, (2, Secretive())]}, "$.a[1][1]"),
        ({"my key": {3: Secretive()}}, '$["my key"][builtins.int]'),
        ({"k": {(1, Secretive()): 1}}, "$.k[builtins.tuple]"),
        ({"s": {Secretive()}}, "$.s"),
        ([math.nan, None, print], "$[2]"),
        ({"of": np.array([1, Secretive()], object)}, "$.of[1]"),
        ({"of": Point(1, Secretive())}, "$.of.at"),
        ({"p": pd.Period("2024")}, "$.p"),
        ({"x": A_CIRCLE}, "$.x[0].inner"),
        (nested(DEPTH, Secretive()), "$" + "[0]" * 8 + "…"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_sent_is_named_with_its_place_and_not_shown(value: Any, where: str) -> None:
    with pytest.raises(UnserializableValue, match="this value cannot be sent: an object of type ") as caught:
        encode(value)
    assert f" at {where}\n" in str(caught.value)
    assert caught.value.details["path"] == where
    assert "the secret" not in str(caught.value)


def test_how_deep_a_value_may_be() -> None:
    assert there_and_back(nested(JSON_DEPTH, 1)) == nested(JSON_DEPTH, 1)
    deep: Any = ()
    for _ in range(DEPTH - 1):
        deep = {1: deep}
    assert there_and_back(deep) == deep
    with pytest.raises(UnserializableValue, match="nested deeper than"):
        encode({1: deep})
    with pytest.raises(UnserializableValue, match="nested deeper than"):
        encode(nested(100_000, 1))


def test_a_value_that_is_met_twice_is_no_circle() -> None:
    shared = [(1,)]
    assert there_and_back([shared, {"again": shared}]) == [shared, {"again": shared}]


# Names.


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"a": 1, "b": [math.nan]},
        {"a": (), "b": np.zeros(9000), "value": {1: 2}},
        {TAG: (), "b": 1},
        {"ä\ud800": {1}},
    ],
)
def test_the_names_of_arguments_are_read_without_their_values(arguments: dict[str, Any]) -> None:
    data, encoding = encode(arguments)
    end = len(data) if encoding is Encoding.JSON else 4 + len(frame.text_of(data))
    assert values.names(data[:end], encoding) == list(arguments)


@pytest.mark.parametrize("value", [[], 1, None, (), {1: 2}, {TAG: (), 1: 2}, b"x", NOON, np.zeros(3), {"a"}], ids=repr)
def test_what_is_no_object_has_no_names(value: Any) -> None:
    with pytest.raises(InvalidParameter) as caught:
        values.names(*encode(value))
    assert caught.value.key == "arguments"


# The libraries.

WITHOUT = """
import sys
for name in sys.argv[1:]:
    sys.modules[name] = None
from snakepit_jupyter.values import Encoding, LibraryMissing, decode, encode, encode_marked
try:
    decode(sys.stdin.buffer.read(), Encoding.TYPED)
except LibraryMissing as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("value", "missing"),
    [(np.zeros(3), "numpy"), (pd.Series([1]), "pandas"), (pd.Series([1]), "pyarrow"), (pa.array([1]), "pyarrow")],
    ids=lambda value: type(value).__name__,
)
def test_a_missing_library_is_named_with_what_to_install(value: Any, missing: str) -> None:
    words = [sys.executable, "-c", WITHOUT, missing]
    done = subprocess.run(words, input=encode([value]).data, capture_output=True, check=True)
    said = done.stdout.decode()
    assert f"this value needs {missing}, which is not installed" in said
    assert f"pip install '{missing}>=" in said


def test_a_library_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(values.library.LEAST, "pyarrow", "999.1")
    values.library.library.cache_clear()
    try:
        with pytest.raises(LibraryMissing, match=r"needs pyarrow 999\.1, not "):
            values.library.library("pyarrow")
    finally:
        values.library.library.cache_clear()


def test_a_table_without_pyarrow_is_refused_by_name_but_marked_as_a_dict() -> None:
    code = """
import sys, pandas
sys.modules["pyarrow"] = None
from snakepit_jupyter.values import encode, encode_marked
frame = pandas.DataFrame({"a": [1]})
print(encode_marked({"t": frame}).data[4:].decode())
try:
    encode({"t": frame})
except Exception as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    marked, refused, *_ = done.stdout.splitlines()
    assert json.loads(marked[marked.index("{") :])["t"]["a"]
    assert "needs pyarrow" in refused
    assert "at $.t" in refused


def test_values_of_the_standard_library_load_no_other() -> None:
    code = """
import datetime, sys
from snakepit_jupyter.values import decode, encode, encode_plain
value = {"a": (1, datetime.datetime.now(datetime.UTC), b"x"), 2: {3.5}}
assert decode(*encode(value)) == value and encode_plain(value)
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pandas", "pyarrow", "pickle"} & set(done.stdout.split())
