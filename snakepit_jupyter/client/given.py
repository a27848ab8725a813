"""What the user gives, checked before anything leaves."""

import inspect
from collections.abc import Mapping
from numbers import Real
from typing import Any

from snakepit_jupyter.errors import InvalidBinaryParameter, InvalidParameter

BYTES = (bytes, bytearray, memoryview)


def check_text(given: object, key: str, name: str) -> None:
    """Refuse what is no text that can travel.

    Args:
        given: what was given.
        key: for what.
        name: the same in words.

    Raises:
        InvalidParameter: if it is no text, or has half of a surrogate pair in it.
    """
    if not isinstance(given, str):
        raise InvalidParameter(f"{name} is {type(given).__name__}, not a text", details={"key": key})
    if not _can_travel(given):
        raise InvalidParameter(f"{name} {given!r} has half of a surrogate pair in it", details={"key": key})


def check_arguments(command: str, given: object) -> None:
    """Refuse arguments that are no dict with names as keys.

    Raises:
        InvalidParameter: then; or if a name cannot travel, whose key is that name.
    """
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise InvalidParameter(
            f"the arguments of {command} are {type(given).__name__}, not a dict with names as keys",
            hint='For example {"count": 5}.',
            details={"key": "args"},
        )
    _check_names(given)


def binary_of(command: str, given: object) -> dict[str, bytes]:
    """Binary parameters as bytes.

    Raises:
        InvalidBinaryParameter: if they are no dict of names to bytes.
        InvalidParameter: if a name cannot travel.
    """
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise InvalidBinaryParameter(
            f"the binary parameters of {command} are no dict of names to bytes",
            hint='For example {"image": b"…"}.',
            details={"key": "binary_parameters"},
        )
    _check_names(given)
    for name, value in given.items():
        if not isinstance(value, BYTES):
            raise InvalidBinaryParameter(
                f"{command}: the binary parameter {name!r} is {type(value).__name__}, not bytes",
                details={"key": name},
            )
    return {name: bytes(value) for name, value in given.items()}


def check_timeout(given: Any) -> None:
    """Refuse what is no time.

    Raises:
        InvalidParameter: then.
    """
    if given is None:
        return
    if isinstance(given, bool) or not isinstance(given, Real) or not float(given) > 0:
        raise InvalidParameter(
            f"timeout is {given!r}",
            hint="It is in seconds, above 0; None means no limit.",
            details={"key": "timeout"},
        )


def check_callback(given: object, *, awaited: bool) -> None:
    """Refuse what would never run.

    Args:
        given: what is to be called with each chunk; None for nothing.
        awaited: whether what it returns is awaited.

    Raises:
        InvalidParameter: if it cannot be called, or its body would not run when it is.
    """
    if given is None:
        return
    if not callable(given):
        raise _no_callback(f"the callback is {type(given).__name__}, which cannot be called")
    if not awaited and _is(given, inspect.iscoroutinefunction):
        raise coroutine_callback()
    if _is(given, inspect.isgeneratorfunction) or _is(given, inspect.isasyncgenfunction):
        raise _no_callback("the callback has a yield in it, and so it would never run")


def coroutine_callback() -> InvalidParameter:
    """What code that waits says of a callback that wants to be awaited."""
    return _no_callback("the callback is a coroutine function, and here nobody awaits it")


def _no_callback(message: str) -> InvalidParameter:
    hint = "Give a function of one chunk; AsyncClient takes an async def as well."
    return InvalidParameter(message, hint=hint, details={"key": "callback"})


def _is(given: Any, kind: Any) -> bool:
    """Whether a function, or what is called of an object, is of a kind."""
    return bool(kind(given) or kind(getattr(given, "__call__", None)))  # noqa: B004 - its kind, not whether it has one


def _check_names(given: Mapping[str, Any]) -> None:
    for name in given:
        check_text(name, name.encode("utf-8", "backslashreplace").decode(), "the name")


def _can_travel(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
