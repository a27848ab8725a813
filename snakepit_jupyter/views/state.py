"""The state of a view, and the two verbs that change it: fold a chunk, fold the run's state."""

import time
from collections import deque
from collections.abc import Callable
from threading import RLock

from snakepit_jupyter.messages import Chunk, ChunkKind, RunState, RunStatus
from snakepit_jupyter.values import Encoding
from snakepit_jupyter.views.facts import ENVELOPE, Facts
from snakepit_jupyter.views.glance import glances
from snakepit_jupyter.views.kinds import View, kinds
from snakepit_jupyter.views.pace import Pace
from snakepit_jupyter.views.scene import LogLine
from snakepit_jupyter.views.wording import lines_of

LOG_LINES = 500
LINE_WIDTH = 2000


class ViewState:
    """What a view knows of one run. It is folded in place; who reads it on another thread holds its `lock`.

    Args:
        run: the run's state so far.
        clock: seconds that only rise; what happens between two states of the run is timed by it.

    Attributes:
        version: rises with everything folded.
        facts: what the data amount to.
        kind: the kind of view that shows them.
        log: the last lines of text, `log_total` of all there were.
        last_seq: the newest chunk's number.
        newest: when it came, in seconds of work.
        skipped: chunks that never came here, seen by the gaps between the numbers.
        unreadable: chunks whose payload could not be decoded.
    """

    def __init__(self, run: RunState, clock: Callable[[], float] = time.monotonic) -> None:
        self.lock = RLock()
        self.clock = clock
        self.version = 0
        self.facts = Facts()
        self.kind: View = kinds()[-1]()
        self.log: deque[LogLine] = deque(maxlen=LOG_LINES)
        self.log_total = 0
        self.last_seq = 0
        self.newest = 0.0
        self.skipped = 0
        self.unreadable = 0
        self.pace = Pace()
        self.run = run
        self._run_seen_at = clock()
        self._working_from = 0.0
        self._texts = 0
        self._rivals = kinds()[:-1]

    def elapsed(self) -> float:
        """Seconds since the run was asked for, or its whole length."""
        if self.run.status.ended:
            return self.run.elapsed
        return self.run.elapsed + (self.clock() - self._run_seen_at)

    def working(self) -> float:
        """Seconds since a worker took it."""
        return max(0.0, self.elapsed() - self._working_from)

    def things(self) -> float:
        """How many of what the kind of view counts: epochs, or simply chunks."""
        position = self.kind.standing().position
        return self.last_seq if position is None else position

    def log_since(self, number: int) -> tuple[int, list[LogLine]]:
        """The lines from that number on, counted from 0, and the number of the first that is still there."""
        first = max(number, self.log_total - len(self.log))
        missing = first - (self.log_total - len(self.log))
        return first, list(self.log)[missing:]

    def take_state(self, run: RunState) -> None:
        if self.run.status.ended and not run.status.ended:
            return  # an older state that was overtaken
        if self.run.status is RunStatus.QUEUED and run.status is RunStatus.RUNNING:
            # A run that was joined late may have run for long already: only what was seen here is waiting.
            self._working_from = min(run.elapsed, self.elapsed())
        self.run = run
        self._run_seen_at = self.clock()
        self.version += 1

    def take_chunk(self, chunk: Chunk) -> None:
        if chunk.seq <= self.last_seq:
            return  # replayed: it was folded already
        self.skipped += chunk.seq - self.last_seq - 1
        self.last_seq = chunk.seq
        self.version += 1
        if chunk.kind is ChunkKind.DATA:
            self._take_data(chunk)
        else:
            self._take_text(chunk)
        self.newest = self.working()
        if self.pace.due(self.newest):
            self.pace.note(self.newest, self.kind.standing(), self.things())

    def _take_text(self, chunk: Chunk) -> None:
        self._texts += 1
        lines = lines_of(chunk.text, LINE_WIDTH)
        self.log_total += len(lines)
        self.log.extend(LogLine(chunk.kind.value, line) for line in lines[-LOG_LINES:])

    def _take_data(self, chunk: Chunk) -> None:
        try:
            self._take_fields(chunk)
        except Exception:  # a view must survive whatever a tool yields
            self.unreadable += 1

    def _take_fields(self, chunk: Chunk) -> None:
        fields = chunk.envelope()
        for name in ENVELOPE:
            fields.pop(name, None)
        if chunk.encoding is Encoding.BYTES:
            del fields["raw_data_base64"]  # the same bytes once more
        if chunk.encoding is not Encoding.JSON:
            fields = glances(fields)
        if self._rivals:
            self._choose(fields)
        self.kind.take(fields)
        self.facts.note(fields, chunk.seq - self._texts, self.kind.x, last=chunk.is_final)

    def _choose(self, fields: dict[str, object]) -> None:
        """Hand over to a more special kind of view if one claims the chunk. It starts a table of its own."""
        for place, rival in enumerate(self._rivals):
            if rival.claims(fields):
                self.kind = rival()
                self.kind.take(self.facts.latest)
                self._rivals = self._rivals[:place]
                self.facts.restart()
                return


def fold(state: ViewState, chunk: Chunk) -> ViewState:
    """Fold one chunk in place; gives the same state back. No chunk makes it raise."""
    with state.lock:
        state.take_chunk(chunk)
    return state


def fold_state(state: ViewState, run: RunState) -> ViewState:
    """Fold what is newly known of the run, in place; gives the same state back."""
    with state.lock:
        state.take_state(run)
    return state
