"""Workers that are not ours: Snakepit's own, or any process that follows section 13 of the wire contract."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from snakepit_jupyter.config import Config
from snakepit_jupyter.lifeline import Program
from snakepit_jupyter.pool.doors import Doors
from snakepit_jupyter.pool.launch import Launch
from snakepit_jupyter.pool.process import SLOW, Standing, WorkerProcess, WorkerStartError, last_lines
from snakepit_jupyter.transport.grpc import ConnectionLost
from snakepit_jupyter.transport.peer import PeerTransport

# Seconds that a worker has to go: it lets a running tool go on for two of them.
STOP_GRACE = 6.0
# Seconds in which a worker whose heartbeat failed may turn out to have ended.
LAST_BREATH = 1.0
# Bytes that are shown of a ready file that holds no port.
SHOWN = 40


@dataclass(frozen=True, slots=True)
class Pulse:
    """How bridge and worker watch each other.

    Args:
        interval: seconds between two heartbeats, in either direction.
        timeout: seconds that the answer to one may take. A worker that takes longer hangs, and is replaced.
        most_missed: after so many in a row that the bridge did not answer, the worker ends itself.
    """

    interval: float = 2.0
    timeout: float = 10.0
    most_missed: int = 3

    def as_json(self) -> str:
        """The worker's half, as SNAKEPIT_HEARTBEAT_CONFIG."""
        return json.dumps(
            {
                "enabled": True,
                "interval_ms": round(self.interval * 1000),
                "timeout_ms": round(self.timeout * 1000),
                "max_missed_heartbeats": self.most_missed,
                "dependent": True,
            }
        )


class PeerProcess(WorkerProcess):
    """A foreign worker that is ready for calls.

    Args:
        worker_id: its name in the pool.
        program: its process.
        port: where it listens on this machine.

    Attributes:
        session_id: its own session, in which calls without one are made.
    """

    def __init__(self, worker_id: str, program: Program, port: int) -> None:
        self.worker_id = worker_id
        self.program = program
        # It registers its tools in each session, at the first call there.
        self.tools = ()
        self.notices = ()
        self.standing = Standing.SERVING
        self.cause = ""
        self.session_id = f"session_{worker_id.removeprefix('w')}_{time.time_ns() // 1000}"
        self._transport = PeerTransport(f"127.0.0.1:{port}", self.session_id, self.retire)
        self._retiring: asyncio.Task[None] | None = None

    @property
    def transport(self) -> PeerTransport:
        return self._transport

    async def stop(self) -> None:
        await self.retire()

    def retire(self) -> "asyncio.Future[None]":
        """Begin to end it, by SIGTERM and after a grace by SIGKILL; done when it has ended."""
        self._move(Standing.DISMISSED)
        if self._retiring is None:
            self.program.terminate()
            self._retiring = asyncio.create_task(self.program.end(STOP_GRACE))
        return asyncio.shield(self._retiring)

    async def watch(self, pulse: Pulse) -> None:
        """Listen to its heart, until that fails: a worker that does not answer hangs, and is killed."""
        while True:
            await asyncio.sleep(pulse.interval)
            try:
                await self._transport.heartbeat(pulse.timeout)
            except ConnectionLost as error:
                if not await self._ends():
                    self._move(Standing.LOST)
                    self.cause = f"after its heartbeat had failed ({error})"
                    self.program.kill()
                return

    async def _ends(self) -> bool:
        """Whether it ends by itself, or we end it already."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_BREATH):
                await self.program.wait()
        return self.spent or self.program.exit_code is not None


@asynccontextmanager
async def peer_worker(
    worker_id: str, config: Config, directory: Path, doors: Doors, pulse: Pulse
) -> AsyncIterator[PeerProcess]:
    """Start a worker and wait until it is ready. At the end of the block nothing of it is left.

    Args:
        worker_id: its name.
        config: its command, its adapter, where that is, and how long it may take.
        directory: a private directory.
        doors: who opens the door through which it reaches the bridge.
        pulse: how we watch each other.

    Raises:
        WorkerStartError: if it does not get ready.
    """
    async with _door(doors, worker_id) as address:
        launch = Launch(config, directory / f"{worker_id}.ready", address, pulse.as_json())
        async with launch.running() as program:
            process = await _ready(worker_id, launch, program)
            watching = asyncio.create_task(process.watch(pulse))
            try:
                yield process
            finally:
                watching.cancel()
                await process.transport.aclose()


@asynccontextmanager
async def _door(doors: Doors, worker_id: str) -> AsyncIterator[str]:
    async with contextlib.AsyncExitStack() as stack:
        try:
            address = await stack.enter_async_context(doors.peer(worker_id))
        except (OSError, RuntimeError) as error:  # gRPC's word for an address that cannot be had
            raise WorkerStartError.saying(f"its way to the bridge cannot be opened: {error}") from error
        yield address


async def _ready(worker_id: str, launch: Launch, program: Program) -> PeerProcess:
    """The worker, when it answers."""
    timeout = launch.config.worker_init_timeout
    try:
        async with asyncio.timeout(timeout):
            process = PeerProcess(worker_id, program, await launch.port(program))
            await _greet(process, launch)
            return process
    except TimeoutError:
        said = launch.said()[:SHOWN]
        what = f"it wrote {said!r} instead of its port" if said else "it was not ready"
        raise WorkerStartError.saying(f"{what} within {timeout:g} s", last_lines(program.tail, SLOW)) from None


async def _greet(process: PeerProcess, launch: Launch) -> None:
    async with contextlib.AsyncExitStack() as otherwise:
        otherwise.push_async_callback(process.transport.aclose)
        try:
            await process.transport.greet()
        except ConnectionLost as error:
            if process.program.exit_code is not None:
                raise await launch.ended(process.program) from error
            raise WorkerStartError.saying(str(error), last_lines(process.program.tail)) from error
        otherwise.pop_all()
