"""The frame of a typed payload: JSON text, and behind it the binary parts that the text speaks of by number.

u32    length of the text; all numbers are little-endian
text   JSON, UTF-8
u64    length of the first part
bytes  the first part
…      and so on to the end
"""

import struct
from collections.abc import Sequence

TEXT_LENGTH = struct.Struct("<I")
PART_LENGTH = struct.Struct("<Q")


def join(text: bytes, parts: Sequence[bytes | memoryview]) -> bytes:
    """The frame of a text and its parts, each copied once."""
    pieces: list[bytes | memoryview] = [TEXT_LENGTH.pack(len(text)), text]
    for part in parts:
        pieces += (PART_LENGTH.pack(memoryview(part).nbytes), part)
    return b"".join(pieces)


def text_of(data: bytes) -> memoryview:
    """The text of a frame; its parts are not looked at.

    Raises:
        ValueError: if the data end before it does.
    """
    view = memoryview(data)
    if len(view) < TEXT_LENGTH.size:
        raise ValueError("a typed payload begins with the length of its text")
    (length,) = TEXT_LENGTH.unpack_from(view)
    return _cut(view, TEXT_LENGTH.size, length)


def split(data: bytes) -> tuple[memoryview, list[memoryview]]:
    """The text and the parts of a frame, as views on it.

    Raises:
        ValueError: if the data end before they do.
    """
    view, text = memoryview(data), text_of(data)
    at, parts = TEXT_LENGTH.size + len(text), []
    while at < len(view):
        (length,) = PART_LENGTH.unpack(_cut(view, at, PART_LENGTH.size))
        parts.append(_cut(view, at + PART_LENGTH.size, length))
        at += PART_LENGTH.size + length
    return text, parts


def _cut(view: memoryview, start: int, length: int) -> memoryview:
    if start + length > len(view):
        raise ValueError("a typed payload ends before its end")
    return view[start : start + length]
