"""What a client does, once: the asyncio core that both of its faces call through the portal."""

import asyncio
import atexit
import contextlib
import os
import weakref
from collections.abc import Mapping
from typing import Any

from snakepit_jupyter import exact_json, notebook
from snakepit_jupyter.client.connection import Answer, Connection
from snakepit_jupyter.client.embedded import EmbeddedBridge
from snakepit_jupyter.client.portal import portal
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import AlreadyStarted, InvalidParameter, RunNotFound, SnakepitError, error_from
from snakepit_jupyter.messages import Call, Deadline, RunState, Status


class Core:
    """A bridge of one's own, started by first use, and what is asked of it. All on the portal's loop.

    Args:
        config: the bridge's settings.
        session_id: the session of calls that name none; None for the notebook's own.
    """

    def __init__(self, config: Config, session_id: str | None = None) -> None:
        self.config = config
        self._session_id = session_id
        self._bridge: EmbeddedBridge | None = None
        self._connection: Connection | None = None
        self._starting = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether there is a bridge."""
        return self._bridge is not None

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
                bridge = await EmbeddedBridge.start(self.config)
                self._bridge = bridge
                self._connection = Connection(bridge.address, bridge.token)
                self._watch = asyncio.create_task(self._watch_bridge(bridge, self._connection))
                OPEN.add(self)
            return self._connection

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

    async def status(self) -> Status:
        return await (await self.connection()).status()

    async def execute(self, call: Call) -> Answer:
        return await (await self.connection()).execute(call)

    async def start_run(self, call: Call, *, held: bool) -> tuple[Connection, RunState]:
        connection = await self.connection()
        return connection, await connection.start_run(call, held=held)

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
            if bridge:
                await bridge.stop()
            if connection:  # only now: closing a channel under its readers would cancel them without a word
                await connection.aclose()
            OPEN.discard(self)


def _differences(running: Config, wanted: Config) -> str:
    ours, theirs = running.as_json(), wanted.as_json()
    return ", ".join(f"{name}={ours[name]!r}" for name in ours if ours[name] != theirs[name])


def make_call(
    command: str, args: Mapping[str, Any] | None, *, session_id: str, streaming: bool, timeout: float | None
) -> Call:
    """A call as the user asked for it.

    Raises:
        InvalidParameter: if `args` is no dict with names as keys, or `timeout` is no time.
        UnserializableValue: if a value in it cannot travel.
    """
    given: object = {} if args is None else args
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise InvalidParameter(
            f"the arguments of {command} are {type(args).__name__}, not a dict with names as keys",
            hint='For example {"count": 5}.',
            details={"key": "args"},
        )
    if timeout is not None and not timeout > 0:
        raise InvalidParameter(
            f"timeout is {timeout!r}",
            hint="It is in seconds, above 0; None means no limit.",
            details={"key": "timeout"},
        )
    return Call(
        tool=command,
        arguments=exact_json.encode(dict(given)),
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
