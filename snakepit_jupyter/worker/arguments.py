"""A tool's parameters, and the check of a call's arguments against them."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from reprlib import Repr
from typing import Any, Union
from uuid import UUID

import msgspec

from snakepit_jupyter import exact_json, values
from snakepit_jupyter.errors import InvalidParameter, UnserializableValue
from snakepit_jupyter.messages import Call, Parameter, ToolInfo

EMPTY = inspect.Parameter.empty
# A value is shown in a hint if its text is at most so long.
SHOWN = 60
SHORT = Repr()
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = SHOWN + 1
SKIPPED = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
# What msgspec is to leave as it is where it makes numpy's numbers Python's.
LEFT = (bytes, bytearray, memoryview, datetime, date, time, timedelta, Decimal, UUID)


def arguments_of(call: Call) -> dict[str, Any]:
    """A call's arguments by name; the binary ones win over others of the same name.

    Raises:
        InvalidParameter: if they cannot be read, or are no object.
    """
    try:
        arguments = values.decode(call.arguments, call.encoding)
    except ValueError as error:
        raise _unreadable(f"the arguments of {call.tool} cannot be read: {error}") from error
    if not isinstance(arguments, dict):
        raise _unreadable(f"the arguments of {call.tool} are no object with names as keys")
    return {**arguments, **call.binary}


def _unreadable(message: str) -> InvalidParameter:
    return InvalidParameter(
        message, hint="Send one object, its keys the arguments' names.", details={"key": "arguments"}
    )


class Signature:
    """What a tool accepts.

    Args:
        name: the tool's name, for messages.
        function: its method; the first parameter (`self`) is left out.

    Attributes:
        tool: how it is listed for users, so far as the signature says.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        every = list(inspect.signature(function).parameters.values())[1:]
        self._known = {p.name: p for p in every if p.kind not in SKIPPED}
        self._types = _annotations(function)
        self._classes = {name: tuple(_classes_in(kind)) for name, kind in self._types.items()}
        self.tool = ToolInfo(
            name,
            parameters=tuple(map(_listed, self._known.values())),
            variadic=any(p.kind is inspect.Parameter.VAR_KEYWORD for p in every),
        )

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments to call the tool with, each of the type its annotation asks for.

        Raises:
            InvalidParameter: if one is unknown, missing or of the wrong type; `key` names it.
        """
        self.tool.check_names(arguments)
        return {name: self._checked(name, value) for name, value in arguments.items()}

    def _checked(self, name: str, value: Any) -> Any:
        known = self._known.get(name)
        if known is None or (value is None and known.default is None) or self._fits(name, value):
            return value
        wanted = self._types.get(name, Any)
        try:
            return _converted(value, wanted)
        except msgspec.ValidationError as error:
            raise self._wrong(name, value, error) from None
        except TypeError:
            return value  # an annotation that msgspec cannot check; the tool will see for itself

    def _fits(self, name: str, value: Any) -> bool:
        """Whether a value is of its annotation's type already. A bool is an int in Python, but hardly ever meant so."""
        classes = self._classes.get(name, ())
        try:
            return isinstance(value, classes) and (type(value) is not bool or not {bool, object}.isdisjoint(classes))
        except TypeError:  # a protocol that cannot be asked
            return False

    def _wrong(self, name: str, value: Any, error: msgspec.ValidationError) -> InvalidParameter:
        """The error for a value of the wrong type. The value stands in hint and details, never in the message."""
        shown = _shown(value)
        message = f"{self.tool.name}: the argument {name!r} is wrong: {_explain(error)}"
        wrong = self.tool.wrong(name, message, f"It was {shown}. " if shown else "")
        if shown:
            wrong.details["value"] = shown
        return wrong


def _converted(value: Any, wanted: Any) -> Any:
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        return msgspec.convert(_in_python(value, error), wanted)


def _in_python(value: Any, error: msgspec.ValidationError) -> Any:
    """A value with Python's own numbers and lists in the place of numpy's; the error if it holds anything else."""
    try:
        return msgspec.to_builtins(value, builtin_types=LEFT, enc_hook=_number_or_list)
    except Exception:
        raise error from None


def _number_or_list(value: Any) -> Any:
    return value.tolist()


def _classes_in(annotation: Any) -> Iterator[type]:
    """The classes whose instances an annotation takes as they are: not those whose elements are to be checked."""
    if typing.get_origin(annotation) in {Union, types.UnionType}:
        for member in typing.get_args(annotation):
            yield from _classes_in(member)
    elif isinstance(annotation, type) and not typing.get_args(annotation):
        yield annotation


def _listed(p: inspect.Parameter) -> Parameter:
    return Parameter(p.name, _type_text(p), required=p.default is EMPTY, default_json=_default_text(p))


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name that is only there for a type checker
        return {}


def _explain(error: msgspec.ValidationError) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.epochs`", in our words and without the value."""
    text = str(error).replace("`", "").replace("Expected ", "expected ").replace(" - at $", " at ")
    if text.startswith("Invalid enum value"):
        return "it is none of the values allowed"
    return text


def _shown(value: Any) -> str:
    """A short value as text; "" for a long one."""
    text = SHORT.repr(value)
    return text if len(text) <= SHOWN and "..." not in text else ""


def _type_text(parameter: inspect.Parameter) -> str:
    kind = parameter.annotation
    if kind is EMPTY:
        return ""
    text = kind if isinstance(kind, str) else inspect.formatannotation(kind)
    return text.replace("typing.", "")


def _default_text(parameter: inspect.Parameter) -> str:
    if parameter.default is EMPTY:
        return ""
    try:
        return exact_json.encode(parameter.default).decode()
    except UnserializableValue:
        return ""
