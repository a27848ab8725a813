"""The client that the module's own functions use: one for a process, started by first use."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

from snakepit_jupyter.client.calls import CALL_TIMEOUT, STREAM_TIMEOUT, Arguments, Binary, Callback
from snakepit_jupyter.client.host_tools import Function
from snakepit_jupyter.client.run import Run
from snakepit_jupyter.client.sync import Client, Session
from snakepit_jupyter.client.telemetry import Callback as EventCallback
from snakepit_jupyter.client.telemetry import Subscription
from snakepit_jupyter.errors import AlreadyStarted
from snakepit_jupyter.messages import Status, ToolInfo

F = TypeVar("F", bound=Function)
_client: Client | None = None
# Functions that were registered stay so when another bridge is chosen; by session and name, as cells are run again.
_host_tools: dict[tuple[str, str | None], tuple[Function, str | None, str, str]] = {}


def default_client() -> Client:
    """The process's client."""
    global _client  # noqa: PLW0603 - one for a process is the point
    if _client is None:
        _client = Client()
    return _client


def connect(
    address: str,
    token: str | None = None,
    *,
    token_file: str | Path | None = None,
    certificate: str | Path | None = None,
) -> Client:
    """Use a bridge that somebody else runs, also for this module's functions and the magics; see `Client.connect`.

    Raises:
        AlreadyStarted: if workers of one's own are running here.
    """
    global _client  # noqa: PLW0603
    if _client is not None and _client.running:
        raise AlreadyStarted(
            "workers are running already",
            hint="Stop them first: stop() or %snakepit stop. Or use Client.connect for a client beside them.",
        )
    connected = Client.connect(address, token, token_file=token_file, certificate=certificate)
    for function, name, description, session_id in _host_tools.values():
        connected.register_host_tool(function, name, description=description, session_id=session_id)
    _client = connected
    return connected


def start(pool_size: int | None = None, adapters: Sequence[str] | None = None, **settings: Any) -> Status:
    """Start the workers now, with settings of one's own; see `Client.start`."""
    return default_client().start(pool_size, adapters, **settings)


def stop() -> None:
    """Stop the workers; see `Client.stop`."""
    default_client().stop()


def status() -> Status:
    """Workers, tools and runs; see `Client.status`."""
    return default_client().status()


def list_tools() -> tuple[ToolInfo, ...]:
    """The tools there are, by name."""
    return default_client().list_tools()


def execute(
    command: str,
    args: Arguments | None = None,
    timeout: float | None = CALL_TIMEOUT,
    *,
    binary_parameters: Binary | None = None,
) -> Any:
    """Call a tool and wait for its result; see `Client.execute`."""
    return default_client().execute(command, args, timeout, binary_parameters=binary_parameters)


def execute_stream(
    command: str,
    args: Arguments | None = None,
    callback: Callback | None = None,
    timeout: float | None = STREAM_TIMEOUT,
    *,
    binary_parameters: Binary | None = None,
) -> Run:
    """Start a streaming tool; see `Client.execute_stream`."""
    return default_client().execute_stream(command, args, callback, timeout, binary_parameters=binary_parameters)


def execute_in_session(
    session_id: str,
    command: str,
    args: Arguments | None = None,
    timeout: float | None = CALL_TIMEOUT,
    *,
    binary_parameters: Binary | None = None,
) -> Any:
    """Call a tool in a session; see `Client.execute_in_session`."""
    return default_client().execute_in_session(session_id, command, args, timeout, binary_parameters=binary_parameters)


def execute_in_session_stream(
    session_id: str,
    command: str,
    args: Arguments | None = None,
    callback: Callback | None = None,
    timeout: float | None = STREAM_TIMEOUT,
    *,
    binary_parameters: Binary | None = None,
) -> Run:
    """Start a streaming tool in a session; see `Client.execute_in_session_stream`."""
    return default_client().execute_in_session_stream(
        session_id, command, args, callback, timeout, binary_parameters=binary_parameters
    )


def session(session_id: str | None = None) -> Session:
    """A session for a `with` block; see `Client.session`."""
    return default_client().session(session_id)


def register_host_tool(
    function: Function, name: str | None = None, *, description: str = "", session_id: str = ""
) -> None:
    """Let workers call a function of this process; see `Client.register_host_tool`."""
    default_client().register_host_tool(function, name, description=description, session_id=session_id)
    key = (session_id, name or getattr(function, "__name__", None))
    _host_tools[key] = (function, name, description, session_id)


@overload
def host_tool(function: F, /) -> F: ...
@overload
def host_tool(*, name: str | None = None, description: str = "", session_id: str = "") -> Callable[[F], F]: ...
def host_tool(
    function: Function | None = None, /, *, name: str | None = None, description: str = "", session_id: str = ""
) -> Any:
    """Let workers call the function below: `@host_tool`, or `@host_tool(name=…)`. The function itself stays as it is.

    Arguments and errors as `Client.register_host_tool`.
    """

    def register(target: F) -> F:
        register_host_tool(target, name, description=description, session_id=session_id)
        return target

    return register if function is None else register(function)


def subscribe(callback: EventCallback, *patterns: str) -> Subscription:
    """Tell a function of what happens: calls, streams, workers, sessions, tools; see `Client.subscribe`."""
    return default_client().subscribe(callback, *patterns)
