"""A bridge for workers that are not ours, made of raw messages: it answers, and remembers what it was asked."""

# ruff: noqa: N802 - gRPC gives the methods' names.

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as pb_grpc

HEART = "Heartbeat"


class RecordingBridge(pb_grpc.BridgeServiceServicer):
    """What a foreign worker finds behind its door.

    Args:
        silent: RPCs that get no answer.
        refused: RPCs that get a status.
    """

    def __init__(self, *, silent: frozenset[str] = frozenset(), refused: frozenset[str] = frozenset()) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.silent = silent
        self.refused = refused

    async def _note(self, name: str, request: Any, context: Any) -> None:
        self.seen.append((name, request))
        if name in self.silent:
            await asyncio.get_running_loop().create_future()
        if name in self.refused:
            await context.abort(grpc.StatusCode.INTERNAL, "not today")

    def of(self, name: str) -> list[Any]:
        """The requests of one kind."""
        return [request for seen, request in self.seen if seen == name]

    def order(self, session_id: str) -> list[str]:
        """What was asked of one session, in order; one heartbeat stands for all in a row."""
        names = [name for name, request in self.seen if getattr(request, "session_id", None) == session_id]
        return [name for name, before in zip(names, ["", *names], strict=False) if (name, before) != (HEART, HEART)]

    async def Ping(self, request: Any, context: Any) -> pb.PingResponse:
        await self._note("Ping", request, context)
        return pb.PingResponse(message=f"pong: {request.message}")

    async def InitializeSession(self, request: Any, context: Any) -> pb.InitializeSessionResponse:
        await self._note("InitializeSession", request, context)
        return pb.InitializeSessionResponse(success=True)

    async def CleanupSession(self, request: Any, context: Any) -> pb.CleanupSessionResponse:
        await self._note("CleanupSession", request, context)
        return pb.CleanupSessionResponse(success=True, resources_cleaned=1)

    async def GetSession(self, request: Any, context: Any) -> pb.GetSessionResponse:
        await self._note("GetSession", request, context)
        return pb.GetSessionResponse(session_id=request.session_id)

    async def Heartbeat(self, request: Any, context: Any) -> pb.HeartbeatResponse:
        await self._note(HEART, request, context)
        return pb.HeartbeatResponse(session_valid=True)

    async def RegisterTools(self, request: Any, context: Any) -> pb.RegisterToolsResponse:
        await self._note("RegisterTools", request, context)
        return pb.RegisterToolsResponse(success=True)

    async def GetExposedElixirTools(self, request: Any, context: Any) -> pb.GetExposedElixirToolsResponse:
        await self._note("GetExposedElixirTools", request, context)
        return pb.GetExposedElixirToolsResponse(tools=[pb.ToolSpec(name="add")])

    async def ExecuteElixirTool(self, request: Any, context: Any) -> pb.ExecuteElixirToolResponse:
        await self._note("ExecuteElixirTool", request, context)
        response = pb.ExecuteElixirToolResponse(success=True)
        response.result.value = b"[42]"
        return response

    async def ExecuteTool(self, request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "")

    async def ExecuteStreamingTool(self, request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
        yield

    async def StreamTelemetry(self, request_iterator: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
        yield


class RecordingDoors:
    """A door for each worker, all of them to one bridge."""

    address = ""
    token = ""

    def __init__(self, directory: Path, bridge: RecordingBridge) -> None:
        self._directory = directory
        self._bridge = bridge
        self.servers: dict[str, grpc.aio.Server] = {}

    def peer(self, worker_id: str) -> AbstractAsyncContextManager[str]:
        return self._peer(worker_id)

    @asynccontextmanager
    async def _peer(self, worker_id: str) -> AsyncIterator[str]:
        path = self._directory / f"{worker_id}-door.sock"
        server = grpc.aio.server()
        pb_grpc.add_BridgeServiceServicer_to_server(self._bridge, server)
        server.add_insecure_port(f"unix:{path}")
        await server.start()
        self.servers[worker_id] = server
        try:
            yield f"unix:{path}"
        finally:
            await server.stop(None)
            path.unlink(missing_ok=True)
