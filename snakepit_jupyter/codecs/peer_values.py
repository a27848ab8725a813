"""Values in Snakepit's `google.protobuf.Any`: sections 3.1 and 3.2 of the wire contract.

`Any.value` is JSON text, whatever the `type_url` says; but some peers pack a real wrapper message instead,
and both are understood. JSON is strict here: the literals NaN and Infinity are none.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from google.protobuf import wrappers_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError

from snakepit_jupyter import values
from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.values import Encoding

PREFIX = "type.googleapis.com/"
TEXT_URL = f"{PREFIX}google.protobuf.StringValue"
SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
NOTHING = object()
# Each with the byte that its packed form begins with: the tag of its only field.
WRAPPERS: Mapping[str, tuple[Any, bytes]] = {
    "StringValue": (wrappers_pb2.StringValue, b"\x0a"),
    "BytesValue": (wrappers_pb2.BytesValue, b"\x0a"),
    "DoubleValue": (wrappers_pb2.DoubleValue, b"\x09"),
    "FloatValue": (wrappers_pb2.FloatValue, b"\x0d"),
    "Int64Value": (wrappers_pb2.Int64Value, b"\x08"),
    "Int32Value": (wrappers_pb2.Int32Value, b"\x08"),
    "UInt64Value": (wrappers_pb2.UInt64Value, b"\x08"),
    "UInt32Value": (wrappers_pb2.UInt32Value, b"\x08"),
    "BoolValue": (wrappers_pb2.BoolValue, b"\x08"),
}


def decode_parameters(parameters: Mapping[str, AnyMessage]) -> dict[str, Any]:
    """The arguments of a request, by name.

    Raises:
        InvalidParameter: if one has no value that can be read; `key` names it, and nothing of it is shown.
    """
    return {name: _parameter(name, message) for name, message in parameters.items()}


def encode_parameters(arguments: Mapping[str, Any]) -> dict[str, AnyMessage]:
    """Arguments as every peer reads them: strict JSON under the URL of StringValue.

    Raises:
        UnserializableValue: if one cannot be sent.
    """
    return {name: AnyMessage(type_url=TEXT_URL, value=_plain_json(value)) for name, value in arguments.items()}


def kind_of(message: AnyMessage) -> str:
    """What the `type_url` says the value is: its last word."""
    return message.type_url.rpartition("/")[2].rpartition(".")[2]


def decode_any(message: AnyMessage) -> Any:
    """The value of an Any.

    Raises:
        ValueError, TypeError: if it holds neither JSON nor a packed wrapper, or not what its kind asks for.
    """
    packed = unpacked(message)
    if packed is not NOTHING:
        return packed
    value = decode_strictly(message.value)
    convert = CONVERSIONS.get(kind_of(message))
    return convert(value) if convert else value


def unpacked(message: AnyMessage) -> Any:
    """The value of a really packed wrapper, `NOTHING` if it is none.

    Looked for before JSON: a packed text begins with a line feed, which JSON allows, so that the ten digits of
    a packed "1234567890" would be read as a number. JSON writers begin with no space.
    """
    wrapper, tag = WRAPPERS.get(kind_of(message), (None, b""))
    if wrapper is None or (message.value and not message.value.startswith(tag)):
        return NOTHING
    try:
        value = wrapper.FromString(message.value).value
    except DecodeError:
        return NOTHING
    return value if wrapper(value=value).SerializeToString() == message.value else NOTHING


def decode_strictly(text: bytes) -> Any:
    """The value of strict JSON in UTF-8; whole numbers of any size stay exact.

    Raises:
        ValueError: if the text is none.
    """
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _decode_leniently(text)


def is_json(text: bytes) -> bool:
    """Whether a text is strict JSON."""
    try:
        decode_strictly(text)
    except ValueError:
        return False
    return True


def _decode_leniently(text: bytes) -> Any:
    """What the standard library reads besides: lone surrogates, and numbers beyond the largest float."""
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse(literal: str) -> None:
    raise ValueError(f"{literal} is no JSON")


def _parameter(name: str, message: AnyMessage) -> Any:
    try:
        return decode_any(message)
    except json.JSONDecodeError as error:
        why = f"it is no JSON (at byte {error.pos} of {len(message.value)})"
    except (UnicodeDecodeError, UnicodeEncodeError):
        why = "it is no text in UTF-8"
    except (ValueError, TypeError, OverflowError, MemoryError, RecursionError):
        why = f"it is no {kind_of(message)}" if kind_of(message) in CONVERSIONS else "it cannot be read"
    raise InvalidParameter(f"the argument {name!r} is wrong: {why}", details={"key": name}) from None


def _plain_json(value: Any) -> bytes:
    payload = values.encode_plain(value)
    if payload.encoding is Encoding.BYTES:  # an Any has room for JSON only: as bytes inside of other values
        return values.encode_plain([value]).data[1:-1]
    return payload.data


# What the kinds of section 3.2 make of a JSON value.


def _float(value: Any) -> float:
    return SPECIAL_FLOATS[value] if isinstance(value, str) and value in SPECIAL_FLOATS else float(value)


def _tensor(value: Any) -> Any:
    """{"shape", "data"} as an array of that shape; as nested lists where there is no numpy."""
    if not isinstance(value, dict) or not {"shape", "data"} <= set(value):
        raise ValueError("a tensor has a shape and data")
    try:
        import numpy as np
    except ImportError:
        return _nested(list(_flat(value["data"])), [int(size) for size in value["shape"]])
    return np.asarray(value["data"]).reshape(value["shape"])


def _flat(data: Any) -> Iterator[Any]:
    if isinstance(data, list):
        for item in data:
            yield from _flat(item)
    else:
        yield data


def _nested(flat: list[Any], shape: list[int]) -> Any:
    if math.prod(shape) != len(flat):
        raise ValueError("the data does not fill the shape")
    for size in reversed(shape[1:]):
        flat = [flat[start : start + size] for start in range(0, len(flat), size)] if size else []
    return flat if shape else flat[0]


CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {"float": _float, "integer": int, "tensor": _tensor}
