"""The client that the module's own functions use: one for a process, started by first use."""

from collections.abc import Sequence
from typing import Any

from snakepit_jupyter.client.calls import CALL_TIMEOUT, STREAM_TIMEOUT, Arguments, Callback
from snakepit_jupyter.client.run import Run
from snakepit_jupyter.client.sync import Client, Session
from snakepit_jupyter.messages import Status, ToolInfo

_client: Client | None = None


def default_client() -> Client:
    """The process's client."""
    global _client  # noqa: PLW0603 - one for a process is the point
    if _client is None:
        _client = Client()
    return _client


def start(pool_size: int | None = None, adapters: Sequence[str] | None = None, **settings: float) -> Status:
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


def execute(command: str, args: Arguments | None = None, timeout: float | None = CALL_TIMEOUT) -> Any:
    """Call a tool and wait for its result; see `Client.execute`."""
    return default_client().execute(command, args, timeout)


def execute_stream(
    command: str,
    args: Arguments | None = None,
    callback: Callback | None = None,
    timeout: float | None = STREAM_TIMEOUT,
) -> Run:
    """Start a streaming tool; see `Client.execute_stream`."""
    return default_client().execute_stream(command, args, callback, timeout)


def execute_in_session(
    session_id: str, command: str, args: Arguments | None = None, timeout: float | None = CALL_TIMEOUT
) -> Any:
    """Call a tool in a session; see `Client.execute_in_session`."""
    return default_client().execute_in_session(session_id, command, args, timeout)


def execute_in_session_stream(
    session_id: str,
    command: str,
    args: Arguments | None = None,
    callback: Callback | None = None,
    timeout: float | None = STREAM_TIMEOUT,
) -> Run:
    """Start a streaming tool in a session; see `Client.execute_in_session_stream`."""
    return default_client().execute_in_session_stream(session_id, command, args, callback, timeout)


def session(session_id: str | None = None) -> Session:
    """A session for a `with` block; see `Client.session`."""
    return default_client().session(session_id)
