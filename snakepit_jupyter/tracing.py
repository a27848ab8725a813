"""OpenTelemetry spans around calls, for who uses OpenTelemetry: the extra `snakepit-jupyter[otel]`.

A call's context travels in its labels as W3C has it (`traceparent`, `tracestate`), so that the tool's span in the
worker is a child of the caller's. It is in use where the user's code has imported OpenTelemetry, or an environment
variable OTEL_… is set; else everything here does nothing. Spans hold names and ids, never contents.
"""

import functools
import importlib
import os
import sys
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snakepit_jupyter.messages import Call

API = "opentelemetry.trace"
SCOPE = "snakepit_jupyter"
PREFIX = "OTEL_"
DISABLED = "OTEL_SDK_DISABLED"
EXPORTERS = "OTEL_TRACES_EXPORTER"
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
# Milliseconds that the end of a worker waits for its last spans to be sent.
LAST_FLUSH = 1000


def client_span(call: "Call") -> "AbstractContextManager[Call]":
    """A span around a call, on the caller's side; gives the call to be sent, with the span's context in its labels."""
    return _client_span(call) if _in_use() else nullcontext(call)


def worker_span(call: "Call", is_stop: Callable[[BaseException], bool]) -> AbstractContextManager[None]:
    """A span around the run of a tool, child of the caller's; current while the tool runs.

    Args:
        call: what is run.
        is_stop: whether an exception ends a call that was asked to stop; that is no error.
    """
    return _worker_span(call, is_stop) if _in_use() else nullcontext()


@contextmanager
def _client_span(call: "Call") -> "Iterator[Call]":
    trace = importlib.import_module(API)
    with _span(f"call {call.tool}", call, trace.SpanKind.CLIENT):
        carrier: dict[str, str] = {}
        _w3c().inject(carrier)
        yield replace(call, labels={**call.labels, **carrier})


@contextmanager
def _worker_span(call: "Call", is_stop: Callable[[BaseException], bool]) -> Iterator[None]:
    trace = importlib.import_module(API)
    with _span(f"run {call.tool}", call, trace.SpanKind.SERVER, _w3c().extract(call.labels), is_stop):
        yield


@contextmanager
def _span(
    name: str,
    call: "Call",
    kind: Any,
    parent: Any = None,
    is_stop: Callable[[BaseException], bool] = lambda error: isinstance(error, (CancelledError, KeyboardInterrupt)),
) -> Iterator[None]:
    trace = importlib.import_module(API)
    attributes = {
        "snakepit.tool": call.tool,
        "snakepit.call_id": call.call_id,
        "snakepit.correlation_id": call.correlation_id,
        "snakepit.streaming": call.streaming,
    }
    # What OpenTelemetry itself records of an exception are its text and its traceback.
    quietly = {"record_exception": False, "set_status_on_exception": False}
    tracer = trace.get_tracer(SCOPE)
    with tracer.start_as_current_span(name, parent, kind, attributes, **quietly) as span:
        try:
            yield
        except BaseException as error:
            if is_stop(error):
                span.set_attribute("snakepit.stopped", True)
            else:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


def _w3c() -> Any:
    return importlib.import_module("opentelemetry.trace.propagation.tracecontext").TraceContextTextMapPropagator()


def _in_use() -> bool:
    return API in sys.modules or _wanted_by_environment()


@functools.cache
def _wanted_by_environment() -> bool:
    """Whether the environment asks for traces and there is something to make them."""
    return is_wanted(os.environ) and _imported(API) is not None


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether an environment asks for traces: a variable OTEL_… is set, and none of them switches it off."""
    if environment.get(DISABLED, "").strip().lower() == "true" or environment.get(EXPORTERS, "").strip() == "none":
        return False
    return any(name.startswith(PREFIX) and name != DISABLED for name in environment)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


# The worker's process.


def configure_worker() -> None:
    """Send the worker's spans where OTEL_… says, unless the user's adapter has seen to that.

    Without OpenTelemetry's SDK, or without the exporter that is asked for, spans go nowhere.
    """
    if not is_wanted(os.environ):
        return
    trace, sdk, export = map(_imported, (API, "opentelemetry.sdk.trace", "opentelemetry.sdk.trace.export"))
    if sdk is None or isinstance(trace.get_tracer_provider(), sdk.TracerProvider):
        return
    provider = sdk.TracerProvider()
    for name in exporter_names(os.environ):
        if exporter := _exporter(name):
            provider.add_span_processor(export.BatchSpanProcessor(exporter()))
    trace.set_tracer_provider(provider)


def flush() -> None:
    """Send the spans that wait; a worker's process ends without Python's own clean-up."""
    if API in sys.modules:
        provider = sys.modules[API].get_tracer_provider()
        if hasattr(provider, "force_flush"):
            provider.force_flush(LAST_FLUSH)


def exporter_names(environment: Mapping[str, str]) -> list[str]:
    """The exporters that an environment asks for, as their packages are registered; OTLP if it names none."""
    protocol = next((environment[name] for name in PROTOCOLS if environment.get(name)), "http/protobuf")
    otlp = "otlp_proto_grpc" if protocol.strip() == "grpc" else "otlp_proto_http"
    asked = [name.strip() for name in environment.get(EXPORTERS, "otlp").split(",")]
    return [otlp if name == "otlp" else name for name in asked if name]


def _exporter(name: str) -> Any:
    metadata = importlib.import_module("importlib.metadata")
    found = list(metadata.entry_points(group="opentelemetry_traces_exporter", name=name))
    try:
        return found[0].load() if found else None
    except ImportError:
        return None
