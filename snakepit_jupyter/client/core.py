"""What a client does, once: the asyncio core that both of its faces call through the portal."""

import asyncio
import atexit
import contextlib
import os
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from snakepit_jupyter import notebook, values
from snakepit_jupyter.client.connection import Answer, Connection
from snakepit_jupyter.client.embedded import EmbeddedBridge
from snakepit_jupyter.client.given import binary_of, check_arguments, check_text, check_timeout
from snakepit_jupyter.client.host_tools import HostTool, HostTools
from snakepit_jupyter.client.portal import portal
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import (
    AlreadyStarted,
    GrpcUnavailable,
    RunNotFound,
    SnakepitError,
    WorkerTimeout,
    error_from,
)
from snakepit_jupyter.messages import Call, Deadline, RunState, Status


@dataclass(frozen=True, slots=True)
class Remote:
    """A bridge that somebody else runs.

    Args:
        address: where it listens: "unix:PATH" or "HOST:PORT".
        token: the secret it wants.
        authority: as for `Connection`.
    """

    address: str
    token: str = field(repr=False)
    authority: bytes | None = None

    def connect(self) -> Connection:
        return Connection(self.address, self.token, self.authority, remote=True)


class Core:
    """A bridge of one's own, started by first use, and what is asked of it. All on the portal's loop.

    Args:
        config: the bridge's settings.
        session_id: the session of calls that name none; None for the notebook's own.
        remote: a bridge that somebody else runs, instead of one of our own.
    """

    def __init__(self, config: Config, session_id: str | None = None, remote: Remote | None = None) -> None:
        check_text(session_id or "", "session_id", "the session's id")
        self.config = config
        self.client_id = f"c-{uuid.uuid4().hex[:12]}"
        self.host_tools = HostTools(self.client_id)
        self._remote = remote
        self._session_id = session_id
        self._bridge: EmbeddedBridge | None = None
        self._connection: Connection | None = None
        self._starting = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether there is a bridge."""
        return self._connection is not None

    @property
    def session_id(self) -> str:
        """The session of calls that name none."""
        return notebook.session_id() if self._session_id is None else self._session_id

    @property
    def bridge_pid(self) -> int | None:
        return self._bridge.pid if self._bridge else None

    async def connection(self) -> Connection:
        """The connection to the bridge, which is started if there is none."""
        async with self._starting:
            if self._connection is None:
                self._connection = self._remote.connect() if self._remote else await self._start_bridge()
                OPEN.add(self)
                with contextlib.suppress(GrpcUnavailable):  # what is asked of the bridge next says it better
                    await self.host_tools.offer(self._connection)
            return self._connection

    async def _start_bridge(self) -> Connection:
        bridge = await EmbeddedBridge.start(self.config)
        self._bridge = bridge
        connection = Connection(bridge.address, bridge.token)
        self._watch = asyncio.create_task(self._watch_bridge(bridge, connection))
        return connection

    async def offer(self, tool: HostTool) -> None:
        """Offer a function of this process to workers; without a bridge that is done when there is one."""
        self.host_tools.add(tool)
        if self._connection is not None:
            await self.host_tools.offer(self._connection)

    async def _watch_bridge(self, bridge: EmbeddedBridge, connection: Connection) -> None:
        """When the bridge dies by itself, readers stop waiting and the next call starts another."""
        await bridge.died()
        connection.lost()
        if self._connection is connection:
            self._bridge = self._connection = None
        await bridge.stop()

    async def start(self, config: Config) -> Status:
        """Start the bridge with these settings and wait for its first worker.

        Raises:
            AlreadyStarted: if one with other settings is running.
            WorkerStartFailed: if no worker can be started; the bridge is stopped again.
        """
        if self._remote and config != self.config:
            raise AlreadyStarted(
                "this client is connected to a bridge that somebody else has started",
                hint="Its settings are given where it is started: snakepit serve.",
            )
        if self._bridge and config != self.config:
            raise AlreadyStarted(
                f"a bridge is running with {_differences(self.config, config)}",
                hint="Stop it first: stop() or %snakepit stop. Its running calls end with it.",
            )
        before, self.config = self.config, config
        status = await self.status()
        if status.failure:
            await self.stop()
            self.config = before  # else each further call would fail for the same wrong adapter
            raise error_from(status.failure)
        return status

    @property
    def is_to_begin(self) -> bool:
        """Whether the next call starts the bridge with adapters of the user's: there may be a word on them."""
        return bool(self.config.adapters) and not self.running

    async def begin(self, deadline: Deadline) -> Status:
        """Start for a first call.

        Raises:
            WorkerTimeout: if that takes longer than the first call may; the next call finds it under way.
            WorkerStartFailed: if no worker can be started.
        """
        try:
            async with asyncio.timeout(deadline.remaining):
                return await self.start(self.config)
        except TimeoutError:
            raise WorkerTimeout(
                "the call was given up while the workers were still starting",
                hint="Give it more time with timeout=…, or start the workers before: start().",
            ) from None

    async def status(self) -> Status:
        return await (await self.connection()).status()

    async def execute(self, call: Call) -> Answer:
        return await (await self.connection()).execute(self._ours(call))

    async def start_run(self, call: Call, *, held: bool) -> tuple[Connection, RunState]:
        connection = await self.connection()
        return connection, await connection.start_run(self._ours(call), held=held)

    def _ours(self, call: Call) -> Call:
        """The call with who asks: it finds this client's host tools."""
        return replace(call, client_id=self.client_id)

    async def abandon(self, call: Call) -> None:
        """Stop a run whose caller was interrupted before it had its handle; nothing if it was not started."""
        if self._connection is not None:
            with contextlib.suppress(SnakepitError):
                await self._connection.cancel(call.call_id, "its caller was interrupted")

    async def find_run(self, run_id: str | None) -> tuple[Connection, RunState]:
        """A run of this bridge by its id, or the newest.

        Raises:
            RunNotFound: if there is none.
        """
        connection = await self.connection()
        if run_id is not None:
            return connection, await connection.run_state(run_id, wait=False)
        runs = (await connection.status()).runs
        if not runs:
            raise RunNotFound("there is no run yet")
        return connection, runs[-1]

    async def cancel(self, call_id: str, reason: str) -> bool:
        return await (await self.connection()).cancel(call_id, reason)

    async def close_session(self, session_id: str) -> int:
        check_text(session_id, "session_id", "the session's id")
        if self._connection is None:
            return 0
        return await self._connection.close_session(session_id)

    async def stop(self) -> None:
        """Stop the bridge and all its workers; nothing if there is none."""
        async with self._starting:
            bridge, connection = self._bridge, self._connection
            self._bridge = self._connection = None
            if self._watch:
                self._watch.cancel()
            if connection:
                connection.lost()
            await self.host_tools.aclose()
            if bridge:
                await bridge.stop()
            if connection:  # only now: closing a channel under its readers would cancel them without a word
                await connection.aclose()
            OPEN.discard(self)


def _differences(running: Config, wanted: Config) -> str:
    ours, theirs = running.as_json(), wanted.as_json()
    return ", ".join(f"{name}={ours[name]!r}" for name in ours if ours[name] != theirs[name])


def make_call(
    command: str,
    args: Mapping[str, Any] | None,
    binary: Mapping[str, Any] | None = None,
    *,
    session_id: str,
    streaming: bool,
    timeout: float | None,
) -> Call:
    """A call as the user asked for it.

    Raises:
        InvalidParameter: if `command` or `session_id` is no text, `args` no dict with names as keys, `timeout` no time.
        InvalidBinaryParameter: if `binary` is no dict of names to bytes.
        UnserializableValue: if a value in it cannot travel.
    """
    given = {} if args is None else args
    check_text(command, "command", "the tool's name")
    check_text(session_id, "session_id", "the session's id")
    check_arguments(command, given)
    check_timeout(timeout)
    arguments = values.encode(dict(given))
    return Call(
        tool=command,
        arguments=arguments.data,
        encoding=arguments.encoding,
        binary=binary_of(command, {} if binary is None else binary),
        session_id=session_id,
        streaming=streaming,
        deadline=Deadline.after(timeout),
        labels=notebook.labels(),
    )


# Cores with a running bridge: stopped when the interpreter ends, so that it waits for their clean-up.
OPEN: "weakref.WeakSet[Core]" = weakref.WeakSet()


if hasattr(os, "register_at_fork"):
    # A forked child must not stop its parent's bridge.
    os.register_at_fork(after_in_child=OPEN.clear)


@atexit.register
def _stop_all() -> None:
    for core in list(OPEN):
        with contextlib.suppress(Exception):
            portal().call(core.stop())
