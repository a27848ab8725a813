"""Values as they travel: JSON for what is JSON, and for the rest what keeps its type."""

import enum
from typing import Any, NamedTuple

from snakepit_jupyter import exact_json


class Encoding(enum.StrEnum):
    """How a payload is written: JSON text, bytes as the tool gave them, or JSON with typed values and binary parts."""

    JSON = "json"
    BYTES = "bytes"
    TYPED = "typed"


class Payload(NamedTuple):
    """A value on its way."""

    data: bytes
    encoding: Encoding = Encoding.JSON


def encode(value: Any) -> Payload:
    """A value of any kind that can travel, to be given back by `decode` as what it was.

    Raises:
        UnserializableValue: if something in it cannot be sent; names its type, not its content.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Payload(bytes(value), Encoding.BYTES)
    return Payload(exact_json.encode(value))


def encode_marked(value: Any) -> Payload:
    """The same for results: what cannot be sent is replaced by a marker (section 9 of the wire contract)."""
    return encode(value)


def encode_plain(value: Any) -> Payload:
    """A value for readers that know strict JSON and bytes only: types are lowered to their nearest JSON."""
    return encode(value)


def decode(data: bytes, encoding: Encoding) -> Any:
    """The value of a payload.

    Raises:
        ValueError: if it is none.
    """
    if encoding is Encoding.BYTES:
        return data
    return exact_json.decode(data)


def names(data: bytes, encoding: Encoding) -> list[str]:
    """The keys of an object, without reading their values where that can be helped.

    Raises:
        InvalidParameter: if the payload is no object.
    """
    return exact_json.names(data)
