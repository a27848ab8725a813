"""A tool's parameters, and the check of a call's arguments against them."""

import difflib
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from snakepit_jupyter import exact_json
from snakepit_jupyter.errors import InvalidParameter, UnserializableValue
from snakepit_jupyter.messages import Parameter, ToolInfo

EMPTY = inspect.Parameter.empty
# A value is shown in a message if its text is at most so long.
SHOWN = 60
SKIPPED = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


class Signature:
    """What a tool accepts.

    Args:
        name: the tool's name, for messages.
        function: its method; the first parameter (`self`) is left out.

    Attributes:
        variadic: whether it takes further arguments of any name.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        every = list(inspect.signature(function).parameters.values())[1:]
        self._known = {p.name: p for p in every if p.kind not in SKIPPED}
        self.variadic = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in every)
        self._types = _annotations(function)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters as they are listed for users."""
        return tuple(
            Parameter(p.name, _type_text(p), required=p.default is EMPTY, default_json=_default_text(p))
            for p in self._known.values()
        )

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments to call the tool with, each of the type its annotation asks for.

        Raises:
            InvalidParameter: if one is unknown, missing or of the wrong type; `key` names it.
        """
        if not self.variadic:
            self._refuse_unknown(arguments)
        self._refuse_missing(arguments)
        return {name: self._checked(name, value) for name, value in arguments.items()}

    def _refuse_unknown(self, arguments: Mapping[str, Any]) -> None:
        for name in arguments:
            if name not in self._known:
                near = difflib.get_close_matches(name, self._known, n=1)
                raise self._error(
                    name,
                    f"{self.name} has no argument {name!r}",
                    f"Did you mean {near[0]!r}? " if near else "",
                )

    def _refuse_missing(self, arguments: Mapping[str, Any]) -> None:
        missing = [n for n, p in self._known.items() if p.default is EMPTY and n not in arguments]
        if missing:
            names = ", ".join(map(repr, missing))
            raise self._error(missing[0], f"{self.name} needs the argument{'s' * (len(missing) > 1)} {names}", "")

    def _checked(self, name: str, value: Any) -> Any:
        known = self._known.get(name)
        wanted = self._types.get(name, Any)
        if known is None or (value is None and known.default is None):
            return value
        try:
            return msgspec.convert(value, wanted)
        except msgspec.ValidationError as error:
            message = f"{self.name}: the argument {name!r} is wrong: {_explain(error, value)}"
            raise self._error(name, message, "") from None
        except TypeError:
            return value  # an annotation that msgspec cannot check; the tool will see for itself

    def _error(self, key: str, message: str, hint: str) -> InvalidParameter:
        return InvalidParameter(message, hint=f"{hint}It is called as {self}", details={"key": key})

    def __str__(self) -> str:
        return str(ToolInfo(self.name, parameters=self.parameters, variadic=self.variadic))


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # a name that is only there for a type checker
        return {}


def _explain(error: msgspec.ValidationError, value: Any) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.epochs`", in our words."""
    text = str(error).replace("`", "").replace("Expected ", "expected ").replace(" - at $", " at ")
    shown = repr(value)
    return text if len(shown) > SHOWN else f"{text} ({shown})"


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
