"""The pool of this machine: it performs what `PoolState` decides, with real processes."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import Failure, PoolSaturated, Unavailable
from snakepit_jupyter.messages import Call, ToolInfo, WorkerInfo
from snakepit_jupyter.pool.doors import Doors, Watcher
from snakepit_jupyter.pool.own import own_worker
from snakepit_jupyter.pool.peer import Pulse, peer_worker
from snakepit_jupyter.pool.process import NoWorker, WorkerProcess, WorkerStartError
from snakepit_jupyter.pool.state import Action, Assign, PoolState, Refuse, StartWorker, TurnAway

# Seconds that the end of a session waits for adapters' clean-up; it goes on without the caller.
SESSION_GRACE = 5.0
ENDED = Failure(Unavailable.code, "the pool ended before a worker was free", Unavailable.advice, Unavailable.retryable)


class LocalPool:
    """Workers on this machine.

    Args:
        config: how many, of which kind, with which adapters.
        directory: where their sockets lie.
        token: the secret that our own want from us.
        doors: where they reach the bridge; workers that are not ours cannot do without.
        watcher: who hears of them.
        pulse: how workers that are not ours and the bridge watch each other.
    """

    def __init__(
        self,
        config: Config,
        directory: Path,
        token: str,
        doors: Doors | None = None,
        watcher: Watcher | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self._config = config
        self._directory = directory
        self._token = token
        self._doors = doors
        self._watcher = watcher
        self._pulse = pulse or Pulse()
        self._state = PoolState(config.pool_size, config.max_queued)
        self._processes: dict[str, WorkerProcess] = {}
        self._waiting: dict[str, asyncio.Future[WorkerProcess]] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._usable = asyncio.Event()
        self._has_been_ready = False
        self._start_failure: Failure | None = None
        self.tools: dict[str, ToolInfo] = {}
        self.notices: tuple[str, ...] = ()

    @property
    def tools_are_known(self) -> bool:
        """Whether `tools` names all there are once the pool is usable; others are learned as their sessions begin."""
        return not self._config.worker_command

    def learn(self, tools: Iterable[ToolInfo]) -> None:
        """Add tools that a worker has registered."""
        self.tools.update({tool.name: tool for tool in tools})

    def open(self) -> None:
        """Begin to start all workers, at once."""
        self._perform(self._state.opened())

    async def usable(self) -> None:
        """Wait until there is a worker; where starting them was given up, it is tried again.

        Raises:
            WorkerStartError: if none could be started.
        """
        if not self._has_been_ready:
            if self._state.has_given_up:
                self._usable.clear()
                self._perform(self._state.wanted())
            await self._usable.wait()
        if not self._has_been_ready:
            assert self._start_failure is not None
            raise WorkerStartError(self._start_failure)

    @asynccontextmanager
    async def worker(self, call: Call) -> AsyncIterator[WorkerProcess]:
        """A worker for one call, after waiting its turn; it is given back at the end.

        Raises:
            NoWorker: if too many calls wait already; as WorkerStartError if none can be started any more.
        """
        process = await self._acquire(call)
        try:
            yield process
        finally:
            self._release(process)

    def _release(self, process: WorkerProcess) -> None:
        self._perform(self._state.released(process.worker_id, spent=process.spent))

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
            self._release(turn.result())

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
        """Stop all workers: their calls are interrupted, clean up and go. Those that are not ready yet are killed."""
        starting = self._state.starting()
        self._state.closing()
        for call_id in list(self._waiting):
            self._refuse(call_id, NoWorker(ENDED))
        for life in self._lives:
            if life.get_name() in starting:
                life.cancel()
        await asyncio.gather(*(process.stop() for process in self._processes.values()))
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
                    self._refuse(call_id, WorkerStartError(self._start_failure))
                case TurnAway(call_id):
                    self._refuse(call_id, NoWorker(_saturated(self._state)))

    def _refuse(self, call_id: str, error: NoWorker) -> None:
        turn = self._waiting.pop(call_id)
        if not turn.cancelled():
            turn.set_exception(error)

    def _assign(self, turn: "asyncio.Future[WorkerProcess]", worker_id: str) -> None:
        if turn.cancelled():  # its call was given up, but has not had the time to say so
            self._perform(self._state.released(worker_id))
        else:
            turn.set_result(self._processes[worker_id])

    async def _live(self, worker_id: str) -> None:
        """A worker's whole life, from its start until nothing of it is left."""
        try:
            async with self._worker(worker_id) as process:
                await self._serve(process)
        except WorkerStartError as error:
            self._start_failure = error.failure
            self._tell_gone(worker_id, error.failure.message, expected=False)
            self._perform(self._state.exited(worker_id))
            if self._state.has_given_up:
                self._usable.set()

    def _worker(self, worker_id: str) -> AbstractAsyncContextManager[WorkerProcess]:
        if not self._config.worker_command:
            return own_worker(worker_id, self._config, self._directory, self._token, self._doors)
        assert self._doors is not None
        return peer_worker(worker_id, self._config, self._directory, self._doors, self._pulse)

    async def _serve(self, process: WorkerProcess) -> None:
        """A worker's life as a member of the pool."""
        self._join(process)
        ending = await process.ended()
        self._start_failure = process.died_idle(ending)
        del self._processes[process.worker_id]
        self._tell_gone(process.worker_id, ending, expected=self._state.closed or process.dismissed)
        self._perform(self._state.exited(process.worker_id))

    def _join(self, process: WorkerProcess) -> None:
        self._processes[process.worker_id] = process
        if self.tools_are_known:
            self.tools = {tool.name: tool for tool in process.tools}
        self.notices = process.notices
        if self._watcher:
            self._watcher.worker_ready(process)
        self._has_been_ready = True
        self._perform(self._state.answered(process.worker_id))
        self._usable.set()

    def _tell_gone(self, worker_id: str, ending: str, *, expected: bool) -> None:
        if self._watcher:
            self._watcher.worker_gone(worker_id, ending, expected=expected)


def _saturated(state: PoolState) -> Failure:
    waiting = f"{state.queued:,} calls wait for a worker already"
    hint = f"{PoolSaturated.advice} max_queued={state.max_queued} says how many may wait."
    details = {"queued": str(state.queued), "max_queued": str(state.max_queued)}
    return Failure(PoolSaturated.code, waiting, hint, PoolSaturated.retryable, details=details)
