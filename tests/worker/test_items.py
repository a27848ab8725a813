"""What a tool yields or returns, as chunks."""

import datetime as dt
from collections import OrderedDict, namedtuple
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from snakepit_jupyter import Client
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import chunk_from_pb
from snakepit_jupyter.messages import Call
from snakepit_jupyter.worker.adapter import StreamChunk
from snakepit_jupyter.worker.items import Writer, items_of

WRITER = Writer(Call("tool"))
Named = namedtuple("Named", "data is_final")  # noqa: PYI024 - as upstream's users write it


def envelope(item: Any) -> dict[str, Any]:
    """An item as the user gets it."""
    return chunk_from_pb(WRITER.chunk(item)).envelope()


@dataclass
class Piece:
    """A chunk of somebody else's making."""

    data: Any
    is_final: Any = False
    metadata: Any = field(default_factory=dict)


class Slotted:
    __slots__ = ("data", "is_final")

    def __init__(self, data: Any, is_final: Any) -> None:
        self.data, self.is_final = data, is_final


# Chunks of their own.


@pytest.mark.parametrize(
    "item",
    [
        StreamChunk({"a": 1}, is_final=True),
        Piece({"a": 1}, True),
        Piece({"a": 1}, np.True_),
        Slotted({"a": 1}, True),
        Named({"a": 1}, True),
        SimpleNamespace(data={"a": 1}, is_final=True),
    ],
    ids=lambda item: type(item).__name__,
)
def test_an_object_with_data_and_is_final_is_a_chunk_by_itself(item: Any) -> None:
    assert envelope(item) == {"a": 1, "is_final": True}


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (None, {}),
        ("text", {"data": "text"}),
        ([1, 2], {"data": [1, 2]}),
        ({"is_final": True}, {}),
    ],
)
def test_its_data_may_be_anything_and_only_its_own_word_makes_it_final(data: Any, fields: dict[str, Any]) -> None:
    assert envelope(StreamChunk(data)) == {**fields, "is_final": False}


def test_its_metadata_travels_as_texts() -> None:
    said: dict[Any, Any] = {"step": 3, "where": "a\ud800b", 7: None}
    assert envelope(StreamChunk("x", metadata=said))["_metadata"] == {"step": "3", "where": "a\\ud800b", "7": "None"}


class Colour(Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (0.5, "0.5"),
        (Decimal("1.50"), "1.50"),
        (dt.datetime(2026, 2, 6, 12, 30, tzinfo=dt.UTC), "2026-02-06 12:30:00+00:00"),
        (dt.timedelta(seconds=3), "0:00:03"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Path("a") / "b", "a/b"),
        (Colour.RED, "Colour.RED"),
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (np.True_, "True"),
        (np.datetime64("2026-02-06"), "2026-02-06"),
    ],
    ids=str,
)
def test_what_is_known_to_have_a_text_is_told_by_it(value: Any, text: str) -> None:
    assert envelope(StreamChunk("x", metadata={"m": value}))["_metadata"] == {"m": text}


class Secretive:
    def __str__(self) -> str:
        return "the secret"

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Secretive(), "Secretive"),
        (b"the secret", "bytes 10"),
        (bytearray(b"the secret"), "bytearray 10"),
        (np.bytes_(b"the secret"), "bytes_ 10"),
        ([Secretive()], "list of 1"),
        ({"key": Secretive()}, "dict of 1"),
        (ValueError("the secret"), "ValueError"),
        (np.array(["the secret"]), "ndarray 1 <U10"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_of_all_else_only_the_shape_is_told_also_of_keys(value: Any, text: str) -> None:
    assert envelope(StreamChunk("x", metadata={"m": value}))["_metadata"] == {"m": text}
    if isinstance(value, Hashable):
        said: dict[Any, Any] = {value: 1}
        assert envelope(StreamChunk("x", metadata=said))["_metadata"] == {text: "1"}


@pytest.mark.parametrize("metadata", [None, {}, "no mapping", 3])
def test_metadata_that_is_none_is_left_out(metadata: Any) -> None:
    assert envelope(Piece("x", metadata=metadata)) == {"data": "x", "is_final": False}


@pytest.mark.parametrize(
    "item", [np.arange(3), memoryview(b"abc"), pd.Series([1, 2])], ids=lambda item: type(item).__name__
)
def test_what_merely_has_data_is_a_value(item: Any) -> None:
    assert "data" in envelope(item)


def test_a_table_with_columns_of_those_names_is_a_value() -> None:
    table = pd.DataFrame({"data": [1, 2], "is_final": [True, True]})
    got = envelope(table)
    assert got["is_final"] is False
    pd.testing.assert_frame_equal(got["data"], table)


# Dicts and plain values.


@pytest.mark.parametrize("said", [True, np.True_, np.bool_(1)])
def test_a_dict_says_itself_that_it_is_final(said: Any) -> None:
    assert WRITER.chunk({"a": 1, "is_final": said}).is_final
    assert WRITER.chunk(OrderedDict(is_final=said)).is_final


@pytest.mark.parametrize("said", [False, None, 1, "true", np.False_, np.int64(1)])
def test_only_true_is_final(said: Any) -> None:
    assert not WRITER.chunk({"a": 1, "is_final": said}).is_final


@pytest.mark.parametrize("value", [0, 1.5, "text", True, [1, {"a": None}], (1, 2), b"\x00\xff"])
def test_a_plain_value_is_its_chunks_data(value: Any) -> None:
    got = envelope(value)["data"]
    assert (got, type(got)) == (value, type(value))


def test_none_is_a_value_for_our_own_clients_and_nothing_for_others() -> None:
    assert envelope(None) == {"data": None, "is_final": False}
    assert Writer(Call("tool", plain=True)).chunk(None).data == b""


@pytest.mark.parametrize("plain", [False, True])
def test_a_last_none_is_no_value(plain: bool) -> None:
    assert Writer(Call("tool", plain=plain)).chunk(None, is_final=True) == pb.Chunk(is_final=True)


def test_for_a_reader_that_knows_no_more_values_are_plain() -> None:
    plain = Writer(Call("tool", plain=True))
    chunk = plain.chunk({"array": np.arange(3), "pair": (1, 2)})
    assert (chunk.data, chunk.encoding) == (b'{"array":[0,1,2],"pair":[1,2]}', pb.ENCODING_JSON)


# What a streaming tool returns.


class Loader:
    """Something that can be iterated, as many are."""

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))


@pytest.mark.parametrize("outcome", [[1, 2], (1, 2), iter([1, 2]), range(1, 3), map(int, "12"), Loader()])
def test_items_are_given_one_by_one(outcome: Iterable[int]) -> None:
    items = items_of(outcome)
    assert items is not None
    assert list(items) == [1, 2]


@pytest.mark.parametrize(
    "outcome",
    [None, 3, "text", b"bytes", {"a": 1}, np.arange(3), pd.DataFrame({"a": [1]}), StreamChunk([1])],
    ids=lambda outcome: type(outcome).__name__,
)
def test_a_value_is_no_stream_even_if_it_can_be_iterated(outcome: Any) -> None:
    assert items_of(outcome) is None


# Through everything.


@pytest.mark.parametrize(
    ("what", "chunks"),
    [
        ("dict", [{"a": 1, "is_final": True}]),
        ("str", [{"data": "text", "is_final": True}]),
        ("none", [{"is_final": True}]),
        ("list", [{"data": 1, "is_final": False}, {"data": 2, "is_final": False}, {"is_final": True}]),
        ("chunk", [{"a": 1, "is_final": True}]),
    ],
)
def test_a_streaming_tool_may_return_what_it_has(client: Client, what: str, chunks: list[dict[str, Any]]) -> None:
    got = list(client.execute_stream("return_at_once", {"what": what}))
    for chunk in got:
        chunk.pop("_metadata", None)
    assert got == chunks


def test_chunks_of_their_own_travel_with_what_they_say(client: Client) -> None:
    first, second, last = client.execute_stream("own_chunks")
    assert first == {"step": 1, "is_final": False, "_metadata": {"stage": "warm-up", "lr": "0.5"}}
    assert second == {"error": "one of them failed", "is_final": False}
    assert last["is_final"] is True
    assert last["data"] == "done"
    assert last["_metadata"]["stage"] == "end"


def test_what_cannot_be_sent_is_marked_and_the_stream_goes_on(client: Client) -> None:
    first, second, last = client.execute_stream("give_objects")
    assert first == {"step": 1, "is_final": False}
    assert second["thing"]["__ffi_unserializable__"] is True
    assert second["thing"]["__type__"] == "tools_for_tests.Secretive"
    assert last["step"] == 3
    assert "the secret" not in str((first, second, last))
