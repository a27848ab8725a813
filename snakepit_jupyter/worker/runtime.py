"""Tools run here: one call at a time, on the process's main thread.

The main thread is the only one that a signal interrupts and the one some libraries insist on. Everything
else of a worker (its server, its lifeline) lives on other threads and talks to the runtime by `submit`,
`cancel` and the calls' outboxes.
"""

import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from types import FrameType
from typing import Any

from snakepit_jupyter import exact_json
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import failure_to_pb
from snakepit_jupyter.errors import Failure, SnakepitError, StreamingRequired
from snakepit_jupyter.messages import Call, ChunkKind, StopRung
from snakepit_jupyter.worker.capture import Capture
from snakepit_jupyter.worker.catalog import Catalog
from snakepit_jupyter.worker.context import CURRENT, SessionContext
from snakepit_jupyter.worker.outbox import Abandoned, Outbox

TEXT_KINDS = {
    ChunkKind.STDOUT: pb.CHUNK_KIND_STDOUT,
    ChunkKind.STDERR: pb.CHUNK_KIND_STDERR,
    ChunkKind.LOG: pb.CHUNK_KIND_LOG,
}
OUR_FRAMES = __name__.rpartition(".")[0].replace(".", "/")


class Job:
    """One call in this worker: what to run and where its chunks go."""

    def __init__(self, call: Call, outbox: Outbox) -> None:
        self.call = call
        self.outbox = outbox
        self.rung = StopRung.NONE

    @property
    def cancelled(self) -> bool:
        return self.rung is not StopRung.NONE

    @property
    def context(self) -> SessionContext:
        return SessionContext(
            self.call.session_id,
            self.call.call_id,
            self.call.labels,
            self.call.deadline,
            lambda: self.cancelled,
        )


class Runtime:
    """Runs the jobs of a worker in the order they come.

    Args:
        catalog: the tools there are.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._jobs: dict[str, Job] = {}
        self._current: Job | None = None
        self._interruptible = False
        self._capture = Capture(self._print)
        self._main_thread = threading.get_ident()

    # Any thread.

    def submit(self, job: Job) -> None:
        self._jobs[job.call.call_id] = job
        self._inbox.put(lambda: self._run(job))

    def cancel(self, call_id: str, rung: StopRung) -> bool:
        """Ask a call to stop; False if it is not here (any more).

        Args:
            call_id: the call.
            rung: COOPERATIVE closes its generator at the next yield, INTERRUPT raises KeyboardInterrupt in it.
        """
        job = self._jobs.get(call_id)
        if job is None:
            return False
        job.rung = rung
        job.outbox.abandon()
        if rung is StopRung.INTERRUPT and job is self._current:
            signal.pthread_kill(self._main_thread, signal.SIGINT)
        return True

    def has_session(self, session_id: str) -> bool:
        """Whether a session has left something here, or is just about to."""
        waiting = any(job.call.session_id == session_id for job in list(self._jobs.values()))
        return waiting or self._catalog.has_session(session_id)

    def close_session(self, session_id: str, done: Callable[[int], None]) -> None:
        """Clean up a session's adapters on the main thread, after what was submitted before."""
        self._inbox.put(lambda: done(self._catalog.close_session(session_id)))

    def stop(self) -> None:
        """Let `serve` return, once the running call has ended."""
        for call_id in list(self._jobs):
            self.cancel(call_id, StopRung.INTERRUPT)
        self._inbox.put(None)

    # The main thread.

    def serve(self) -> None:
        """Run jobs until `stop` is called. To be called on the main thread."""
        signal.signal(signal.SIGINT, self._on_interrupt)
        self._capture.install()
        while (action := self._inbox.get()) is not None:
            action()
        self._catalog.close()

    def _on_interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        """KeyboardInterrupt is for the user's code only, and only if its own call is to be interrupted."""
        job = self._current
        if self._interruptible and job is not None and job.rung is StopRung.INTERRUPT:
            self._interruptible = False
            raise KeyboardInterrupt

    def _run(self, job: Job) -> None:
        started = time.perf_counter()
        self._current = job
        try:
            end = copy_context().run(self._end_of, job)
        except KeyboardInterrupt:  # it came while the call was just ending
            end = _stopped()
        finally:
            self._interruptible = False
            self._capture.finish()
            self._current = None
            self._jobs.pop(job.call.call_id, None)
        end.duration = time.perf_counter() - started
        job.outbox.finish(end)

    def _end_of(self, job: Job) -> pb.CallEnd:
        """Run the call; how it ended."""
        try:
            CURRENT.set(job.context)
            return self._perform(job)
        except (Abandoned, GeneratorExit):
            return _stopped()
        except KeyboardInterrupt as error:
            return _stopped() if job.cancelled else _failed(error)
        except BaseException as error:
            return _failed(error)

    def _perform(self, job: Job) -> pb.CallEnd:
        if job.cancelled:
            raise Abandoned
        tool = self._catalog.find(job.call.tool)
        arguments = tool.signature.bind(exact_json.decode(job.call.arguments))
        method = self._user_code(self._catalog.method, tool, job.call.session_id)
        outcome = self._user_code(method, **arguments)
        if job.call.streaming:
            self._stream(job, outcome)
            return pb.CallEnd(outcome=pb.OUTCOME_DONE)
        if isinstance(outcome, Iterator):
            raise StreamingRequired(
                f"{tool.info.name} gives a stream of values",
                hint="Mark it with @tool(supports_streaming=True) and call it with execute_stream.",
            )
        data, encoding = _payload(outcome)
        return pb.CallEnd(outcome=pb.OUTCOME_DONE, result=data, result_encoding=encoding)

    def _user_code(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call the user's code; only here an interrupt may be raised."""
        self._interruptible = True
        try:
            return function(*args, **kwargs)
        finally:
            self._interruptible = False

    def _stream(self, job: Job, outcome: Any) -> None:
        """Send each item as a chunk, and a final one if none of them was."""
        if not isinstance(outcome, Iterable) or isinstance(outcome, (str, bytes, bytearray, dict)):
            outcome = iter([outcome])
        items = iter(outcome)
        try:
            returned = self._send_items(job, items)
        finally:
            close = getattr(items, "close", None)
            if callable(close):
                close()  # not as interruptible code: who was asked to stop may clean up, until the worker is killed
        if returned is not SENT_FINAL:
            data, encoding = _payload(returned)
            job.outbox.put(pb.Chunk(data=data, encoding=encoding, is_final=True))

    def _send_items(self, job: Job, items: Iterator[Any]) -> Any:
        """Send the items up to a final one; what a generator returned, if none was final."""
        while True:
            if job.cancelled:
                raise Abandoned
            try:
                item = self._user_code(next, items)
            except StopIteration as stop:
                return stop.value
            is_final = isinstance(item, dict) and item.get("is_final") is True
            data, encoding = _payload(item)
            job.outbox.put(pb.Chunk(data=data, encoding=encoding, is_final=is_final))
            if is_final:
                self._let_finish(items)
                return SENT_FINAL

    def _let_finish(self, items: Iterator[Any]) -> None:
        """Run what stands after the final yield. Nothing comes after a final chunk, so a further item ends it."""
        self._user_code(next, items, None)

    def _print(self, kind: ChunkKind, text: str) -> None:
        """One or more whole lines from user code, on whatever thread it runs."""
        job = self._current
        if job is None:
            if sys.__stderr__:
                sys.__stderr__.write(text + "\n")
            return
        job.outbox.put_text(pb.Chunk(kind=TEXT_KINDS[kind], data=text.encode("utf-8", "replace")))


SENT_FINAL = object()


def _payload(value: Any) -> tuple[bytes, pb.Encoding.ValueType]:
    """A value on the wire: None as nothing, bytes as they are, all else as JSON."""
    if value is None:
        return b"", pb.ENCODING_JSON
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), pb.ENCODING_BYTES
    return exact_json.encode(value), pb.ENCODING_JSON


def _stopped() -> pb.CallEnd:
    return pb.CallEnd(outcome=pb.OUTCOME_STOPPED)


def _failed(error: BaseException) -> pb.CallEnd:
    return pb.CallEnd(outcome=pb.OUTCOME_FAILED, failure=failure_to_pb(describe(error)))


def describe(error: BaseException) -> Failure:
    """An exception as a failure: our own as they are, the tool's with its type and traceback."""
    if isinstance(error, SnakepitError):
        return error.failure()
    kind = type(error).__name__
    return Failure(
        code="tool_error",
        message=f"{kind}: {error}" if str(error) else kind,
        remote_type=kind,
        remote_traceback="".join(traceback.format_exception(_without_our_frames(error))),
    )


def _without_our_frames(error: BaseException) -> BaseException:
    """Leave out the frames above the tool: they are the same for every tool."""
    trace = error.__traceback__
    while trace is not None and OUR_FRAMES in trace.tb_frame.f_code.co_filename.replace("\\", "/"):
        trace = trace.tb_next
    return error.with_traceback(trace or error.__traceback__)
