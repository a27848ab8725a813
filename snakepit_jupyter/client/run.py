"""A run, as the user holds it: to iterate, to await, to cancel, to look at."""

import asyncio
import concurrent.futures
import contextlib
import threading
import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import Any, Self, TypeVar

from snakepit_jupyter.client.connection import Connection
from snakepit_jupyter.client.portal import portal, wake_often
from snakepit_jupyter.client.reading import envelope_of
from snakepit_jupyter.errors import ChunksLost, RunStopped, SnakepitError, error_from
from snakepit_jupyter.messages import Chunk, ChunkKind, RunState, Update

# The owner tells the bridge after so many bytes what it has consumed.
ACKNOWLEDGE_BYTES = 256 * 1024
OnText = Callable[[Chunk], None]
T = TypeVar("T")


class Run:
    """A streaming call that has been started.

    It goes on in the bridge, whoever looks. Iterate it (`for` or `async for`) to get every chunk as a dict;
    while you do, the tool is at most 8 MiB ahead of you. Wait for its end with `result()` or `await`. Show it with
    `display(run)`, or as the last expression of a cell.
    """

    def __init__(self, connection: Connection, state: RunState, on_text: OnText, *, background: bool = False) -> None:
        self._connection = connection
        self._state = state
        self._on_text = on_text
        self._background = background
        self._reader: Reader | None = None
        self._released = background
        self._shown: list[concurrent.futures.Future[None]] = []
        if not background:
            # Nobody can read or stop a foreground run whose handle is gone: `for chunk in execute_stream(…): break`.
            weakref.finalize(self, _cancel_dropped, connection, state.run_id).atexit = False

    @property
    def run_id(self) -> str:
        """The run's id, unique for ever."""
        return self._state.run_id

    @property
    def tool(self) -> str:
        """The tool's name."""
        return self._state.tool

    @property
    def session_id(self) -> str:
        """The session it belongs to."""
        return self._state.session_id

    @property
    def status(self) -> str:
        """Where it stands: "queued", "running", "stopping", "done", "failed" or "stopped"."""
        return str(self.state.status)

    @property
    def state(self) -> RunState:
        """All that the bridge says of the run at this moment."""
        if not self._state.status.ended and not portal().inside:
            self._state = portal().call(self._connection.run_state(self.run_id, wait=False))
        return self._state

    @property
    def connection(self) -> Connection:
        """The way to its bridge; for views."""
        return self._connection

    # Reading it.

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Every chunk from the first one on, in order; ends with the run.

        Raises:
            SnakepitError: as `result` does, after the last chunk.
            ChunksLost: if the bridge no longer holds the first chunks.
        """
        reader = self._open_reader(threading.get_ident())
        try:
            while (update := self._interruptible(reader.next())) is not None:
                yield from self._envelopes(update, reader)
        finally:
            self._close_reader(reader)
        self._raise_failure()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """The same, for `async for`."""
        reader = self._open_reader(asyncio.current_task())
        try:
            while (update := await self._cancellable(reader.next())) is not None:
                for envelope in self._envelopes(update, reader):
                    yield envelope
        finally:
            self._close_reader(reader)
        self._raise_failure()

    def _open_reader(self, owner: object) -> "Reader":
        self._reader = Reader(self._connection, self.run_id, owner)
        return self._reader

    def _close_reader(self, reader: "Reader") -> None:
        portal().spawn(reader.aclose())
        if self._reader is reader:
            self._reader = None

    def _envelopes(self, update: Update, reader: "Reader") -> Iterator[dict[str, Any]]:
        if update.state:
            self._state = update.state
        if update.skipped:
            raise ChunksLost(
                f"{update.skipped:,} chunks of {self.tool} are no longer there",
                hint="The bridge keeps the last 8 MiB of a run that nobody iterates: iterate it before result().",
            )
        for chunk in update.chunks:
            if chunk.kind is ChunkKind.DATA:
                yield envelope_of(chunk)
            else:
                self._on_text(chunk)
            reader.consumed(chunk)

    # Waiting for it.

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        """Wait for the end; the final chunk.

        Args:
            timeout: seconds to wait; None waits as long as it takes.

        Raises:
            ToolError: if the tool raised.
            RunStopped: if it was stopped.
            WorkerTimeout, WorkerCrashed …: if it failed otherwise.
            TimeoutError: if it still goes on after `timeout` seconds. It is not stopped by that.
        """
        self._interruptible(self._wait(timeout, threading.get_ident()))
        concurrent.futures.wait(self._shown)
        return self._final()

    def __await__(self) -> Generator[Any, None, dict[str, Any]]:
        """The same as `result()`, for `await`."""
        return self._result_async().__await__()

    async def _result_async(self) -> dict[str, Any]:
        await self._cancellable(self._wait(None, asyncio.current_task()))
        for shown in self._shown:
            await wake_often(asyncio.wrap_future(shown))
        return self._final()

    async def _wait(self, timeout: float | None, waiter: object) -> None:
        if self._state.status.ended:
            return
        # A waiter does not read; unless somebody else does, nobody may hold the run back any more.
        if not self._released and (self._reader is None or self._reader.owner == waiter):
            self._released = True
            await self._connection.release(self.run_id)
        async with asyncio.timeout(timeout):
            self._state = await self._connection.run_state(self.run_id, wait=True)

    def _interruptible(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for it; an interrupt of the kernel stops a foreground run as the Stop button does."""
        try:
            return portal().call(work)
        except KeyboardInterrupt:
            if not self._background:
                self.cancel("kernel interrupt")
            raise

    async def _cancellable(self, work: Coroutine[Any, Any, T]) -> T:
        """The same for a task: who cancels it stops a foreground run, as with any awaited task."""
        try:
            return await portal().acall(work)
        except asyncio.CancelledError:
            if not self._background:
                self.cancel("cancelled")
            raise

    def release(self) -> None:
        """Hold it back no more, unless somebody iterates it: it is only looked at."""
        if self._reader is None and not self._released:
            self._released = True
            portal().spawn(_quietly(self._connection.release(self.run_id)))

    def _final(self) -> dict[str, Any]:
        for shown in self._shown:
            if error := shown.exception():  # the run itself went its way
                warnings.warn(f"{self.tool} could not be shown to its end: {error!r}", stacklevel=3)
        self._raise_failure()
        return envelope_of(self._state.final) if self._state.final else {"is_final": True}

    def _raise_failure(self) -> None:
        if self._state.failure:
            raise error_from(self._state.failure)

    # Ending it.

    def cancel(self, reason: str = "cancel()") -> None:
        """Ask it to stop and return at once; nothing if it has ended. `result()` waits for the end.

        Its generator is closed at its next yield, interrupted half a second later, and its worker killed if that
        does not help either.

        Args:
            reason: who asks; shown with the run.
        """
        work = self._connection.cancel(self.run_id, reason)
        if portal().inside:
            portal().spawn(work)
        else:
            portal().call(work)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.suppress(_hidden_by(kind)):
            if not self.state.status.ended:
                self.cancel("left its with block")
                self.result()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.suppress(_hidden_by(kind)):
            if not self.state.status.ended:
                self.cancel("left its with block")
                await self

    # Looking at it.

    def __repr__(self) -> str:
        return f"<Run {self.run_id} of {self.tool}: {self._state.status}>"

    def show(self) -> Self:
        """Show it where you are: a live widget in a notebook, a line in a terminal. `result()` waits for its end there.

        A run that has ended shows its report.
        """
        from snakepit_jupyter.client.display import show

        self._shown.append(show(self))
        return self

    def _ipython_display_(self) -> None:
        self.show()


def _hidden_by(error: type[BaseException] | None) -> type[SnakepitError]:
    """What a with block says nothing of at its end; with an error of its own, not even that it could not be stopped."""
    return RunStopped if error is None else SnakepitError


def _cancel_dropped(connection: Connection, run_id: str) -> None:
    portal().spawn(_quietly(connection.cancel(run_id, "its handle was dropped")))


async def _quietly(work: Coroutine[Any, Any, object]) -> None:
    with contextlib.suppress(SnakepitError):
        await work


class Reader:
    """Reads a run from its first chunk on and acknowledges what was consumed. On the portal's loop.

    Args:
        connection: the way to the bridge.
        run_id: the run.
        owner: the thread or task that reads; while that one waits for the run's end, it does not read.
    """

    def __init__(self, connection: Connection, run_id: str, owner: object) -> None:
        self.owner = owner
        self._connection = connection
        self._run_id = run_id
        self._updates = connection.subscribe(run_id)
        self._consumed = 0
        self._bytes = 0

    def consumed(self, chunk: Chunk) -> None:
        """The user has had this chunk."""
        self._consumed = chunk.seq
        self._bytes += len(chunk.data) + 64

    async def next(self) -> Update | None:
        """The next update; None after the last."""
        if self._bytes >= ACKNOWLEDGE_BYTES:
            self._bytes = 0
            await self._connection.acknowledge(self._run_id, self._consumed)
        return await anext(self._updates, None)

    async def aclose(self) -> None:
        with contextlib.suppress(SnakepitError, RuntimeError):
            await self._updates.aclose()
