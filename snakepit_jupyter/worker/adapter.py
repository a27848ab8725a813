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

Tools, `initialize` and `cleanup` may be `async`, streaming tools async generators. All of a worker's run on its main
thread, on one event loop that lives as long as the worker and goes on between two calls, though not while a plain tool
runs. So a connection that `initialize` has opened serves later calls. A task that a tool starts and does not wait
for goes on after the call, as in any asyncio program, where libraries start such tasks for the connections they
keep; it is cancelled when the session ends, after the adapter's `cleanup`.
"""

import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from snakepit_jupyter.worker.context import CURRENT, SessionContext, current_context

Function = TypeVar("Function", bound=Callable[..., Any])
MARK = "__snakepit_tool__"


@dataclass(frozen=True, slots=True)
class StreamChunk:
    """One chunk of a stream, where more is to be said of it than a dict can say.

    Any object with `data` and `is_final` of its own will do as well.

    Args:
        data: what it carries: any value that can be sent.
        is_final: whether it is the last one.
        metadata: what is said of it, as texts; the caller finds it under `_metadata`. Numbers, dates, paths and
            members of enums are told as they are written, of all else the shape.
    """

    data: Any = None
    is_final: bool = False
    metadata: Mapping[str, Any] | None = None


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
    description: str = "", *, supports_streaming: bool = False, required_variables: Sequence[str] | None = None
) -> Callable[[Function], Function]: ...
def tool(
    description: Any = "", *, supports_streaming: bool = False, required_variables: Sequence[str] | None = None
) -> Any:
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
        setattr(function, MARK, ToolMark(said, supports_streaming, tuple(required_variables or ())))
        return function

    return mark


class BaseAdapter:
    """The base of adapters. Override `initialize` and `cleanup` where a session needs them."""

    _given_context: SessionContext | None = None

    @property
    def session_context(self) -> SessionContext:
        """The call that is running: its session's id, its metadata, whether it was cancelled, the host tools.

        On other threads and in `cleanup` it is the last call of this instance; in a test what was put here.

        Raises:
            LookupError: if there was none.
        """
        if self._given_context is not None:
            return CURRENT.get(self._given_context)
        return current_context()

    @session_context.setter
    def session_context(self, context: SessionContext) -> None:
        self._given_context = context

    def set_session_context(self, session_context: SessionContext) -> None:
        """Called before each call."""
        self.session_context = session_context

    def initialize(self) -> Coroutine[Any, Any, None] | None:
        """Called once, before the session's first call; may be `async`."""

    def cleanup(self) -> Coroutine[Any, Any, None] | None:
        """Called once, when the session ends or the worker stops; may be `async`."""


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
