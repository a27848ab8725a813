"""The bridge's log: what it says at which level, and what it never says."""

import io
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakepit_jupyter import values
from snakepit_jupyter.bridge import log
from snakepit_jupyter.bridge.telemetry import Hub
from snakepit_jupyter.messages import Call, RunStatus
from snakepit_jupyter.telemetry import Emitter, Event


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    logger = logging.getLogger(log.NAME)
    before = (logger.level, logger.propagate, list(logger.handlers))
    yield
    logger.setLevel(before[0])
    logger.propagate, logger.handlers[:] = before[1], before[2]


def configured(level: str | None) -> io.StringIO:
    out = io.StringIO()
    log.configure({} if level is None else {log.LEVEL: level}, out)
    return out


def told(level: str | None, call: Call) -> list[str]:
    """The lines of a call and its failure."""
    out = configured(level)
    hub = Hub()
    log.attach(hub.emitter)
    log.call(call, {})
    hub.call_started(call, "w-1", 0)
    hub.call_ended(call, "w-1", RunStatus.FAILED, 0.1234567, 3, "tool_error")
    return out.getvalue().splitlines()


CALL = Call("add", b'{"a": 5, "path": "/secret/content"}', call_id="r-1", session_id="s-1", correlation_id="sp-1")


@pytest.mark.parametrize(
    ("level", "lines"), [("debug", 3), ("INFO", 2), (" warning ", 1), ("error", 0), ("none", 0), (None, 0), ("what", 0)]
)
def test_the_level_says_what_is_shown_and_by_default_only_errors_are(level: str | None, lines: int) -> None:
    assert len(told(level, CALL)) == lines


def test_a_line_says_what_happened_and_to_which_call() -> None:
    started, failed = told("info", CALL)
    about = "tool=add session_id=s-1 call_id=r-1 worker_id=w-1"
    assert started.endswith(f" INFO snakepit.bridge [sp-1] snakepit.call.started queued_ms=0 {about}")
    how = "outcome=failed code=tool_error"
    assert failed.endswith(f" WARNING snakepit.bridge [sp-1] snakepit.call.failed duration_ms=123.457 {about} {how}")


def test_arguments_are_told_by_their_shapes_at_debug_and_never_by_their_contents() -> None:
    assert "content" not in "\n".join(told("debug", CALL))
    assert "add is called with a: int, path: str 15" in told("debug", CALL)[0]
    assert "called" not in "\n".join(told("info", CALL))


def test_arguments_are_told_by_their_contents_only_if_that_was_asked_for() -> None:
    out = configured("debug")
    log.call(CALL, {log.ARGUMENTS: "1"})
    assert "add is called with a: 5, path: '/secret/content'" in out.getvalue()
    log.call(CALL, {log.ARGUMENTS: "0"})
    assert "path: str 15" in out.getvalue()


def test_contents_that_were_asked_for_are_masked_and_short_all_the_same() -> None:
    out = configured("debug")
    payload = values.encode({"api_key": "abcdefgh", "rows": list(range(1000)), "text": "x" * 10_000})
    log.call(Call("t", payload.data, encoding=payload.encoding), {log.ARGUMENTS: "1"})
    assert "abcdefgh" not in out.getvalue()
    assert len(out.getvalue()) < 1000


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (Call("t", b"not JSON"), "(unreadable): bytes 8"),
        (Call("t", b"[1]"), "(no object): list of 1"),
        (Call("t"), "nothing"),
        (Call("t", binary={"blob": b"xyz"}), "blob: bytes 3"),
    ],
)
def test_any_call_can_be_told(call: Call, said: str) -> None:
    out = configured("debug")
    log.call(call, {})
    assert f"t is called with {said}\n" in out.getvalue()


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_an_event_is_one_line_whatever_is_in_it(name: str, metadata: Mapping[str, str]) -> None:
    assert len(log.line(Event(name, {}, metadata)).splitlines()) <= 1


FORGED = "x\n2030-01-01 00:00:00,000 ERROR snakepit.bridge [sp-1] all is lost"


def test_no_call_and_nobody_who_logs_can_forge_a_line() -> None:
    call = replace(CALL, correlation_id=FORGED, tool=FORGED, session_id=FORGED)
    assert len(told("debug", call)) == 3
    out = configured("error")
    log.log.error("%s", FORGED, extra={"correlation_id": FORGED})
    assert out.getvalue().count("\n") == 1
    assert "[x\\x0a2030" in out.getvalue()


def test_whoever_logs_there_is_masked_and_has_a_place_for_an_id() -> None:
    out = configured("error")
    log.log.error("it failed with token=%s", "abcdefgh")
    log.log.error("it failed", exc_info=ValueError("password='abcdefgh'"))
    assert "[-] it failed with token=***" in out.getvalue()
    assert "ValueError: password='***'" in out.getvalue()
    assert "abcdefgh" not in out.getvalue()


def test_nobody_is_told_when_nothing_would_be_shown() -> None:
    configured("error")
    emitter = Emitter()
    log.attach(emitter)
    assert not emitter.listened
    configured("warning")
    log.attach(emitter)
    assert emitter.listened
