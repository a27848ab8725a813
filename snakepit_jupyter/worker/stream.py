"""What a streaming tool gives, sent item by item."""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any

from snakepit_jupyter.worker.items import items_of
from snakepit_jupyter.worker.job import Job
from snakepit_jupyter.worker.mainloop import MainLoop
from snakepit_jupyter.worker.usercode import UserCode

SENT_FINAL = object()
THE_END = object()


class Stream:
    """The stream of one call.

    Args:
        job: the call.
        code: what runs the tool's part.
        loop: where an async generator runs.
    """

    def __init__(self, job: Job, code: UserCode, loop: MainLoop) -> None:
        self._job = job
        self._code = code
        self._loop = loop

    def send(self, outcome: Any) -> None:
        """Send what a tool returned: each item as a chunk, and a final one if none of them was.

        A single value is the final chunk.
        """
        returned = outcome
        if isinstance(outcome, AsyncIterable):
            returned = self._loop.run(self._send_all_awaited(aiter(outcome)))
        elif (items := self._code.call(items_of, outcome)) is not None:
            returned = self._send_all(items)
        if returned is not SENT_FINAL:
            self._job.put(returned, is_final=True)

    def _send_all(self, items: Iterator[Any]) -> Any:
        """Send the items up to a final one; what a generator returned, if none was final."""
        try:
            return self._send_items(items)
        finally:
            close = getattr(items, "close", None)
            if callable(close):
                close()  # not as interruptible code: who was asked to stop may clean up, until the worker is killed

    def _send_items(self, items: Iterator[Any]) -> Any:
        call, put = self._code.call, self._job.put
        while True:
            try:
                item = call(next, items)
            except StopIteration as stop:
                return stop.value
            if put(item):
                call(next, items, None)  # what stands after the final yield; nothing more is sent
                return SENT_FINAL

    async def _send_all_awaited(self, items: AsyncIterator[Any]) -> Any:
        """`_send_all` for an async generator, which returns nothing. While there is no room, the loop stands still."""
        try:
            return await self._send_items_awaited(items)
        finally:
            close = getattr(items, "aclose", None)
            if callable(close):
                await close()

    async def _send_items_awaited(self, items: AsyncIterator[Any]) -> Any:
        wait, put = self._code.wait, self._job.put
        while (item := await wait(anext, items, THE_END)) is not THE_END:
            if put(item):
                await wait(anext, items, None)
                return SENT_FINAL
        return None
