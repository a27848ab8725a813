"""The user's code: it runs on the main thread, and an interrupt is raised in it and nowhere else."""

import inspect
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from snakepit_jupyter.messages import StopRung
from snakepit_jupyter.worker.job import Job
from snakepit_jupyter.worker.mainloop import MainLoop
from snakepit_jupyter.worker.outbox import Abandoned


class UserCode:
    """Calls it, awaits it, interrupts it. Made on the main thread, and used there but for `interrupt`.

    Args:
        loop: where it is awaited.

    Attributes:
        job: the call it is run for; None between two calls.
    """

    def __init__(self, loop: MainLoop) -> None:
        self.job: Job | None = None
        self._loop = loop
        self._interruptible = False
        self._sent = False
        self._main_thread = threading.get_ident()

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function.

        Raises:
            Abandoned: if the call was asked to stop before.
        """
        self._interruptible = True
        try:
            # Looked at once an interrupt would be heard, so that none is lost in between.
            if self.job is not None and not self.job.wanted:
                raise Abandoned
            return function(*args, **kwargs)
        finally:
            self._interruptible = False

    async def wait(self, function: Callable[..., Awaitable[Any]], /, *args: Any) -> Any:
        """The same for what is awaited."""
        self._interruptible = True
        try:
            if self.job is not None and not self.job.wanted:
                raise Abandoned
            return await function(*args)
        finally:
            self._interruptible = False

    def settle(self, outcome: Any) -> Any:
        """What a function returned, or what comes of awaiting it."""
        if not inspect.isawaitable(outcome):
            return outcome
        self._interruptible = False
        try:
            return self._loop.run(self.wait(lambda: outcome))
        finally:
            if inspect.iscoroutine(outcome):
                outcome.close()

    # Interrupting it.

    def listen(self) -> None:
        """From now on `interrupt` is heard."""
        signal.signal(signal.SIGINT, self._on_interrupt)

    def interrupt(self, job: Job) -> None:
        """Interrupt what runs for a job, if anything does. Any thread."""
        if job is self.job:
            self._sent = True
            signal.pthread_kill(self._main_thread, signal.SIGINT)
            self._loop.wake()  # the signal may have come just before the loop fell asleep

    def was_sent(self) -> bool:
        """Whether an interrupt that has just come is one of ours; asked once for each. Any thread."""
        sent, self._sent = self._sent, False
        return sent

    def stand_still(self) -> None:
        """Raise no interrupt from now on: an interrupt may have come between two lines of `call`."""
        self._interruptible = False

    def _on_interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        """KeyboardInterrupt is for the user's code only, and only if its own call is to be interrupted.

        Where that code awaits something, it is cancelled instead, as soon as the loop is awake.
        """
        job = self.job
        if not self._interruptible or job is None or job.rung is not StopRung.INTERRUPT:
            return
        if self._loop.waits:
            self._loop.soon(lambda: self._cancel_waiting(job))
        else:
            self._interruptible = False
            raise KeyboardInterrupt

    def _cancel_waiting(self, job: Job) -> None:
        """Cancel what a call awaits, unless that has come by now: then it ends by itself, and cleans up undisturbed."""
        if self._interruptible and job is self.job:
            self._interruptible = False
            self._loop.cancel()
