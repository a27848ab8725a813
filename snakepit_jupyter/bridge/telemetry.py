"""What the bridge tells of its work, and what its workers tell it: one stream of events for all who subscribe.

Everything goes through redaction. While nobody listens no event is made, and the workers are told to be silent.
"""

import asyncio
import platform
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs.telemetry import Requests, event_from_pb
from snakepit_jupyter.messages import Call, RunStatus, StopRung, new_correlation_id
from snakepit_jupyter.pool.process import WorkerProcess
from snakepit_jupyter.redaction import outward_fields, outward_text
from snakepit_jupyter.telemetry import PYTHON, Emitter, Event

POOL = "default"
# Seconds that a new subscriber waits for the workers to begin to speak.
ASKING = 0.5
NO_CALL = ""

Controls = AsyncIterable[bridge_pb.TelemetryControl]
Opening = Callable[[Controls], AsyncGenerator[bridge_pb.TelemetryEvent, None]]


class Line:
    """The stream of one worker's events, and whether the worker is to speak.

    Args:
        said: what is known of the worker; part of each of its events.
        opening: opens the stream.
        ask: asks the worker for anything at all, in so many seconds.
        listened: whether it is to speak at first.
    """

    def __init__(
        self, said: Mapping[str, str], opening: Opening, ask: Callable[[float], Awaitable[object]], *, listened: bool
    ) -> None:
        self.said = said
        self._opening = opening
        self._ask = ask
        self._requests = Requests([_toggle(listened)])

    async def events(self) -> AsyncGenerator[Event, None]:
        """What the worker tells, until it ends."""
        try:
            async with aclosing(self._opening(self._requests)) as messages:
                async for message in messages:
                    yield event_from_pb(message)
        finally:
            self._requests.close()

    def tell(self, *, listened: bool) -> None:
        """Let the worker speak or be silent."""
        self._requests.say(_toggle(listened))

    async def obeyed(self) -> None:
        """Wait until the worker has done as it was told: it answers a later question on the same connection."""
        await self._requests.sent()
        await self._ask(ASKING)


def _toggle(enabled: bool) -> bridge_pb.TelemetryControl:
    return bridge_pb.TelemetryControl(toggle=bridge_pb.TelemetryToggle(enabled=enabled))


class Hub:
    """The events of a bridge and its workers.

    It is a `Watcher` of the pool, and is told by the bridge of calls and sessions. All on the bridge's loop.

    Args:
        pool_name: how the pool is called in events.
        node: how this machine is called in events.

    Attributes:
        emitter: where to attach to hear of everything.
    """

    def __init__(self, pool_name: str = POOL, node: str | None = None) -> None:
        self.emitter = Emitter(changed=self._listened)
        self._pool_name = pool_name
        self._node = platform.node() if node is None else node
        self._lines: dict[str, Line] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._ready_at: dict[str, float] = {}
        # What belongs to no call belongs to the life of its worker or its session.
        self._worker_lives: defaultdict[str, str] = defaultdict(new_correlation_id)
        self._session_lives: defaultdict[str, str] = defaultdict(new_correlation_id)

    async def listening(self) -> None:
        """Wait until the workers know that somebody listens; at most half a second, for some may be busy."""
        asked = [asyncio.create_task(line.obeyed()) for line in self._lines.values()]
        if asked:
            _, late = await asyncio.wait(asked, timeout=ASKING)
            for task in late:
                task.cancel()

    async def aclose(self) -> None:
        """Nothing is told any more; those who listen come to an end."""
        self.emitter.close()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    # Calls and streams.

    def call_started(self, call: Call, worker_id: str, waited: float) -> None:
        """A call has got a worker, after so many seconds."""
        self._tell_call(call, "started", {"queued_ms": waited * 1000}, {"worker_id": worker_id})

    def call_ended(
        self, call: Call, worker_id: str, status: RunStatus, duration: float, chunks: int, code: str = ""
    ) -> None:
        """A call has ended.

        Args:
            call: the call.
            worker_id: who worked on it; "" if it never got a worker.
            status: DONE, STOPPED or FAILED.
            duration: seconds since it came.
            chunks: how many chunks of data there were.
            code: that of its failure.
        """
        measured: dict[str, Any] = {"duration_ms": duration * 1000}
        if call.streaming:
            measured["chunks"] = chunks
        said = {"worker_id": worker_id, "outcome": status.value, "code": code}
        self._tell_call(call, "failed" if status is RunStatus.FAILED else "stopped", measured, said)

    def _tell_call(self, call: Call, what: str, measured: Mapping[str, Any], said: Mapping[str, str]) -> None:
        name = f"snakepit.{'stream' if call.streaming else 'call'}.{what}"
        about = {"tool": call.tool, "session_id": call.session_id, "call_id": call.call_id, **said}
        self._tell(name, measured, about, call.correlation_id)

    # Sessions.

    def session_started(self, session_id: str) -> None:
        """A session was opened."""
        life = self._session_lives[session_id]
        self._tell("snakepit.session.started", {}, {"session_id": session_id}, life)

    def session_stopped(self, session_id: str, age: float, *, expired: bool = False) -> None:
        """A session was closed after so many seconds, or has expired."""
        said = {"session_id": session_id, "reason": "expired" if expired else "closed"}
        life = self._session_lives[session_id]
        del self._session_lives[session_id]
        self._tell("snakepit.session.stopped", {"duration_ms": age * 1000}, said, life)

    # Workers.

    def worker_ready(self, worker: WorkerProcess) -> None:
        """A worker is ready: what it tells is passed on."""
        said = {"node": self._node, "pool_name": self._pool_name, "worker_id": worker.worker_id}
        said["python_pid"] = str(worker.pid)
        self._ready_at[worker.worker_id] = time.monotonic()
        self._tell("snakepit.worker.started", {}, said, self._worker_lives[worker.worker_id])
        transport = worker.transport
        ask = partial(transport.cancel, NO_CALL, StopRung.COOPERATIVE)
        self.follow(Line(said, transport.telemetry, ask, listened=self.emitter.listened))

    def worker_gone(self, worker_id: str, ending: str, *, expected: bool) -> None:
        """A worker has ended, or could not be started; `ending` says how."""
        ready_at = self._ready_at.pop(worker_id, None)
        measured = {} if ready_at is None else {"duration_ms": (time.monotonic() - ready_at) * 1000}
        said = {"node": self._node, "pool_name": self._pool_name, "worker_id": worker_id, "ending": ending}
        life = self._worker_lives[worker_id]
        del self._worker_lives[worker_id]
        self._tell(f"snakepit.worker.{'stopped' if expected else 'failed'}", measured, said, life)

    def follow(self, line: Line) -> None:
        """Pass on what a worker tells, until it ends."""
        self._lines[line.said["worker_id"]] = line
        reader = asyncio.create_task(self._read(line, self._worker_lives[line.said["worker_id"]]))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _read(self, line: Line, life: str) -> None:
        try:
            async with aclosing(line.events()) as events:
                async for event in events:
                    self._pass_on(event, line.said, life)
        finally:
            if self._lines.get(line.said["worker_id"]) is line:
                del self._lines[line.said["worker_id"]]

    def _pass_on(self, event: Event, said: Mapping[str, str], life: str) -> None:
        """Tell a worker's event under the name it has outside. What we know of the worker wins over what it says."""
        name = PYTHON + event.name.removeprefix("python.")
        full = replace(
            event,
            name=name,
            metadata={**event.metadata, **said},
            timestamp=event.timestamp if event.timestamp > 0 else time.time(),
            correlation_id=event.correlation_id or life,
        )
        self.emitter.emit(name, lambda: outward(full))

    def _listened(self, listened: bool) -> None:
        for line in self._lines.values():
            line.tell(listened=listened)

    def _tell(self, name: str, measured: Mapping[str, Any], said: Mapping[str, str], correlation_id: str = "") -> None:
        about = {key: value for key, value in said.items() if value}
        self.emitter.emit(name, lambda: outward(Event.of(name, measured, about, correlation_id)))


def outward(event: Event) -> Event:
    """An event that may leave the machine: its texts masked."""
    return replace(
        event,
        name=outward_text(event.name),
        measurements={
            outward_text(name): outward_text(value) if isinstance(value, str) else value
            for name, value in event.measurements.items()
        },
        metadata=outward_fields(event.metadata),
        correlation_id=outward_text(event.correlation_id),
    )
