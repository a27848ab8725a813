"""Every RPC of the bridge but the stream's, driven with raw stubs: section 6 of the wire contract."""

import time
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import StringValue
from waiting import run_async

from conformance.bridge import Stranger, a_request, as_any, stranger_of, value_of
from snakepit_jupyter import Client
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb


def with_stranger(client: Client, scene: Any) -> None:
    async def play() -> None:
        async with stranger_of(client) as stranger:
            await scene(stranger)

    run_async(play())


def test_ping_answers_with_the_text_and_the_time_in_whole_seconds(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        reply = await stranger.ask("Ping", pb.PingRequest(message="hello"))
        assert reply.message == "pong: hello"
        assert abs(reply.server_time.seconds - time.time()) < 5
        assert reply.server_time.nanos == 0

    with_stranger(client, scene)


@pytest.mark.parametrize("token", ["", "a guess"])
def test_without_the_token_no_rpc_is_answered(client: Client, token: str) -> None:
    async def scene(stranger: Stranger) -> None:
        stranger.metadata = (("authorization", f"Bearer {token}"),)
        for rpc, request in [
            ("Ping", pb.PingRequest()),
            ("InitializeSession", pb.InitializeSessionRequest(session_id="s")),
            ("CleanupSession", pb.CleanupSessionRequest(session_id="s")),
            ("GetSession", pb.GetSessionRequest(session_id="s")),
            ("Heartbeat", pb.HeartbeatRequest(session_id="s")),
            ("ExecuteTool", a_request("s", "ping", {})),
            ("RegisterTools", pb.RegisterToolsRequest(session_id="s")),
            ("GetExposedElixirTools", pb.GetExposedElixirToolsRequest(session_id="s")),
            ("ExecuteElixirTool", pb.ExecuteElixirToolRequest(session_id="s")),
        ]:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stranger.ask(rpc, request)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED, rpc
        assert (await stranger.refusal(a_request("s", "count", {})))[0] is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stranger.stub.StreamTelemetry(iter(()), metadata=stranger.metadata):
                pass
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

    with_stranger(client, scene)


# Sessions.


def test_a_session_is_opened_kept_and_closed(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s-life", {"owner": "a test"})
        await stranger.open("s-life")  # the worker asks before every call: it changes nothing
        session = await stranger.ask("GetSession", pb.GetSessionRequest(session_id="s-life"))
        assert (session.session_id, dict(session.metadata), session.tool_count) == ("s-life", {"owner": "a test"}, 0)
        assert abs(session.created_at.seconds - time.time()) < 30
        beat = await stranger.ask("Heartbeat", pb.HeartbeatRequest(session_id="s-life"))
        assert beat.session_valid
        assert abs(beat.server_time.seconds - time.time()) < 5
        cleaned = await stranger.ask("CleanupSession", pb.CleanupSessionRequest(session_id="s-life"))
        assert (cleaned.success, cleaned.resources_cleaned) == (True, 1)
        assert not (await stranger.ask("Heartbeat", pb.HeartbeatRequest(session_id="s-life"))).session_valid
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stranger.ask("GetSession", pb.GetSessionRequest(session_id="s-life"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert caught.value.details() == "Session not found: s-life"

    with_stranger(client, scene)


@pytest.mark.parametrize("session_id", ["", " ", "x" * 257])
def test_what_is_no_id_opens_no_session(client: Client, session_id: str) -> None:
    async def scene(stranger: Stranger) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stranger.ask("InitializeSession", pb.InitializeSessionRequest(session_id=session_id))
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "invalid_parameter" in (caught.value.details() or "")

    with_stranger(client, scene)


def test_one_session_too_many_is_refused_and_those_there_are_go_on() -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s-1")
        await stranger.open("s-2")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stranger.ask("InitializeSession", pb.InitializeSessionRequest(session_id="s-3"))
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert (caught.value.details() or "").startswith("session_quota_exceeded")
        await stranger.open("s-1")
        assert value_of(await stranger.call("s-2", "ping"))["message"] == "pong: ping"

    with Client(pool_size=1, session_id="", max_sessions=2) as client:
        with_stranger(client, scene)


def test_metadata_of_a_session_reaches_its_tools(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s-meta", {"owner": "a test"})
        assert value_of(await stranger.call("s-meta", "session_metadata")) == {"owner": "a test"}

    with_stranger(client, scene)


# Registered tools.


def a_registration(name: str, **metadata: str) -> pb.ToolRegistration:
    return pb.ToolRegistration(name=name, metadata=metadata)


async def register(stranger: Stranger, session_id: str, *tools: pb.ToolRegistration, worker: str = "ghost") -> Any:
    request = pb.RegisterToolsRequest(session_id=session_id, tools=tools, worker_id=worker)
    return await stranger.ask("RegisterTools", request)


def test_tools_are_registered_all_or_none(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        assert (await register(stranger, "s-none", a_registration("a"))).error_message == "not_found"
        await stranger.open("s-tools")
        reply = await register(stranger, "s-tools", a_registration(" a "), a_registration("b.c-d_1"))
        assert reply.success
        assert dict(reply.tool_ids) == {"a": "s-tools:a", "b.c-d_1": "s-tools:b.c-d_1"}
        refused = await register(stranger, "s-tools", a_registration("new"), a_registration("a"))
        assert not refused.success
        assert "duplicate_tool" in refused.error_message
        session = await stranger.ask("GetSession", pb.GetSessionRequest(session_id="s-tools"))
        assert session.tool_count == 2

    with_stranger(client, scene)


@pytest.mark.parametrize(
    "tool",
    [
        a_registration(""),
        a_registration("-a"),
        a_registration("a b"),
        a_registration("ä"),
        a_registration("x" * 65),
        a_registration("a", **{f"k{n}": "v" for n in range(33)}),
        a_registration("a", k="v" * 4096),
    ],
)
def test_what_is_no_tool_is_not_registered(client: Client, tool: pb.ToolRegistration) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s-wrong")
        reply = await register(stranger, "s-wrong", a_registration("good"), tool)
        assert not reply.success
        assert reply.error_message.startswith(("invalid_tool_name", "invalid_metadata"))
        session = await stranger.ask("GetSession", pb.GetSessionRequest(session_id="s-wrong"))
        assert session.tool_count == 0

    with_stranger(client, scene)


def test_a_session_has_a_quota_of_registered_tools() -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        assert (await register(stranger, "s", a_registration("a"), a_registration("b"))).success
        refused = await register(stranger, "s", a_registration("c"))
        assert not refused.success
        assert "the session s would have more than 2" in refused.error_message

    with Client(pool_size=1, session_id="", max_programs_per_session=2) as client:
        with_stranger(client, scene)


# Plain calls.


def test_a_plain_call_gives_its_result_as_json_and_says_how_long_it_took(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        reply = await stranger.call("s", "compute", operation="add", a=5, b=3)
        assert value_of(reply)["result"] == 8
        assert reply.result.type_url.endswith("google.protobuf.StringValue")
        assert reply.metadata["tool_type"] == "remote"
        assert int(reply.metadata["execution_time"]) >= 0

    with_stranger(client, scene)


@pytest.mark.parametrize(
    ("session_id", "tool", "parameters", "message"),
    [
        ("s-unknown", "ping", {}, "Session not found: s-unknown"),
        ("s", "pong", {}, "Tool pong not found for session s"),
        ("s", "count", {}, "the tool 'count' streams its results"),
        ("s", "raise_deeply", {"message": "no"}, "Remote tool execution failed: ValueError: no"),
        ("s", "compute", {"operation": "add", "a": 5, "c": 1}, "Invalid parameter c: "),
        ("s", "typed", {"name": 3}, "Remote tool execution failed: Invalid parameter name: "),
    ],
)
def test_a_plain_calls_failure_is_an_answer(
    client: Client, session_id: str, tool: str, parameters: dict[str, Any], message: str
) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        reply = await stranger.call(session_id, tool, **parameters)
        assert not reply.success
        assert reply.error_message.startswith(message)

    with_stranger(client, scene)


@pytest.mark.parametrize(
    "wrong",
    [
        AnyMessage(type_url="type.googleapis.com/google.protobuf.StringValue", value=b"{not json"),
        AnyMessage(type_url="type.googleapis.com/snakepit.integer", value=b'"no number"'),
        AnyMessage(),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(client: Client, wrong: AnyMessage) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        request = pb.ExecuteToolRequest(session_id="s", tool_name="say", parameters={"text": wrong})
        reply = await stranger.ask("ExecuteTool", request)
        assert not reply.success
        assert "Invalid parameter text: " in reply.error_message

    with_stranger(client, scene)


@pytest.mark.parametrize(
    "text",
    [
        AnyMessage(type_url="type.googleapis.com/google.protobuf.StringValue", value=b'"hello"'),
        AnyMessage(
            type_url="type.googleapis.com/google.protobuf.StringValue",
            value=StringValue(value="hello").SerializeToString(),
        ),
        AnyMessage(type_url="type.googleapis.com/google.protobuf.Value", value=b'"hello"'),
        AnyMessage(value=b'"hello"'),
    ],
)
def test_parameters_in_each_encoding_arrive(client: Client, text: AnyMessage) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        request = pb.ExecuteToolRequest(session_id="s", tool_name="say", parameters={"text": text})
        assert value_of(await stranger.ask("ExecuteTool", request)) == "HELLO"

    with_stranger(client, scene)


def test_binary_parameters_arrive_as_bytes_and_win_and_bytes_come_back(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        blob = bytes(range(256))
        reply = await stranger.ask("ExecuteTool", a_request("s", "bytes_back", {}, binary_parameters={"blob": blob}))
        assert (reply.success, reply.binary_result, reply.result.value) == (True, blob[::-1], b"{}")
        request = a_request("s", "bytes_back", {"blob": "text"}, binary_parameters={"blob": b"ab"})
        assert (await stranger.ask("ExecuteTool", request)).binary_result == b"ba"

    with_stranger(client, scene)


def test_the_correlation_id_is_the_requests_else_the_headers_else_a_new_one(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        said = a_request("s", "correlation", {}, metadata={"correlation_id": "mine"})
        assert value_of(await stranger.ask("ExecuteTool", said)) == "mine"
        silent = a_request("s", "correlation", {})
        made = value_of(await stranger.ask("ExecuteTool", silent))
        assert made.startswith("sp-")
        assert len(made) == 27
        stranger.metadata = (*stranger.metadata, ("x-snakepit-correlation-id", "of the header"))
        assert value_of(await stranger.ask("ExecuteTool", silent)) == "of the header"
        assert value_of(await stranger.ask("ExecuteTool", said)) == "mine"

    with_stranger(client, scene)


def test_a_call_is_given_up_after_the_timeout_it_names(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        request = a_request("s", "nap", {"path": "/dev/null"}, metadata={"timeout_ms": "300"})
        reply = await stranger.ask("ExecuteTool", request)
        assert not reply.success
        assert "was given up after" in reply.error_message
        assert reply.metadata["error_code"] == "worker_timeout"

    with_stranger(client, scene)


@pytest.mark.parametrize("timeout", ["0", "-5", "5.5", "soon", "1e3", " 5", "", "9" * 400])
def test_a_timeout_that_is_none_is_ignored(client: Client, timeout: str) -> None:
    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        reply = await stranger.ask("ExecuteTool", a_request("s", "ping", {}, metadata={"timeout_ms": timeout}))
        assert reply.success

    with_stranger(client, scene)


# Host tools.


def test_host_tools_are_listed_and_called_in_all_encodings_of_the_contract(client: Client) -> None:
    def describe(value: Any, times: int = 1) -> dict[str, Any]:
        """Say what came."""
        return {"type": type(value).__name__, "value": value, "times": times}

    client.register_host_tool(describe)
    packed = AnyMessage(type_url=as_any("").type_url, value=StringValue(value="[1, 2]").SerializeToString())
    number = AnyMessage(type_url="type.googleapis.com/google.protobuf.Value", value=b"3")

    async def scene(stranger: Stranger) -> None:
        listed = await stranger.ask("GetExposedElixirTools", pb.GetExposedElixirToolsRequest(session_id="any"))
        (tool,) = [tool for tool in listed.tools if tool.name == "describe"]
        assert tool.description == "Say what came."
        assert [(p.name, p.required) for p in tool.parameters] == [("value", True), ("times", False)]
        await stranger.open("s")
        for value, kind, arrived in [(as_any({"k": [1]}), "dict", {"k": [1]}), (packed, "str", "[1, 2]")]:
            request = pb.ExecuteElixirToolRequest(
                session_id="s", tool_name="describe", parameters={"value": value, "times": number}
            )
            reply = await stranger.ask("ExecuteElixirTool", request)
            assert value_of(reply) == {"type": kind, "value": arrived, "times": 3}

    with_stranger(client, scene)


def test_a_host_tool_called_like_a_workers_tool_is_local(client: Client) -> None:
    client.register_host_tool(lambda blob: blob + b"!", name="shout")

    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        reply = await stranger.ask("ExecuteTool", a_request("s", "shout", {}, binary_parameters={"blob": b"hey"}))
        assert (reply.binary_result, reply.metadata["tool_type"]) == (b"hey!", "local")

    with_stranger(client, scene)


def fails(why: str) -> None:
    raise KeyError(why)


@pytest.mark.parametrize(
    ("session_id", "tool", "message"),
    [
        ("s-unknown", "fails", "not_found"),
        ("s", "nothing", "Tool nothing not found for session s"),
        ("s", "ping", "Invalid parameter tool_name: ping is a worker's tool, not a host tool"),
        ("s", "fails", "KeyError: 'because'"),
    ],
)
def test_a_host_tools_failure_is_an_answer(client: Client, session_id: str, tool: str, message: str) -> None:
    client.register_host_tool(fails)

    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        request = pb.ExecuteElixirToolRequest(
            session_id=session_id, tool_name=tool, parameters={"why": as_any("because")}
        )
        reply = await stranger.ask("ExecuteElixirTool", request)
        assert (reply.success, reply.error_message) == (False, message)

    with_stranger(client, scene)


def test_a_host_tools_parameter_that_cannot_be_read_is_named(client: Client) -> None:
    client.register_host_tool(fails)

    async def scene(stranger: Stranger) -> None:
        await stranger.open("s")
        request = pb.ExecuteElixirToolRequest(
            session_id="s", tool_name="fails", parameters={"why": AnyMessage(value=b"{")}
        )
        reply = await stranger.ask("ExecuteElixirTool", request)
        assert (reply.success, reply.error_message[:23]) == (False, "Invalid parameter why: ")

    with_stranger(client, scene)
