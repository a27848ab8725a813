"""The worker's face to Snakepit's peers: BridgeService over gRPC, after section 7 of the wire contract.

Translation only. A unary failure is an answer (`success=false`), a stream's is a status; both carry the same
JSON. What belongs to sessions is asked of the bridge, whose answer is passed on as it is.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from snakepit_jupyter import values
from snakepit_jupyter.codecs import peer
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import ENCODINGS, failure_from_pb
from snakepit_jupyter.codecs.telemetry import stream
from snakepit_jupyter.errors import Failure, InvalidParameter, SnakepitError
from snakepit_jupyter.messages import Call, Deadline
from snakepit_jupyter.worker.calls import updates_of
from snakepit_jupyter.worker.link import BridgeLink
from snakepit_jupyter.worker.peer_sessions import PeerSessions
from snakepit_jupyter.worker.runtime import Runtime
from snakepit_jupyter.worker.telemetry import EMITTER

# Seconds that a call whose caller has gone may go on, until KeyboardInterrupt is raised in it.
CANCEL_GRACE = 0.5
FORMAT = "binary_format:"
STOPPED = "the worker stopped the call"


class PeerService(bridge_grpc.BridgeServiceServicer):
    """Requests of a peer, handed to the runtime.

    Args:
        runtime: what runs the tools.
        link: the way to the bridge that keeps the sessions, if there is one.
        sessions: what is owed to that bridge for each session, if it is a foreign one.
        print_text: where lines go that a tool printed, as a peer has no place for them.
    """

    def __init__(
        self,
        runtime: Runtime,
        link: BridgeLink | None = None,
        sessions: PeerSessions | None = None,
        print_text: Callable[[pb.Chunk], None] | None = None,
    ) -> None:
        self._runtime = runtime
        self._link = link
        self._sessions = sessions
        self._print_text = print_text

    async def Ping(self, request: bridge_pb.PingRequest, context: Any) -> bridge_pb.PingResponse:
        now = Timestamp()
        now.GetCurrentTime()
        return bridge_pb.PingResponse(message=f"pong: {request.message}", server_time=now)

    # Sessions: the bridge's.

    async def InitializeSession(
        self, request: bridge_pb.InitializeSessionRequest, context: Any
    ) -> bridge_pb.InitializeSessionResponse:
        reply: bridge_pb.InitializeSessionResponse = await self._ask_bridge("InitializeSession", request, context)
        self._seen(request.session_id)
        return reply

    async def GetSession(self, request: bridge_pb.GetSessionRequest, context: Any) -> bridge_pb.GetSessionResponse:
        reply: bridge_pb.GetSessionResponse = await self._ask_bridge("GetSession", request, context)
        self._seen(request.session_id)
        return reply

    async def Heartbeat(self, request: bridge_pb.HeartbeatRequest, context: Any) -> bridge_pb.HeartbeatResponse:
        reply: bridge_pb.HeartbeatResponse = await self._ask_bridge("Heartbeat", request, context)
        return reply

    async def CleanupSession(
        self, request: bridge_pb.CleanupSessionRequest, context: Any
    ) -> bridge_pb.CleanupSessionResponse:
        if self._sessions:
            self._sessions.drop(request.session_id)
        self._runtime.close_session(request.session_id, lambda _closed: None)
        reply: bridge_pb.CleanupSessionResponse = await self._ask_bridge("CleanupSession", request, context)
        return reply

    def _seen(self, session_id: str) -> None:
        if self._sessions:
            self._sessions.beat(session_id)

    async def _ask_bridge(self, method: str, request: Any, context: Any) -> Any:
        if self._link is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "this worker knows no bridge that keeps its sessions")
            raise AssertionError("abort raises")
        headers = self._link.headers(peer.correlation_id({}, _headers_of(context)))
        try:
            rpc = getattr(self._link.peer, method)
            return await rpc(request, timeout=context.time_remaining(), metadata=headers)
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "")

    # Tools of this worker.

    async def ExecuteTool(self, request: bridge_pb.ExecuteToolRequest, context: Any) -> bridge_pb.ExecuteToolResponse:
        started = time.monotonic()
        try:
            call, arguments = await self._call(request, context, streaming=False)
        except SnakepitError as error:
            return _refusal(error.failure(), request, {}, started)
        end = await self._end_of(call)
        if end.outcome == pb.OUTCOME_STOPPED:
            await context.abort(grpc.StatusCode.UNAVAILABLE, STOPPED)
        if end.outcome == pb.OUTCOME_FAILED:
            return _refusal(failure_from_pb(end.failure), request, arguments, started)
        return peer.execute_response(end.result, ENCODINGS[end.result_encoding], {}, _ms_since(started))

    async def _end_of(self, call: Call) -> pb.CallEnd:
        end = pb.CallEnd()
        async with aclosing(updates_of(self._runtime, call, interrupt_after=CANCEL_GRACE)) as updates:
            async for update in updates:
                self._print(update)
                end = update.end
        return end

    # The streams write, where others yield: gRPC tells a handler that waits in a `yield` for a slow reader nothing of
    # that reader's going.

    async def ExecuteStreamingTool(  # type: ignore[override]
        self, request: bridge_pb.ExecuteToolRequest, context: Any
    ) -> None:
        try:
            call, arguments = await self._call(request, context, streaming=True)
        except SnakepitError as error:
            await _abort(error.failure(), request, {}, context)
        end = await self._write_chunks(call, context)
        if end.outcome == pb.OUTCOME_STOPPED:
            await context.abort(grpc.StatusCode.UNAVAILABLE, STOPPED)
        if end.outcome == pb.OUTCOME_FAILED:
            await _abort(failure_from_pb(end.failure), request, arguments, context)

    async def _write_chunks(self, call: Call, context: Any) -> pb.CallEnd:
        number = 0
        end = pb.CallEnd()
        async with aclosing(updates_of(self._runtime, call, interrupt_after=CANCEL_GRACE)) as updates:
            async for update in updates:
                self._print(update)
                for chunk in update.chunks:
                    if chunk.kind == pb.CHUNK_KIND_DATA:
                        number += 1
                        await context.write(peer.tool_chunk(chunk, f"{call.tool}-{number}"))
                end = update.end
        return end

    async def _call(
        self, request: bridge_pb.ExecuteToolRequest, context: Any, *, streaming: bool
    ) -> tuple[Call, dict[str, Any]]:
        """The request as a call, and its arguments, once the bridge knows of its session.

        Raises:
            InvalidParameter: if an argument cannot be read.
        """
        _refuse_pickle(request)
        arguments = peer.decode_parameters(request.parameters)
        written = values.encode(arguments)
        call = Call(
            request.tool_name,
            written.data,
            request.session_id,
            streaming=streaming,
            deadline=Deadline.after(context.time_remaining()),
            labels=dict(request.metadata),
            encoding=written.encoding,
            binary=dict(request.binary_parameters),
            plain=True,
            correlation_id=peer.correlation_id(request.metadata, _headers_of(context)),
        )
        if self._sessions:
            await self._sessions.ensure(request.session_id, call.correlation_id)
        return call, arguments

    def _print(self, update: pb.CallUpdate) -> None:
        if self._print_text:
            for chunk in update.chunks:
                if chunk.kind != pb.CHUNK_KIND_DATA:
                    self._print_text(chunk)

    # The bridge's own.

    async def RegisterTools(self, request: bridge_pb.RegisterToolsRequest, context: Any) -> NoReturn:
        await _elsewhere("a worker registers its tools with its bridge", context)

    async def GetExposedElixirTools(self, request: bridge_pb.GetExposedElixirToolsRequest, context: Any) -> NoReturn:
        await _elsewhere("host tools are the bridge's", context)

    async def ExecuteElixirTool(self, request: bridge_pb.ExecuteElixirToolRequest, context: Any) -> NoReturn:
        await _elsewhere("host tools are the bridge's", context)

    # What tools tell.

    async def StreamTelemetry(  # type: ignore[override]
        self, request_iterator: AsyncIterator[bridge_pb.TelemetryControl], context: Any
    ) -> None:
        told = stream(EMITTER, request_iterator, lambda: context.send_initial_metadata(()))
        try:
            async with aclosing(told) as events:
                async for event in events:
                    await context.write(event)
        except InvalidParameter as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)


def _refuse_pickle(request: bridge_pb.ExecuteToolRequest) -> None:
    """Unpickling runs whatever the sender likes; Snakepit's workers do it when they are asked to."""
    for key, value in request.metadata.items():
        if key.startswith(FORMAT) and value.strip().lower() == "pickle":
            name = key.removeprefix(FORMAT)
            raise InvalidParameter(
                f"the argument {name!r} is wrong: pickled values are not read",
                hint="Send bytes without that format, or the value as JSON.",
                details={"key": name},
            )


def _headers_of(context: Any) -> Mapping[str, str | bytes]:
    return dict(context.invocation_metadata() or ())


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _refusal(
    failure: Failure, request: bridge_pb.ExecuteToolRequest, arguments: Mapping[str, Any], started: float
) -> bridge_pb.ExecuteToolResponse:
    message = peer.error_answer(failure, request.tool_name, request.session_id, arguments)
    return bridge_pb.ExecuteToolResponse(error_message=message, execution_time_ms=_ms_since(started))


async def _abort(
    failure: Failure, request: bridge_pb.ExecuteToolRequest, arguments: Mapping[str, Any], context: Any
) -> NoReturn:
    details = peer.error_payload(failure, request.tool_name, request.session_id, arguments)
    await context.abort(grpc.StatusCode.INTERNAL, details)
    raise AssertionError("abort raises")


async def _elsewhere(why: str, context: Any) -> NoReturn:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{why}: ask the bridge")
    raise AssertionError("abort raises")
