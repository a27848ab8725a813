"""What tools print in a worker whose bridge has no place for it: on the worker's own standard streams."""

import queue
import sys
import threading
from contextlib import suppress

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb

MOST_WAITING = 1000


class Echo:
    """Writes on a thread of its own: a parent that does not read its pipe must stop nobody. Lines too many are lost."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[pb.Chunk | threading.Event] = queue.Queue(MOST_WAITING)
        threading.Thread(target=self._write, name="echo", daemon=True).start()

    def __call__(self, chunk: pb.Chunk) -> None:
        with suppress(queue.Full):
            self._waiting.put_nowait(chunk)

    def flush(self, timeout: float) -> None:
        """Wait until all is written, but no longer than `timeout` seconds."""
        written = threading.Event()
        with suppress(queue.Full):
            self._waiting.put_nowait(written)
            written.wait(timeout)

    def _write(self) -> None:
        while True:
            item = self._waiting.get()
            if isinstance(item, threading.Event):
                item.set()
            else:
                _write_line(item)


def _write_line(chunk: pb.Chunk) -> None:
    stream = sys.__stdout__ if chunk.kind == pb.CHUNK_KIND_STDOUT else sys.__stderr__
    if stream is not None:
        with suppress(OSError, ValueError):
            stream.write(chunk.data.decode("utf-8", "replace") + "\n")
            stream.flush()
