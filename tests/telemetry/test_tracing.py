"""OpenTelemetry spans from a call in the client to its tool in the worker."""

import json
import os
import subprocess
import sys
from asyncio import CancelledError
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from snakepit_jupyter import Client, tracing
from snakepit_jupyter.messages import Call
from snakepit_jupyter.worker import telemetry

CALL = Call("add", b'{"a": "content"}', call_id="r-1", correlation_id="sp-1", labels={"cell": "3"})


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans that have ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    # OpenTelemetry lets a process set one only once.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def ended(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def contexts(spans: dict[str, ReadableSpan]) -> dict[str, trace.SpanContext]:
    return {name: span.context for name, span in spans.items() if span.context}


def never(_error: BaseException) -> bool:
    return False


def test_the_tools_span_is_a_child_of_the_callers_across_processes(spans: InMemorySpanExporter) -> None:
    with trace.get_tracer("user").start_as_current_span("cell"), tracing.client_span(CALL) as sent:
        labels = dict(sent.labels)
    # The worker knows nothing but the labels.
    with tracing.worker_span(Call("add", labels=labels), never), trace.get_tracer("user").start_as_current_span("work"):
        pass
    found = ended(spans)
    cell, call, run, work = (contexts(found)[name] for name in ("cell", "call add", "run add", "work"))
    assert {context.trace_id for context in (cell, call, run, work)} == {cell.trace_id}
    parents = {name: span.parent.span_id if span.parent else None for name, span in found.items()}
    assert parents == {"cell": None, "call add": cell.span_id, "run add": call.span_id, "work": run.span_id}
    assert found["call add"].kind is trace.SpanKind.CLIENT
    assert found["run add"].kind is trace.SpanKind.SERVER


def test_the_context_travels_as_w3c_has_it_beside_the_calls_own_labels(spans: InMemorySpanExporter) -> None:
    with tracing.client_span(CALL) as sent:
        pass
    assert sent.labels["cell"] == "3"
    version, trace_id, span_id, flags = sent.labels["traceparent"].split("-")
    context = ended(spans)["call add"].context
    assert context
    assert (version, int(trace_id, 16), int(span_id, 16), flags) == ("00", context.trace_id, context.span_id, flags)
    assert int(flags, 16) & 1
    assert sent.call_id == CALL.call_id
    assert "traceparent" not in CALL.labels


def test_a_state_of_the_trace_goes_along(spans: InMemorySpanExporter) -> None:
    labels = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": "vendor=value"}
    with tracing.worker_span(Call("add", labels=labels), never), tracing.client_span(CALL) as sent:
        pass
    assert sent.labels["tracestate"] == "vendor=value"
    assert sent.labels["traceparent"].split("-")[1] == "1" * 32


@pytest.mark.parametrize("traceparent", ["", "x", "00-0-0-0", f"00-{'0' * 32}-{'0' * 16}-01", "00-" + "é" * 32])
def test_a_context_that_is_none_begins_a_new_trace(spans: InMemorySpanExporter, traceparent: str) -> None:
    with tracing.worker_span(Call("add", labels={"traceparent": traceparent}), never):
        pass
    assert ended(spans)["run add"].parent is None


def test_a_span_says_which_call_it_is_and_nothing_of_its_contents(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="content"), tracing.client_span(CALL):
        raise ValueError("content")
    span = ended(spans)["call add"]
    assert span.attributes == {
        "snakepit.tool": "add",
        "snakepit.call_id": "r-1",
        "snakepit.correlation_id": "sp-1",
        "snakepit.streaming": False,
        "error.type": "ValueError",
    }
    assert span.status.status_code is trace.StatusCode.ERROR
    assert "content" not in span.to_json()


def test_what_was_asked_to_stop_has_not_failed(spans: InMemorySpanExporter) -> None:
    for stop in (CancelledError, KeyboardInterrupt):
        with pytest.raises(stop), tracing.client_span(CALL):
            raise stop
    with pytest.raises(KeyboardInterrupt), tracing.worker_span(CALL, lambda _error: True):
        raise KeyboardInterrupt
    for span in spans.get_finished_spans():
        assert span.status.status_code is trace.StatusCode.UNSET
        assert (span.attributes or {})["snakepit.stopped"] is True


def test_the_run_of_a_tool_is_traced_where_its_events_are_told(spans: InMemorySpanExporter) -> None:
    with tracing.client_span(CALL) as sent:
        pass
    with pytest.raises(ValueError, match="content"), telemetry.execution(sent):
        raise ValueError("content")
    call, run = ended(spans)["call add"], ended(spans)["run add"]
    assert run.parent
    assert call.context
    assert run.parent.span_id == call.context.span_id
    assert (run.attributes or {})["error.type"] == "ValueError"


def test_a_tool_runs_in_the_trace_of_the_cell_that_calls_it(
    spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "workers")
    with Client(pool_size=1, adapters=["telemetry.telemetry_tools:Telling"], session_id="") as client:
        with trace.get_tracer("user").start_as_current_span("cell"):
            there = client.execute("traced")
        outside = client.execute("traced")
    cell, call = (contexts(ended(spans))[name] for name in ("cell", "call traced"))
    assert there["trace"] == format(cell.trace_id, "032x")
    assert outside["trace"] == format(call.trace_id, "032x") != there["trace"]
    assert outside["label"].split("-")[2] == format(call.span_id, "016x")


# Where it is not in use.


def in_fresh_interpreter(text: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, env={**clean, **environment}, check=True
    )
    return done.stdout


TRACE = """
import sys
from snakepit_jupyter import Client, tracing
from snakepit_jupyter.messages import Call
call = Call("add")
with tracing.client_span(call) as sent, tracing.worker_span(sent, lambda error: False):
    pass
tracing.configure_worker()
tracing.flush()
print("same" if sent is call else "another", "opentelemetry" in sys.modules)
"""


def test_without_a_sign_of_opentelemetry_nothing_is_imported_and_nothing_done() -> None:
    assert in_fresh_interpreter(TRACE) == "same False\n"
    assert in_fresh_interpreter(TRACE, OTEL_SERVICE_NAME="x", OTEL_SDK_DISABLED="true") == "same False\n"


def test_where_opentelemetry_is_not_installed_nothing_is_done() -> None:
    missing = "import sys; sys.modules['opentelemetry'] = None\n"
    text = missing + TRACE.replace('"opentelemetry" in sys.modules', "sys.modules['opentelemetry']")
    assert in_fresh_interpreter(text, OTEL_SERVICE_NAME="x") == "same None\n"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"PATH": "/bin"}, False),
        ({"OTEL_SERVICE_NAME": "x"}, True),
        ({"OTEL_SDK_DISABLED": "false"}, False),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_environment_asks_for_traces(environment: dict[str, str], *, wanted: bool) -> None:
    assert tracing.is_wanted(environment) is wanted


# The worker's own set-up.

WORKER = """
from snakepit_jupyter import Client, tracing
from snakepit_jupyter.messages import Call
{before}
tracing.configure_worker()
labels = {{"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}}
with tracing.worker_span(Call("add", labels=labels), lambda error: False):
    pass
tracing.flush()
import os
os._exit(0)
"""


def test_a_worker_sends_its_spans_where_the_environment_says_before_it_goes() -> None:
    out = in_fresh_interpreter(WORKER.format(before=""), OTEL_TRACES_EXPORTER="console", OTEL_SERVICE_NAME="mine")
    span = json.loads(out)
    assert span["name"] == "run add"
    assert span["parent_id"] == f"0x{'2' * 16}"
    assert span["resource"]["attributes"]["service.name"] == "mine"


def test_what_an_adapter_has_set_up_stays() -> None:
    own = "from opentelemetry import trace; from opentelemetry.sdk.trace import TracerProvider as T;"
    before = f"{own} trace.set_tracer_provider(T())"
    assert not in_fresh_interpreter(WORKER.format(before=before), OTEL_TRACES_EXPORTER="console")


def test_an_exporter_that_is_not_installed_is_left_out() -> None:
    assert not in_fresh_interpreter(WORKER.format(before=""), OTEL_TRACES_EXPORTER="unheard_of")
    assert not in_fresh_interpreter(WORKER.format(before=""), OTEL_SERVICE_NAME="x")


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, ["otlp_proto_http"]),
        ({"OTEL_TRACES_EXPORTER": "console"}, ["console"]),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ["console", "otlp_proto_http"]),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ["otlp_proto_grpc"]),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            ["otlp_proto_http"],
        ),
    ],
)
def test_exporters_are_chosen_as_opentelemetry_has_it(environment: dict[str, str], names: list[str]) -> None:
    assert tracing.exporter_names(environment) == names
