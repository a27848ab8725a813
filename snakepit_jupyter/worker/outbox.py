"""The place between a tool, which makes chunks on its thread, and the loop, which sends them.

The tool may be ahead of the sender by a bounded number of bytes; then it waits. The sender takes all there
is at once, so small chunks travel in groups while the transport is busy, and one by one while it is not.
"""

import asyncio
import threading

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb

LIMIT = 1024 * 1024
OVERHEAD = 64


class Abandoned(Exception):
    """Nobody wants further chunks: the call was cancelled, or its reader has gone."""


class Outbox:
    """Chunks of one call on their way out.

    Args:
        loop: the loop that sends.
        limit: how many bytes the tool may be ahead.

    Attributes:
        loop: the same.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int = LIMIT) -> None:
        self.loop = loop
        self._limit = limit
        # Reentrant: garbage may be collected while it is held, and a destructor may print.
        self._changed = threading.Condition(threading.RLock())
        self._chunks: list[pb.Chunk] = []
        self._size = 0
        self._end: pb.CallEnd | None = None
        self._abandoned = False
        self._news = asyncio.Event()
        self._sender_waits = False

    def put(self, chunk: pb.Chunk) -> None:
        """Add a chunk; waits while the sender is too far behind. Any thread but the loop's.

        Raises:
            Abandoned: if nobody wants it.
        """
        with self._changed:
            while self._size >= self._limit and not self._abandoned:
                self._changed.wait()
            if self._abandoned:
                raise Abandoned
            self._add(chunk)

    def put_text(self, chunk: pb.Chunk) -> None:
        """Add what the tool printed. Never raises: clean-up code prints too. Without a reader it may be dropped.

        On the loop itself it does not wait, for then nobody would make room: without room it is dropped.
        """
        waits = not self._is_on_loop()
        with self._changed:
            while waits and self._size >= self._limit and not self._abandoned:
                self._changed.wait()
            if self._size < self._limit:
                self._add(chunk)

    def _add(self, chunk: pb.Chunk) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk.data) + OVERHEAD
        self._wake_sender()

    def finish(self, end: pb.CallEnd) -> None:
        """Nothing comes after this."""
        with self._changed:
            self._end = end
            self._wake_sender()

    def abandon(self) -> None:
        """From now on `put` raises, also one that is waiting. What was put is still sent."""
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()

    async def take(self) -> pb.CallUpdate:
        """All there is, as soon as there is something; the last one holds the end. Only on the loop."""
        while True:
            with self._changed:
                if self._chunks or self._end:
                    return self._take()
                self._sender_waits = True
                self._news.clear()
            await self._news.wait()

    def _take(self) -> pb.CallUpdate:
        chunks, self._chunks, self._size = self._chunks, [], 0
        update = pb.CallUpdate(chunks=chunks, end=self._end)
        self._changed.notify_all()
        return update

    def _is_on_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:
            return False

    def _wake_sender(self) -> None:
        if self._sender_waits:
            self._sender_waits = False
            self.loop.call_soon_threadsafe(self._news.set)
