"""How a tool is written: a class with `@tool` methods.

    from snakepit_jupyter import BaseAdapter, tool        # or: from snakepit_bridge.base_adapter import …

    class Greeter(BaseAdapter):
        @tool(description="Greet somebody")
        def greet(self, name: str) -> str:
            return f"Hello, {name}"

        @tool(description="Count", supports_streaming=True)
        def count(self, to: int = 3):
            for number in range(1, to + 1):
                yield {"number": number, "is_final": number == to}

A worker makes one instance for each session, at the session's first call, and keeps it until the session
ends. Instances are made without arguments.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from snakepit_jupyter.worker.context import SessionContext, current_context

Function = TypeVar("Function", bound=Callable[..., Any])
MARK = "__snakepit_tool__"


@dataclass(frozen=True, slots=True)
class ToolMark:
    """What `@tool` says of a method."""

    description: str = ""
    supports_streaming: bool = False
    required_variables: tuple[str, ...] = ()


@overload
def tool(description: Function, /) -> Function: ...
@overload
def tool(
    description: str = "", *, supports_streaming: bool = False, required_variables: Sequence[str] = ()
) -> Callable[[Function], Function]: ...
def tool(description: Any = "", *, supports_streaming: bool = False, required_variables: Sequence[str] = ()) -> Any:
    """Make a method of an adapter a tool.

    Args:
        description: one line for lists of tools; the docstring's first line if it is left out.
        supports_streaming: True for a generator whose items are chunks.
        required_variables: names of session variables the tool needs, as upstream's adapters give them.
    """
    if callable(description):
        return tool()(description)

    def mark(function: Function) -> Function:
        said = description or (inspect.getdoc(function) or "").partition("\n")[0]
        setattr(function, MARK, ToolMark(said, supports_streaming, tuple(required_variables)))
        return function

    return mark


class BaseAdapter:
    """The base of adapters. Override `initialize` and `cleanup` where a session needs them."""

    @property
    def session_context(self) -> SessionContext:
        """The call that is running: its session's id, its metadata, whether it was cancelled.

        Raises:
            LookupError: if no call is running.
        """
        return current_context()

    def initialize(self) -> None:
        """Called once, before the session's first call."""

    def cleanup(self) -> None:
        """Called once, when the session ends or the worker stops."""


def marked_tools(adapter: type) -> Iterator[tuple[str, Callable[..., Any], ToolMark]]:
    """Name, function and mark of each tool of an adapter class, in the order they were written."""
    seen: dict[str, tuple[Callable[..., Any], ToolMark]] = {}
    for base in reversed(adapter.__mro__):
        for name, member in vars(base).items():
            mark = getattr(member, MARK, None)
            if isinstance(mark, ToolMark):
                seen[name] = (member, mark)
    for name, (function, mark) in seen.items():
        yield name, function, mark
