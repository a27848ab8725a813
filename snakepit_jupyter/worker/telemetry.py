"""What a tool tells of its work: `from snakepit_bridge import telemetry`.

    telemetry.emit("model.loaded", {"bytes": 5_000_000}, {"model": "small"})
    with telemetry.span("inference", {"model": "small"}):
        ...

It reaches whoever subscribed, with the id of the call it belongs to. It never waits, and it never fails a tool.
"""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from snakepit_jupyter.messages import Call
from snakepit_jupyter.redaction import shape
from snakepit_jupyter.telemetry import Emitter, Event
from snakepit_jupyter.tracing import worker_span
from snakepit_jupyter.worker.context import CURRENT

__all__ = ["EMITTER", "Span", "emit", "execution", "get_correlation_id", "span"]

# What the worker tells, kept for the first reader.
EMITTER = Emitter(buffered=True)


def emit(
    event: str,
    measurements: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    correlation_id: str | None = None,
) -> None:
    """Tell that something happened.

    Args:
        event: its dotted name, for example "model.loaded".
        measurements: numbers by name, also numpy's, the unit in the name ("duration_ms"); texts are taken too.
        metadata: what it is about, by name. Numbers and texts are taken as they are, of all else its shape.
        correlation_id: what it belongs to; by default the running call.
    """
    of = get_correlation_id() if correlation_id is None else correlation_id
    EMITTER.emit(event, lambda: Event.of(event, measurements, metadata, of))


def get_correlation_id() -> str:
    """The id that ties together all that is said of the running call; "" if none runs."""
    context = CURRENT.get(None)
    return _running if context is None else context.correlation_id


def span(name: str, metadata: Mapping[str, Any] | None = None, correlation_id: str | None = None) -> "Span":
    """Tell of a piece of work, for `with` or `async with`: when it starts, and how and after how long it ends.

    Args:
        name: its dotted name. The events are `name.start`, then `name.stop` or `name.exception`, these with
            `duration_ms`. An exception is told by its type (`error_type`), never by its text. Work that was stopped
            has a `name.stop` with `stopped` in its metadata.
        metadata: what it is about; part of each event.
        correlation_id: what it belongs to; by default the running call.
    """
    return Span(name, metadata, correlation_id)


class Span:
    """A piece of work that is told of; spans may be nested and may overlap."""

    def __init__(self, name: str, metadata: Mapping[str, Any] | None, correlation_id: str | None) -> None:
        self._name = name
        self._metadata = dict(metadata or {})
        self._correlation_id = correlation_id
        self._started = 0.0

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        emit(f"{self._name}.start", {"system_time": time.time_ns()}, self._metadata, self._correlation_id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        duration = {"duration_ms": (time.perf_counter() - self._started) * 1000}
        how, further = _ending(error)
        emit(f"{self._name}.{how}", duration, {**self._metadata, **further}, self._correlation_id)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _ending(error: BaseException | None) -> tuple[str, dict[str, str]]:
    """How work ended, and what is to be said of it."""
    if error is None:
        return "stop", {}
    if _is_stop(error):
        return "stop", {"stopped": "true"}
    return "exception", {"error_type": shape(error)}  # its name, whatever its metaclass says


def _is_stop(error: BaseException) -> bool:
    """Whether an exception ends what was asked to stop: that has not failed."""
    context = CURRENT.get(None)
    return isinstance(error, GeneratorExit) or (context is not None and context.cancelled)


_running = ""


class execution(Span):  # noqa: N801 - it reads as a verb at its only place
    """The run of a tool: `with telemetry.execution(call):`, inside of the call's context. Also traced.

    Threads that the tool starts know nothing of that context; their events belong to the call that runs.

    Args:
        call: what is run.
    """

    def __init__(self, call: Call) -> None:
        said = {"tool": call.tool, "session_id": call.session_id, "call_id": call.call_id}
        super().__init__("tool.execution", {name: text for name, text in said.items() if text}, call.correlation_id)
        self._trace = worker_span(call, _is_stop)

    def __enter__(self) -> Self:
        global _running  # noqa: PLW0603 - a worker runs one call at a time
        _running = self._correlation_id or ""
        super().__enter__()
        self._trace.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _running  # noqa: PLW0603
        self._trace.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)
        _running = ""
