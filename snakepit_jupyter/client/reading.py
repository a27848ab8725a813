"""What came back, as values: the border where a payload that cannot be read becomes one of our errors."""

from typing import Any

from snakepit_jupyter import values
from snakepit_jupyter.errors import UnserializableValue
from snakepit_jupyter.messages import Chunk
from snakepit_jupyter.values import Encoding


def value_of(data: bytes, encoding: Encoding) -> Any:
    """The value of a result; no JSON at all is None.

    Raises:
        UnserializableValue: if it needs a library that is not installed here; says which.
    """
    if not data and encoding is not Encoding.BYTES:
        return None
    try:
        return values.decode(data, encoding)
    except values.LibraryMissing as error:
        raise _unreadable(error) from error


def envelope_of(chunk: Chunk) -> dict[str, Any]:
    """The chunk as the user sees it. Errors as `value_of`."""
    try:
        return chunk.envelope()
    except values.LibraryMissing as error:
        raise _unreadable(error) from error


def _unreadable(error: values.LibraryMissing) -> UnserializableValue:
    return UnserializableValue(str(error), hint="Or have the tool send lists and numbers instead.")
