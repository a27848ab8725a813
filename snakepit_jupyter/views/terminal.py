"""The view of a run in a terminal: one line that changes, the run's own lines above it."""

import time
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

from snakepit_jupyter.views.compose import scene_of
from snakepit_jupyter.views.numbers import count, duration, left
from snakepit_jupyter.views.report import report_text
from snakepit_jupyter.views.scene import Scene
from snakepit_jupyter.views.state import ViewState
from snakepit_jupyter.views.wording import short

EVERY, EVERY_WITHOUT_TTY = 0.1, 2.0
TILES = 4
WIDTH = 200
# tqdm would put a comma before a postfix that is text.
FORMAT = "{desc} {percentage:3.0f}%|{bar}| {postfix[text]}"
FORMAT_UNKNOWN = "{desc} {postfix[text]}"


class _Bar(tqdm):  # type: ignore[type-arg]
    """A tqdm bar without the thread that would watch over it: we say when to draw."""

    monitor_interval = 0


class TerminalView:
    """Draws a run at most ten times a second; where no line can change, a new one every two seconds.

    Args:
        file: where to.
        clock: seconds that only rise.
    """

    def __init__(self, file: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._tty = file.isatty()
        self._due = clock()
        self._version = -1
        self._shown_lines = 0
        self._bar: _Bar | None = None

    def update(self, state: ViewState) -> None:
        """Draw the run, if it is time and there is something new."""
        if self._clock() < self._due or state.version == self._version:
            return
        self._due = self._clock() + (EVERY if self._tty else EVERY_WITHOUT_TTY)
        self._version = state.version
        self._write_log(state)
        self._draw(scene_of(state))

    def close(self, state: ViewState) -> None:
        """Leave the run's last lines and what became of it."""
        self._write_log(state)
        if self._bar is not None:
            self._bar.leave = False
            self._bar.close()
            self._bar = None
        self._line(report_text(state))

    def _write_log(self, state: ViewState) -> None:
        with state.lock:
            start, lines = state.log_since(self._shown_lines)
            missed, self._shown_lines = start - self._shown_lines, state.log_total
        if missed:
            self._line(f"… {count(missed)} lines left out")
        if lines:
            self._line("\n".join(line.text for line in lines))

    def _line(self, text: str) -> None:
        tqdm.write(text, file=self._file)

    def _draw(self, scene: Scene) -> None:
        if self._tty:
            self._draw_bar(scene)
        else:
            self._line(short(f"{scene.tool}: {scene.summary} · {_measures(scene)}", WIDTH))

    def _draw_bar(self, scene: Scene) -> None:
        bar = self._bar = self._bar or self._new_bar()
        bar.bar_format = FORMAT_UNKNOWN if scene.progress is None else FORMAT
        bar.n = round(100 * (scene.progress or 0.0), 1)
        bar.set_description_str(f"{scene.tool}: {scene.summary}", refresh=False)
        bar.postfix = {"text": _measures(scene)}
        bar.refresh()

    def _new_bar(self) -> _Bar:
        # The delay keeps tqdm from drawing it empty at once.
        return _Bar(total=100, file=self._file, leave=False, dynamic_ncols=True, delay=1e-9)


def _measures(scene: Scene) -> str:
    time_left = f" · {left(scene.eta)}" if scene.eta is not None else ""
    tiles = (f"{tile.label} {tile.value}" for tile in scene.tiles[:TILES])
    return "  ".join([f"{duration(scene.elapsed)}{time_left}", *tiles])
