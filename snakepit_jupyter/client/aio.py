"""The client for asyncio programs and cells that await: the same calls as in `sync`, awaited."""

import inspect
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

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
from snakepit_jupyter.client.given import check_callback
from snakepit_jupyter.client.host_tools import Function
from snakepit_jupyter.client.portal import portal
from snakepit_jupyter.client.run import Run
from snakepit_jupyter.client.telemetry import Callback as EventCallback
from snakepit_jupyter.client.telemetry import Subscription
from snakepit_jupyter.config import Config
from snakepit_jupyter.messages import Call, Status, ToolInfo
from snakepit_jupyter.tracing import client_span

T = TypeVar("T")


class AsyncClient:
    """A bridge with its workers, for asyncio programs and cells that await. Works on any loop.

    Args:
        pool_size: number of workers; by default as many as there are cores, at most 4.
        adapters: adapters of one's own, each "package.module:Class", beside the built-in ones.
        session_id: the session of calls that name none; by default the notebook's own.
        settings: any other setting of `Config`.
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
    async def connect(
        cls,
        address: str,
        token: str | None = None,
        *,
        token_file: str | Path | None = None,
        certificate: str | Path | None = None,
        session_id: str | None = None,
    ) -> Self:
        """A client of a bridge that somebody else runs. Arguments and errors as `Client.connect`."""
        client = cls(session_id=session_id)
        client._core = Core(Config(), session_id, remote_of(address, token, token_file, certificate))
        await client.status()
        return client

    async def start(
        self, pool_size: int | None = None, adapters: Sequence[str] | None = None, **settings: Any
    ) -> Status:
        """Start the bridge now and wait for its first worker. Arguments and errors as `Client.start`."""
        return say(await self._cross(self._core.start(wanted(self._core, pool_size, adapters, settings))))

    async def stop(self) -> None:
        """Stop the bridge and its workers; running calls are interrupted and clean up."""
        await self._cross(self._core.stop())

    async def execute(
        self,
        command: str,
        args: Arguments | None = None,
        timeout: float | None = CALL_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Any:
        """Call a tool and await its result. Arguments and errors as `Client.execute`; cancelling stops the call."""
        return await self.execute_in_session(
            self._core.session_id, command, args, timeout, binary_parameters=binary_parameters
        )

    async def execute_in_session(
        self,
        session_id: str,
        command: str,
        args: Arguments | None = None,
        timeout: float | None = CALL_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Any:
        """The same in a session of that id."""
        call = make_call(command, args, binary_parameters, session_id=session_id, streaming=False, timeout=timeout)
        await self._begin(call)
        with client_span(call) as traced:
            return settle(await self._cross(outcome_of(self._core, traced)))

    async def execute_stream(
        self,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Run:
        """Start a streaming tool; `async for` gives its chunks, `await run` its final one.

        Arguments and errors as `Client.execute_stream`. The callback may be a coroutine function: each chunk's call
        is awaited before the next, on the caller's loop.
        """
        return await self.execute_in_session_stream(
            self._core.session_id, command, args, callback, timeout, binary_parameters=binary_parameters
        )

    async def execute_in_session_stream(
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
        check_callback(callback, awaited=True)
        call = make_call(command, args, binary_parameters, session_id=session_id, streaming=True, timeout=timeout)
        await self._begin(call)
        with abandoned_if_interrupted(self._core, call), client_span(call) as traced:
            connection, state = await self._cross(self._core.start_run(traced, held=True))
        run = Run(connection, state, print_text)
        if callback is not None:
            async with run:
                async for chunk in run:
                    if inspect.isawaitable(outcome := callback(chunk)):
                        await outcome
        return run

    async def close_session(self, session_id: str) -> None:
        """Clean up what a session left on the workers."""
        await self._cross(self._core.close_session(session_id))

    def session(self, session_id: str | None = None) -> "AsyncSession":
        """A session for an `async with` block; its state on the workers is cleaned up at the end."""
        return AsyncSession(self, session_id_of(session_id))

    async def status(self) -> Status:
        """Workers, tools, runs: a snapshot. Starts the bridge if there is none."""
        return await self._cross(self._core.status())

    async def list_tools(self) -> tuple[ToolInfo, ...]:
        """The tools there are, by name."""
        return by_name(await self.status())

    async def register_host_tool(
        self, function: Function, name: str | None = None, *, description: str = "", session_id: str = ""
    ) -> None:
        """Let workers call a function of this process. Arguments and errors as `Client.register_host_tool`."""
        await self._cross(self._core.offer(host_tool(function, name, description, session_id)))

    async def subscribe(self, callback: EventCallback, *patterns: str) -> Subscription:
        """Tell a function of what happens, on a thread of its own. Arguments and errors as `Client.subscribe`."""
        return await self._cross(Subscription(callback).open(self._core.connection, patterns))

    async def _begin(self, call: Call) -> None:
        if self._core.is_to_begin:
            say(await self._cross(self._core.begin(call.deadline)))

    async def _cross(self, work: Coroutine[Any, Any, T]) -> T:
        return await portal().acall(work)

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

    async def execute(
        self,
        command: str,
        args: Arguments | None = None,
        timeout: float | None = CALL_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Any:
        """`AsyncClient.execute` in this session."""
        return await self._client.execute_in_session(
            self.session_id, command, args, timeout, binary_parameters=binary_parameters
        )

    async def execute_stream(
        self,
        command: str,
        args: Arguments | None = None,
        callback: Callback | None = None,
        timeout: float | None = STREAM_TIMEOUT,
        *,
        binary_parameters: Binary | None = None,
    ) -> Run:
        """`AsyncClient.execute_stream` in this session."""
        return await self._client.execute_in_session_stream(
            self.session_id, command, args, callback, timeout, binary_parameters=binary_parameters
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close_session(self.session_id)
