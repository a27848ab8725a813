"""The log of a run: its chunks, numbered, in a ring bounded in bytes. The one buffer on a chunk's way.

Readers ask for what comes after a number. One of them, the run's owner, may hold the run back: what it has not
acknowledged is never dropped, and once that fills the ring the producer waits. For all others the oldest
chunks are dropped, and a reader that comes too late is told how many it missed.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb

RING_BYTES = 8 * 1024 * 1024
# What an owner may leave unread here; with what is under way in pipes and windows, the tool is 8 MiB ahead at most.
HELD_BYTES = 5 * 1024 * 1024
READ_BYTES = 1024 * 1024
OVERHEAD = 64


class News:
    """Wakes all who wait, once for each `tell`."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def tell(self) -> None:
        if self._next is not None:
            self._next.set_result(None)
            self._next = None

    async def wait(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._next)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader gets at once: the next chunks, and how many before them it missed."""

    chunks: Sequence[pb.Chunk]
    skipped: int


@dataclass(slots=True)
class RunLog:
    """Chunks of one run.

    Args:
        held: whether an owner holds the producer back.
        limit: the ring's size in bytes.

    Attributes:
        last: the newest chunk's number.
        closed: whether nothing comes any more.
        size: bytes that it holds.
    """

    held: bool = False
    limit: int = RING_BYTES
    last: int = 0
    closed: bool = False
    _first: int = 1  # the number of _chunks[_dropped]
    _chunks: list[pb.Chunk] = field(default_factory=list)
    _dropped: int = 0  # slots before this one are empty and will be cut off
    size: int = 0
    _acknowledged: int = 0
    _unacknowledged_size: int = 0
    _told: int = 0
    _ending: bool = False
    _news: News = field(default_factory=News)
    _room: News = field(default_factory=News)

    def extend(self, chunks: Iterable[pb.Chunk]) -> None:
        """Number chunks and add them; what is too old goes."""
        for chunk in chunks:
            self.last += 1
            chunk.seq = self.last
            self._chunks.append(chunk)
            self.size += _size(chunk)
            self._unacknowledged_size += _size(chunk)
        self._drop_oldest()
        self._news.tell()

    async def room(self) -> None:
        """Wait until the owner has left room for more. Without an owner, or at the end, there always is."""
        while self.held and not self._ending and self._unacknowledged_size >= min(self.limit, HELD_BYTES):
            await self._room.wait()

    def let_end(self) -> None:
        """What still comes is little, and the run's end must not wait for its owner."""
        self._ending = True
        self._room.tell()

    def acknowledge(self, seq: int) -> None:
        """The owner has consumed everything up to `seq`."""
        upto = min(seq, self.last)
        for number in range(max(self._acknowledged + 1, self._first), upto + 1):
            self._unacknowledged_size -= _size(self._at(number))
        self._acknowledged = max(self._acknowledged, upto)
        self._drop_oldest()
        self._room.tell()

    def release(self) -> None:
        """Nobody holds the run back any more."""
        self.held = False
        self._drop_oldest()
        self._room.tell()

    def close(self) -> None:
        """The run has ended: nothing comes any more."""
        self.closed = True
        self._news.tell()
        self._room.tell()

    def tell(self) -> None:
        """Wake the readers: not the chunks but the run's state has changed."""
        self._told += 1
        self._news.tell()

    def read(self, seq: int, limit: int = READ_BYTES) -> Reading:
        """Chunks from `seq` on that the ring still holds, about `limit` bytes of them at most."""
        start = max(seq, self._first)
        end = start
        size = 0
        while end <= self.last and size < limit:
            size += _size(self._at(end))
            end += 1
        index = self._dropped + start - self._first
        return Reading(self._chunks[index : index + end - start], start - seq)

    async def after(self, seq: int) -> None:
        """Wait until there is a chunk of number `seq`, the log is closed, or the readers were told something."""
        told = self._told
        while self.last < seq and not self.closed and self._told == told:
            await self._news.wait()

    def _at(self, seq: int) -> pb.Chunk:
        return self._chunks[self._dropped + seq - self._first]

    def _drop_oldest(self) -> None:
        while self.size > self.limit and self._first <= self.last and not self._is_kept(self._first):
            self.size -= _size(self._at(self._first))
            if not self.held:
                self._forget_acknowledgement(self._first)
            self._dropped += 1
            self._first += 1
        if self._dropped > len(self._chunks) // 2:
            del self._chunks[: self._dropped]
            self._dropped = 0

    def _is_kept(self, seq: int) -> bool:
        return (self.held and seq > self._acknowledged) or seq == self.last

    def _forget_acknowledgement(self, seq: int) -> None:
        if seq > self._acknowledged:
            self._acknowledged = seq
            self._unacknowledged_size -= _size(self._at(seq))


def _size(chunk: pb.Chunk) -> int:
    return len(chunk.data) + OVERHEAD
