"""The way of events from any thread to one asyncio reader."""

import asyncio
import random
from collections import deque

from snakepit_jupyter.telemetry.event import Event
from snakepit_jupyter.telemetry.policy import EVERYTHING, Policy

# How many events wait for a reader, as in upstream.
LIMIT = 1024
# A generator of its own: a tool that has seeded Python's must get the same numbers with and without telemetry.
CHANCE = random.Random().random  # noqa: S311 - sampling is no secret


class Tap:
    """A bounded queue of events from any thread to one asyncio reader, which iterates it. It can be filled before.

    There is no lock in it: a tool may tell something in a destructor or in a forked child, where one could be
    held for ever.

    Args:
        policy: which events its reader wants; may be replaced at any time.
        limit: how many may wait; one more is dropped.

    Attributes:
        dropped: how many found no room.
    """

    def __init__(self, policy: Policy = EVERYTHING, limit: int = LIMIT) -> None:
        self.policy = policy
        self.dropped = 0
        self._events: deque[Event] = deque()
        # One for each free place: taking one away is a single step, so threads need not agree on a length.
        self._places = deque([None] * limit)
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader_waits = False
        self._closed = False

    # Any thread.

    def wants(self, name: str) -> bool:
        """Whether its reader wants such an event and there is room; one without room is counted."""
        if self._closed or not self.policy.admits(name, CHANCE()):
            return False
        if self._places:
            return True
        self.dropped += 1
        return False

    def put(self, event: Event) -> None:
        """Add an event, or drop it if there is no room."""
        try:
            self._places.pop()
        except IndexError:
            self.dropped += 1
            return
        self._events.append(event)
        self._wake()

    def close(self) -> None:
        """Its reader gets what there is and comes to an end."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if not self._reader_waits or self._loop is None:
            return
        self._reader_waits = False
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # its loop has been closed
            self._closed = True
        except BaseException:  # an interrupt: the next event wakes the reader
            self._reader_waits = True
            raise

    # The reader.

    def __aiter__(self) -> "Tap":
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            await self._wait()
        event = self._events.popleft()
        self._places.append(None)
        return event

    async def _wait(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news.clear()
        self._reader_waits = True
        # Looked at again only now: who saw nobody waiting has put its event before.
        if not self._events and not self._closed:
            await self._news.wait()
