"""The bridge as a stranger sees it: an address, a token, and the stubs that anybody makes from the proto."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage

from snakepit_jupyter import Client
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as pb_grpc

STRING_VALUE = "type.googleapis.com/google.protobuf.StringValue"


class Stranger:
    """A gRPC client that knows the proto, an address and a token, and nothing else of us."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self.stub: Any = pb_grpc.BridgeServiceStub(channel)
        self.metadata: tuple[tuple[str, str], ...] = (("authorization", f"Bearer {token}"),)

    async def ask(self, rpc: str, request: Any, **options: Any) -> Any:
        return await getattr(self.stub, rpc)(request, metadata=self.metadata, **options)

    async def open(self, session_id: str, metadata: Mapping[str, str] | None = None) -> None:
        request = pb.InitializeSessionRequest(session_id=session_id, metadata=metadata)
        assert (await self.ask("InitializeSession", request)).success

    async def call(self, session_id: str, tool: str, **parameters: Any) -> pb.ExecuteToolResponse:
        reply = await self.ask("ExecuteTool", a_request(session_id, tool, parameters))
        assert isinstance(reply, pb.ExecuteToolResponse)
        return reply

    def stream(self, request: pb.ExecuteToolRequest, **options: Any) -> Any:
        return self.stub.ExecuteStreamingTool(request, metadata=self.metadata, **options)

    async def chunks(self, session_id: str, tool: str, **parameters: Any) -> list[pb.ToolChunk]:
        return [chunk async for chunk in self.stream(a_request(session_id, tool, parameters))]

    async def refusal(self, request: pb.ExecuteToolRequest, **options: Any) -> tuple[grpc.StatusCode, str]:
        """How a stream was refused or broken off."""
        try:
            async for _ in self.stream(request, **options):
                pass
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
        raise AssertionError("the stream ended well")


def a_request(session_id: str, tool: str, parameters: Mapping[str, Any], **further: Any) -> pb.ExecuteToolRequest:
    return pb.ExecuteToolRequest(
        session_id=session_id,
        tool_name=tool,
        parameters={name: as_any(value) for name, value in parameters.items()},
        **further,
    )


def as_any(value: Any) -> AnyMessage:
    return AnyMessage(type_url=STRING_VALUE, value=json.dumps(value).encode())


def value_of(reply: Any) -> Any:
    assert reply.success, reply.error_message
    return json.loads(reply.result.value)


@asynccontextmanager
async def stranger_of(client: Client) -> AsyncIterator[Stranger]:
    """A stranger who was told where this client's bridge is."""
    client.start()
    bridge = client._core._bridge
    assert bridge is not None
    async with grpc.aio.insecure_channel(bridge.address) as channel:
        yield Stranger(channel, bridge.token)
