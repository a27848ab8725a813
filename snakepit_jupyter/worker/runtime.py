"""Tools run here: one call at a time, on the process's main thread.

The main thread is the only one that a signal interrupts and the one some libraries insist on. Everything
else of a worker (its server, its lifeline) lives on other threads and talks to the runtime by `submit`,
`cancel` and the calls' outboxes.
"""

import queue
import sys
import time
from collections.abc import AsyncIterable, Callable, Iterator
from contextvars import copy_context
from typing import Any

from snakepit_jupyter import values
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.errors import StreamingRequired
from snakepit_jupyter.messages import ChunkKind, StopRung
from snakepit_jupyter.worker import telemetry
from snakepit_jupyter.worker.arguments import arguments_of
from snakepit_jupyter.worker.capture import Capture
from snakepit_jupyter.worker.catalog import Catalog, Tool
from snakepit_jupyter.worker.context import CURRENT
from snakepit_jupyter.worker.host import Host, NoHost
from snakepit_jupyter.worker.job import Job, ending, stopped
from snakepit_jupyter.worker.mainloop import MainLoop
from snakepit_jupyter.worker.stream import Stream
from snakepit_jupyter.worker.usercode import UserCode

__all__ = ["Job", "Runtime"]

TEXT_KINDS = {
    ChunkKind.STDOUT: pb.CHUNK_KIND_STDOUT,
    ChunkKind.STDERR: pb.CHUNK_KIND_STDERR,
    ChunkKind.LOG: pb.CHUNK_KIND_LOG,
}


class Runtime:
    """Runs the jobs of a worker in the order they come.

    Args:
        catalog: the tools there are.
        host: the way to the host tools, if there is one.
    """

    def __init__(self, catalog: Catalog, host: Host | None = None) -> None:
        self._catalog = catalog
        self._host = host or NoHost()
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._loop = MainLoop()
        self._code = UserCode(self._loop)
        self._jobs: dict[str, Job] = {}
        self._capture = Capture(self._print)
        catalog.settle = self._code.settle

    # Any thread.

    def submit(self, job: Job) -> None:
        self._jobs[job.call.call_id] = job
        self._act(lambda: self._run(job))

    def cancel(self, call_id: str, rung: StopRung) -> bool:
        """Ask a call to stop; False if it is not here (any more).

        Args:
            call_id: the call.
            rung: COOPERATIVE closes its generator at the next yield, INTERRUPT raises KeyboardInterrupt in it, or
                CancelledError where it awaits.
        """
        job = self._jobs.get(call_id)
        if job is None:
            return False
        job.stop(rung)
        if rung is StopRung.INTERRUPT:
            self._code.interrupt(job)
        return True

    def is_own_interrupt(self) -> bool:
        """Whether a SIGINT that has just come is one of ours, for a call, and not for the process."""
        return self._code.was_sent()

    def has_session(self, session_id: str) -> bool:
        """Whether a session has left something here, or is just about to."""
        waiting = any(job.call.session_id == session_id for job in list(self._jobs.values()))
        return waiting or self._catalog.has_session(session_id)

    def close_session(self, session_id: str, done: Callable[[int], None]) -> None:
        """Clean up a session's adapters on the main thread, after what was submitted before."""
        self._act(lambda: done(self._close_session(session_id)))

    def stop(self) -> None:
        """Let `serve` return, once the running call has ended."""
        for call_id in list(self._jobs):
            self.cancel(call_id, StopRung.INTERRUPT)
        self._act(None)

    def _act(self, action: Callable[[], None] | None) -> None:
        self._inbox.put(action)
        self._loop.wake()

    # The main thread.

    def serve(self) -> None:
        """Run jobs until `stop` is called. To be called on the main thread."""
        self._code.listen()
        values.set_first_seen(_tell_of_marker)
        self._capture.install()
        while (action := self._loop.next(self._inbox)) is not None:
            action()
        self._catalog.close()
        self._loop.close()

    def _close_session(self, session_id: str) -> int:
        closed = self._catalog.close_session(session_id)
        self._loop.end_tasks(session_id)
        return closed

    def _run(self, job: Job) -> None:
        started = time.perf_counter()
        self._code.job = job
        try:
            end = copy_context().run(self._end_of, job)
        except KeyboardInterrupt:  # it came while the call was just ending
            end = stopped()
        finally:
            self._code.stand_still()
            self._capture.finish()
            self._code.job = None
            self._jobs.pop(job.call.call_id, None)
        end.duration = time.perf_counter() - started
        job.outbox.finish(end)

    def _end_of(self, job: Job) -> pb.CallEnd:
        """Run the call; how it ended."""
        try:
            CURRENT.set(job.context(self._host))
            return self._perform(job)
        except BaseException as error:
            return ending(job, error)

    def _perform(self, job: Job) -> pb.CallEnd:
        tool = self._catalog.find(job.call.tool)
        arguments = tool.signature.bind(arguments_of(job.call))
        method = self._code.call(self._method, tool)
        with telemetry.execution(job.call):
            return self._give(job, tool, self._code.settle(self._code.call(method, **arguments)))

    def _give(self, job: Job, tool: Tool, outcome: Any) -> pb.CallEnd:
        """Send what a tool returned: the items it gives one by one, or its result."""
        if job.call.streaming:
            Stream(job, self._code, self._loop).send(outcome)
            return pb.CallEnd(outcome=pb.OUTCOME_DONE)
        if isinstance(outcome, (Iterator, AsyncIterable)):
            raise StreamingRequired(
                f"{tool.info.name} gives a stream of values",
                hint="Mark it with @tool(supports_streaming=True) and call it with execute_stream.",
            )
        data, encoding = job.writer.result(outcome)
        return pb.CallEnd(outcome=pb.OUTCOME_DONE, result=data, result_encoding=encoding)

    def _method(self, tool: Tool) -> Callable[..., Any]:
        """The tool's method, of the session's own instance of its adapter, which is told of the call."""
        context = CURRENT.get()
        instance = self._catalog.instance(tool, context.session_id)
        tell = getattr(instance, "set_session_context", None)
        if callable(tell):
            tell(context)
        return getattr(instance, tool.method)  # type: ignore[no-any-return]

    def _print(self, kind: ChunkKind, text: str) -> None:
        """One or more whole lines from user code, on whatever thread it runs."""
        job = self._code.job
        if job is None:
            if sys.__stderr__:
                sys.__stderr__.write(text + "\n")
            return
        job.outbox.put_text(pb.Chunk(kind=TEXT_KINDS[kind], data=text.encode("utf-8", "replace")))


def _tell_of_marker(kind: str) -> None:
    """A value of a type that cannot be sent was met for the first time."""
    telemetry.emit("snakepit.serialization.unserializable_marker", {"first_seen": 1}, {"type": kind})
