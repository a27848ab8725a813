"""Whatever bytes are given to the decoder, it gives a value or says that they are none. It runs nothing."""

import base64
import contextlib
import json
import pickle
import random
import struct
import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import any_value

from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.values import Encoding, decode, encode, frame, names, walk
from snakepit_jupyter.values.payload import TAG

pd: Any = pytest.importorskip("pandas")


def forged(tree: Any, *parts: bytes) -> bytes:
    """A frame with that in it."""
    return frame.join(json.dumps(tree).encode(), parts)


def tag(kind: Any, /, **fields: Any) -> dict[str, Any]:
    return {TAG: kind, **fields}


def is_a_value_or_none(data: bytes, encoding: Encoding = Encoding.TYPED) -> bool:
    """Whether it is a value; anything but ValueError escapes. The names are asked for as well."""
    with contextlib.suppress(InvalidParameter):
        names(data, encoding)
    try:
        decode(data, encoding)
    except ValueError:
        return False
    return True


# Anything.


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(Encoding))
def test_any_bytes_are_a_value_or_none(data: bytes, encoding: Encoding) -> None:
    is_a_value_or_none(data, encoding)


LEAVES = st.none() | st.integers() | st.text(max_size=3) | st.sampled_from(["numpy.array", "tuple", "<f8"])
FIELDS = st.sampled_from([TAG, "value", "shape", "format", "part", "base64"])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
)


@settings(max_examples=200)
@given(TREES)
def test_any_tree_is_a_value_or_none(tree: Any) -> None:
    is_a_value_or_none(forged(tree, b"12345678"))


ODD: list[Any] = [
    *(
        0,
        -1,
        2**31,
        2**63,
        10**15,
        1e308,
        None,
        True,
        "",
        "O",
        "<U99999999",
        "|V2147483647",
        "M8[ns]",
        [],
        {},
        [[]],
        [-1],
    ),
    *("numpy.array", "pandas.Series", "pyarrow.Table", "dict", "../../etc/passwd", "Europe", "\ud800", [10**9, 10**9]),
    tag("set", value=[[1]]),
]


def altered(data: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them changed, taken out, put in, or the end cut off."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(made) + 1)
        match chance.randrange(5):
            case 0 | 1 if place < len(made):
                made[place] = chance.randrange(256)
            case 2:
                del made[place : place + chance.randint(1, 8)]
            case 3:
                made[place : place + 8] = struct.pack("<q", chance.choice([-1, 0, 2**31 - 1, 2**40, 2**62]))[
                    : len(made) - place
                ]
            case _:
                del made[place if chance.random() < 0.2 else len(made) :]
    return bytes(made)


def altered_tree(tree: Any, chance: random.Random) -> Any:
    if chance.random() < 0.05:
        return chance.choice(ODD)
    if isinstance(tree, dict):
        return {name: altered_tree(inner, chance) for name, inner in tree.items() if chance.random() > 0.03}
    if isinstance(tree, list):
        return [altered_tree(inner, chance) for inner in tree if chance.random() > 0.03]
    return tree


@settings(max_examples=200)
@given(any_value(), st.randoms(use_true_random=False))
def test_payloads_that_were_tampered_with_are_values_or_none(value: Any, chance: random.Random) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "INLINE", -1)
        data, encoding = encode(value)
    is_a_value_or_none(altered(data, chance), encoding)
    if encoding is Encoding.TYPED:
        text, views = frame.split(data)
        parts = [bytes(view) for view in views]
        is_a_value_or_none(frame.join(bytes(text), [altered(part, chance) for part in parts]))
        is_a_value_or_none(forged(altered_tree(json.loads(bytes(text)), chance), *parts))


# Frames.


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\x00", b"\x00\x00\x00\x00", b"\x02\x00\x00\x00[", b"\xff\xff\xff\xff[]", b"\x02\x00\x00\x00[]\x00"),
        b"\x02\x00\x00\x00[]" + struct.pack("<Q", 2**63),
        b"\x02\x00\x00\x00[]" + struct.pack("<Q", 5) + b"1234",
        forged([], b"a part of no value"),
    ],
)
def test_a_frame_that_does_not_end_where_it_says_is_none(data: bytes) -> None:
    assert not is_a_value_or_none(data)


@pytest.mark.parametrize("number", [1, -1, True, 0.0, "0", None, [0]])
def test_a_part_that_is_not_there_is_not_taken(number: Any) -> None:
    assert not is_a_value_or_none(forged([tag("bytes", part=number)], b"the only one"))


def test_a_part_is_given_out_once() -> None:
    assert is_a_value_or_none(forged([tag("bytes", part=0)], b"x"))
    assert not is_a_value_or_none(forged([tag("bytes", part=0)] * 2, b"x"))


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":', '{"__snakepit__":"tuple","value":['])
def test_what_is_nested_without_end_is_none(opening: str, depth: int) -> None:
    text = (opening * depth).encode()
    assert not is_a_value_or_none(text, Encoding.JSON)
    assert not is_a_value_or_none(frame.join(text, []))
    closing = {"[": "]", '{"a":': "}"}.get(opening, "]}")
    is_a_value_or_none(frame.join(text + b"1" + (closing * depth).encode(), []))


# Values.


def array(**fields: Any) -> dict[str, Any]:
    return tag("numpy.array", **{"shape": [1], "format": "<f8", **fields})


PART = b"12345678"
FORGED: list[Any] = [
    *(tag("none"), tag("numpy.none"), tag("os.system", value="true"), tag(None), tag([]), tag({}), tag("numpy")),
    *(
        tag("tuple"),
        tag("tuple", value="ab"),
        tag("set", value=[[1]]),
        tag("dict", value=[[1]]),
        tag("dict", value=[[[], 1]]),
    ),
    *(tag("bytes"), tag("bytes", base64="***"), tag("bytes", base64=3), tag("int", value="0y"), tag("int", value=3)),
    *(tag("datetime", value="yesterday"), tag("datetime", value=3), tag("datetime", value="2024-01-02", fold=7)),
    *(tag("datetime", value="2024-01-02", offset=1e300), tag("time", value="25:00"), tag("date", value="2024-02-30")),
    *(
        tag("timedelta", value=[10**12]),
        tag("Decimal", value="many"),
        tag("Decimal", value={}),
        tag("complex", value=["x"]),
    ),
    *(tag("UUID", value="1"), tag("UUID", value=3), tag("Path", value=3)),
    *(array(shape=[2], part=0), array(shape=[-1], part=0), array(shape=[True], part=0), array(shape="1", part=0)),
    *(array(shape=[10**9, 10**9], part=0), array(shape=[0, 2**62], value=[]), array(format="O", part=0)),
    *(
        array(format="object", part=0),
        array(format="|O", value=[1]),
        array(format="f8,O", part=0),
        array(format="os", part=0),
    ),
    *(array(format="<U1000000000", value=["a"]), array(format="|V2147483647", value=[]), array(format="<f3", part=0)),
    *(array(value=["a"]), array(value=[[1.0]]), array(value=[1.0, 2.0]), array(value="a"), array(value=[1.0] * 2000)),
    *(array(format={"base": "<f8", "shape": [10**9]}, part=0), array(format={"base": "O", "shape": [1]}, part=0)),
    array(
        format={"names": ["a"], "formats": ["O"], "offsets": [0], "itemsize": 8, "titles": [None], "aligned": False},
        part=0,
    ),
    array(
        format={"names": ["a"], "formats": ["<f8"], "offsets": [-8], "itemsize": 8, "titles": [None], "aligned": False},
        part=0,
    ),
    *(
        array(format="|b1", shape=[8], part=0),
        array(format="<U2", part=0),
        tag("numpy.scalar", format="<f8", value=[1, 2]),
    ),
    *(tag("numpy.objects", shape=[3], value=[1]), tag("numpy.objects", shape=[10**12], value=[1])),
    *(tag("pyarrow.Table", part=0), tag("pyarrow.Array", part=0), tag("pyarrow.Table", base64="")),
    *(tag("pandas.Timestamp", value="x", unit="ns"), tag("pandas.Timestamp", value="2024", unit="fortnight")),
    *(tag("pandas.Timedelta", value=10**30, unit="ns"), tag("pandas.RangeIndex", value=[0, 1, 0], name=None)),
    *(tag("pandas.Index", keys=[[1]], name=None), tag("pandas.Index", keys=[1], name=[1])),
    tag("pandas.MultiIndex", levels=[[1]], codes=[[0]], names=[None]),
    tag("pandas.Categorical", codes=[5], categories=tag("pandas.Index", keys=["a"], name=None), ordered=False),
    tag(
        "pandas.Series",
        columns={"others": {}},
        index=tag("pandas.RangeIndex", value=[3], name=None),
        name=None,
        attrs={},
    ),
    tag("pandas.strings", value=["a"], storage="os", nan=False),
]


@pytest.mark.parametrize("tree", FORGED, ids=lambda tree: json.dumps(tree)[:60])
def test_a_typed_value_that_is_none_is_refused(tree: Any) -> None:
    parts = [PART] if '"part"' in json.dumps(tree) else []
    assert not is_a_value_or_none(forged([tree], *parts))


@pytest.mark.parametrize(
    "zone", ["", "/etc/passwd", "../UTC", "Europe", "Europe/", "Europe/../UTC", "a" * 5000, "no.such", 3, []]
)
def test_a_time_zone_is_a_name_and_no_path(zone: Any) -> None:
    assert not is_a_value_or_none(forged(tag("datetime", value="2024-01-02T00:00:00", zone=zone)))


def an_ipc_stream(table: Any) -> bytes:
    from snakepit_jupyter.values.arrow import stream_of

    return bytes(stream_of(table))


def as_column(table: Any, others: dict[str, Any] | None = None) -> bytes:
    data = base64.b64encode(an_ipc_stream(table)).decode()
    index = tag("pandas.RangeIndex", value=[table.num_rows], name=None)
    columns = {"others": others or {}, "base64": data}
    return forged(tag("pandas.Series", columns=columns, index=index, name=None, attrs={}))


def test_a_column_with_more_rows_than_bits_is_no_series() -> None:
    assert is_a_value_or_none(as_column(pa.table({"0": [1, 2]})))
    nothing = pa.Array.from_buffers(pa.null(), 2**31 - 1, [None])
    assert not is_a_value_or_none(as_column(pa.table({"0": nothing})))
    assert not is_a_value_or_none(as_column(pa.table({"0": pa.RunEndEncodedArray.from_arrays([2**30], [1])})))


def test_columns_of_different_lengths_are_no_table() -> None:
    assert not is_a_value_or_none(as_column(pa.table({"0": [1, 2]}), {"1": tag("numpy.objects", shape=[1], value=[1])}))


def test_an_arrow_array_that_points_outside_of_itself_is_none() -> None:
    stream = an_ipc_stream(pa.RecordBatch.from_pydict({"value": pa.array(["ab", "cd", "ef"])}))
    offsets = struct.pack("<4i", 0, 2, 4, 6)
    assert stream.count(offsets) == 1
    wrong = stream.replace(offsets, struct.pack("<4i", 0, 2, 2**30, 6))
    assert is_a_value_or_none(forged(tag("pyarrow.Array", part=0), stream))
    assert not is_a_value_or_none(forged(tag("pyarrow.Array", part=0), wrong))


def test_a_length_that_was_made_up_claims_no_memory() -> None:
    tracemalloc.start()
    try:
        for tree in FORGED:
            is_a_value_or_none(forged(tree, PART))
        is_a_value_or_none(b"\x02\x00\x00\x00[]" + struct.pack("<Q", 2**62))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


class Trap:
    sprung = False

    def __reduce__(self) -> Any:
        return setattr, (Trap, "sprung", True)


def test_nothing_that_was_sent_is_run() -> None:
    trap = pickle.dumps(Trap())
    pickled = np.lib.format.magic(1, 0) + trap
    for tree in (array(format="|O", shape=[len(trap)], part=0), tag("bytes", part=0), tag("pyarrow.Table", part=0)):
        for part in (trap, pickled):
            is_a_value_or_none(forged(tree, part))
    assert not Trap.sprung
    pickle.loads(trap)
    assert Trap.sprung
