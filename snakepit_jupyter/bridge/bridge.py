"""Who may do what: runs, calls and sessions of one bridge. A plain async object; its gRPC face is beside it."""

import asyncio
import difflib
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from snakepit_jupyter.bridge import log
from snakepit_jupyter.bridge.host_tools import HostTools
from snakepit_jupyter.bridge.registry import Registry
from snakepit_jupyter.bridge.run import BridgeRun
from snakepit_jupyter.bridge.sessions import Session, Sessions
from snakepit_jupyter.bridge.telemetry import Hub
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import run_state_from_pb
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import (
    InvalidParameter,
    RunNotFound,
    SnakepitError,
    StreamingNotSupported,
    StreamingRequired,
    ToolNotFound,
    WorkerTimeout,
    error_from,
)
from snakepit_jupyter.messages import Call, Deadline, RunStatus, Status, ToolInfo, WorkerInfo
from snakepit_jupyter.pool.local import LocalPool
from snakepit_jupyter.pool.process import WorkerStartError

# Runs that have ended can still be read: so many, with so many bytes of chunks together.
KEPT_RUNS = 100
KEPT_BYTES = 64 * 1024 * 1024
# So many ids are remembered that were stopped before they came.
REMEMBERED_STOPS = 1000
# Seconds in which a client whose connection broke may come again, until its foreground runs are stopped.
CLIENT_GRACE = 10.0


class Bridge:
    """Runs and calls, and the pool that does them.

    Args:
        pool: the workers.
        config: the graces of stopping, and how much of everything there may be.
        hub: who hears of it.
    """

    def __init__(self, pool: LocalPool, config: Config, hub: Hub) -> None:
        self._pool = pool
        self._config = config
        self.hub = hub
        self.sessions = Sessions(config.max_sessions, config.session_ttl)
        self.registry = Registry(config.max_programs_per_session)
        self.host_tools = HostTools(config.host_tool_timeout, self._client_left)
        self._runs: OrderedDict[str, BridgeRun] = OrderedDict()
        self._calls: dict[str, BridgeRun] = {}
        self._stopped_before: OrderedDict[str, str] = OrderedDict()
        self._opened = time.monotonic()

    async def execute(self, call: Call) -> BridgeRun:
        """Run a plain call to its end. If the caller gives up waiting, the call is stopped.

        Raises:
            SnakepitError: if the tool cannot be called so, or no worker can be started.
        """
        call = await self._admit(call)
        if call.call_id in self._calls or call.call_id in self._runs:
            raise _id_is_taken(call.call_id)
        run = BridgeRun(call, self._pool, self._config, self.hub)
        self._calls[call.call_id] = run
        try:
            await run.ended()
        finally:
            run.stop("its caller went away")
            del self._calls[call.call_id]
            self._touch(call.session_id)
        return run

    async def start_run(self, call: Call, *, held: bool) -> BridgeRun:
        """Start a run, or find the one of this id that is already there.

        Raises:
            SnakepitError: if the tool cannot be called so, or no worker can be started.
        """
        if call.call_id not in self._runs:
            call = await self._admit(call)
        if call.call_id in self._calls:
            raise _id_is_taken(call.call_id)
        if call.call_id not in self._runs:
            self._runs[call.call_id] = BridgeRun(call, self._pool, self._config, self.hub, held)
            self._forget_oldest()
            if (reason := self._stopped_before.pop(call.call_id, None)) is not None:
                self._runs[call.call_id].stop(reason)
        return self._runs[call.call_id]

    def run(self, run_id: str) -> BridgeRun:
        """The run of that id.

        Raises:
            RunNotFound: if there is none.
        """
        try:
            return self._runs[run_id]
        except KeyError:
            hint = f"The last {KEPT_RUNS} that ended are kept."
            raise RunNotFound(f"there is no run {run_id!r}", hint=hint) from None

    async def read(self, run: BridgeRun, seq: int, min_interval: float) -> AsyncGenerator[pb.RunUpdate, None]:
        """A run from chunk `seq` on, with its state whenever that changed, until its end.

        Args:
            run: the run.
            seq: the first number wanted.
            min_interval: seconds between two updates at least.
        """
        version = -1
        while True:
            closed, now = run.log.closed, run.version
            reading = run.log.read(seq)
            seq += len(reading.chunks) + reading.skipped
            behind = seq <= run.log.last
            pause = 0.0
            if reading.chunks or now != version:
                state = run.state if now != version and not behind else None
                yield pb.RunUpdate(chunks=reading.chunks, skipped=reading.skipped, state=state)
                version = now if state else version
                pause = min_interval
            if closed and not behind and version == run.version:
                return
            if not behind:
                # The first chunk goes at once; those that come within the interval go together.
                await asyncio.sleep(0 if run.log.closed else pause)
                if version == run.version:  # else the state has changed while nobody waited to be told
                    await run.log.after(seq)

    def cancel(self, call_id: str, reason: str) -> bool:
        """Stop a run or a plain call; False if there is none of that id that still goes on."""
        run = self._runs.get(call_id) or self._calls.get(call_id)
        if run is None:
            # Who is interrupted while it starts a run stops it by its id, and that may overtake the start.
            self._stopped_before[call_id] = reason
            if len(self._stopped_before) > REMEMBERED_STOPS:
                self._stopped_before.popitem(last=False)
            return False
        if run.status.ended:
            return False
        run.stop(reason)
        return True

    async def close_session(self, session_id: str) -> int:
        """End a session: what it left on the workers is cleaned up, and its registered tools are forgotten."""
        self.forget_session(session_id)
        return await self._pool.close_session(session_id)

    def forget_session(self, session_id: str, *, expired: bool = False) -> None:
        """Forget what the bridge itself knows of a session."""
        self.registry.forget(session_id)
        if session_id in self.sessions:
            age = time.time() - self.sessions.get(session_id).created_at
            self.sessions.close(session_id)
            self.hub.session_stopped(session_id, age, expired=expired)

    def open_session(self, session_id: str, metadata: Mapping[str, str] | None = None) -> Session:
        """The session of that id, opened if there is none.

        Raises:
            InvalidParameter: if the id is none.
            SessionQuotaExceeded: if there are as many as there may be.
        """
        session, is_new = self.sessions.open(session_id, time.monotonic(), metadata)
        if is_new:
            self.hub.session_started(session_id)
        return session

    async def close_expired_sessions(self) -> None:
        """End the sessions that nobody has used for too long. One that a call goes on in is in use."""
        for run in (*self._runs.values(), *self._calls.values()):
            if not run.status.ended:
                self._touch(run.call.session_id)
        # All at once: one that is used again while a worker takes its time over another's end is not an expired one.
        expired = self.sessions.expired(time.monotonic())
        for session_id in expired:
            self.forget_session(session_id, expired=True)
        await asyncio.gather(*map(self._pool.close_session, expired))

    def client_of(self, call_id: str) -> str:
        """The client whose run or call that is; "" if there is none of that id."""
        run = self._runs.get(call_id) or self._calls.get(call_id)
        return run.call.client_id if run else ""

    def _client_left(self, client_id: str) -> None:
        asyncio.get_running_loop().call_later(CLIENT_GRACE, self._stop_runs_of, client_id)

    def _stop_runs_of(self, client_id: str) -> None:
        """Nobody reads the foreground runs of a client that does not come again; each may hold a worker for ever."""
        if not self.host_tools.has_client(client_id):
            for run in self._runs.values():
                if run.held and run.call.client_id == client_id:
                    run.stop("its client went away")

    async def _admit(self, call: Call) -> Call:
        """The call as it is to be run. One that cannot be is told of as failed."""
        log.call(call)
        try:
            admitted = self._in_its_session(call)
            await self._look_up(admitted)
        except SnakepitError as error:
            self.refuse(call, error)
            raise
        return admitted

    def _in_its_session(self, call: Call) -> Call:
        """The call with what is known of its session, which its first call opens."""
        if not call.session_id:
            return call
        return replace(call, session_metadata=self.open_session(call.session_id).metadata)

    def _touch(self, session_id: str) -> None:
        self.sessions.touch(session_id, time.monotonic())

    async def status(self) -> Status:
        """A snapshot of everything, once there is a worker or it is known why not."""
        with suppress(WorkerStartError):
            await self._pool.usable()
        tools_of = {run.call.call_id: run.call.tool for run in (*self._runs.values(), *self._calls.values())}
        return Status(
            workers=tuple(_with_tool(worker, tools_of) for worker in self._pool.workers()),
            tools=tuple(self._pool.tools.values()),
            runs=tuple(run_state_from_pb(run.state) for run in self._runs.values()),
            queued=self._pool.queued,
            notices=self._pool.notices,
            uptime=time.monotonic() - self._opened,
            failure=self._pool.start_failure,
        )

    def refuse(self, call: Call, error: SnakepitError) -> None:
        """Tell of a call that cannot be run."""
        self.hub.call_ended(call, "", RunStatus.FAILED, 0.0, 0, error.code)

    async def _look_up(self, call: Call) -> None:
        tool = await self.find_tool(call.tool, call.deadline)
        if tool is None:
            if self._pool.tools_are_known:
                raise self._tool_not_found(call.tool)
            return  # a peer's worker names its tools at the first call, and will say if it has none of that name
        if call.streaming and not tool.streaming:
            raise StreamingNotSupported(
                f"the tool {tool.name!r} gives one result and does not stream",
                hint=f"Call it with execute({tool.name!r}, …) or %snakepit_run {tool.name}.",
            )
        if tool.streaming and not call.streaming:
            raise StreamingRequired(
                f"the tool {tool.name!r} streams its results",
                hint=f"Call it with execute_stream({tool.name!r}, …) or %%snakepit_stream {tool.name}.",
            )
        if self._pool.tools_are_known:
            tool.check_names(call.argument_names)

    async def find_tool(self, name: str, deadline: Deadline) -> ToolInfo | None:
        """The workers' tool of that name, once there is a worker.

        Raises:
            WorkerTimeout: if there is none before the deadline.
            SnakepitError: if no worker can be started.
        """
        try:
            async with asyncio.timeout(deadline.remaining):
                await self._pool.usable()
        except TimeoutError:
            raise WorkerTimeout(
                f"{name} was given up while the workers were still starting",
                hint="Give it more time with timeout=…, or start the workers before: start().",
            ) from None
        except WorkerStartError as error:
            raise error_from(error.failure) from error
        return self._pool.tools.get(name)

    @property
    def tools_are_known(self) -> bool:
        """Whether the workers have said which tools they have; a peer's says it at its first call."""
        return self._pool.tools_are_known

    def learn(self, tools: Iterable[ToolInfo]) -> None:
        """A peer's worker has said which tools it has."""
        self._pool.learn(tools)

    def has_worker(self, worker_id: str) -> bool:
        """Whether a worker of that id is there."""
        return any(worker.worker_id == worker_id for worker in self._pool.workers())

    def _tool_not_found(self, name: str) -> ToolNotFound:
        near = difflib.get_close_matches(name, self._pool.tools, n=1)
        every = f"There are: {', '.join(sorted(self._pool.tools))}."
        hint = f"Did you mean {near[0]!r}?" if near else every
        return ToolNotFound(f"there is no tool {name!r}", hint=hint, details={"tool": name})

    def _forget_oldest(self) -> None:
        ended = [run for run in self._runs.values() if run.status.ended]
        size = sum(run.log.size for run in ended)
        for older, run in enumerate(ended, start=1):
            if len(ended) - older < KEPT_RUNS and size <= KEPT_BYTES:
                return
            size -= run.log.size
            del self._runs[run.call.call_id]


def _id_is_taken(call_id: str) -> InvalidParameter:
    hint = "Give each call an id of its own, or none."
    return InvalidParameter(f"there is a call {call_id!r} already", hint=hint, details={"key": "call_id"})


def _with_tool(worker: WorkerInfo, tools_of: Mapping[str, str]) -> WorkerInfo:
    return replace(worker, tool=tools_of.get(worker.call_id, ""))
