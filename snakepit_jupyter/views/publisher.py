"""What the browser has of a run, and the messages that bring it up to date (docs/view-protocol.md)."""

import math
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Any

from snakepit_jupyter.views.compose import scene_of
from snakepit_jupyter.views.scene import Scene
from snakepit_jupyter.views.state import ViewState

SNAPSHOT_EVERY = 2.0
SNAPSHOT_ROWS = 1000
SNAPSHOT_LINES = 100

Content = dict[str, Any]
Buffers = list[bytes]
Post = Callable[[Content, Buffers], None]
Keep = Callable[[Content], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """What the browser has, so far as we know.

    Args:
        version: of the state.
        names: of the columns.
        rows: of each column, those of the table's `generation`.
        generation: as above.
        log_total: the number of the next log line it needs.
    """

    version: int = -1
    names: tuple[str, ...] = ()
    rows: int = 0
    generation: int = -1
    log_total: int = 0


class Publisher:
    """Brings a widget's browsers up to date. Its methods may be called on any thread.

    Args:
        state: what to show.
        post: sends a message with its buffers.
        keep: stores the snapshot for pages that are loaded later.
        clock: seconds that only rise.
    """

    def __init__(self, state: ViewState, post: Post, keep: Keep, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._post = post
        self._keep = keep
        self._clock = clock
        self._lock = RLock()
        self._seq = 0
        self._sent = Sent()
        self._kept = state.version
        self._snapshot_due = clock() + SNAPSHOT_EVERY

    @property
    def state(self) -> ViewState:
        return self._state

    def publish(self, state: ViewState, *, last: bool = False) -> None:
        """Send what is new; nothing if nothing is, unless it is the last time."""
        with self._lock:
            self._state = state
            if last or state.version != self._sent.version:
                self._send(*self._news(tail=last))
            if last or (state.version != self._kept and self._clock() >= self._snapshot_due):
                self._refresh()

    def send_all(self) -> None:
        """Send everything: to a page that was just loaded, or that missed a message."""
        with self._lock:
            self._send(*self._everything())

    def snapshot(self) -> Content:
        """A small picture of everything sent so far, with its columns thinned out."""
        with self._lock, self._state.lock:
            scene = scene_of(self._state)
            columns = self._state.facts.table.columns(scene.column_names)
            packed = [as_bytes(_thinned(column)) for column in columns]
            return {
                "seq": self._seq,
                "scene": scene.as_json(),
                "columns": dict(zip(scene.column_names, packed, strict=True)),
                "log": self._log(self._state.log_total - SNAPSHOT_LINES),
            }

    def _news(self, *, tail: bool) -> tuple[Content, Buffers, Sent]:
        with self._state.lock:
            scene = scene_of(self._state)
            table, sent = self._state.facts.table, self._sent
            if sent.generation != table.generation or sent.names != scene.column_names:
                return self._everything()
            grown = tail or table.rows > sent.rows
            names = sent.names if grown else ()
            columns = table.columns(names, sent.rows, tail=tail)
            return (
                self._message("delta", scene, names, sent.log_total),
                list(map(as_bytes, columns)),
                self._now(scene),
            )

    def _everything(self) -> tuple[Content, Buffers, Sent]:
        with self._state.lock:
            scene = scene_of(self._state)
            columns = self._state.facts.table.columns(scene.column_names)
            message = self._message("full", scene, scene.column_names, 0)
            return message, list(map(as_bytes, columns)), self._now(scene)

    def _message(self, kind: str, scene: Scene, names: tuple[str, ...], log_from: int) -> Content:
        return {
            "kind": kind,
            "seq": self._seq + 1,
            "scene": scene.as_json(),
            "columns": list(names),
            "log": self._log(log_from),
        }

    def _log(self, number: int) -> Content:
        start, lines = self._state.log_since(max(0, number))
        return {"start": start, "lines": [line.as_json() for line in lines]}

    def _now(self, scene: Scene) -> Sent:
        table = self._state.facts.table
        return Sent(self._state.version, scene.column_names, table.rows, table.generation, self._state.log_total)

    def _send(self, content: Content, buffers: Buffers, sent: Sent) -> None:
        try:
            self._post(content, buffers)
        except Exception:  # no browser, a closed comm, a kernel that shuts down: the run does not care
            self._sent = Sent()
        else:
            self._seq += 1
            self._sent = sent

    def _refresh(self) -> None:
        self._snapshot_due = self._clock() + SNAPSHOT_EVERY
        self._kept = self._state.version
        try:
            self._keep(self.snapshot())
        except Exception:  # as above; the next one may pass
            return


def as_bytes(column: "array[float]") -> bytes:
    """A column as little-endian float64."""
    if sys.byteorder == "big":
        column = array("d", column)
        column.byteswap()
    return column.tobytes()


def _thinned(column: "array[float]") -> "array[float]":
    """At most so many rows as a snapshot may have, the newest among them."""
    step = math.ceil(len(column) / SNAPSHOT_ROWS)
    return column if step <= 1 else column[::-1][::step][::-1]
