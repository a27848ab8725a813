"""Whatever bytes arrive, the bridge answers with one clear error, or with a result, and lives on."""

import asyncio
import contextlib
import socket
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import run_async

from conformance.bridge import Stranger, stranger_of
from snakepit_jupyter import Client
from snakepit_jupyter.codecs import peer
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import chunk_from_pb

# Longer than any answer takes, shorter than a hang.
PATIENCE = 10.0

BRIDGE_SERVICE = "/snakepit.bridge.BridgeService/"
RUN_SERVICE = "/snakepit.jupyter.v1.RunService/"
UNARY = [
    *(BRIDGE_SERVICE + m.name for m in bridge_pb.DESCRIPTOR.services_by_name["BridgeService"].methods),
    *(RUN_SERVICE + m.name for m in pb.DESCRIPTOR.services_by_name["RunService"].methods),
]
FILES = {
    "snakepit.bridge.BridgeService": bridge_pb.DESCRIPTOR.services_by_name["BridgeService"],
    "snakepit.jupyter.v1.RunService": pb.DESCRIPTOR.services_by_name["RunService"],
}
OPEN = [f"{BRIDGE_SERVICE}StreamTelemetry", f"{RUN_SERVICE}OfferHostTools"]
# How a malformed or senseless request may end; not UNKNOWN: that is an exception nobody expected.
ANSWERS = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
}


@pytest.fixture(scope="module")
def shared(client: Client) -> Client:
    client.start()
    return client


def on_the_bridge(client: Client, scene: Any) -> None:
    async def play() -> None:
        async with stranger_of(client) as stranger:
            await scene(stranger)
            assert (await stranger.ask("Ping", bridge_pb.PingRequest(message="alive"))).message == "pong: alive"

    run_async(play(), within=PATIENCE * 3)


async def send_raw(stranger: Stranger, channel: grpc.aio.Channel, path: str, message: bytes) -> grpc.StatusCode:
    """Send bytes as the one message of a call and read what comes; how it ended.

    Those streams that stay open after a message that can be read are closed after a while.
    """
    stays = path in OPEN and is_message(path, message)
    calling: Any = channel.stream_stream(path)(metadata=stranger.metadata, timeout=PATIENCE)
    try:
        async with asyncio.timeout(0.5 if stays else PATIENCE):
            await calling.write(message)
            await calling.done_writing()
            while await calling.read() is not grpc.aio.EOF:
                pass
    except TimeoutError:
        calling.cancel()
        assert stays, "it got no answer"
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNKNOWN and "DecodeError" in (error.details() or ""):
            return grpc.StatusCode.INVALID_ARGUMENT  # gRPC's own answer to what is no message of ours
        return error.code()
    else:
        assert is_message(path, message), "it was taken for a message"
    return grpc.StatusCode.OK


def is_message(path: str, data: bytes) -> bool:
    """Whether bytes are a message of the kind that an RPC takes."""
    service, name = path.removeprefix("/").split("/")
    method = FILES[service].FindMethodByName(name)
    try:
        GetMessageClass(method.input_type).FromString(data)
    except DecodeError:
        return False
    return True


@pytest.mark.parametrize("path", OPEN)
@pytest.mark.parametrize("message", [b"\xff", b"\xff\xff", b"\x0a\xff\xff\xff\xff\x0f"])
def test_a_stream_that_would_stay_open_is_refused_when_it_begins_with_no_message(
    shared: Client, path: str, message: bytes
) -> None:
    async def scene(stranger: Stranger) -> None:
        bridge = shared._core._bridge
        assert bridge is not None
        async with grpc.aio.insecure_channel(bridge.address) as channel:
            assert await send_raw(stranger, channel, path, message) is grpc.StatusCode.INVALID_ARGUMENT

    on_the_bridge(shared, scene)


@pytest.mark.parametrize("path", UNARY)
def test_any_bytes_as_a_message(shared: Client, path: str) -> None:
    @settings(max_examples=12)
    @given(st.binary(max_size=200))
    def check(message: bytes) -> None:
        async def scene(stranger: Stranger) -> None:
            bridge = shared._core._bridge
            assert bridge is not None
            async with grpc.aio.insecure_channel(bridge.address) as channel:
                assert await send_raw(stranger, channel, path, message) in ANSWERS

        on_the_bridge(shared, scene)

    check()


@settings(max_examples=60)
@given(
    url=st.text(max_size=60), kind=st.sampled_from(["float", "integer", "tensor", "StringValue", ""]), value=st.binary()
)
def test_any_bytes_as_a_parameter(shared: Client, url: str, kind: str, value: bytes) -> None:
    any_value = AnyMessage(type_url=f"{url}/{kind}" if kind else url, value=value)

    async def scene(stranger: Stranger) -> None:
        await stranger.open("s-hostile")
        request = bridge_pb.ExecuteToolRequest(
            session_id="s-hostile", tool_name="echo", parameters={"value": any_value}
        )
        reply = await stranger.ask("ExecuteTool", request, timeout=PATIENCE)
        assert reply.success or "Invalid parameter value: " in reply.error_message

    on_the_bridge(shared, scene)


@settings(max_examples=100)
@given(arguments=st.binary(), encoding=st.integers(0, 3))
def test_any_bytes_as_a_clients_arguments(shared: Client, arguments: bytes, encoding: int) -> None:
    call = pb.ToolCall(call_id="c-hostile", tool="echo", arguments=arguments)
    call.arguments_encoding = encoding  # type: ignore[assignment]  # also numbers that stand for nothing

    async def scene(stranger: Stranger) -> None:
        bridge = shared._core._bridge
        assert bridge is not None
        async with grpc.aio.insecure_channel(bridge.address) as channel:
            execute: Any = channel.unary_unary(
                f"{RUN_SERVICE}Execute",
                request_serializer=pb.ToolCall.SerializeToString,
                response_deserializer=pb.ExecuteReply.FromString,
            )
            reply = await execute(call, metadata=stranger.metadata, timeout=PATIENCE)
            assert reply.failure.code in {"", "invalid_parameter"}, reply.failure

    on_the_bridge(shared, scene)


@given(data=st.binary(), is_final=st.booleans(), metadata=st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_bytes_as_a_peers_chunk(data: bytes, is_final: bool, metadata: dict[str, str]) -> None:
    message = bridge_pb.ToolChunk(data=data, is_final=is_final, metadata=_utf8(metadata))
    envelope = chunk_from_pb(peer.chunk_of(message)).envelope()
    assert envelope["is_final"] is is_final
    assert set(envelope.get("_metadata", {})) == set(_utf8(metadata))


@given(data=st.binary(), encoding=st.integers(0, 3))
def test_any_bytes_as_a_chunk_of_ours_are_a_dict_or_a_value_error(data: bytes, encoding: int) -> None:
    chunk = pb.Chunk(data=data)
    chunk.encoding = encoding  # type: ignore[assignment]
    with contextlib.suppress(ValueError):
        assert isinstance(chunk_from_pb(chunk).envelope(), dict)


@settings(max_examples=40)
@given(st.one_of(st.binary(min_size=1), st.binary().map(lambda rest: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + rest)))
def test_any_bytes_as_a_handshake(shared: Client, greeting: bytes) -> None:
    bridge = shared._core._bridge
    assert bridge is not None
    with socket.socket(socket.AF_UNIX) as plain, contextlib.suppress(ConnectionError):
        plain.connect(bridge.address.removeprefix("unix:"))
        plain.sendall(greeting)
        plain.shutdown(socket.SHUT_WR)
        plain.settimeout(PATIENCE)
        while plain.recv(4096):
            pass

    async def scene(stranger: Stranger) -> None:
        await stranger.open("s-hostile")

    on_the_bridge(shared, scene)


def _utf8(metadata: dict[str, str]) -> dict[str, str]:
    """What protobuf can hold."""
    return {k.encode("utf-8", "replace").decode(): v.encode("utf-8", "replace").decode() for k, v in metadata.items()}
