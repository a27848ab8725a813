"""Who may do what: runs, calls and sessions of one bridge. A plain async object; its gRPC face is beside it."""

import asyncio
import difflib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from snakepit_jupyter.bridge.run import BridgeRun
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import run_state_from_pb
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import (
    RunNotFound,
    StreamingNotSupported,
    StreamingRequired,
    ToolNotFound,
    error_from,
)
from snakepit_jupyter.messages import Call, Status, ToolInfo, WorkerInfo
from snakepit_jupyter.pool.local import LocalPool
from snakepit_jupyter.pool.process import WorkerStartError

# Runs that have ended can still be read: so many, with so many bytes of chunks together.
KEPT_RUNS = 100
KEPT_BYTES = 64 * 1024 * 1024


class Bridge:
    """Runs and calls, and the pool that does them.

    Args:
        pool: the workers.
        config: the graces of stopping.
    """

    def __init__(self, pool: LocalPool, config: Config) -> None:
        self._pool = pool
        self._config = config
        self._runs: OrderedDict[str, BridgeRun] = OrderedDict()
        self._calls: dict[str, BridgeRun] = {}
        self._opened = time.monotonic()

    async def execute(self, call: Call) -> BridgeRun:
        """Run a plain call to its end. If the caller gives up waiting, the call is stopped.

        Raises:
            SnakepitError: if the tool cannot be called so, or no worker can be started.
        """
        await self._look_up(call)
        run = BridgeRun(call, self._pool, self._config)
        self._calls[call.call_id] = run
        try:
            await run.ended()
        finally:
            run.stop("its caller went away")
            del self._calls[call.call_id]
        return run

    async def start_run(self, call: Call, *, held: bool) -> BridgeRun:
        """Start a run, or find the one of this id that is already there.

        Raises:
            SnakepitError: if the tool cannot be called so, or no worker can be started.
        """
        if call.call_id not in self._runs:
            await self._look_up(call)
        if call.call_id not in self._runs:
            self._runs[call.call_id] = BridgeRun(call, self._pool, self._config, held)
            self._forget_oldest()
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

    async def read(self, run: BridgeRun, seq: int, min_interval: float) -> AsyncIterator[pb.RunUpdate]:
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
                await run.log.after(seq)

    def cancel(self, call_id: str, reason: str) -> bool:
        """Stop a run or a plain call; False if there is none of that id that still goes on."""
        run = self._runs.get(call_id) or self._calls.get(call_id)
        if run is None or run.status.ended:
            return False
        run.stop(reason)
        return True

    async def close_session(self, session_id: str) -> int:
        """Clean up what a session left on the workers."""
        return await self._pool.close_session(session_id)

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

    async def _look_up(self, call: Call) -> ToolInfo:
        try:
            await self._pool.usable()
        except WorkerStartError as error:
            raise error_from(error.failure) from error
        tool = self._pool.tools.get(call.tool)
        if tool is None:
            raise self._tool_not_found(call.tool)
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
        tool.check_names(call.argument_names)
        return tool

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


def _with_tool(worker: WorkerInfo, tools_of: Mapping[str, str]) -> WorkerInfo:
    return replace(worker, tool=tools_of.get(worker.call_id, ""))


@asynccontextmanager
async def open_bridge(config: Config, directory: Path, token: str) -> AsyncIterator[Bridge]:
    """A bridge with a pool of local workers, for as long as the block is entered.

    Args:
        config: its settings.
        directory: a private directory for the workers' sockets.
        token: the secret that the workers want.
    """
    pool = LocalPool(config, directory, token)
    pool.open()
    try:
        yield Bridge(pool, config)
    finally:
        await pool.aclose()
