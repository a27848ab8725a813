"""What a tool gives, as chunks: dicts, plain values, and objects that say more of themselves."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from snakepit_jupyter import exact_json, values
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import ENCODING_NUMBERS
from snakepit_jupyter.messages import Call
from snakepit_jupyter.values import Encoding

JSON = Encoding.JSON
PLAIN = frozenset({str, int, float, bool, bytes, list, tuple, type(None)})
WHOLE = (str, bytes, bytearray, memoryview, Mapping)


class Writer:
    """Writes what a call's tool gives.

    Args:
        call: the call; it says for which readers.
    """

    def __init__(self, call: Call) -> None:
        self._encode = values.encode_plain if call.plain else values.encode_marked

    def payload(self, value: Any) -> tuple[bytes, pb.Encoding.ValueType]:
        """A value on the wire; None as nothing."""
        if value is None:
            return b"", pb.ENCODING_JSON
        data, encoding = self._encode(value)
        return data, ENCODING_NUMBERS[encoding]

    def result(self, value: Any) -> tuple[bytes, pb.Encoding.ValueType]:
        """What a plain call gives. NaN and the infinities keep their names: for peers there is a kind for them."""
        if isinstance(value, float) and not math.isfinite(value):
            return exact_json.encode(float(value)), pb.ENCODING_JSON
        return self.payload(value)

    def chunk(self, item: Any, *, is_final: bool = False) -> pb.Chunk:
        """One item of a stream as a chunk.

        Args:
            item: what the tool yielded or returned.
            is_final: whether it is the last one, even if the item does not say so.
        """
        if isinstance(item, dict):
            said = item.get("is_final", False)
            is_final = is_final or said is True or (said is not False and _is_numpys_true(said))
        elif type(item) not in PLAIN and _is_chunk(item):
            return self._own_chunk(item, is_final=is_final)
        if item is None:
            return pb.Chunk(is_final=is_final)
        data, encoding = self._encode(item)
        if encoding is JSON and not is_final:  # nearly every chunk, and each field that is named costs
            return pb.Chunk(data=data)
        return pb.Chunk(data=data, encoding=ENCODING_NUMBERS[encoding], is_final=is_final)

    def _own_chunk(self, item: Any, *, is_final: bool) -> pb.Chunk:
        data, encoding = self.payload(item.data)
        said = getattr(item, "metadata", None)
        metadata = {text_of(key): text_of(value) for key, value in said.items()} if isinstance(said, Mapping) else {}
        return pb.Chunk(data=data, encoding=encoding, is_final=is_final or bool(item.is_final), metadata=metadata)


def _is_numpys_true(value: Any) -> bool:
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ in {"bool", "bool_"} and bool(value)


def _is_chunk(item: Any) -> bool:
    """Whether an object is a chunk by itself. An array merely has `data`, and a table may have a column of any name."""
    return _has_own(item, "data") and _has_own(item, "is_final")


def _has_own(item: Any, name: str) -> bool:
    return hasattr(type(item), name) or name in getattr(item, "__dict__", ())


def text_of(value: Any) -> str:
    """A value as a text that protobuf takes: a lone surrogate cannot travel."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def items_of(outcome: Any) -> Iterator[Any] | None:
    """The items that a streaming tool gives one by one; None if what it returned is one value.

    Texts, dicts, arrays and tables are values, although one can iterate them.
    """
    if isinstance(outcome, WHOLE) or not isinstance(outcome, Iterable) or _is_chunk(outcome):
        return None
    if hasattr(outcome, "__array__") or hasattr(outcome, "__dataframe__"):
        return None
    return iter(outcome)
