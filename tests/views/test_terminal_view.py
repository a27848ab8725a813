import io
import re

from stages import Stage

from snakepit_jupyter.messages import RunStatus
from snakepit_jupyter.views.terminal import TerminalView


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_gets_a_plain_line_every_two_seconds_and_the_last() -> None:
    stage = Stage()
    file = io.StringIO()
    view = TerminalView(file, clock=lambda: stage.now)
    for epoch in range(1, 51):
        stage.yields({"epoch": epoch, "epochs": 50, "loss": 1 / epoch}, after=0.1)
        view.update(stage.state)
    stage.turns(RunStatus.DONE)
    view.close(stage.state)
    lines = file.getvalue().splitlines()
    assert "\r" not in file.getvalue()
    assert lines[0] == "demo: running · epoch 1 of 50 · 0:00 · 5 s left loss 1.000"
    assert lines[-2] == "demo: done · 50 epochs, best loss 0.0200 at 50 (0:05)"
    assert len(lines) == 3 + 2


def test_a_terminal_gets_a_bar_that_changes_ten_times_a_second() -> None:
    stage = Stage()
    file = Terminal()
    view = TerminalView(file, clock=lambda: stage.now)
    for step in range(1, 101):
        stage.yields({"step": step, "total": 100}, after=0.01)
        view.update(stage.state)
    bars = [draw for draw in file.getvalue().split("\r") if draw.strip()]
    assert 9 <= len(bars) <= 11
    assert re.search(r"step (9\d) of 100 +\1%\|", bars[-1])
    view.close(stage.state)


def test_a_terminal_without_known_progress_shows_no_empty_bar() -> None:
    stage = Stage()
    file = Terminal()
    view = TerminalView(file, clock=lambda: stage.now)
    view.update(stage.state)
    drawn = file.getvalue()
    view.close(stage.state)
    assert drawn == "\rdemo: starting 0:00"


def test_the_lines_of_the_run_stand_above_in_order() -> None:
    stage = Stage()
    file = io.StringIO()
    view = TerminalView(file, clock=lambda: stage.now)
    stage.prints("one\ntwo\n")
    view.update(stage.state)
    stage.prints("\n".join(map(str, range(700))) + "\nend {of} it\n")
    view.close(stage.state)
    lines = file.getvalue().splitlines()
    assert lines[:2] == ["one", "two"]
    assert "… 201 lines left out" in lines
    assert lines[-2] == "end {of} it"


def test_braces_in_a_summary_are_only_text() -> None:
    stage = Stage()
    file = Terminal()
    view = TerminalView(file, clock=lambda: stage.now)
    stage.yields({"message": "{bar} {0} {nothing}", "name": "{x}", "progress": 0.5})
    view.update(stage.state)
    assert "{bar} {0} {nothing}" in file.getvalue()
    view.close(stage.state)


def test_nothing_new_draws_nothing() -> None:
    stage = Stage()
    file = io.StringIO()
    view = TerminalView(file, clock=lambda: stage.now)
    view.update(stage.state)
    stage.now += 10
    view.update(stage.state)
    assert len(file.getvalue().splitlines()) == 1
