"""What a tool may know of the call that runs it, and ask of the notebook."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from snakepit_jupyter.errors import ToolNotFound
from snakepit_jupyter.messages import Deadline, ToolInfo


class HostAccess(Protocol):
    """The host tools, for one call."""

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call one and wait for its result."""

    async def acall(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """The same, awaited."""

    def tools(self) -> Mapping[str, ToolInfo]:
        """Those there are, by name."""


@dataclass(frozen=True, slots=True)
class SessionContext:
    """The running call, as its tool sees it.

    Attributes:
        session_id: the session's id; "" if the call has none.
        call_id: the call's own id; of a streaming call also the run's.
        correlation_id: what ties together everything that is said of the call, in all processes.
        metadata: what was said of the session when it was opened.
        request_metadata: what the caller said of itself, and the `correlation_id`.
        deadline: when the call is given up.
    """

    session_id: str
    call_id: str = ""
    correlation_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    request_metadata: Mapping[str, str] = field(default_factory=dict)
    deadline: Deadline = Deadline()
    was_cancelled: Callable[[], bool] = field(default=lambda: False, repr=False)
    host: HostAccess | None = field(default=None, repr=False)

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the call to stop. A loop without `yield` should look at it."""
        return self.was_cancelled()

    def call_host_tool(self, name: str, /, **arguments: Any) -> Any:
        """Call a function that the notebook offers, and wait for its result, until the call's own deadline.

        Args:
            name: the function's name there.
            **arguments: its arguments.

        Raises:
            ToolNotFound: if nobody offers it.
            ToolError: if it raised; with its type and traceback.
            WorkerTimeout: if the deadline passed before it answered.
            RunStopped: if the call was stopped in the meantime.
        """
        return self._host().call(name, arguments)

    def call_elixir_tool(self, name: str, /, **arguments: Any) -> Any:
        """`call_host_tool`, as Snakepit's adapters know it."""
        return self.call_host_tool(name, **arguments)

    async def acall_host_tool(self, name: str, /, **arguments: Any) -> Any:
        """`call_host_tool` for async tools: the event loop goes on in the meantime."""
        return await self._host().acall(name, arguments)

    @property
    def host_tools(self) -> Mapping[str, ToolInfo]:
        """The host tools that this session sees, by name. Asked for anew each time."""
        return self._host().tools()

    @property
    def elixir_tools(self) -> Mapping[str, ToolInfo]:
        """`host_tools`, as Snakepit's adapters know them."""
        return self.host_tools

    def _host(self) -> HostAccess:
        if self.host is None:
            raise ToolNotFound("there are no host tools here", hint="A context made by hand reaches no notebook.")
        return self.host


CURRENT: ContextVar[SessionContext] = ContextVar("snakepit_session_context")


def current_context() -> SessionContext:
    """The context of the call that is running here."""
    try:
        return CURRENT.get()
    except LookupError:
        raise LookupError("no call is running: session_context is there only while a tool runs") from None
