"""What came back, as values: the border where a payload that cannot be read becomes one of our errors."""

from typing import Any

from snakepit_jupyter import values
from snakepit_jupyter.errors import UnserializableValue
from snakepit_jupyter.messages import Chunk
from snakepit_jupyter.values import Encoding


def value_of(data: bytes, encoding: Encoding) -> Any:
    """The value of a result; no JSON at all is None.

    Raises:
        UnserializableValue: if it cannot be read; says which library is missing here, if one is.
    """
    if not data and encoding is not Encoding.BYTES:
        return None
    try:
        return values.decode(data, encoding)
    except ValueError as error:
        raise _unreadable(error) from error


def envelope_of(chunk: Chunk) -> dict[str, Any]:
    """The chunk as the user sees it. Errors as `value_of`."""
    try:
        return chunk.envelope()
    except ValueError as error:
        raise _unreadable(error) from error


def _unreadable(error: ValueError) -> UnserializableValue:
    if not isinstance(error, values.LibraryMissing):
        return UnserializableValue(f"what came back cannot be read: {error}", hint="Is the worker of another version?")
    return UnserializableValue(str(error), hint="Or have the tool send lists and numbers instead.")
