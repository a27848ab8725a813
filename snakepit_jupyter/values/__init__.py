"""Values as they travel: JSON for what is JSON, and for the rest what keeps its type.

    JSON    text without tags; NaN and the infinities stand in it as literals
    BYTES   the bytes themselves
    TYPED   a frame: JSON with typed values, `{"__snakepit__": "datetime", …}`, and binary parts behind it

Nothing that is read is ever run: there is no pickle, and no name from a payload is imported.
"""

from collections.abc import Callable
from typing import Any

from snakepit_jupyter import exact_json
from snakepit_jupyter.errors import UnserializableValue
from snakepit_jupyter.values import plain, typed
from snakepit_jupyter.values.library import LibraryMissing
from snakepit_jupyter.values.marker import mark, set_first_seen
from snakepit_jupyter.values.payload import Encoding, Payload
from snakepit_jupyter.values.walk import Refused

__all__ = [
    "Encoding",
    "LibraryMissing",
    "Payload",
    "decode",
    "encode",
    "encode_marked",
    "encode_plain",
    "names",
    "set_first_seen",
]

JSON = Encoding.JSON  # looked up once: an enum's member costs more than a name


def encode(value: Any) -> Payload:
    """A value of any kind that can travel, to be given back by `decode` as what it was.

    Raises:
        UnserializableValue: if something in it cannot be sent; names its type and where it is, not its content.
    """
    try:
        return _payload(value)
    except Refused as error:
        raise UnserializableValue(
            f"this value cannot be sent: {error.what} at {error.path}",
            details={"type": error.kind, "path": error.path},
        ) from error


def encode_marked(value: Any) -> Payload:
    """The same for results: what cannot be sent is replaced by a marker (section 9 of the wire contract)."""
    try:
        return _payload(value, mark)
    except (UnserializableValue, RecursionError):  # the caller has left us too little of the stack
        return Payload(exact_json.encode(mark(value)))


def _payload(value: Any, unsendable: Callable[[object], Any] | None = None) -> Payload:
    if type(value) is bytes:
        return Payload(value, Encoding.BYTES)
    if not exact_json.is_exact(value):
        return typed.write(value, unsendable)
    try:
        return Payload(exact_json.encode(value))
    except UnserializableValue:  # an integer longer than any JSON reader takes
        return typed.write(value, unsendable)


def encode_plain(value: Any) -> Payload:
    """A value for readers that know strict JSON and bytes only: types are lowered to their nearest JSON.

    Tuples and sets become lists, times ISO 8601 text, durations seconds, Decimals, UUIDs, paths and complex numbers
    text, NaN and the infinities the texts "NaN", "Infinity", "-Infinity"; arrays nested lists, tables lists by
    column; bytes inside of something `{"raw_data_base64": …}`; what cannot be sent a marker.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Payload(bytes(value), Encoding.BYTES)
    return Payload(plain.write(value))


def decode(data: bytes, encoding: Encoding) -> Any:
    """The value of a payload.

    Raises:
        LibraryMissing: a ValueError; if it is of a library that is not installed here. It says what to install.
        ValueError: if the payload is none.
    """
    if encoding is JSON:
        return exact_json.decode(data)
    if encoding is Encoding.BYTES:
        return data
    try:
        return typed.read(data)
    except LibraryMissing:
        raise
    except Exception as error:  # a forged payload may make any library stumble anywhere
        raise ValueError(f"this is no typed payload ({type(error).__name__})") from error


def names(data: bytes, encoding: Encoding) -> list[str]:
    """The keys of an object, without reading their values where that can be helped.

    Raises:
        InvalidParameter: if the payload is no object, or one with other keys than texts.
    """
    if encoding is Encoding.JSON:
        return exact_json.names(data)
    if encoding is Encoding.BYTES:
        raise typed.no_object()
    return typed.names(data)
