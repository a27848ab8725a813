"""A tool's parameters, and the check of a call's arguments against them."""

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from snakepit_jupyter import exact_json
from snakepit_jupyter.errors import UnserializableValue
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
        tool: how it is listed for users, so far as the signature says.
    """

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        every = list(inspect.signature(function).parameters.values())[1:]
        self._known = {p.name: p for p in every if p.kind not in SKIPPED}
        self._types = _annotations(function)
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
        wanted = self._types.get(name, Any)
        if known is None or (value is None and known.default is None):
            return value
        try:
            return msgspec.convert(value, wanted)
        except msgspec.ValidationError as error:
            why = f"{self.tool.name}: the argument {name!r} is wrong: {_explain(error, value)}"
            raise self.tool.wrong(name, why) from None
        except TypeError:
            return value  # an annotation that msgspec cannot check; the tool will see for itself


def _listed(p: inspect.Parameter) -> Parameter:
    return Parameter(p.name, _type_text(p), required=p.default is EMPTY, default_json=_default_text(p))


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
