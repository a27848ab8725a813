"""What user code prints and logs, as lines of the call that runs.

`sys.stdout`, `sys.stderr` and the root logger are taken over for the worker's whole life; what is written
while no call runs goes to the worker's own standard error, where the bridge keeps its tail.
"""

import io
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

from snakepit_jupyter.messages import ChunkKind

Sink = Callable[[ChunkKind, str], None]
LONG_LINE = 64 * 1024


class LineStream(io.TextIOBase):
    """A text stream that hands on whole lines.

    A carriage return starts its line anew, as on a terminal: of a progress bar only the last state remains.
    """

    def __init__(self, kind: ChunkKind, sink: Sink) -> None:
        super().__init__()
        self._kind = kind
        self._sink = sink
        self._pending = ""
        # Reentrant: a sink that fails may print.
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # io.TextIOBase has a settable one
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with self._lock:
            whole, newline, self._pending = (self._pending + text).rpartition("\n")
            if len(self._pending) > LONG_LINE:
                self._pending = _last_state(self._pending)
        # Not under the lock: the sink may wait for its reader, and the loop that sends may print as well.
        if newline:
            self._sink(self._kind, "\n".join(map(_last_state, whole.split("\n"))))
        return len(text)

    def finish(self) -> None:
        """Hand on a last line without an end."""
        with self._lock:
            pending, self._pending = _last_state(self._pending), ""
        if pending:
            self._sink(self._kind, pending)


def _last_state(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


class LogHandler(logging.Handler):
    """Log records as lines, unless the user's own handlers print them already."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def handle(self, record: logging.LogRecord) -> bool:
        """As the base has it, without its lock: the sink may wait, and the loop that sends may log as well."""
        kept: Any = self.filter(record)  # since Python 3.12 a filter may give another record
        if kept:
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)
        return bool(kept)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._sink(ChunkKind.LOG, self.format(record))
        except Exception:
            self.handleError(record)


class Capture:
    """Standard streams and root logger of this process, handed to one sink."""

    def __init__(self, sink: Sink) -> None:
        self._streams = [LineStream(ChunkKind.STDOUT, sink), LineStream(ChunkKind.STDERR, sink)]
        self._handler = LogHandler(sink)

    def install(self) -> None:
        sys.stdout, sys.stderr = self._streams
        logging.getLogger().addHandler(self._handler)

    def finish(self) -> None:
        """Hand on what was printed without a line end."""
        for stream in self._streams:
            stream.finish()
