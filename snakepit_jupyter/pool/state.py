"""What a pool decides, without a process, a clock or a socket.

The states of a worker and how it moves between them stand in a table; `PoolState` adds the queue of calls,
and answers each event with the actions that follow. Who performs them is `pool/local.py`.
"""

import enum
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


class WorkerStatus(enum.StrEnum):
    """Where a worker stands."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    STOPPING = "stopping"
    GONE = "gone"


class WorkerEvent(enum.StrEnum):
    """What can happen to a worker."""

    ANSWERED = "answered"
    ASSIGNED = "assigned"
    RELEASED = "released"
    STOPPED = "stopped"
    EXITED = "exited"


# A pair that is not here cannot happen: it is a bug, and refused.
TRANSITIONS: Mapping[tuple[WorkerStatus, WorkerEvent], WorkerStatus] = {
    (WorkerStatus.STARTING, WorkerEvent.ANSWERED): WorkerStatus.READY,
    (WorkerStatus.STARTING, WorkerEvent.STOPPED): WorkerStatus.STOPPING,
    (WorkerStatus.STARTING, WorkerEvent.EXITED): WorkerStatus.GONE,
    (WorkerStatus.READY, WorkerEvent.ASSIGNED): WorkerStatus.BUSY,
    (WorkerStatus.READY, WorkerEvent.STOPPED): WorkerStatus.STOPPING,
    (WorkerStatus.READY, WorkerEvent.EXITED): WorkerStatus.GONE,
    (WorkerStatus.BUSY, WorkerEvent.RELEASED): WorkerStatus.READY,
    (WorkerStatus.BUSY, WorkerEvent.STOPPED): WorkerStatus.STOPPING,
    (WorkerStatus.BUSY, WorkerEvent.EXITED): WorkerStatus.GONE,
    (WorkerStatus.STOPPING, WorkerEvent.RELEASED): WorkerStatus.STOPPING,
    (WorkerStatus.STOPPING, WorkerEvent.STOPPED): WorkerStatus.STOPPING,
    (WorkerStatus.STOPPING, WorkerEvent.ANSWERED): WorkerStatus.STOPPING,
    (WorkerStatus.STOPPING, WorkerEvent.EXITED): WorkerStatus.GONE,
}

# So many workers in a row may end before they have served a call; then the pool waits for calls to try again.
START_ATTEMPTS = 3


class RefusedEvent(Exception):
    """An event that cannot happen in a worker's state."""


@dataclass(slots=True)
class Worker:
    """What the pool knows of a worker."""

    worker_id: str
    status: WorkerStatus = WorkerStatus.STARTING
    call_id: str = ""
    calls: int = 0

    def on(self, event: WorkerEvent) -> None:
        """Move on.

        Raises:
            RefusedEvent: if the table has no such row.
        """
        try:
            self.status = TRANSITIONS[self.status, event]
        except KeyError:
            raise RefusedEvent(f"{self.worker_id} is {self.status}: it cannot be {event}") from None


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Start a process under this name."""

    worker_id: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Hand a waiting call to a worker."""

    call_id: str
    worker_id: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """No worker can be started: tell a waiting call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class TurnAway:
    """Too many calls wait already: tell the one that has just come."""

    call_id: str


Action = StartWorker | Assign | Refuse | TurnAway


@dataclass(slots=True)
class PoolState:
    """Workers and waiting calls of one pool.

    Args:
        size: how many workers there should be.
        max_queued: how many calls may wait.
    """

    size: int
    max_queued: int = 1_000
    workers: dict[str, Worker] = field(default_factory=dict)
    _waiting: "OrderedDict[str, str]" = field(default_factory=OrderedDict)
    _homes: dict[str, str] = field(default_factory=dict)
    _failed_starts: int = 0
    _named: int = 0
    _closed: bool = False

    @property
    def queued(self) -> int:
        """How many calls wait for a worker."""
        return len(self._waiting)

    @property
    def has_given_up(self) -> bool:
        """Whether starting workers has failed too often in a row."""
        return self._failed_starts >= START_ATTEMPTS and not self.workers

    def starting(self) -> set[str]:
        """The workers that are not ready yet."""
        return {worker.worker_id for worker in self.workers.values() if worker.status is WorkerStatus.STARTING}

    def opened(self) -> list[Action]:
        """The pool begins."""
        return list(self._fill())

    def answered(self, worker_id: str) -> list[Action]:
        """A worker is ready."""
        self.workers[worker_id].on(WorkerEvent.ANSWERED)
        return list(self._assign_waiting())

    def arrived(self, call_id: str, session_id: str) -> list[Action]:
        """A call wants a worker: it gets its session's, else any free one, else a place in the queue, if there is one.

        Nobody waits while a worker is free: where the queue is full, no worker is.
        """
        if self.queued >= self.max_queued:
            return [TurnAway(call_id)]
        self._waiting[call_id] = session_id
        return [*self.wanted(), *self._assign_waiting()]

    def wanted(self) -> list[Action]:
        """Somebody asks for workers: where starting them was given up, it is tried again."""
        if self.has_given_up:
            self._failed_starts = 0
        return list(self._fill())

    def withdrawn(self, call_id: str) -> None:
        """A waiting call was given up; it will not run."""
        self._waiting.pop(call_id, None)

    def released(self, worker_id: str, *, spent: bool = False) -> list[Action]:
        """A worker's call has ended.

        Args:
            worker_id: whose.
            spent: whether it is to get no further one, because it ends.
        """
        worker = self.workers.get(worker_id)
        if worker is None:
            return []
        worker.on(WorkerEvent.STOPPED if spent else WorkerEvent.RELEASED)
        worker.call_id = ""
        worker.calls += 1
        self._take_heart()
        return [*self._assign_waiting(), *self._fill()]

    def exited(self, worker_id: str) -> list[Action]:
        """A worker's process has ended. Another takes its place, unless the pool is closing."""
        worker = self.workers.pop(worker_id)
        has_served = worker.calls > 0 or worker.status is WorkerStatus.BUSY
        self._failed_starts = 0 if has_served else self._failed_starts + 1
        worker.on(WorkerEvent.EXITED)
        self._homes = {session: home for session, home in self._homes.items() if home != worker_id}
        return [*self._fill(), *self._refuse_waiting()]

    @property
    def closed(self) -> bool:
        """Whether it ends."""
        return self._closed

    def closing(self) -> None:
        """The pool ends: no worker is started any more, and those there are stop."""
        self._closed = True
        for worker in self.workers.values():
            worker.on(WorkerEvent.STOPPED)

    def session_closed(self, session_id: str) -> str | None:
        """Forget a session; the worker that kept its state, if there is one."""
        return self._homes.pop(session_id, None)

    def _take_heart(self) -> None:
        """A call that was served shows that workers can live: where starting was given up, one more is tried."""
        if len(self.workers) == self.size:
            self._failed_starts = 0
        elif self._failed_starts >= START_ATTEMPTS:
            self._failed_starts = START_ATTEMPTS - 1

    def _fill(self) -> Iterator[Action]:
        while len(self.workers) < self.size and not self._closed and self._failed_starts < START_ATTEMPTS:
            self._named += 1
            worker = Worker(f"w{self._named}")
            self.workers[worker.worker_id] = worker
            yield StartWorker(worker.worker_id)

    def _assign_waiting(self) -> Iterator[Action]:
        while self._waiting:
            call_id, session_id = next(iter(self._waiting.items()))
            worker = self._free_worker(session_id)
            if worker is None:
                return
            del self._waiting[call_id]
            worker.on(WorkerEvent.ASSIGNED)
            worker.call_id = call_id
            if session_id:
                self._homes[session_id] = worker.worker_id
            yield Assign(call_id, worker.worker_id)

    def _free_worker(self, session_id: str) -> Worker | None:
        home = self.workers.get(self._homes.get(session_id, ""))
        if home is not None and home.status is WorkerStatus.READY:
            return home
        return next((w for w in self.workers.values() if w.status is WorkerStatus.READY), None)

    def _refuse_waiting(self) -> Iterator[Action]:
        if self.has_given_up:
            for call_id in list(self._waiting):
                del self._waiting[call_id]
                yield Refuse(call_id)
