"""The two faces of the client: `Client` waits, `AsyncClient` is awaited. Both call the same core.

import snakepit_jupyter as snakepit

snakepit.execute("compute", {"operation": "add", "a": 5, "b": 3})
for chunk in snakepit.execute_stream("stream_progress", {"steps": 3}):
    print(chunk["progress"])
"""

import sys
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from snakepit_jupyter import exact_json, notebook
from snakepit_jupyter.client.connection import Answer, CallFailed
from snakepit_jupyter.client.core import Core, make_call
from snakepit_jupyter.client.portal import portal
from snakepit_jupyter.client.run import Run
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import InvalidConfig
from snakepit_jupyter.messages import Call, Chunk, ChunkKind, Encoding, Status, ToolInfo

T = TypeVar("T")
Arguments = Mapping[str, Any]
Callback = Callable[[dict[str, Any]], object]

CALL_TIMEOUT = 30.0
STREAM_TIMEOUT = 300.0
SETTINGS = {"worker_init_timeout", "cancel_grace", "kill_grace"}


class ToolReplaced(UserWarning):
    """A tool of the user's takes the place of another of the same name."""


def print_text(chunk: Chunk) -> None:
    """Show what a tool printed where the caller's own prints go."""
    stream = sys.stdout if chunk.kind is ChunkKind.STDOUT else sys.stderr
    stream.write(f"{chunk.text}\n")


def value_of(answer: Answer) -> Any:
    """A plain call's result as Python value."""
    if not answer.data:
        return None
    return answer.data if answer.encoding is Encoding.BYTES else exact_json.decode(answer.data)


def show_output(chunks: Sequence[Chunk]) -> None:
    for chunk in chunks:
        print_text(chunk)


async def _call(core: Core, call: Call) -> Answer | CallFailed:
    """The answer or the failure: what was printed is shown on the caller's side in both cases."""
    try:
        return await core.execute(call)
    except CallFailed as failed:
        return failed


def _settle(outcome: Answer | CallFailed) -> Any:
    show_output(outcome.output)
    if isinstance(outcome, CallFailed):
        raise outcome.error
    return value_of(outcome)


def _config(pool_size: int | None, adapters: Sequence[str] | None, settings: Mapping[str, float]) -> Config:
    """Settings as the user gave them, checked; what is None was not given."""
    unknown = set(settings) - SETTINGS
    if unknown:
        raise InvalidConfig(f"there is no setting {min(unknown)!r}", hint=f"There are: {', '.join(sorted(SETTINGS))}.")
    given: dict[str, Any] = {"pool_size": pool_size, "adapters": adapters, **settings}
    return Config(**{name: value for name, value in given.items() if value is not None})


def _wanted(core: Core, pool_size: int | None, adapters: Sequence[str] | None, settings: Mapping[str, float]) -> Config:
    """The settings that `start` is given; without any, those the client was made with."""
    if pool_size is None and adapters is None and not settings:
        return core.config
    return _config(pool_size, adapters, settings)


def _say(status: Status) -> Status:
    for notice in status.notices:
        warnings.warn(notice, ToolReplaced, stacklevel=4)
    return status


class Client:
    """A bridge with its workers, for code that waits.

    Started by first use, or by `start`; ends with `stop`, its `with` block or the process.

    Args:
        pool_size: number of workers; by default as many as there are cores, at most 4.
        adapters: adapters of one's own, each "package.module:Class", beside the built-in ones.
        session_id: the session of calls that name none; by default the notebook's own.
        settings: `worker_init_timeout`, `cancel_grace`, `kill_grace`, in seconds (see `Config`).
    """

    def __init__(
        self,
        *,
        pool_size: int | None = None,
        adapters: Sequence[str] = (),
        session_id: str | None = None,
        **settings: float,
    ) -> None:
        self._core = Core(_config(pool_size, adapters, settings))
        self._session_id = session_id

    @property
    def running(self) -> bool:
        """Whether its bridge has been started."""
        return self._core.running

    @property
    def bridge_pid(self) -> int | None:
        """The process id of its bridge, if there is one."""
        return self._core.bridge_pid

    def start(self, pool_size: int | None = None, adapters: Sequence[str] | None = None, **settings: float) -> Status:
        """Start the bridge now and wait for its first worker.

        Args:
            pool_size: number of workers.
            adapters: adapters of one's own, each "package.module:Class".
            settings: as for the class.

        Raises:
            AlreadyStarted: if it is running with other settings.
            WorkerStartFailed: if no worker can be started, for example because an adapter cannot be imported.
        """
        return _say(portal().call(self._core.start(_wanted(self._core, pool_size, adapters, settings))))

    def stop(self) -> None:
        """Stop the bridge and its workers. Running calls are interrupted and clean up. The next use starts anew."""
        portal().call(self._core.stop())

    def execute(self, command: str, args: Arguments | None = None, timeout: float | None = CALL_TIMEOUT) -> Any:
        """Call a tool and wait for its result.

        Args:
            command: the tool's name.
            args: its arguments by name.
            timeout: seconds until it is given up and stopped; None for no limit.

        Raises:
            InvalidParameter, ToolNotFound, StreamingRequired: if it cannot be called so.
            ToolError: if the tool raised; with its type, message and traceback.
            WorkerTimeout, WorkerCrashed, Unavailable: if it did not come to an end.
        """
        return self.execute_in_session(self._own_session(), command, args, timeout)

    def execute_in_session(
        self,
        session_id: str,
        command: str,
        args: Arguments | None = None,
        timeout: float | None = CALL_TIMEOUT,
    ) -> Any:
        """The same in a session of that id: calls of one session find each other's state."""
        call = make_call(command, args, session_id=session_id, streaming=False, timeout=timeout)
        self._begin()
        return _settle(portal().call(_call(self._core, call)))

    def execute_stream(
        self,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
    ) -> Run:
        """Start a streaming tool.

        Args:
            command: the tool's name.
            args: its arguments by name.
            callback: called with each chunk, in order, on this thread; then this returns at the run's end. An
                exception in it stops the run and is raised.
            timeout: seconds until it is given up and stopped; None for no limit.

        Returns:
            The run: iterate it for its chunks, `result()` waits for the final one.

        Raises:
            InvalidParameter, ToolNotFound, StreamingNotSupported: if it cannot be called so.
        """
        return self.execute_in_session_stream(self._own_session(), command, args, callback, timeout)

    def execute_in_session_stream(
        self,
        session_id: str,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
    ) -> Run:
        """The same in a session of that id."""
        run = self.start_run(session_id, command, args, timeout=timeout)
        if callback is not None:
            with run:
                for chunk in run:
                    callback(chunk)
        return run

    def start_run(
        self,
        session_id: str | None,
        command: str,
        args: Arguments | None = None,
        *,
        timeout: float | None = None,
        background: bool = False,
    ) -> Run:
        """Start a streaming tool; the form with all choices.

        Args:
            session_id: its session; None for the client's own.
            command: the tool's name.
            args: its arguments by name.
            timeout: seconds; None for no limit.
            background: True for a run that nobody holds back and that goes on without its handle.
        """
        session = self._own_session() if session_id is None else session_id
        call = make_call(command, args, session_id=session, streaming=True, timeout=timeout)
        self._begin()
        connection, state = portal().call(self._core.start_run(call, held=not background))
        return Run(connection, state, print_text, background=background)

    def session(self, session_id: str | None = None) -> "Session":
        """A session for a `with` block; its state on the workers is cleaned up at the end.

        Args:
            session_id: its id; a new one if it is left out.
        """
        return Session(self, session_id or new_session_id())

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
        return tuple(sorted(self.status().tools, key=lambda tool: tool.name))

    def _begin(self) -> None:
        """Before first use: with adapters of the user's own there may be something to say about them."""
        if self._core.config.adapters and not self._core.running:
            self.start()

    def _own_session(self) -> str:
        return notebook.session_id() if self._session_id is None else self._session_id

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

    def execute(self, command: str, args: Arguments | None = None, timeout: float | None = CALL_TIMEOUT) -> Any:
        """`Client.execute` in this session."""
        return self._client.execute_in_session(self.session_id, command, args, timeout)

    def execute_stream(
        self,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
    ) -> Run:
        """`Client.execute_stream` in this session."""
        return self._client.execute_in_session_stream(self.session_id, command, args, callback, timeout)

    def close(self) -> None:
        """Clean up what it left on the workers."""
        self._client.close_session(self.session_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncClient:
    """A bridge with its workers, for asyncio programs and cells that await. Works on any loop.

    Args:
        pool_size: number of workers; by default as many as there are cores, at most 4.
        adapters: adapters of one's own, each "package.module:Class", beside the built-in ones.
        session_id: the session of calls that name none; by default the notebook's own.
        settings: `worker_init_timeout`, `cancel_grace`, `kill_grace`, in seconds (see `Config`).
    """

    def __init__(
        self,
        *,
        pool_size: int | None = None,
        adapters: Sequence[str] = (),
        session_id: str | None = None,
        **settings: float,
    ) -> None:
        self._core = Core(_config(pool_size, adapters, settings))
        self._session_id = session_id

    async def start(
        self, pool_size: int | None = None, adapters: Sequence[str] | None = None, **settings: float
    ) -> Status:
        """Start the bridge now and wait for its first worker. Arguments and errors as `Client.start`."""
        return _say(await self._cross(self._core.start(_wanted(self._core, pool_size, adapters, settings))))

    async def stop(self) -> None:
        """Stop the bridge and its workers; running calls are interrupted and clean up."""
        await self._cross(self._core.stop())

    async def execute(self, command: str, args: Arguments | None = None, timeout: float | None = CALL_TIMEOUT) -> Any:
        """Call a tool and await its result. Arguments and errors as `Client.execute`; cancelling stops the call."""
        return await self.execute_in_session(self._own_session(), command, args, timeout)

    async def execute_in_session(
        self,
        session_id: str,
        command: str,
        args: Arguments | None = None,
        timeout: float | None = CALL_TIMEOUT,
    ) -> Any:
        """The same in a session of that id."""
        call = make_call(command, args, session_id=session_id, streaming=False, timeout=timeout)
        await self._begin()
        return _settle(await self._cross(_call(self._core, call)))

    async def execute_stream(
        self,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
    ) -> Run:
        """Start a streaming tool; `async for` gives its chunks, `await run` its final one.

        Arguments and errors as `Client.execute_stream`.
        """
        return await self.execute_in_session_stream(self._own_session(), command, args, callback, timeout)

    async def execute_in_session_stream(
        self,
        session_id: str,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
    ) -> Run:
        """The same in a session of that id."""
        call = make_call(command, args, session_id=session_id, streaming=True, timeout=timeout)
        await self._begin()
        connection, state = await self._cross(self._core.start_run(call, held=True))
        run = Run(connection, state, print_text)
        if callback is not None:
            async with run:
                async for chunk in run:
                    callback(chunk)
        return run

    async def close_session(self, session_id: str) -> None:
        """Clean up what a session left on the workers."""
        await self._cross(self._core.close_session(session_id))

    def session(self, session_id: str | None = None) -> "AsyncSession":
        """A session for an `async with` block; its state on the workers is cleaned up at the end."""
        return AsyncSession(self, session_id or new_session_id())

    async def status(self) -> Status:
        """Workers, tools, runs: a snapshot. Starts the bridge if there is none."""
        return await self._cross(self._core.status())

    async def list_tools(self) -> tuple[ToolInfo, ...]:
        """The tools there are, by name."""
        return tuple(sorted((await self.status()).tools, key=lambda tool: tool.name))

    async def _begin(self) -> None:
        if self._core.config.adapters and not self._core.running:
            await self.start()

    async def _cross(self, work: Coroutine[Any, Any, T]) -> T:
        return await portal().acall(work)

    def _own_session(self) -> str:
        return notebook.session_id() if self._session_id is None else self._session_id

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class AsyncSession:
    """`Session` for asyncio.

    Args:
        client: who makes the calls.
        session_id: the session's id.
    """

    def __init__(self, client: AsyncClient, session_id: str) -> None:
        self._client = client
        self.session_id = session_id

    async def execute(self, command: str, args: Arguments | None = None, timeout: float | None = CALL_TIMEOUT) -> Any:
        """`AsyncClient.execute` in this session."""
        return await self._client.execute_in_session(self.session_id, command, args, timeout)

    async def execute_stream(
        self,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
    ) -> Run:
        """`AsyncClient.execute_stream` in this session."""
        return await self._client.execute_in_session_stream(self.session_id, command, args, callback, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close_session(self.session_id)


def new_session_id() -> str:
    import uuid

    return f"s-{uuid.uuid4().hex[:12]}"
