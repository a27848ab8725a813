"""The event loop of the main thread, for async tools: made at its first use, it lives as long as the worker.

It runs while an async tool runs and while the worker waits for its next call, so that connections which adapters
keep stay alive. It does not run while a plain tool runs, so such a tool may run a loop of its own.
"""

import asyncio
import contextlib
import queue
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from snakepit_jupyter.worker.context import CURRENT

T = TypeVar("T")
# Seconds that tasks have to end after they were cancelled.
TASK_GRACE = 1.0


class MainLoop:
    """The loop, and the tasks of each session on it. Only on the main thread, but for `wake`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._owners: WeakKeyDictionary[asyncio.Task[Any], str] = WeakKeyDictionary()
        self._work: asyncio.Task[Any] | None = None
        self._idle: asyncio.Future[None] | None = None

    @property
    def _open(self) -> asyncio.AbstractEventLoop | None:
        """The loop, if there is one; user code may have closed it."""
        return None if self._loop is None or self._loop.is_closed() else self._loop

    def _made(self) -> asyncio.AbstractEventLoop:
        loop = self._open
        if loop is None:
            self._loop = loop = asyncio.new_event_loop()
            loop.set_task_factory(self._make_task)
        return loop

    def _make_task(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
        context = CURRENT.get(None)
        self._owners[task] = context.session_id if context else ""
        return task

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; what it raises is raised here.

        An exception that would end the whole process, raised by a task that the coroutine had started, ends the
        coroutine too.
        """
        self._work = task = self._made().create_task(_kept(work))
        try:
            torn = self._run_out(task)
        finally:
            self._work = None
            work.close()
        if torn is not None:
            raise torn
        return task.result().value()

    def _run_out(self, task: "asyncio.Task[Any]") -> BaseException | None:
        """Run the loop until a task has ended; what tore the loop in the meantime."""
        torn: BaseException | None = None
        while not task.done():
            try:
                self._made().run_until_complete(task)
            except (KeyboardInterrupt, SystemExit, asyncio.CancelledError) as error:
                torn = torn or error  # the last of them, if the task was cancelled before its first step
                task.cancel()
        return torn

    # While it runs.

    @property
    def waits(self) -> bool:
        """Whether `run` is at work, and waits for something just now: no task is executing."""
        return self._work is not None and asyncio.current_task(self._loop) is None

    def soon(self, action: Callable[[], object]) -> None:
        """Have an action performed as soon as the loop is free; also from a signal's handler."""
        self._made().call_soon_threadsafe(action)

    def cancel(self) -> None:
        """Cancel what `run` runs."""
        if self._work is not None:
            self._work.cancel()

    # While it does not.

    def next(self, inbox: "queue.SimpleQueue[T]") -> T:
        """The next of an inbox; in the meantime the loop goes on, if there is one."""
        while (loop := self._open) is not None:
            with contextlib.suppress(queue.Empty):
                return inbox.get_nowait()
            self._wait(loop)
        return inbox.get()

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the loop go on until `wake`."""
        self._idle = loop.create_future()
        try:
            loop.run_until_complete(self._idle)
        except BaseException:  # a task that nobody waits for wanted to leave the process
            traceback.print_exc()

    def wake(self) -> None:
        """Something has been put into the inbox. Any thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has just been closed
                loop.call_soon_threadsafe(self._stop_waiting)

    def _stop_waiting(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def end_tasks(self, session_id: str) -> None:
        """Cancel what a session left running."""
        if self._open is not None:
            self._end({task for task, owner in list(self._owners.items()) if owner == session_id})

    def close(self) -> None:
        """Cancel whatever still runs."""
        loop = self._open
        if loop is not None:
            self._end(asyncio.all_tasks(loop))
            self._quietly(loop.shutdown_asyncgens())
            loop.close()

    def _end(self, tasks: "set[asyncio.Task[Any]]") -> None:
        left = {task for task in tasks if not task.done()}
        for task in left:
            task.cancel()
        if left:
            self._quietly(_ended(left))
        for task in left:
            if task.done() and not task.cancelled() and (error := task.exception()):
                traceback.print_exception(error)

    def _quietly(self, work: Coroutine[Any, Any, object]) -> None:
        """Run what must not fail, whatever the tasks raise at their end."""
        with contextlib.suppress(BaseException):
            self.run(work)


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """What a coroutine gave or raised."""

    result: T | None = None
    error: BaseException | None = None

    def value(self) -> T:
        if self.error is not None:
            raise self.error
        return cast(T, self.result)


async def _kept(work: Coroutine[Any, Any, T]) -> Kept[T]:
    """Keep what a coroutine raises: a KeyboardInterrupt or SystemExit would tear the loop."""
    try:
        return Kept(await work)
    except BaseException as error:
        return Kept(error=error)


async def _ended(tasks: "set[asyncio.Task[Any]]") -> None:
    await asyncio.wait(tasks, timeout=TASK_GRACE)
