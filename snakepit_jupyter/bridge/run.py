"""A call in the bridge: it waits for a worker, its chunks go to the log, it ends or is made to end.

A run belongs to the bridge: readers come and go, it goes on. Plain calls take the same path; theirs is a run
whose chunks are what the tool printed and whose end holds the result.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from snakepit_jupyter.bridge.log import tell_bug
from snakepit_jupyter.bridge.runlog import RunLog
from snakepit_jupyter.bridge.telemetry import Hub
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import failure_from_pb, failure_to_pb, run_state_to_pb
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import Failure, SnakepitError
from snakepit_jupyter.messages import Call, RunState, RunStatus, StopRung
from snakepit_jupyter.pool.local import LocalPool
from snakepit_jupyter.pool.process import NoWorker, WorkerProcess
from snakepit_jupyter.transport.grpc import ConnectionLost

DEADLINE = "deadline"


@dataclass(slots=True)
class BridgeRun:
    """One call on its way through the bridge.

    Args:
        call: what was asked for.
        pool: who does it.
        config: the graces of stopping.
        hub: who hears of its beginning and end.
        held: whether its owner holds it back.
    """

    call: Call
    pool: LocalPool
    config: Config
    hub: Hub
    held: bool = False
    status: RunStatus = RunStatus.QUEUED
    failure: Failure | None = None
    end: pb.CallEnd | None = None
    final: pb.Chunk | None = None
    data_chunks: int = 0
    log: RunLog = field(init=False)
    version: int = 0
    _worker: WorkerProcess | None = None
    _rung: StopRung = StopRung.NONE
    _stop_reason: str = ""
    _created_at: float = field(default_factory=time.time)
    _started: float = field(default_factory=time.monotonic)
    _elapsed: float | None = None
    _task: "asyncio.Task[None]" = field(init=False)
    _stopper: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.log = RunLog(held=self.held)
        self._task = asyncio.create_task(self._live())

    @property
    def state(self) -> pb.RunState:
        """Where it stands, as a message."""
        state = run_state_to_pb(
            RunState(
                run_id=self.call.call_id,
                tool=self.call.tool,
                session_id=self.call.session_id,
                status=self.status,
                worker_id=self._worker.worker_id if self._worker else "",
                created_at=self._created_at,
                elapsed=self._age if self._elapsed is None else self._elapsed,
                chunks=self.log.last,
                failure=self.failure,
                rung=self._rung,
                stop_reason=self._stop_reason,
            )
        )
        if self.final:
            state.final.CopyFrom(self.final)
        return state

    @property
    def _age(self) -> float:
        return time.monotonic() - self._started

    async def ended(self) -> None:
        """Wait for the end."""
        await asyncio.shield(self._task)

    def stop(self, reason: str) -> None:
        """Begin to climb the ladder; a second request changes nothing."""
        if self._stopper is None and not self.status.ended:
            self._stop_reason = reason
            self._stopper = asyncio.create_task(self._climb())

    # Its life.

    async def _live(self) -> None:
        deadline = asyncio.create_task(self._watch_deadline())
        try:
            self._conclude(await self._work())
        except asyncio.CancelledError:  # it was stopped while it waited for a worker
            self._conclude(pb.CallEnd(outcome=pb.OUTCOME_STOPPED))
        except NoWorker as error:
            self._fail(error.failure)
        except Exception as error:  # a bug of ours: its readers must not wait for ever
            tell_bug(self.call, error)
            what = f"the bridge could not run {self.call.tool} ({type(error).__name__})"
            self._fail(Failure(SnakepitError.code, what, "This is a mistake in snakepit_jupyter, not in the tool."))
        finally:
            deadline.cancel()

    async def _watch_deadline(self) -> None:
        remaining = self.call.deadline.remaining
        if remaining is not None:
            await asyncio.sleep(remaining)
            self.stop(DEADLINE)

    async def _work(self) -> pb.CallEnd:
        async with self.pool.worker(self.call) as worker:
            self._worker = worker
            self._move(RunStatus.RUNNING)
            self.hub.call_started(self.call, worker.worker_id, self._age)
            try:
                return await self._relay(worker)
            except ConnectionLost:
                return await self._lost(worker)

    async def _relay(self, worker: WorkerProcess) -> pb.CallEnd:
        """Hand on what comes, no faster than there is room for it."""
        updates = worker.transport.stream(self.call)
        async with contextlib.aclosing(updates):
            async for update in updates:
                self._add(update)
                if update.HasField("end"):
                    return update.end
                await self.log.room()
        raise ConnectionLost("the stream ended without an end")

    def _add(self, update: pb.CallUpdate) -> None:
        """Take a group of chunks. After a final one come no data, but what the tool still prints."""
        chunks: Sequence[pb.Chunk] = update.chunks
        if self.final is not None or any(chunk.is_final for chunk in chunks):
            chunks = list(self._up_to_final(chunks))
        if chunks:
            self.log.extend(chunks)
            self.data_chunks += sum(chunk.kind == pb.CHUNK_KIND_DATA for chunk in chunks)

    def _up_to_final(self, chunks: Iterable[pb.Chunk]) -> Iterator[pb.Chunk]:
        for chunk in chunks:
            if chunk.kind != pb.CHUNK_KIND_DATA:
                yield chunk
            elif self.final is None:
                if chunk.is_final:
                    self._finalize(chunk)
                yield chunk

    def _finalize(self, final: pb.Chunk) -> None:
        """Upstream's bridge says this in a final chunk; what the tool said there stays."""
        for key, value in self._final_metadata().items():
            if key not in final.metadata:
                final.metadata[key] = value
        self.final = final

    def _final_metadata(self) -> dict[str, str]:
        assert self._worker is not None
        return {
            "execution_time_ms": str(round(self._age * 1000)),
            "tool_type": "remote",
            "worker_id": self._worker.worker_id,
        }

    def _add_synthetic_final(self) -> None:
        """A peer's tool has ended without a final chunk: readers get one all the same."""
        metadata = {
            **self._final_metadata(),
            "synthetic_final": "true",
            "chunks_sent": str(self.data_chunks),
        }
        self.final = pb.Chunk(is_final=True, metadata=metadata)
        self.log.extend([self.final])

    async def _lost(self, worker: WorkerProcess) -> pb.CallEnd:
        failure = await worker.obituary()
        if self._rung is StopRung.KILL:
            return pb.CallEnd(outcome=pb.OUTCOME_STOPPED)
        return pb.CallEnd(outcome=pb.OUTCOME_FAILED, failure=failure_to_pb(failure))

    # Its end.

    def _conclude(self, end: pb.CallEnd) -> None:
        if end.outcome == pb.OUTCOME_DONE:
            self.end = end
            if self.call.streaming and self.final is None:
                self._add_synthetic_final()
            self._finish(RunStatus.DONE)
        elif end.outcome == pb.OUTCOME_STOPPED:
            self._finish_stopped()
        else:
            self._fail(failure_from_pb(end.failure))

    def _finish_stopped(self) -> None:
        if self._stop_reason == DEADLINE:
            self._fail(self._timeout())
            return
        by = f" ({self._stop_reason})" if self._stop_reason else ""
        self.failure = Failure("stopped", f"{self.call.tool} was stopped{by}", _how_hard(self._rung))
        self._finish(RunStatus.STOPPED)

    def _timeout(self) -> Failure:
        where = "while it ran" if self._worker else "while it waited for a free worker"
        return Failure(
            "worker_timeout",
            f"{self.call.tool} was given up after {self._age:.3g} s, {where}",
            "Give it more time with timeout=…" + ("" if self._worker else ", or start more workers."),
            retryable=True,
        )

    def _fail(self, failure: Failure) -> None:
        self.failure = failure
        self._finish(RunStatus.FAILED)

    def _finish(self, status: RunStatus) -> None:
        self._elapsed = self._age
        self._move(status)
        self.log.close()
        worker_id = self._worker.worker_id if self._worker else ""
        code = self.failure.code if self.failure else ""
        self.hub.call_ended(self.call, worker_id, status, self._elapsed, self.data_chunks, code)
        if self._stopper:
            self._stopper.cancel()

    def _move(self, status: RunStatus) -> None:
        self.status = status
        self.version += 1
        self.log.tell()

    async def _climb(self) -> None:
        """Ask the call to stop: first to close, then by an interrupt, at last by the end of its worker."""
        if self._worker is None:
            self._task.cancel()
            return
        self._move(RunStatus.STOPPING)
        self.log.let_end()
        for rung, grace in (
            (StopRung.COOPERATIVE, self.config.cancel_grace),
            (StopRung.INTERRUPT, self.config.kill_grace),
        ):
            if rung is StopRung.COOPERATIVE or self._worker.transport.interrupts:
                self._rung = rung
            # A worker whose interpreter is held by a C library cannot even answer.
            asked = self._worker.transport.cancel(self.call.call_id, rung, timeout=grace)
            await asyncio.gather(asked, asyncio.sleep(grace))
        self._rung = StopRung.KILL
        self._worker.kill()


def _how_hard(rung: StopRung) -> str:
    if rung is StopRung.INTERRUPT:
        return "It did not come to a yield, so KeyboardInterrupt was raised in it."
    if rung is StopRung.KILL:
        return "It did not react, so its worker was killed; a new one takes its place."
    return ""
