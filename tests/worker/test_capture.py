import logging
import sys

import pytest

from snakepit_jupyter.messages import ChunkKind
from snakepit_jupyter.worker.capture import LONG_LINE, Capture, LineStream, LogHandler


class Heard:
    """What a sink was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.kinds: set[ChunkKind] = set()
        self.stream = LineStream(ChunkKind.STDOUT, self.sink)

    def sink(self, kind: ChunkKind, text: str) -> None:
        self.kinds.add(kind)
        self.texts.append(text)

    def after(self, *written: str) -> list[str]:
        for text in written:
            self.stream.write(text)
        return self.texts


def test_a_line_is_handed_on_when_it_ends() -> None:
    heard = Heard()
    assert heard.after("a", "b") == []
    assert heard.after("c\n") == ["abc"]
    assert heard.kinds == {ChunkKind.STDOUT}


def test_lines_written_at_once_go_together_and_the_rest_waits() -> None:
    heard = Heard()
    assert heard.after("one\ntwo\nthr") == ["one\ntwo"]
    assert heard.after("ee\n") == ["one\ntwo", "three"]


def test_an_empty_line_is_a_line() -> None:
    assert Heard().after("\n") == [""]


def test_writing_says_how_much_was_written() -> None:
    assert Heard().stream.write("äöü\n") == 4


def test_of_a_progress_bar_only_the_last_state_remains() -> None:
    assert Heard().after("\r 10%", "\r 50%", "\r100%\n") == ["100%"]


def test_windows_line_ends_are_no_progress_bar() -> None:
    assert Heard().after("one\r\ntwo\r\n") == ["one\ntwo"]


def test_the_last_line_needs_no_end() -> None:
    heard = Heard()
    heard.after("one\ntwo")
    heard.stream.finish()
    heard.stream.finish()
    assert heard.texts == ["one", "two"]


def test_a_progress_bar_without_line_ends_does_not_grow_for_ever() -> None:
    heard = Heard()
    for _ in range(10_000):
        heard.stream.write("\r" + "#" * 100)
    assert len(heard.stream._pending) <= LONG_LINE + 200


def test_log_records_are_lines_of_their_own_kind() -> None:
    heard = Heard()
    logger = logging.getLogger("my.module")
    handler = LogHandler(heard.sink)
    logger.addHandler(handler)
    logger.warning("careful with %s", "that")
    logger.removeHandler(handler)
    assert heard.texts == ["WARNING my.module: careful with that"]
    assert heard.kinds == {ChunkKind.LOG}


def test_installing_takes_over_standard_streams_and_root_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    handlers = logging.getLogger().handlers
    monkeypatch.setattr(logging.getLogger(), "handlers", handlers[:])
    capture = Capture(heard.sink)
    capture.install()
    sys.stdout.write("out\n")
    sys.stderr.write("err")
    logging.getLogger("x").warning("log")
    capture.finish()
    assert heard.texts[:1] + heard.texts[-2:] == ["out", "WARNING x: log", "err"]
    assert heard.kinds == {ChunkKind.STDOUT, ChunkKind.STDERR, ChunkKind.LOG}
