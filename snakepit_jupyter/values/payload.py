"""What travels: bytes, and how they are written."""

import enum
from typing import NamedTuple


class Encoding(enum.StrEnum):
    """How a payload is written: JSON text, bytes as the tool gave them, or JSON with typed values and binary parts."""

    JSON = "json"
    BYTES = "bytes"
    TYPED = "typed"


class Payload(NamedTuple):
    """A value on its way."""

    data: bytes
    encoding: Encoding = Encoding.JSON


TAG = "__snakepit__"
"""The key that tells a typed value from a dict of the user's."""

INLINE = 10_240
"""Bytes that may stand in the JSON text, where a human can read them; what is larger is a binary part."""
