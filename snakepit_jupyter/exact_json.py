"""Values as JSON text, exactly.

msgspec is ten times faster than the standard library, but writes NaN and the infinities as `null` and
reads only strict JSON. So it does the common case, and the standard library whatever holds one of those.
"""

import json
from typing import Any

import msgspec

from snakepit_jupyter.errors import InvalidParameter, UnserializableValue


def encode(value: Any) -> bytes:
    """JSON text of a value, UTF-8.

    dicts, lists, tuples, strings, numbers of any size, None and what msgspec knows besides (datetimes,
    dataclasses, Decimals …); NumPy scalars and arrays as their Python values. NaN and the infinities
    are written as the literals NaN, Infinity, -Infinity.

    Raises:
        UnserializableValue: if something in it cannot be written; names its type, not its content.
    """
    try:
        text = msgspec.json.encode(value, enc_hook=_plain)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return _encode_leniently(value, error)
    # A null is None, or a NaN that lost its name.
    return _encode_leniently(value) if b"null" in text else text


def decode(text: bytes) -> Any:
    """The value of a JSON text; the inverse of `encode` for what JSON itself can tell apart.

    Raises:
        ValueError: if the text is no JSON.
    """
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError:
        return json.loads(text)


def names(text: bytes) -> list[str]:
    """The keys of a JSON object, without reading their values where that can be helped.

    Raises:
        InvalidParameter: if the text is no JSON object.
    """
    try:
        return list(_KEYS.decode(text))
    except msgspec.MsgspecError:
        return _names_leniently(text)


def _names_leniently(text: bytes) -> list[str]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InvalidParameter("the arguments are no JSON object", details={"key": "arguments"})
    return list(value)


_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _encode_leniently(value: Any, cause: Exception | None = None) -> bytes:
    try:
        builtin = msgspec.to_builtins(value, enc_hook=_plain, str_keys=True)
        return json.dumps(builtin, separators=(",", ":")).encode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        reason = cause or error
        raise UnserializableValue(
            f"this value cannot be sent: {reason}",
            hint="Send numbers, texts, lists, dicts or arrays, or save the object to a file and send its path.",
        ) from error


def _plain(value: Any) -> Any:
    """NumPy's scalars and arrays, and what behaves like them, as Python values."""
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        return tolist()
    raise TypeError(f"an object of type {type(value).__module__}.{type(value).__qualname__} is no JSON value")
