"""What a pool wants to know of the bridge around it: where workers reach it, and who wants to hear of them."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from snakepit_jupyter.pool.process import WorkerProcess


class Doors(Protocol):
    """Where workers reach the bridge."""

    @property
    def address(self) -> str:
        """Where our own workers reach it; "" if it does not listen for them."""
        ...

    @property
    def token(self) -> str:
        """The secret they need there."""
        ...

    def peer(self, worker_id: str) -> AbstractAsyncContextManager[str]:
        """Open a door of its own, without a secret, for a worker that knows none; its address, "unix:/…"."""
        ...


class Watcher(Protocol):
    """Who hears of the workers."""

    def worker_ready(self, worker: WorkerProcess) -> None:
        """A worker is ready; it has no call yet."""
        ...

    def worker_gone(self, worker_id: str, ending: str, *, expected: bool) -> None:
        """A worker has ended, or could not be started.

        Args:
            worker_id: which one.
            ending: how, in words: "with exit code 1", or why it could not be started.
            expected: whether we have ended it ourselves.
        """
        ...
