"""The client for code that waits.

    import snakepit_jupyter as snakepit

    snakepit.execute("compute", {"operation": "add", "a": 5, "b": 3})
    for chunk in snakepit.execute_stream("stream_progress", {"steps": 3}):
        print(chunk["progress"])

Any thread may use it.
"""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from snakepit_jupyter.client.calls import (
    CALL_TIMEOUT,
    STREAM_TIMEOUT,
    Arguments,
    Binary,
    Callback,
    abandoned_if_interrupted,
    by_name,
    config_of,
    host_tool,
    outcome_of,
    print_text,
    remote_of,
    say,
    session_id_of,
    settle,
    wanted,
)
from snakepit_jupyter.client.core import Core, make_call
from snakepit_jupyter.client.given import check_callback, coroutine_callback
from snakepit_jupyter.client.host_tools import Function
from snakepit_jupyter.client.portal import portal
from snakepit_jupyter.client.run import Run
from snakepit_jupyter.client.telemetry import Callback as EventCallback
from snakepit_jupyter.client.telemetry import Subscription, subscribe
from snakepit_jupyter.config import Config
from snakepit_jupyter.messages import Call, Status, ToolInfo
from snakepit_jupyter.tracing import client_span


class Client:
    """A bridge with its workers, for code that waits.

    Started by first use, or by `start`; ends with `stop`, its `with` block or the process.

    Args:
        pool_size: number of workers; by default as many as there are cores, at most 4.
        adapters: adapters of one's own, each "package.module:Class", beside the built-in ones.
        session_id: the session of calls that name none; by default the notebook's own.
        settings: any other setting of `Config`: `worker_init_timeout`, `cancel_grace`, `kill_grace`, `worker_command` …
    """

    def __init__(
        self,
        *,
        pool_size: int | None = None,
        adapters: Sequence[str] = (),
        session_id: str | None = None,
        **settings: Any,
    ) -> None:
        self._core = Core(config_of(pool_size, adapters, settings), session_id)

    @classmethod
    def connect(
        cls,
        address: str,
        token: str | None = None,
        *,
        token_file: str | Path | None = None,
        certificate: str | Path | None = None,
        session_id: str | None = None,
    ) -> Self:
        """A client of a bridge that somebody else runs (`snakepit serve`). `stop` leaves that bridge alone.

        Args:
            address: where it listens: "unix:PATH" or "HOST:PORT".
            token: its secret, or
            token_file: the file that holds it.
            certificate: if it speaks TLS, a PEM file with the certificates to trust; "" for the authorities that this
                machine trusts.
            session_id: as for the class.

        Raises:
            GrpcUnavailable: if nothing answers there, or it refuses the token.
            InvalidConfig: if the address, the token or the certificate is none.
        """
        client = cls(session_id=session_id)
        client._core = Core(Config(), session_id, remote_of(address, token, token_file, certificate))
        client.status()
        return client

    @property
    def running(self) -> bool:
        """Whether its bridge has been started."""
        return self._core.running

    @property
    def bridge_pid(self) -> int | None:
        """The process id of its bridge, if there is one."""
        return self._core.bridge_pid

    def start(self, pool_size: int | None = None, adapters: Sequence[str] | None = None, **settings: Any) -> Status:
        """Start the bridge now and wait for its first worker.

        Args:
            pool_size: number of workers.
            adapters: adapters of one's own, each "package.module:Class".
            settings: as for the class.

        Raises:
            AlreadyStarted: if it is running with other settings.
            WorkerStartFailed: if no worker can be started, for example because an adapter cannot be imported.
        """
        return say(portal().call(self._core.start(wanted(self._core, pool_size, adapters, settings))))

    def stop(self) -> None:
        """Stop the bridge and its workers. Running calls are interrupted and clean up. The next use starts anew."""
        portal().call(self._core.stop())

    def execute(
        self,
        command: str,
        args: Arguments | None = None,
        timeout: float | None = CALL_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Any:
        """Call a tool and wait for its result.

        Args:
            command: the tool's name.
            args: its arguments by name.
            timeout: seconds until it is given up and stopped; None for no limit.
            binary_parameters: further arguments by name, as bytes; they travel as they are and win over `args`.

        Raises:
            InvalidParameter, ToolNotFound, StreamingRequired: if it cannot be called so.
            InvalidBinaryParameter: if one of them is no bytes.
            ToolError: if the tool raised; with its type, message and traceback.
            WorkerTimeout, WorkerCrashed, Unavailable: if it did not come to an end.
        """
        return self.execute_in_session(
            self._core.session_id, command, args, timeout, binary_parameters=binary_parameters
        )

    def execute_in_session(
        self,
        session_id: str,
        command: str,
        args: Arguments | None = None,
        timeout: float | None = CALL_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Any:
        """The same in a session of that id: calls of one session find each other's state."""
        call = make_call(command, args, binary_parameters, session_id=session_id, streaming=False, timeout=timeout)
        self._begin(call)
        with client_span(call) as traced:
            return settle(portal().call(outcome_of(self._core, traced)))

    def execute_stream(
        self,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Run:
        """Start a streaming tool.

        Args:
            command: the tool's name.
            args: its arguments by name.
            callback: called with each chunk, in order, on this thread; then this returns at the run's end. An
                exception in it stops the run and is raised.
            timeout: seconds until it is given up and stopped; None for no limit.
            binary_parameters: further arguments by name, as bytes; they travel as they are and win over `args`.

        Returns:
            The run: iterate it for its chunks, `result()` waits for the final one.

        Raises:
            InvalidParameter, ToolNotFound, StreamingNotSupported: if it cannot be called so.
        """
        return self.execute_in_session_stream(
            self._core.session_id, command, args, callback, timeout, binary_parameters=binary_parameters
        )

    def execute_in_session_stream(
        self,
        session_id: str,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Run:
        """The same in a session of that id."""
        check_callback(callback, awaited=False)
        run = self.start_run(session_id, command, args, timeout=timeout, binary_parameters=binary_parameters)
        if callback is not None:
            with run:
                for chunk in run:
                    if inspect.iscoroutine(outcome := callback(chunk)):
                        outcome.close()
                        raise coroutine_callback()
        return run

    def start_run(
        self,
        session_id: str | None,
        command: str,
        args: Arguments | None = None,
        *,
        timeout: float | None = None,
        background: bool = False,
        binary_parameters: Binary | None = None,
    ) -> Run:
        """Start a streaming tool; the form with all choices.

        Args:
            session_id: its session; None for the client's own.
            command: the tool's name.
            args: its arguments by name.
            timeout: seconds; None for no limit.
            background: True for a run that nobody holds back and that goes on without its handle.
            binary_parameters: as for `execute_stream`.
        """
        session = self._core.session_id if session_id is None else session_id
        call = make_call(command, args, binary_parameters, session_id=session, streaming=True, timeout=timeout)
        self._begin(call)
        with abandoned_if_interrupted(self._core, call), client_span(call) as traced:
            connection, state = portal().call(self._core.start_run(traced, held=not background))
        return Run(connection, state, print_text, background=background)

    def session(self, session_id: str | None = None) -> "Session":
        """A session for a `with` block; its state on the workers is cleaned up at the end.

        Args:
            session_id: its id; a new one if it is left out.
        """
        return Session(self, session_id_of(session_id))

    def close_session(self, session_id: str) -> None:
        """Clean up what a session left on the workers."""
        portal().call(self._core.close_session(session_id))

    def find_run(self, run_id: str | None = None) -> Run:
        """A run by its id, or the newest one: to look at it again, to read it again, to stop it.

        Raises:
            RunNotFound: if there is none; the last hundred that ended are kept.
        """
        connection, state = portal().call(self._core.find_run(run_id))
        return Run(connection, state, print_text, background=True)

    def cancel(self, run_id: str, reason: str = "cancel()") -> bool:
        """Stop a run by its id; False if it has ended already."""
        return portal().call(self._core.cancel(run_id, reason))

    def status(self) -> Status:
        """Workers, tools, runs: a snapshot. Starts the bridge if there is none."""
        return portal().call(self._core.status())

    def list_tools(self) -> tuple[ToolInfo, ...]:
        """The tools there are, by name."""
        return by_name(self.status())

    def register_host_tool(
        self, function: Function, name: str | None = None, *, description: str = "", session_id: str = ""
    ) -> None:
        """Let workers call a function of this process: `self.session_context.call_host_tool(name, key=value …)`.

        It runs on a thread of its own, also while this thread waits for a run. Its result or exception travels back.

        Args:
            function: what they call, with arguments by name; it may be a coroutine function.
            name: its name for workers; by default the function's own.
            description: one line for lists; by default the docstring's first.
            session_id: the session whose calls see it; "" for all.

        Raises:
            InvalidParameter: if it is no function, or the name is none.
        """
        portal().call(self._core.offer(host_tool(function, name, description, session_id)))

    def subscribe(self, callback: EventCallback, *patterns: str) -> Subscription:
        """Tell a function of what happens: calls, streams, workers, sessions, and what tools tell themselves.

        Args:
            callback: called with each `Event`, one after another, on a thread of its own.
            patterns: globs of the events' names, for example "snakepit.call.*"; none for all.

        Returns:
            The subscription: `cancel()` ends it, as does its `with` block or the bridge's end.

        Raises:
            InvalidParameter: if the callback cannot be called, or a pattern is no text.
            GrpcUnavailable: if the bridge cannot be reached.
        """
        return subscribe(self._core.connection, callback, patterns)

    def _begin(self, call: Call) -> None:
        if self._core.is_to_begin:
            say(portal().call(self._core.begin(call.deadline)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Session:
    """Calls that share state: they go to the same worker while it is free, and to the same adapter instances.

    Args:
        client: who makes the calls.
        session_id: the session's id.
    """

    def __init__(self, client: Client, session_id: str) -> None:
        self._client = client
        self.session_id = session_id

    def execute(
        self,
        command: str,
        args: Arguments | None = None,
        timeout: float | None = CALL_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Any:
        """`Client.execute` in this session."""
        return self._client.execute_in_session(
            self.session_id, command, args, timeout, binary_parameters=binary_parameters
        )

    def execute_stream(
        self,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Run:
        """`Client.execute_stream` in this session."""
        return self._client.execute_in_session_stream(
            self.session_id, command, args, callback, timeout, binary_parameters=binary_parameters
        )

    def close(self) -> None:
        """Clean up what it left on the workers."""
        self._client.close_session(self.session_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
