"""One call in this worker: what to run, where its chunks go, how it ended."""

import asyncio
import traceback
from dataclasses import replace
from types import FrameType
from typing import Any

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import failure_to_pb
from snakepit_jupyter.errors import Failure, RunStopped, ToolError, describe
from snakepit_jupyter.messages import Call, StopRung
from snakepit_jupyter.worker.context import SessionContext
from snakepit_jupyter.worker.host import CallHost, Host
from snakepit_jupyter.worker.items import Writer
from snakepit_jupyter.worker.outbox import Abandoned, Outbox

OURS = __name__.rpartition(".")[0]
# What ends a call that was asked to stop.
STOPS = (Abandoned, GeneratorExit, KeyboardInterrupt, asyncio.CancelledError, RunStopped)


class Job:
    """One call in this worker: what to run and where its chunks go.

    Attributes:
        rung: how hard it was asked to stop.
        cancelled: whether it was.
        wanted: whether its tool is to go on. After a final chunk it may, until it is interrupted: it only cleans up.
    """

    def __init__(self, call: Call, outbox: Outbox) -> None:
        self.call = call
        self.outbox = outbox
        self.rung = StopRung.NONE
        self.cancelled = False
        self.wanted = True
        self._final_sent = False
        self.writer = Writer(call)
        self._host: CallHost | None = None

    def stop(self, rung: StopRung) -> None:
        """It was asked to stop: who waits, for room or for a host tool, waits no longer. Any thread."""
        self.rung = rung
        self.cancelled = True
        self.wanted = self._final_sent and rung is StopRung.COOPERATIVE
        self.outbox.abandon()
        if self._host and rung is StopRung.COOPERATIVE:  # an interrupt ends the waiting by itself
            self._host.stop()

    def context(self, host: Host) -> SessionContext:
        """The call as its tool sees it."""
        call = self.call
        self._host = CallHost(host, call, self.outbox.loop, lambda: self.cancelled)
        return SessionContext(
            session_id=call.session_id,
            call_id=call.call_id,
            correlation_id=call.correlation_id,
            metadata=call.session_metadata,
            request_metadata={**call.labels, "correlation_id": call.correlation_id},
            deadline=call.deadline,
            was_cancelled=lambda: self.cancelled,
            host=self._host,
        )

    def put(self, item: Any, *, is_final: bool = False) -> bool:
        """Send an item; whether it is the last."""
        chunk = self.writer.chunk(item, is_final=is_final)
        self.outbox.put(chunk)
        self._final_sent = chunk.is_final
        return self._final_sent


def ending(job: Job, error: BaseException) -> pb.CallEnd:
    """How a call ended that something was raised in. Never raises."""
    try:
        return _ending(job, error)
    except BaseException:  # the exception is the user's: asked what it is, it may raise any other
        return _failed_with(Failure(ToolError.code, "the tool raised an exception that cannot be told"))


def _ending(job: Job, error: BaseException) -> pb.CallEnd:
    if isinstance(error, Abandoned) or (job.cancelled and _only_stops(error)):
        return stopped()
    return _failed(error)


def _only_stops(error: BaseException) -> bool:
    """Whether an exception comes of a stop, and nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(STOPS)[1] is None
    return isinstance(error, STOPS)


def stopped() -> pb.CallEnd:
    """The end of a call that was asked to stop."""
    return pb.CallEnd(outcome=pb.OUTCOME_STOPPED)


def _failed(error: BaseException) -> pb.CallEnd:
    failure = describe(error, OURS)
    if isinstance(error, ToolError):
        failure = replace(failure, remote_traceback=_with_caller(error))
    return _failed_with(failure)


def _failed_with(failure: Failure) -> pb.CallEnd:
    return pb.CallEnd(outcome=pb.OUTCOME_FAILED, failure=failure_to_pb(failure))


def _with_caller(error: ToolError) -> str:
    """The traceback of what a host tool raised, and where in this worker it was called."""
    frames = [frame for frame in traceback.walk_tb(error.__traceback__) if not _is_ours(frame[0])]
    where = "".join(traceback.StackSummary.extract(iter(frames)).format())
    return f"{error.remote_traceback}\nIt was called here:\n{where}" if where else error.remote_traceback


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(OURS)
