"""Every RPC of a worker, driven with raw stubs: both the worker of our own pools and the stand-alone one.

Upstream's worker, as sections 3.3, 4.1 and 7 of the wire contract measured it, stands beside ours wherever we differ.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import StringValue
from waiting import came_to_rest, eventually, written

from conformance.worker import (
    KINDS,
    SERVICE,
    TEXT_URL,
    RecordingBridge,
    Seen,
    Worker,
    any_json,
    request_for,
)
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb

URL = "type.googleapis.com/snakepit."
SECRET = "sk-12345678901234567890"


@pytest.fixture(scope="module", params=KINDS)
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with KINDS[request.param]() as started:
        yield started


@pytest.fixture(autouse=True)
def answers_as_before(worker: Worker) -> Iterator[None]:
    """What a test teaches the bridge is forgotten after it."""
    before = dict(worker.bridge.answers)
    yield
    worker.bridge.answers = before


def refusal_of(action: Any) -> Any:
    """How an RPC was refused: an error with `code()` and `details()`."""
    with pytest.raises(grpc.RpcError) as caught:
        action()
    return caught.value


def payload_of(text: str | None) -> dict[str, Any]:
    """An error payload; section 8 says which keys it has."""
    told: dict[str, Any] = json.loads(text or "")
    assert set(told) == {"type", "message", "stacktrace", "traceback", "context"}
    assert all(isinstance(line, str) for line in told["stacktrace"])
    assert "".join(told["stacktrace"]) == told["traceback"]
    return told


def test_every_rpc_of_the_contract_has_its_test_here() -> None:
    text = Path(__file__).read_text()
    for method in SERVICE.methods:
        assert f'"{method.name}"' in text or f".{method.name}(" in text


# Ping and sessions.


def test_ping_answers_with_its_text_and_the_time(worker: Worker) -> None:
    reply = worker.ask("Ping", pb.PingRequest(message="connection_test"))
    assert reply.message == "pong: connection_test"
    assert reply.server_time.seconds > 1_700_000_000


PROXIED = [
    (
        "InitializeSession",
        pb.InitializeSessionRequest(
            session_id="q", metadata={"a": "b"}, config=pb.SessionConfig(enable_caching=True, cache_ttl_seconds=60)
        ),
        pb.InitializeSessionResponse(success=True, available_tools={"t": pb.ToolSpec(name="t")}),
    ),
    ("GetSession", pb.GetSessionRequest(session_id="q"), pb.GetSessionResponse(session_id="q", tool_count=3)),
    ("Heartbeat", pb.HeartbeatRequest(session_id="q"), pb.HeartbeatResponse(session_valid=False)),
    (
        "CleanupSession",
        pb.CleanupSessionRequest(session_id="q", force=True),
        pb.CleanupSessionResponse(success=True, resources_cleaned=7),
    ),
]


def seen_by(bridge: RecordingBridge, rpc: str, request: Any) -> Seen:
    """The request as the bridge got it; a worker's own heartbeats come in between."""
    return next(seen for seen in reversed(bridge.seen) if seen.rpc == rpc and seen.request == request)


@pytest.mark.parametrize(("rpc", "request_", "reply"), PROXIED, ids=[row[0] for row in PROXIED])
def test_what_belongs_to_sessions_is_asked_of_the_bridge(worker: Worker, rpc: str, request_: Any, reply: Any) -> None:
    worker.bridge.answers[rpc] = lambda *_: reply
    header = (("x-snakepit-correlation-id", f"sp-of-{rpc}"),)
    assert worker.ask(rpc, request_, metadata=header) == reply
    headers = seen_by(worker.bridge, rpc, request_).headers
    assert headers["x-snakepit-correlation-id"] == f"sp-of-{rpc}"
    assert headers.get("authorization") == ("Bearer the bridge's token" if worker.kind == "pool" else None)


@pytest.mark.parametrize(("rpc", "request_", "_reply"), PROXIED, ids=[row[0] for row in PROXIED])
def test_an_error_of_the_bridge_is_passed_on_as_it_is(worker: Worker, rpc: str, request_: Any, _reply: Any) -> None:
    # Upstream: UNKNOWN, with the inner error quoted.
    worker.bridge.answers[rpc] = lambda _, context: context.abort(grpc.StatusCode.NOT_FOUND, "no such session: q")
    refused = refusal_of(lambda: worker.ask(rpc, request_))
    assert (refused.code(), refused.details()) == (grpc.StatusCode.NOT_FOUND, "no such session: q")


def test_a_session_that_is_cleaned_up_takes_its_adapter_along(worker: Worker, tmp_path: Path) -> None:
    worker.ask("ExecuteTool", request_for("keep", {"path": str(tmp_path / "mine")}, "mine"))
    worker.ask("ExecuteTool", request_for("keep", {"path": str(tmp_path / "other")}, "other"))
    worker.ask("CleanupSession", pb.CleanupSessionRequest(session_id="mine"))
    assert written(tmp_path / "mine") == "cleaned up"
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        ("RegisterTools", pb.RegisterToolsRequest(session_id="s1")),
        ("GetExposedElixirTools", pb.GetExposedElixirToolsRequest(session_id="s1")),
        ("ExecuteElixirTool", pb.ExecuteElixirToolRequest(session_id="s1", tool_name="t")),
    ],
)
def test_what_is_the_bridges_own_says_where_to_ask(worker: Worker, rpc: str, request_: Any) -> None:
    refused = refusal_of(lambda: worker.ask(rpc, request_))
    assert refused.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "ask the bridge" in refused.details()


def test_only_who_knows_the_token_is_answered_where_there_is_one(worker: Worker) -> None:
    def ping() -> Any:
        return worker.stub.Ping(pb.PingRequest(message="a"), timeout=10)

    if worker.kind == "pool":
        assert refusal_of(ping).code() is grpc.StatusCode.UNAUTHENTICATED
    else:
        assert ping().message == "pong: a"


# Parameters: sections 3.1, 3.2 and 3.5.


def shown(worker: Worker, parameters: dict[str, AnyMessage], **fields: Any) -> Any:
    request = pb.ExecuteToolRequest(session_id="s1", tool_name="described", parameters=parameters, **fields)
    reply = worker.ask("ExecuteTool", request)
    assert reply.success, reply.error_message
    return json.loads(reply.result.value)


def test_parameters_in_every_encoding_arrive_as_what_they_are(worker: Worker) -> None:
    packed = AnyMessage()
    packed.Pack(StringValue(value="1234567890"))
    arrived = shown(
        worker,
        {
            "text": any_json("hello"),
            "value": any_json(3, "type.googleapis.com/google.protobuf.Value"),
            "bare": any_json([1, None, {"k": 2.5}], ""),
            "packed": packed,
            "float": any_json("NaN", f"{URL}float"),
            "integer": any_json(3.7, f"{URL}integer"),
            "large": any_json(2**70),
            "tensor": any_json({"shape": [1, 2], "data": [1, 2]}, f"{URL}tensor"),
        },
    )
    assert arrived.pop("tensor")[0] == "ndarray"
    assert arrived == {
        "text": ["str", "hello"],
        "value": ["int", 3],
        "bare": ["list", [1, None, {"k": 2.5}]],
        "packed": ["str", "1234567890"],
        "float": ["float", "NaN"],
        "integer": ["int", 3],
        "large": ["int", str(2**70)],
    }


def test_binary_parameters_are_bytes_and_win_over_others(worker: Worker) -> None:
    parameters = {"blob": any_json("text"), "n": any_json(1)}
    arrived = shown(worker, parameters, binary_parameters={"blob": b"\x00\xff", "empty": b""})
    assert arrived == {"blob": ["bytes", "00ff"], "n": ["int", 1], "empty": ["bytes", ""]}


def test_a_large_binary_parameter_arrives_whole(worker: Worker) -> None:
    arrived = shown(worker, {}, binary_parameters={"blob": b"\x01" * 20_000_000})
    assert len(arrived["blob"][1]) == 40_000_000


UNREADABLE = {
    "no json": AnyMessage(type_url=TEXT_URL, value=f'{{"{SECRET}": '.encode()),
    "NaN literal": AnyMessage(type_url=TEXT_URL, value=b"NaN"),
    "empty": AnyMessage(),
    "no number": any_json(SECRET, f"{URL}integer"),
}


@pytest.mark.parametrize("message", UNREADABLE.values(), ids=UNREADABLE.keys())
@pytest.mark.parametrize("rpc", ["ExecuteTool", "ExecuteStreamingTool"])
def test_a_parameter_that_cannot_be_read_is_named_and_not_shown(worker: Worker, rpc: str, message: AnyMessage) -> None:
    request = pb.ExecuteToolRequest(session_id="s1", tool_name="described", parameters={"bad": message})
    told = payload_of(failure_text(worker, rpc, request))
    assert told["type"] == "InvalidParameter"
    assert "'bad'" in told["message"]
    assert SECRET not in json.dumps(told)


def failure_text(worker: Worker, rpc: str, request: pb.ExecuteToolRequest) -> str:
    """What is said of a failed call, in the place where each of the two RPCs says it."""
    if rpc == "ExecuteTool":
        reply = worker.ask(rpc, request)
        assert not reply.success
        assert not reply.HasField("result")
        return str(reply.error_message)
    refused = refusal_of(lambda: list(worker.ask(rpc, request)))
    assert refused.code() is grpc.StatusCode.INTERNAL
    return str(refused.details())


@pytest.mark.parametrize("rpc", ["ExecuteTool", "ExecuteStreamingTool"])
def test_a_pickle_is_not_read_from_the_wire(worker: Worker, rpc: str) -> None:
    # Upstream unpickles, which runs whatever the sender likes.
    request = request_for(
        "described", {}, binary_parameters={"blob": b"cposix\nabort\n."}, metadata={"binary_format:blob": "pickle"}
    )
    told = payload_of(failure_text(worker, rpc, request))
    assert told["type"] == "InvalidParameter"
    assert "'blob'" in told["message"]
    assert "pickle" in told["message"]


# Results: section 3.3.


class Result(NamedTuple):
    """A row: what the tool returns, what upstream sends of it, what we send."""

    returned: str
    upstream: tuple[str, bytes] | str
    ours: tuple[str, bytes]


MARKER = b'{"__ffi_unserializable__":true,"__type__":"adapter_for_conformance.Odd"}'
RESULTS = [
    Result("true", ("boolean", b"true"), ("boolean", b"true")),
    Result("int", ("float", b"7.0"), ("integer", b"7")),
    Result("large int", ("float", b"1.152921504606847e18"), ("integer", b"1152921504606846977")),
    Result("huge int", ("float", b"1.2089258196146292e24"), ("integer", b"1208925819614629174706176")),
    Result("float", ("float", b"7.0"), ("float", b"7.0")),
    Result("nan", ("float", b'"NaN"'), ("float", b'"NaN"')),
    Result("inf", ("float", b'"Infinity"'), ("float", b'"Infinity"')),
    Result("-inf", ("float", b'"-Infinity"'), ("float", b'"-Infinity"')),
    Result("None", ("string", b'"None"'), ("null", b"null")),
    Result("text", ("string", b'"text"'), ("string", b'"text"')),
    Result("bytes", ("string", rb'''"b'\\x00\\x01abc'"'''), ("binary_result", b"\x00\x01abc")),
    Result("bytearray", ("string", rb'''"bytearray(b'\\x00\\x01abc')"'''), ("binary_result", b"\x00\x01abc")),
    Result("no bytes", ("string", b'''"b''"'''), ("binary", b"")),
    Result("tuple", ("string", b"\"(1, 'a')\""), ("list", b'[1,"a"]')),
    Result("set", ("string", b'"{1}"'), ("list", b"[1]")),
    Result("ndarray", ("string", b'"[[1 2]\\n [3 4]]"'), ("list", b"[[1,2],[3,4]]")),
    Result("numpy int", ("string", b'"5"'), ("integer", b"5")),
    Result("datetime", ("string", b'"2026-02-06 12:30:00+00:00"'), ("string", b'"2026-02-06T12:30:00+00:00"')),
    Result("Decimal", ("string", b'"1.50"'), ("string", b'"1.50"')),
    Result("complex", ("string", b'"(1+2j)"'), ("string", b'"(1+2j)"')),
    Result("object", ("string", b"its repr, with the secret in it"), ("map", MARKER)),
    Result("dict", ("map", b'{"a":[1,null,true],"b":{"c":1.5}}'), ("map", b'{"a":[1,null,true],"b":{"c":1.5}}')),
    Result("list", ("list", b'[1,"b",[2.5]]'), ("list", b'[1,"b",[2.5]]')),
    Result("object inside", ("map", b'{"odd":' + MARKER + b',"fine":1}'), ("map", b'{"odd":' + MARKER + b',"fine":1}')),
    Result("nan inside", ("map", b'{"loss":null}'), ("map", b'{"loss":"NaN"}')),
    Result("dict with int keys", "success=false: TypeError", ("map", b'{"1":"a"}')),
    Result("lone surrogate", "success=false: TypeError", ("string", b'"\\ud800"')),
]


@pytest.mark.parametrize("row", RESULTS, ids=[row.returned for row in RESULTS])
def test_a_result_travels_as_what_it_is(worker: Worker, row: Result) -> None:
    reply = worker.execute("result", kind=row.returned)
    assert reply.success, reply.error_message
    kind, value = row.ours
    if kind == "binary_result":
        assert (reply.binary_result, reply.HasField("result")) == (value, False)
    else:
        assert (reply.result.type_url, reply.result.value) == (f"{URL}{kind}", value)
        assert not reply.binary_result
    assert SECRET.encode() not in reply.SerializeToString()


def test_results_are_strict_json(worker: Worker) -> None:
    def refuse(literal: str) -> None:
        raise AssertionError(literal)

    for row in RESULTS:
        reply = worker.execute("result", kind=row.returned)
        if reply.result.value:
            json.loads(reply.result.value, parse_constant=refuse)


def test_a_reply_says_how_long_it_took_and_has_no_metadata(worker: Worker, tmp_path: Path) -> None:
    reply = worker.execute("sleep", seconds=0.05, path=str(tmp_path / "p"))
    assert 50 <= reply.execution_time_ms < 5000
    assert not reply.metadata
    assert reply.result.value == b'"slept"'


def test_an_async_tool_is_awaited(worker: Worker) -> None:
    assert worker.answer("awaited") == "awaited"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("result", {"kind": "generator"}), ("stream", {"kind": "dicts"}), ("async_stream", {}), ("endless", {"path": ""})],
)
def test_a_stream_is_no_result(worker: Worker, tool: str, arguments: dict[str, Any]) -> None:
    # Upstream: success=true, with an error in a map.
    reply = worker.execute(tool, **arguments)
    assert not reply.success
    assert payload_of(reply.error_message)["type"] == "StreamingRequired"


# Streams: section 4.1.


class Stream(NamedTuple):
    """A row: what the tool yields, what upstream sends of it where that is another thing, what we send."""

    yielded: str
    upstream: str
    ours: list[tuple[bytes, bool]]


STREAMS = [
    Stream("dicts", "spaces in the JSON", [(b'{"n":1}', False), (b'{"n":2}', False), (b"", True)]),
    Stream("marked final", "the mark of a dict is not read", [(b'{"n":1}', False), (b'{"n":2,"is_final":true}', True)]),
    Stream("two finals", "all three chunks", [(b'{"n":1,"is_final":true}', True)]),
    Stream("nothing", "", [(b"", True)]),
    Stream("None", "", [(b"", False), (b"", True)]),
    Stream("bytes", "", [(b"\x00\xff", False), (b"ab", False), (b"cd", False), (b"", True)]),
    Stream("texts", "text without quotes", [(b'"plain"', False), (b'"zwei"', False), (b"", True)]),
    Stream("numbers", "the literal NaN", [(b"1", False), (b"2.5", False), (b'"NaN"', False), (b"", True)]),
    Stream("lists", "spaces in the JSON", [(b'[1,"b"]', False), (b"", True)]),
    Stream("objects", "the stream hangs", [(MARKER, False), (b"", True)]),
    Stream("chunk-like", "", [(b'{"n":1}', False), (b"\x00", True)]),
    Stream("ndarray", "its raw memory", [(b"[1,2]", False), (b"", True)]),
    Stream("a dict", "its keys as texts", [(b'{"a":1,"b":2}', True)]),
    Stream("a text", "its characters", [(b'"text"', True)]),
    Stream("a list", "", [(b"1", False), (b"2", False), (b"", True)]),
    Stream("a scalar", "an empty final follows", [(b"7", True)]),
    Stream("no value", "two empty chunks", [(b"", True)]),
]


@pytest.mark.parametrize("row", STREAMS, ids=[row.yielded for row in STREAMS])
def test_a_stream_has_its_chunks_and_exactly_one_final(worker: Worker, row: Stream) -> None:
    chunks = list(worker.stream("stream", kind=row.yielded))
    assert [(chunk.data, chunk.is_final) for chunk in chunks] == row.ours
    assert [chunk.chunk_id for chunk in chunks] == [f"stream-{n}" for n in range(1, len(chunks) + 1)]
    assert [chunk.is_final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_a_chunks_own_metadata_travels_as_texts(worker: Worker) -> None:
    first, last = worker.stream("stream", kind="chunk-like")
    assert dict(first.metadata) == {"k": "1", "2": "None"}
    assert not last.metadata


def test_an_async_generator_streams_too(worker: Worker) -> None:
    # Upstream: a TypeError.
    assert [chunk.data for chunk in worker.stream("async_stream", count=3)] == [b'{"n":0}', b'{"n":1}', b'{"n":2}', b""]


def test_many_chunks_keep_their_order(worker: Worker) -> None:
    chunks = list(worker.stream("many", count=5000))
    assert [json.loads(chunk.data)["n"] for chunk in chunks[:-1]] == list(range(5000))
    assert chunks[-1].chunk_id == "many-5001"


def test_what_a_tool_prints_is_no_chunk(worker: Worker) -> None:
    assert [(chunk.chunk_id, chunk.data) for chunk in worker.stream("talk")] == [
        ("talk-1", b'{"said":true}'),
        ("talk-2", b""),
    ]


def test_chunks_before_a_failure_stay_and_no_final_follows(worker: Worker) -> None:
    call = worker.stream("fail_late", count=2)
    assert [next(call).data, next(call).data] == [b'{"n":0}', b'{"n":1}']
    refused = refusal_of(lambda: next(call))
    assert refused.code() is grpc.StatusCode.INTERNAL
    told = payload_of(refused.details())
    assert (told["type"], told["message"]) == ("KeyError", "'late'")
    assert 'raise KeyError("late")' in told["traceback"]
    assert told["context"] == {"tool_name": "fail_late", "session_id": "s1"}


def test_a_slow_reader_holds_the_tool_back(worker: Worker, tmp_path: Path) -> None:
    # Upstream holds it back too, and then leaks its thread when the reader goes.
    end = tmp_path / "end"
    call = worker.stream("endless", 30, path=str(end), size=100_000, pause=0)
    next(call)
    made = end.with_name("end.made")
    assert eventually(lambda: came_to_rest(lambda: int(made.read_text() or 0))) < 1000
    call.cancel()
    assert written(end) == "closed"
    assert worker.answer("result", kind="int") == 7


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_a_reader_that_goes_away_stops_the_tool(worker: Worker, how: str, tmp_path: Path) -> None:
    end = tmp_path / "end"
    call = worker.stream("endless", 0.3 if how == "deadline" else 30, path=str(end))
    next(call)
    if how == "cancel":
        call.cancel()
    else:
        assert refusal_of(lambda: list(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert written(end) == "closed"


def test_a_caller_that_gives_up_interrupts_its_tool(worker: Worker, tmp_path: Path) -> None:
    # Upstream: it runs on, and keeps its thread.
    end = tmp_path / "end"
    request = request_for("sleep", {"seconds": 60, "path": str(end)})
    refused = refusal_of(lambda: worker.ask("ExecuteTool", request, timeout=0.3))
    assert refused.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    eventually(lambda: end.read_text() == "KeyboardInterrupt")
    assert worker.answer("result", kind="int") == 7


# Failures: sections 7 and 8.


@pytest.mark.parametrize("rpc", ["ExecuteTool", "ExecuteStreamingTool"])
def test_a_tools_exception_is_told_with_its_traceback_and_what_the_arguments_say(worker: Worker, rpc: str) -> None:
    arguments = {"message": "too many", "library": "numpy", "function": "sum", "call_type": "x", "other": SECRET}
    told = payload_of(failure_text(worker, rpc, request_for("fail", arguments)))
    assert (told["type"], told["message"]) == ("ValueError", "too many")
    assert told["traceback"].startswith("Traceback (most recent call last):")
    assert "raise ValueError(message)" in told["traceback"]
    assert told["context"] == {
        "tool_name": "fail",
        "session_id": "s1",
        "library": "numpy",
        "function": "sum",
        "call_type": "x",
    }


@pytest.mark.parametrize("rpc", ["ExecuteTool", "ExecuteStreamingTool"])
@pytest.mark.parametrize("times", [50_000, 1_500_000])
def test_a_huge_failure_arrives(worker: Worker, rpc: str, times: int) -> None:
    # Clients take 4 MiB at most, if nobody has told them otherwise.
    text = failure_text(worker, rpc, request_for("fail", {"message": "x%é\n" * times}))
    assert len(text) <= 64 * 1024
    told = payload_of(text)
    assert told["type"] == "ValueError"
    assert (len(told["message"]) > 5000) is (rpc == "ExecuteTool")
    assert told["traceback"].endswith("x%é\n" * 3 + "\n")


@pytest.mark.parametrize(
    ("tool", "arguments", "kind"),
    [
        ("no_such_tool", {}, "ToolNotFound"),
        ("result", {}, "InvalidParameter"),
        ("result", {"kind": "int", "more": 1}, "InvalidParameter"),
        ("result", {"kind": 5}, "InvalidParameter"),
        ("leave", {}, "SystemExit"),  # upstream: the whole worker dies
        ("leave_wordlessly", {}, "Wordless"),
        ("leave_wordlessly", {"nameless": True}, "Nameless"),
    ],
)
@pytest.mark.parametrize("rpc", ["ExecuteTool", "ExecuteStreamingTool"])
def test_what_goes_wrong_is_told_by_its_class(
    worker: Worker, rpc: str, tool: str, arguments: dict[str, Any], kind: str
) -> None:
    told = payload_of(failure_text(worker, rpc, request_for(tool, arguments)))
    assert told["type"] == kind
    assert told["context"]["tool_name"] == tool
    assert worker.answer("result", kind="int") == 7


def test_a_request_that_is_too_large_is_refused_where_anybody_may_ask(worker: Worker) -> None:
    request = request_for("described", {}, binary_parameters={"blob": b"\x00" * 101 * 1024 * 1024})
    if worker.kind == "standalone":
        refused = refusal_of(lambda: worker.ask("ExecuteTool", request, timeout=30))
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert worker.answer("result", kind="int") == 7


def test_an_rpc_that_is_none_is_unimplemented(worker: Worker) -> None:
    call: Any = worker.channel.unary_unary("/snakepit.bridge.BridgeService/Nothing")
    refused = refusal_of(lambda: call(b"", metadata=worker.metadata, timeout=10))
    assert refused.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("junk", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f"])
def test_bytes_that_are_no_message_hurt_nobody(worker: Worker, junk: bytes) -> None:
    for rpc in ("ExecuteTool", "Ping", "InitializeSession"):
        call: Any = worker.channel.unary_unary(f"/snakepit.bridge.BridgeService/{rpc}")
        refused = refusal_of(lambda call=call: call(junk, metadata=worker.metadata, timeout=10))
        assert (refused.code(), "DecodeError" in refused.details()) == (grpc.StatusCode.UNKNOWN, True)
    assert worker.answer("result", kind="int") == 7


# What a tool is told: section 5.


def test_a_tool_sees_session_metadata_and_deadline(worker: Worker) -> None:
    metadata = {"correlation_id": "sp-1", "python_version": "3.11"}
    request = request_for("context", {}, "s9", metadata=metadata)
    reply = worker.ask("ExecuteTool", request, timeout=5, metadata=(("x-snakepit-correlation-id", "sp-other"),))
    context = json.loads(reply.result.value)
    assert context["session_id"] == "s9"
    assert context["request_metadata"] == metadata
    assert 0 < context["remaining"] <= 5.5


def test_the_correlation_id_may_come_as_a_header_or_is_made(worker: Worker) -> None:
    def correlation_id(*headers: tuple[str, str]) -> str:
        reply = worker.ask("ExecuteTool", request_for("context", {}), metadata=headers)
        found: str = json.loads(reply.result.value)["request_metadata"]["correlation_id"]
        return found

    assert correlation_id(("x-snakepit-correlation-id", "sp-header")) == "sp-header"
    made = {correlation_id(), correlation_id()}
    assert len(made) == 2
    assert all(one.startswith("sp-") and len(one) == 27 for one in made)


NO_IDS = ["x\ny", "ü", "a\x00b", "z" * 20_000, " lead"]


@pytest.mark.parametrize("said", NO_IDS, ids=ascii)
def test_what_can_be_no_id_is_replaced_by_a_new_one(worker: Worker, said: str) -> None:
    request = request_for("context", {}, metadata={"correlation_id": said})
    found = json.loads(worker.ask("ExecuteTool", request).result.value)["request_metadata"]["correlation_id"]
    assert found.startswith("sp-")
    assert len(found) == 27


# Telemetry: section 11.


TOGGLE = pb.TelemetryControl(toggle=pb.TelemetryToggle(enabled=True))


def event_of(call: Any, name: str, correlation_id: str) -> Any:
    """The first event of that name and of that call."""
    return next(e for e in call if ".".join(e.event_parts) == name and e.correlation_id == correlation_id)


def run_as(worker: Worker, correlation_id: str) -> None:
    reply = worker.ask("ExecuteTool", request_for("context", {}, metadata={"correlation_id": correlation_id}))
    assert reply.success


def test_telemetry_opens_at_once_and_tells_of_calls(worker: Worker) -> None:
    call = worker.ask("StreamTelemetry", iter([TOGGLE]), timeout=10)
    assert call.initial_metadata() is not None
    run_as(worker, "sp-told")
    event = event_of(call, "tool.execution.stop", "sp-told")
    assert list(event.event_parts) == ["tool", "execution", "stop"]
    assert event.measurements["duration_ms"].float_value >= 0
    assert event.metadata["tool"] == "context"
    assert event.timestamp_ns > 1_700_000_000 * 10**9
    call.cancel()


def test_a_second_telemetry_stream_takes_over_and_none_falls_silent(worker: Worker) -> None:
    # Upstream: the events are split, and when either closes the other falls silent.
    first = worker.ask("StreamTelemetry", iter([TOGGLE]), timeout=10)
    first.initial_metadata()
    second = worker.ask("StreamTelemetry", iter([TOGGLE]), timeout=10)
    second.initial_metadata()
    run_as(worker, "sp-both")
    assert event_of(first, "tool.execution.start", "sp-both")
    assert event_of(second, "tool.execution.start", "sp-both")
    first.cancel()
    run_as(worker, "sp-second")
    assert event_of(second, "tool.execution.start", "sp-second")
    second.cancel()


def test_telemetry_can_be_filtered(worker: Worker) -> None:
    denied = pb.TelemetryControl(filter=pb.TelemetryEventFilter(deny=["tool.execution.start"]))
    call = worker.ask("StreamTelemetry", iter([denied]), timeout=10)
    call.initial_metadata()
    # A control takes effect once it has arrived: the first of these calls may still be told in full.
    for n in range(30):
        run_as(worker, f"sp-filter-{n}")
    names = []
    for event in call:
        names.append((".".join(event.event_parts), event.correlation_id))
        if names[-1] == ("tool.execution.stop", "sp-filter-29"):
            break
    assert ("tool.execution.start", "sp-filter-29") not in names
    call.cancel()


def test_a_telemetry_control_that_cannot_be_read_is_refused(worker: Worker) -> None:
    call: Any = worker.channel.stream_stream("/snakepit.bridge.BridgeService/StreamTelemetry")
    refused = refusal_of(lambda: list(call(iter([b"\xff"]), metadata=worker.metadata, timeout=10)))
    assert (refused.code(), "TelemetryControl" in refused.details()) == (grpc.StatusCode.INVALID_ARGUMENT, True)


# Host tools, of a bridge that is not ours. Our own bridges are asked through RunService.

STANDALONE = pytest.mark.parametrize("worker", ["standalone"], indirect=True)


@STANDALONE
def test_a_tool_calls_host_tools_of_the_bridge(worker: Worker) -> None:
    tools = [pb.ToolSpec(name="double"), pb.ToolSpec(name="broken")]
    worker.bridge.answers["GetExposedElixirTools"] = lambda *_: pb.GetExposedElixirToolsResponse(tools=tools)
    worker.bridge.answers["ExecuteElixirTool"] = host
    arguments = {"x": 4, "s": "text", "n": None, "l": [1, {"k": 2.5}], "b": True}
    assert worker.answer("ask_host", name="double", arguments=arguments) == {"doubled": 8}
    seen = worker.bridge.last("ExecuteElixirTool")
    assert seen.request.session_id == "s1"
    assert {message.type_url for message in seen.request.parameters.values()} == {TEXT_URL}
    assert {key: json.loads(message.value) for key, message in seen.request.parameters.items()} == arguments
    assert seen.headers["x-snakepit-correlation-id"] == seen.request.metadata["correlation_id"]
    broken = payload_of(worker.execute("ask_host", name="broken", arguments={}).error_message)
    assert broken["message"] == "it broke"
    missing = payload_of(worker.execute("ask_host", name="nothing", arguments={}).error_message)
    assert missing["type"] == "ToolNotFound"
    assert "double, broken" in missing["message"]


def host(request: pb.ExecuteElixirToolRequest, _context: Any) -> pb.ExecuteElixirToolResponse:
    if request.tool_name == "broken":
        return pb.ExecuteElixirToolResponse(error_message="it broke")
    doubled = {"doubled": 2 * json.loads(request.parameters["x"].value)}
    return pb.ExecuteElixirToolResponse(success=True, result=any_json(doubled))


@STANDALONE
@pytest.mark.parametrize("said", NO_IDS, ids=ascii)
def test_a_host_tool_answers_whatever_id_its_caller_has_chosen(worker: Worker, said: str) -> None:
    exposed = pb.GetExposedElixirToolsResponse(tools=[pb.ToolSpec(name="double")])
    worker.bridge.answers["GetExposedElixirTools"] = lambda *_: exposed
    worker.bridge.answers["ExecuteElixirTool"] = host
    arguments = {"name": "double", "arguments": {"x": 4}}
    reply = worker.ask("ExecuteTool", request_for("ask_host", arguments, metadata={"correlation_id": said}))
    assert reply.success, reply.error_message
    seen = worker.bridge.last("ExecuteElixirTool")
    assert seen.headers["x-snakepit-correlation-id"] == seen.request.metadata["correlation_id"] != said


@STANDALONE
def test_a_host_tool_that_takes_too_long_ends_with_the_call(worker: Worker) -> None:
    exposed = pb.GetExposedElixirToolsResponse(tools=[pb.ToolSpec(name="slow")])
    worker.bridge.answers["GetExposedElixirTools"] = lambda *_: exposed
    worker.bridge.answers["ExecuteElixirTool"] = lambda _, context: answer_too_late(context)
    request = request_for("ask_host", {"name": "slow", "arguments": {}}, "s-slow")
    refused = refusal_of(lambda: worker.ask("ExecuteTool", request, timeout=0.5))
    assert refused.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert worker.answer("result", kind="int") == 7


def answer_too_late(context: grpc.ServicerContext) -> pb.ExecuteElixirToolResponse:
    eventually(lambda: not context.is_active())
    return pb.ExecuteElixirToolResponse(success=True, result=any_json(3))
