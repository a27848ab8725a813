"""What a tool gives, as chunks: dicts, plain values, and objects that say more of themselves."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from enum import Enum
from numbers import Number
from pathlib import PurePath
from typing import Any
from uuid import UUID

from snakepit_jupyter import exact_json, values
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import ENCODING_NUMBERS
from snakepit_jupyter.messages import Call
from snakepit_jupyter.redaction import shape
from snakepit_jupyter.values import Encoding

JSON = Encoding.JSON
PLAIN = frozenset({str, int, float, bool, bytes, list, tuple, type(None)})
# What of a chunk's metadata is told as its own text; of numpy, by the names of its classes.
TOLD = (str, Number, type(None), date, time, timedelta, UUID, PurePath, Enum)
NUMPYS = {"number", "bool", "bool_", "datetime64", "timedelta64"}
WHOLE = (str, bytes, bytearray, memoryview, Mapping)


class Writer:
    """Writes what a call's tool gives.

    Args:
        call: the call; it says for which readers.
    """

    def __init__(self, call: Call) -> None:
        self._encode = values.encode_plain if call.plain else values.encode_marked
        # Our own clients tell None from an empty dict; the contract's peers get nothing for it.
        self._none = b"" if call.plain else b"null"

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
            is_final: whether it is the last one, even if the item does not say so; a last None is no value.
        """
        if isinstance(item, dict):
            said = item.get("is_final", False)
            is_final = is_final or said is True or (said is not False and _is_numpys_true(said))
        elif type(item) not in PLAIN and _is_chunk(item):
            return self._own_chunk(item, is_final=is_final)
        if item is None:
            return pb.Chunk(is_final=True) if is_final else pb.Chunk(data=self._none)
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
    """A value as a text that protobuf takes: a lone surrogate cannot travel.

    Numbers, dates and the like as they are written. Of all else its shape: what an object says of itself, and the
    bytes there are, may be a secret.
    """
    text = str(value) if isinstance(value, TOLD) or _is_numpys_scalar(value) else shape(value)
    return text.encode("utf-8", "backslashreplace").decode()


def _is_numpys_scalar(value: Any) -> bool:
    return any(base.__module__ == "numpy" and base.__name__ in NUMPYS for base in type(value).__mro__)


def items_of(outcome: Any) -> Iterator[Any] | None:
    """The items that a streaming tool gives one by one; None if what it returned is one value.

    Texts, dicts, arrays and tables are values, although one can iterate them.
    """
    if isinstance(outcome, WHOLE) or not isinstance(outcome, Iterable) or _is_chunk(outcome):
        return None
    if hasattr(outcome, "__array__") or hasattr(outcome, "__dataframe__"):
        return None
    return iter(outcome)
