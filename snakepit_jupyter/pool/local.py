"""The pool of this machine: it performs what `PoolState` decides, with real processes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import Failure
from snakepit_jupyter.messages import Call, ToolInfo, WorkerInfo
from snakepit_jupyter.pool.process import WorkerProcess, WorkerStartError
from snakepit_jupyter.pool.state import Action, Assign, PoolState, Refuse, StartWorker

# Seconds that workers have to go.
STOP_GRACE = 3.0
# Seconds that the end of a session waits for adapters' clean-up; it goes on without the caller.
SESSION_GRACE = 5.0


class LocalPool:
    """Workers on this machine.

    Args:
        config: how many, with which adapters.
        directory: where their sockets lie.
        token: the secret they want from us.
    """

    def __init__(self, config: Config, directory: Path, token: str) -> None:
        self._config = config
        self._directory = directory
        self._token = token
        self._state = PoolState(config.pool_size)
        self._processes: dict[str, WorkerProcess] = {}
        self._waiting: dict[str, asyncio.Future[WorkerProcess]] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._usable = asyncio.Event()
        self._start_failure: Failure | None = None
        self.tools: dict[str, ToolInfo] = {}
        self.notices: tuple[str, ...] = ()

    def open(self) -> None:
        """Begin to start all workers, at once."""
        self._perform(self._state.opened())

    async def usable(self) -> None:
        """Wait until there is a worker; where starting them was given up, it is tried again.

        Raises:
            WorkerStartError: if none could be started.
        """
        if not self.tools:
            if self._state.has_given_up:
                self._usable.clear()
                self._perform(self._state.wanted())
            await self._usable.wait()
        if not self.tools:
            assert self._start_failure is not None
            raise WorkerStartError(self._start_failure)

    @asynccontextmanager
    async def worker(self, call: Call) -> AsyncIterator[WorkerProcess]:
        """A worker for one call, after waiting its turn; it is given back at the end.

        Raises:
            WorkerStartError: if none can be started any more.
        """
        process = await self._acquire(call)
        try:
            yield process
        finally:
            self._perform(self._state.released(process.worker_id))

    async def _acquire(self, call: Call) -> WorkerProcess:
        turn: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
        self._waiting[call.call_id] = turn
        self._perform(self._state.arrived(call.call_id, call.session_id))
        try:
            return await turn
        except asyncio.CancelledError:
            self._give_up(call.call_id, turn)
            raise

    def _give_up(self, call_id: str, turn: "asyncio.Future[WorkerProcess]") -> None:
        self._waiting.pop(call_id, None)
        self._state.withdrawn(call_id)
        if turn.done() and not turn.cancelled() and not turn.exception():
            self._perform(self._state.released(turn.result().worker_id))

    async def close_session(self, session_id: str) -> int:
        """Clean up what a session left on the workers; how many adapters there were."""
        self._state.session_closed(session_id)
        asked = (p.transport.close_session(session_id, SESSION_GRACE) for p in self._processes.values())
        return sum(await asyncio.gather(*asked))

    @property
    def queued(self) -> int:
        return self._state.queued

    @property
    def start_failure(self) -> Failure | None:
        """Why there is no worker, if none could be started."""
        return self._start_failure if self._state.has_given_up else None

    def workers(self) -> Sequence[WorkerInfo]:
        """A snapshot of all workers."""
        return [
            WorkerInfo(w.worker_id, self._pid(w.worker_id), w.status, w.call_id, calls=w.calls)
            for w in self._state.workers.values()
        ]

    def _pid(self, worker_id: str) -> int:
        process = self._processes.get(worker_id)
        return process.pid if process else 0

    async def aclose(self) -> None:
        """Stop all workers: their calls are interrupted, clean up and go."""
        self._state.closing()
        starting = [life for life in self._lives if life.get_name() not in self._processes]
        for life in starting:
            life.cancel()
        await asyncio.gather(*(p.stop(STOP_GRACE) for p in self._processes.values()))
        await asyncio.gather(*self._lives, return_exceptions=True)

    def _perform(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case StartWorker(worker_id):
                    life = asyncio.create_task(self._live(worker_id), name=worker_id)
                    self._lives.add(life)
                    life.add_done_callback(self._lives.discard)
                case Assign(call_id, worker_id):
                    self._assign(self._waiting.pop(call_id), worker_id)
                case Refuse(call_id):
                    assert self._start_failure is not None
                    turn = self._waiting.pop(call_id)
                    if not turn.cancelled():
                        turn.set_exception(WorkerStartError(self._start_failure))

    def _assign(self, turn: "asyncio.Future[WorkerProcess]", worker_id: str) -> None:
        if turn.cancelled():  # its call was given up, but has not had the time to say so
            self._perform(self._state.released(worker_id))
        else:
            turn.set_result(self._processes[worker_id])

    async def _live(self, worker_id: str) -> None:
        """A worker's whole life, from its start until its process has gone."""
        try:
            process = await WorkerProcess.start(worker_id, self._config, self._directory, self._token)
        except WorkerStartError as error:
            self._start_failure = error.failure
            self._perform(self._state.exited(worker_id))
            if self._state.has_given_up:
                self._usable.set()
            return
        self._processes[worker_id] = process
        self.tools = {tool.name: tool for tool in process.tools}
        self.notices = process.notices
        self._perform(self._state.answered(worker_id))
        self._usable.set()
        ending = await process.ended()
        self._start_failure = process.died_idle(ending)
        del self._processes[worker_id]
        self._perform(self._state.exited(worker_id))
        await process.transport.aclose()
