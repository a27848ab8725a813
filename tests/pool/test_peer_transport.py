"""The channel to a worker that is not ours, against a raw server: what is sent, and what is made of the answers."""

import asyncio
import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from waiting import run_async

from snakepit_jupyter import values
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.messages import Call, Deadline, StopRung
from snakepit_jupyter.transport.grpc import ConnectionLost, GrpcTransport
from snakepit_jupyter.transport.peer import PeerTransport

SERVICE = "snakepit.bridge.BridgeService"
UNARY = {"Ping", "InitializeSession", "CleanupSession", "Heartbeat", "ExecuteTool"}
Answer = Callable[[Any, Any], Any]
PAYLOAD = '{"type": "ValueError", "message": "no", "stacktrace": ["a\\n"], "traceback": "a\\n", "context": {}}'


async def never(request: Any, context: Any) -> None:
    """No answer at all."""
    await asyncio.get_running_loop().create_future()


class RawWorker:
    """Answers with bytes; nothing of it knows a message."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.seen: list[tuple[str, bytes]] = []
        self.headers: dict[str, str] = {}
        self.time_remaining: float | None = None

    def handler(self) -> Any:
        """Its service, for a server."""
        methods: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(self._answering(name)) for name in UNARY}
        methods["ExecuteStreamingTool"] = grpc.unary_stream_rpc_method_handler(self._streaming("ExecuteStreamingTool"))
        if "StreamTelemetry" in self.answers:
            methods["StreamTelemetry"] = grpc.stream_stream_rpc_method_handler(self.answers["StreamTelemetry"])
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _answering(self, name: str) -> Answer:
        async def answer(request: bytes, context: Any) -> bytes:
            self._note(name, request, context)
            chosen: Answer = self.answers.get(name, _nothing)
            return bytes(await chosen(request, context))

        return answer

    def _streaming(self, name: str) -> Answer:
        async def answer(request: bytes, context: Any) -> AsyncIterator[bytes]:
            self._note(name, request, context)
            async for message in self.answers[name](request, context):
                yield message

        return answer

    def _note(self, name: str, request: bytes, context: Any) -> None:
        self.seen.append((name, request))
        self.headers = dict(context.invocation_metadata())
        self.time_remaining = context.time_remaining()

    def request(self) -> bridge_pb.ExecuteToolRequest:
        """What was asked for last."""
        return bridge_pb.ExecuteToolRequest.FromString(self.seen[-1][1])


async def _nothing(request: bytes, context: Any) -> bytes:
    return b""


def saying(*messages: Any) -> Answer:
    """A stream of these; a status in place of a message ends it."""

    async def answer(request: bytes, context: Any) -> AsyncIterator[bytes]:
        for message in messages:
            if isinstance(message, tuple):
                await context.abort(*message)
            yield message if isinstance(message, bytes) else message.SerializeToString()

    return answer


def answering(message: Any) -> Answer:
    """One answer, or a status."""

    async def answer(request: bytes, context: Any) -> bytes:
        if isinstance(message, tuple):
            await context.abort(*message)
        return message if isinstance(message, bytes) else bytes(message.SerializeToString())

    return answer


class Stage:
    """A raw worker and the channel to it."""

    def __init__(self, worker: RawWorker, address: str) -> None:
        self.worker = worker
        self.retired = 0  # how often it was to be ended
        self.transport = PeerTransport(address, "session_1_2", self._retire)

    def _retire(self) -> "asyncio.Future[None]":
        self.retired += 1
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ended.set_result(None)
        return ended


@asynccontextmanager
async def staged(directory: Path, worker: RawWorker) -> AsyncGenerator[Stage, None]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((worker.handler(),))
    address = f"unix:{directory / 'raw.sock'}"
    server.add_insecure_port(address)
    await server.start()
    stage = Stage(worker, address)
    try:
        yield stage
    finally:
        await stage.transport.aclose()
        await server.stop(None)


async def made(stage: Stage, call: Call) -> tuple[list[pb.Chunk], pb.CallEnd]:
    """A call's chunks and its end."""
    chunks: list[pb.Chunk] = []
    async for update in stage.transport.stream(call):
        chunks += update.chunks
        if update.HasField("end"):
            return chunks, update.end
    raise AssertionError("it has no end")


def scene(directory: Path, worker: RawWorker, call: Call) -> tuple[Stage, list[pb.Chunk], pb.CallEnd]:
    """One call, made of a raw worker."""

    async def play() -> tuple[Stage, list[pb.Chunk], pb.CallEnd]:
        async with staged(directory, worker) as stage:
            return stage, *await made(stage, call)

    stage, chunks, end = run_async(play())
    return stage, chunks, end


def a_call(tool: str = "t", *, streaming: bool = False, **arguments: Any) -> Call:
    payload = values.encode(arguments)
    return Call(tool, payload.data, "mine", streaming, encoding=payload.encoding)


def ok(text: bytes, kind: str = "map") -> bridge_pb.ExecuteToolResponse:
    message = AnyMessage(type_url=f"type.googleapis.com/snakepit.{kind}", value=text)
    return bridge_pb.ExecuteToolResponse(success=True, result=message, execution_time_ms=1500)


# What is sent.


def test_a_call_is_sent_as_snakepit_sends_it(directory: Path) -> None:
    call = Call(
        "t",
        values.encode({"a": [1, None, "ü"], "blob": b"\x00\xff"}).data,
        "mine",
        deadline=Deadline.after(60),
        labels={"notebook": "n.ipynb", "binary_format:blob": "pickle"},
        encoding=values.encode({"a": [1, None, "ü"], "blob": b"\x00\xff"}).encoding,
        binary={"more": b"m"},
        correlation_id="sp-1",
    )
    stage, _, end = scene(directory, RawWorker(ExecuteTool=answering(ok(b'{"x": 1}'))), call)
    request = stage.worker.request()
    assert (request.session_id, request.tool_name, request.stream) == ("mine", "t", False)
    assert dict(request.binary_parameters) == {"blob": b"\x00\xff", "more": b"m"}
    assert {name: value.value for name, value in request.parameters.items()} == {"a": '[1,null,"ü"]'.encode()}
    assert {value.type_url for value in request.parameters.values()} == {
        "type.googleapis.com/google.protobuf.StringValue"
    }
    assert dict(request.metadata) == {"notebook": "n.ipynb", "correlation_id": "sp-1"}, "and nothing to unpickle"
    assert stage.worker.headers["x-snakepit-correlation-id"] == "sp-1"
    assert stage.worker.time_remaining is not None
    assert 50 < stage.worker.time_remaining <= 60
    assert (end.outcome, end.result, end.result_encoding, end.duration) == (
        pb.OUTCOME_DONE,
        b'{"x": 1}',
        pb.ENCODING_JSON,
        1.5,
    )


def test_a_call_without_session_and_deadline_gets_the_workers_own_and_a_long_one(directory: Path) -> None:
    stage, _, _ = scene(directory, RawWorker(ExecuteStreamingTool=saying()), Call("t", streaming=True))
    assert stage.worker.request().session_id == "session_1_2"
    assert stage.worker.request().stream
    assert stage.worker.time_remaining is not None
    assert stage.worker.time_remaining > 6 * 24 * 3600


def test_bytes_beside_the_arguments_win_over_those_of_the_same_name(directory: Path) -> None:
    call = Call("t", b'{"a": 1}', binary={"a": b"bytes"})
    stage, _, _ = scene(directory, RawWorker(ExecuteTool=answering(ok(b"{}"))), call)
    assert not stage.worker.request().parameters
    assert dict(stage.worker.request().binary_parameters) == {"a": b"bytes"}


@pytest.mark.parametrize("text", ["ü", "two\nlines", "x" * 10_000, " ", ""])
def test_a_correlation_id_that_no_header_can_hold_travels_in_the_request_alone(directory: Path, text: str) -> None:
    call = Call("t", correlation_id=text)
    stage, _, end = scene(directory, RawWorker(ExecuteTool=answering(ok(b"{}"))), call)
    assert end.outcome == pb.OUTCOME_DONE
    assert stage.worker.request().metadata["correlation_id"] == text
    assert stage.worker.headers.get("x-snakepit-correlation-id", "") == ""


@pytest.mark.parametrize("arguments", [b"[1]", b"nonsense", b"\xff"])
def test_arguments_that_are_no_object_are_refused_before_the_worker_hears_of_them(
    directory: Path, arguments: bytes
) -> None:
    stage, _, end = scene(directory, RawWorker(), Call("t", arguments))
    assert end.failure.code == "invalid_parameter"
    assert not stage.worker.seen
    assert not stage.retired


def test_a_call_whose_deadline_has_passed_is_not_made(directory: Path) -> None:
    stage, _, end = scene(directory, RawWorker(), Call("t", deadline=Deadline.after(0)))
    assert end.failure.code == "worker_timeout"
    assert not stage.worker.seen
    assert not stage.retired


# What comes back.


def test_chunks_come_as_they_are_and_a_stream_without_a_final_one_simply_ends(directory: Path) -> None:
    chunks = [
        bridge_pb.ToolChunk(chunk_id="t-1", data=b'{"a": 1}', metadata={"k": "v"}),
        bridge_pb.ToolChunk(chunk_id="t-2", data=b"\xff\x00"),
        bridge_pb.ToolChunk(chunk_id="t-3"),
    ]
    worker = RawWorker(ExecuteStreamingTool=saying(*chunks))
    stage, made_chunks, end = scene(directory, worker, a_call(streaming=True))
    assert [(c.data, c.encoding, c.is_final, dict(c.metadata)) for c in made_chunks] == [
        (b'{"a": 1}', pb.ENCODING_JSON, False, {"k": "v"}),
        (b"\xff\x00", pb.ENCODING_BYTES, False, {}),
        (b"", pb.ENCODING_JSON, False, {}),
    ]
    assert end.outcome == pb.OUTCOME_DONE
    assert not stage.retired


def test_a_result_may_be_bytes(directory: Path) -> None:
    response = bridge_pb.ExecuteToolResponse(success=True, binary_result=b"\x00\xff")
    _, _, end = scene(directory, RawWorker(ExecuteTool=answering(response)), a_call())
    assert (end.result, end.result_encoding) == (b"\x00\xff", pb.ENCODING_BYTES)


@pytest.mark.parametrize("text", [PAYLOAD, "plain words"])
def test_a_failure_in_the_answer_is_the_tools(directory: Path, text: str) -> None:
    response = bridge_pb.ExecuteToolResponse(success=False, error_message=text)
    stage, _, end = scene(directory, RawWorker(ExecuteTool=answering(response)), a_call())
    assert end.outcome == pb.OUTCOME_FAILED
    assert end.failure.code == "tool_error"
    assert end.failure.message == ("ValueError: no" if text is PAYLOAD else text)
    assert end.failure.remote_traceback == ("a\n" if text is PAYLOAD else "")
    assert not stage.retired


def test_what_a_stream_gave_before_it_failed_stays(directory: Path) -> None:
    messages = [bridge_pb.ToolChunk(data=b"1"), (grpc.StatusCode.INTERNAL, PAYLOAD)]
    stage, chunks, end = scene(directory, RawWorker(ExecuteStreamingTool=saying(*messages)), a_call(streaming=True))
    assert [chunk.data for chunk in chunks] == [b"1"]
    assert (end.failure.code, end.failure.remote_type) == ("tool_error", "ValueError")
    assert not stage.retired


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, "tool_error"),
        (grpc.StatusCode.UNKNOWN, "tool_error"),
        (grpc.StatusCode.INVALID_ARGUMENT, "tool_error"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "unserializable_value"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_another_status_is_a_failure_that_quotes_it(
    directory: Path, status: grpc.StatusCode, code: str, streaming: bool
) -> None:
    answer = (status, "because of this")
    worker = RawWorker(ExecuteTool=answering(answer), ExecuteStreamingTool=saying(answer))
    stage, _, end = scene(directory, worker, a_call(streaming=streaming))
    assert end.failure.code == code
    assert "because of this" in end.failure.message
    assert not stage.retired


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_worker_that_goes_is_a_lost_connection(directory: Path, status: grpc.StatusCode, streaming: bool) -> None:
    worker = RawWorker(ExecuteTool=answering((status, "going")), ExecuteStreamingTool=saying((status, "going")))
    with pytest.raises(ConnectionLost, match="going"):
        scene(directory, worker, a_call(streaming=streaming))


@pytest.mark.parametrize("streaming", [False, True])
def test_a_passed_deadline_is_a_timeout_and_the_worker_is_retired(directory: Path, streaming: bool) -> None:
    async def never_streamed(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b""
        await asyncio.get_running_loop().create_future()

    worker = RawWorker(ExecuteTool=never, ExecuteStreamingTool=never_streamed)
    call = Call("slow", streaming=streaming, deadline=Deadline.after(0.2))
    stage, _, end = scene(directory, worker, call)
    assert end.failure.code == "worker_timeout"
    assert re.fullmatch(r"slow was given up after 0\.\d+ s, while it ran", end.failure.message)
    assert end.failure.retryable
    assert stage.retired


# Stopping.


def test_a_cancelled_call_ends_stopped_once_its_worker_has_ended(directory: Path) -> None:
    async def play() -> None:
        closed = asyncio.Event()

        async def for_ever(request: bytes, context: Any) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bridge_pb.ToolChunk(data=b"1").SerializeToString()
            finally:
                closed.set()

        async with staged(directory, RawWorker(ExecuteStreamingTool=for_ever)) as stage:
            call = a_call(streaming=True)
            stream = stage.transport.stream(call)
            async with aclosing(stream):
                assert (await anext(stream)).chunks
                await stage.transport.cancel("another", StopRung.COOPERATIVE, 1)
                assert (await anext(stream)).chunks
                await stage.transport.cancel(call.call_id, StopRung.COOPERATIVE, 1)
                await stage.transport.cancel(call.call_id, StopRung.INTERRUPT, 1)
                updates = [update async for update in stream]
            assert updates[-1].end.outcome == pb.OUTCOME_STOPPED
            assert stage.retired == 1
            await asyncio.wait_for(closed.wait(), 5)

    run_async(play())


def test_a_stream_that_nobody_reads_to_its_end_costs_the_worker_its_life(directory: Path) -> None:
    async def play() -> None:
        messages = [bridge_pb.ToolChunk(data=b"1")] * 3
        async with staged(directory, RawWorker(ExecuteStreamingTool=saying(*messages))) as stage:
            stream = stage.transport.stream(a_call(streaming=True))
            await anext(stream)
            before = stage.retired
            await stream.aclose()
            assert (before, stage.retired) == (0, 1)

    run_async(play())


def test_who_waits_for_a_call_can_be_cancelled(directory: Path) -> None:
    async def play() -> None:
        async with staged(directory, RawWorker(ExecuteTool=never)) as stage:
            waiting = asyncio.create_task(made(stage, a_call()))
            while not stage.worker.seen:  # noqa: ASYNC110 - the server's turns, not a time
                await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert stage.retired == 1

    run_async(play())


def test_a_closed_channel_is_a_lost_connection(directory: Path) -> None:
    async def play() -> None:
        async with staged(directory, RawWorker(ExecuteTool=never)) as stage:
            waiting = asyncio.create_task(made(stage, a_call()))
            while not stage.worker.seen:  # noqa: ASYNC110 - the server's turns, not a time
                await asyncio.sleep(0)
            await stage.transport.aclose()
            with pytest.raises(ConnectionLost):
                await waiting

    run_async(play())


# Sessions and heartbeats.


def test_a_worker_is_asked_to_forget_only_sessions_it_has_seen(directory: Path) -> None:
    async def play() -> list[tuple[str, str]]:
        async with staged(directory, RawWorker(ExecuteTool=answering(ok(b"{}")))) as stage:
            await stage.transport.close_session("mine", 1)
            await made(stage, a_call())
            assert await stage.transport.close_session("mine", 1) == 0
            await stage.transport.close_session("mine", 1)
            cleaned = bridge_pb.CleanupSessionRequest
            return [(name, cleaned.FromString(sent).session_id) for name, sent in stage.worker.seen]

    assert run_async(play()) == [("ExecuteTool", "mine"), ("CleanupSession", "mine")]


def test_a_session_that_a_dead_worker_kept_is_gone_with_it(directory: Path) -> None:
    async def play() -> None:
        worker = RawWorker(
            ExecuteTool=answering(ok(b"{}")), CleanupSession=answering((grpc.StatusCode.UNAVAILABLE, "gone"))
        )
        async with staged(directory, worker) as stage:
            await made(stage, a_call())
            assert await stage.transport.close_session("mine", 1) == 0

    run_async(play())


def test_a_heartbeat_that_fails_or_is_not_answered_in_time_is_a_lost_connection(directory: Path) -> None:
    async def play() -> None:
        worker = RawWorker(Heartbeat=answering((grpc.StatusCode.UNKNOWN, "inner error")))
        async with staged(directory, worker) as stage:
            with pytest.raises(ConnectionLost, match="inner error"):
                await stage.transport.heartbeat(5)
            assert bridge_pb.HeartbeatRequest.FromString(worker.seen[0][1]).session_id == "session_1_2"
            worker.answers["Heartbeat"] = never
            with pytest.raises(ConnectionLost, match="Deadline"):
                await stage.transport.heartbeat(0.1)
            worker.answers["Heartbeat"] = answering(bridge_pb.HeartbeatResponse(session_valid=False))
            await stage.transport.heartbeat(5)

    run_async(play())


# Telemetry.


def telemetry(*names: str, holding: bool = False) -> Answer:
    async def answer(controls: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        first = bridge_pb.TelemetryControl.FromString(await anext(aiter(controls)))
        for name in names:
            event = bridge_pb.TelemetryEvent(event_parts=[*name.split("."), str(first.toggle.enabled)])
            yield event.SerializeToString()
        if holding:
            await asyncio.get_running_loop().create_future()

    return answer


async def switch_on() -> AsyncIterator[bridge_pb.TelemetryControl]:
    yield bridge_pb.TelemetryControl(toggle=bridge_pb.TelemetryToggle(enabled=True))


@pytest.mark.parametrize("kind", ["peer", "own"])
def test_a_workers_events_come_until_its_end_though_the_controls_have_ended(directory: Path, kind: str) -> None:
    async def play() -> None:
        worker = RawWorker(StreamTelemetry=telemetry("a.b", "c"))
        async with staged(directory, worker) as stage:
            own = GrpcTransport(f"unix:{directory / 'raw.sock'}", "secret")
            transport = stage.transport if kind == "peer" else own
            events = [list(event.event_parts) async for event in transport.telemetry(switch_on())]
            assert events == [["a", "b", "True"], ["c", "True"]]
            await own.aclose()

    run_async(play())


def test_a_worker_has_one_stream_of_telemetry(directory: Path) -> None:
    async def play() -> None:
        async with staged(directory, RawWorker(StreamTelemetry=telemetry("a", holding=True))) as stage:
            events = stage.transport.telemetry(switch_on())
            await anext(events)
            with pytest.raises(RuntimeError, match="one stream of telemetry"):
                await anext(stage.transport.telemetry(switch_on()))
            waiting = asyncio.create_task(anext(events, None))
            await stage.transport.aclose()
            assert await asyncio.wait_for(waiting, 5) is None

    run_async(play())


def test_a_worker_without_telemetry_gives_none(directory: Path) -> None:
    async def refuse(controls: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
        yield b""

    async def play() -> None:
        async with staged(directory, RawWorker(StreamTelemetry=refuse)) as stage:
            assert [event async for event in stage.transport.telemetry(switch_on())] == []

    run_async(play())


# Whatever it says.


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_as_an_answer_or_a_chunk_end_in_one_clear_way(directory: Path, data: bytes, streaming: bool) -> None:
    async def play() -> None:
        worker = RawWorker(ExecuteTool=answering(data), ExecuteStreamingTool=saying(data))
        async with staged(directory, worker) as stage:
            try:
                _, end = await made(stage, a_call(streaming=streaming))
            except ConnectionLost:
                return
            assert end.outcome in {pb.OUTCOME_DONE, pb.OUTCOME_FAILED}

    run_async(play())


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.floats() | st.recursive(st.none() | st.text(), st.lists), st.booleans())
def test_any_error_text_is_a_failure(directory: Path, said: Any, streaming: bool) -> None:
    text = f'{{"type": "E", "message": "{said}"}}'

    async def play() -> None:
        failing = (grpc.StatusCode.INTERNAL, text[:1000])
        worker = RawWorker(ExecuteTool=answering(failing), ExecuteStreamingTool=saying(failing))
        async with staged(directory, worker) as stage:
            _, end = await made(stage, a_call(streaming=streaming))
            assert end.failure.code == "tool_error"

    run_async(play())


def test_nan_survives_both_ways_as_snakepit_writes_it(directory: Path) -> None:
    worker = RawWorker(ExecuteTool=answering(ok(b'"NaN"', "float")))
    stage, _, end = scene(directory, worker, a_call(a=math.nan))
    assert stage.worker.request().parameters["a"].value == b'"NaN"'
    assert math.isnan(values.decode(end.result, values.Encoding.JSON))
