"""Values as JSON text, exactly.

msgspec is ten times faster than the standard library, but writes NaN and the infinities as `null` and
reads only strict JSON. So it does the common case, and the standard library whatever holds one of those.
"""

import json
import math
from typing import Any

import msgspec

from snakepit_jupyter.errors import InvalidParameter, UnserializableValue

SCALARS: frozenset[type] = frozenset({str, int, float, bool, type(None)})
DEPTH = 300
"""How deep values may be nested, so that every reader has stack enough for them."""


def is_exact(value: Any, depth: int = 0) -> bool:
    """Whether JSON says all there is to say of a value, of its types too, so that it comes back as it was."""
    kind = type(value)
    if kind is dict:
        for name, item in value.items():
            if type(name) is not str or not (type(item) in SCALARS or (depth < DEPTH and is_exact(item, depth + 1))):
                return False
        return True
    if kind is list:
        for item in value:  # noqa: SIM110 - all() would take twice the time
            if not (type(item) in SCALARS or (depth < DEPTH and is_exact(item, depth + 1))):
                return False
        return True
    return kind in SCALARS


def encode(value: Any) -> bytes:
    """JSON text of dicts, lists, texts, None, and numbers of any size, UTF-8.

    NaN and the infinities are written as the literals NaN, Infinity, -Infinity.

    Raises:
        UnserializableValue: if something in it cannot be written; names its type, not its content.
    """
    try:
        try:
            text = _ENCODE(value)
        except UnicodeEncodeError:  # half of a surrogate pair
            return _dumps(value)
        # A null is None, or a NaN that lost its name.
        return text if text.find(b"null") < 0 or is_finite(value) else _dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnserializableValue(f"this value cannot be sent: {error}") from error


def decode(text: bytes | memoryview) -> Any:
    """The value of a JSON text; the inverse of `encode` for what JSON itself can tell apart.

    Raises:
        ValueError: if the text is no JSON.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return _decode_leniently(text)


def names(text: bytes | memoryview) -> list[str]:
    """The keys of a JSON object, without reading their values where that can be helped.

    Raises:
        InvalidParameter: if the text is no JSON object.
    """
    try:
        return list(_KEYS.decode(text))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _names_leniently(text)


def _names_leniently(text: bytes | memoryview) -> list[str]:
    try:
        value = _decode_leniently(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InvalidParameter("the arguments are no JSON object", details={"key": "arguments"})
    return list(value)


_ENCODE = msgspec.json.Encoder().encode
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _decode_leniently(text: bytes | memoryview) -> Any:
    try:
        return json.loads(bytes(text))
    except RecursionError:
        raise ValueError("the JSON text is nested too deep") from None


def _dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def is_finite(value: Any) -> bool:
    """Whether there is no NaN and no infinity in it, so far as can be told."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is dict or kind is list:
        return all(map(is_finite, value.values() if kind is dict else value))
    return kind in SCALARS
