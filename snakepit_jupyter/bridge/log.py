"""The bridge's log: each event as one line, with its correlation id. Never arguments, never what chunks hold.

`SNAKEPIT_LOG_LEVEL` is debug, info, warning, error (the default) or none; the lines go to stderr. At debug, each
call is also logged with the shapes of its arguments, and with their contents if `SNAKEPIT_LOG_ARGUMENTS=1`.
"""

import logging
import os
import sys
import traceback
from collections.abc import Mapping
from reprlib import Repr
from typing import Any, TextIO

from snakepit_jupyter import values
from snakepit_jupyter.messages import Call
from snakepit_jupyter.redaction import outward_text, shape
from snakepit_jupyter.telemetry import Emitter, Event, Hook

NAME = "snakepit.bridge"
LEVEL = "SNAKEPIT_LOG_LEVEL"
ARGUMENTS = "SNAKEPIT_LOG_ARGUMENTS"
LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "none": logging.CRITICAL + 1,
}
FORMAT = "%(asctime)s %(levelname)s %(name)s [%(correlation_id)s] %(message)s"
# Line breaks in a name would forge a line.
ONE_LINE = {**{code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}, 0x2028: "\\u2028", 0x2029: "\\u2029"}

log = logging.getLogger(NAME)
brief = Repr()
brief.maxstring = brief.maxother = brief.maxlong = 200


class Masking(logging.Formatter):
    """Formats a record as one line, which only an exception's traceback may follow, and masks what it says.

    It does so whoever has logged it.
    """

    def __init__(self) -> None:
        super().__init__(FORMAT, defaults={"correlation_id": "-"})

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        return super().formatMessage(record).translate(ONE_LINE)

    def format(self, record: logging.LogRecord) -> str:
        return outward_text(super().format(record))


def configure(environment: Mapping[str, str] = os.environ, stream: TextIO | None = None) -> None:
    """Set up the log of this process, as the environment says.

    Args:
        environment: where SNAKEPIT_LOG_LEVEL is looked for; a level that is none is the default.
        stream: where lines go; stderr by default.
    """
    log.setLevel(LEVELS.get(environment.get(LEVEL, "").strip().lower(), logging.ERROR))
    log.propagate = False
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(Masking())
    log.handlers[:] = [handler]


def attach(emitter: Emitter) -> None:
    """Log every event from now on, if any would be shown."""
    if log.isEnabledFor(logging.WARNING):
        emitter.add(Lines())


class Lines(Hook):
    """Events as lines of the log."""

    def wants(self, name: str) -> bool:
        return log.isEnabledFor(_level(name))

    def put(self, event: Event) -> None:
        log.log(_level(event.name), "%s", line(event), extra={"correlation_id": event.correlation_id or "-"})


def _level(name: str) -> int:
    return logging.WARNING if name.endswith((".failed", ".exception")) else logging.INFO


def line(event: Event) -> str:
    """An event as one line: its name, then what was measured, then what it is about."""
    measured = (f"{name}={_number(value)}" for name, value in event.measurements.items())
    about = (f"{name}={value}" for name, value in event.metadata.items())
    return " ".join([event.name, *measured, *about]).translate(ONE_LINE)


def _number(value: float | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def call(asked: Call, environment: Mapping[str, str] = os.environ) -> None:
    """Log a call that has come, at debug: its arguments by their shapes, by their contents only if asked for."""
    if log.isEnabledFor(logging.DEBUG):
        said = brief.repr if environment.get(ARGUMENTS, "").strip() == "1" else shape
        given = {**_arguments(asked), **asked.binary}
        text = ", ".join(f"{name}: {said(value)}" for name, value in given.items())
        log.debug("%s is called with %s", asked.tool, text or "nothing", extra={"correlation_id": asked.correlation_id})


def tell_bug(asked: Call, error: Exception) -> None:
    """Log what nobody expected in the course of a call: its type and where it was raised, never its text."""
    *_, where = traceback.extract_tb(error.__traceback__)
    said = (type(error).__name__, asked.tool, where.filename, where.lineno)
    log.error("%s while %s was run, at %s:%s", *said, extra={"correlation_id": asked.correlation_id})


def _arguments(asked: Call) -> dict[str, Any]:
    try:
        given = values.decode(asked.arguments, asked.encoding)
    except Exception:
        return {"(unreadable)": asked.arguments}
    return given if isinstance(given, dict) else {"(no object)": given}
