"""The bridge's face to Snakepit's peers: BridgeService over gRPC, after sections 4.3 and 6 of the wire contract.

Translation only. Unary failures are answers (`success=false`), a stream's are statuses.
"""

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from snakepit_jupyter import redaction, values
from snakepit_jupyter.bridge.bridge import Bridge
from snakepit_jupyter.bridge.grpc import execute_reply
from snakepit_jupyter.bridge.registry import Registered
from snakepit_jupyter.bridge.run import BridgeRun
from snakepit_jupyter.bridge.statuses import sentence, status_of
from snakepit_jupyter.codecs import peer
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.peer_values import TEXT_URL
from snakepit_jupyter.codecs.protobuf import ENCODING_NUMBERS, ENCODINGS, failure_from_pb, failure_to_pb
from snakepit_jupyter.codecs.telemetry import stream
from snakepit_jupyter.errors import (
    Failure,
    InvalidParameter,
    SessionNotFound,
    SessionWorkerUnavailable,
    SnakepitError,
    StreamingNotSupported,
    StreamingRequired,
    ToolNotFound,
)
from snakepit_jupyter.messages import Call, Deadline, ToolInfo

# A positive number, and nothing else beside it; anything else is ignored.
TIMEOUT = re.compile(r"0*[1-9][0-9]{0,14}", re.ASCII)
LOCAL, REMOTE = "local", "remote"
Request = bridge_pb.ExecuteToolRequest | bridge_pb.ExecuteElixirToolRequest


class PeerService(bridge_grpc.BridgeServiceServicer):
    """Requests of any gRPC client, and of a peer's worker, handed to the bridge.

    Args:
        bridge: what does the work.
        worker_id: the worker behind this door; "" at a door that is anybody's.
        outward: whether what is said here leaves the machine.
    """

    def __init__(self, bridge: Bridge, *, worker_id: str = "", outward: bool = False) -> None:
        self._bridge = bridge
        self._worker_id = worker_id
        self._outward = outward
        self._opened: set[str] = set()

    # Who is there.

    async def Ping(self, request: bridge_pb.PingRequest, context: Any) -> bridge_pb.PingResponse:
        return bridge_pb.PingResponse(message=f"pong: {request.message}", server_time=_now())

    async def InitializeSession(
        self, request: bridge_pb.InitializeSessionRequest, context: Any
    ) -> bridge_pb.InitializeSessionResponse:
        if self._worker_id and request.session_id not in self._bridge.sessions:
            self._opened.add(request.session_id)
        try:
            self._bridge.open_session(request.session_id, dict(request.metadata))
        except SnakepitError as error:
            await context.abort(grpc.StatusCode.INTERNAL, peer.status_details(f"{error.code}: {error.message}"))
        return bridge_pb.InitializeSessionResponse(success=True)

    def forget_opened(self) -> None:
        """The worker behind this door has gone: the session it had opened for itself goes with it."""
        for session_id in self._opened:
            self._bridge.forget_session(session_id)

    async def GetSession(self, request: bridge_pb.GetSessionRequest, context: Any) -> bridge_pb.GetSessionResponse:
        try:
            session = self._bridge.sessions.get(request.session_id)
        except SessionNotFound as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, peer.status_details(error.message))
        created = Timestamp()
        created.FromMicroseconds(round(session.created_at * 1e6))
        return bridge_pb.GetSessionResponse(
            session_id=session.session_id,
            metadata=session.metadata,
            created_at=created,
            tool_count=self._bridge.registry.count(session.session_id),
        )

    async def CleanupSession(
        self, request: bridge_pb.CleanupSessionRequest, context: Any
    ) -> bridge_pb.CleanupSessionResponse:
        if self._worker_id:  # a worker that passes on what the bridge has asked it
            self._bridge.forget_session(request.session_id)
            return bridge_pb.CleanupSessionResponse(success=True, resources_cleaned=1)
        cleaned = await self._bridge.close_session(request.session_id)
        return bridge_pb.CleanupSessionResponse(success=True, resources_cleaned=max(1, cleaned))

    async def Heartbeat(self, request: bridge_pb.HeartbeatRequest, context: Any) -> bridge_pb.HeartbeatResponse:
        if self._worker_id:  # a worker beats for every session it has ever seen: that is no use of them
            valid = request.session_id in self._bridge.sessions
        else:
            valid = self._bridge.sessions.touch(request.session_id, time.monotonic())
        return bridge_pb.HeartbeatResponse(server_time=_now(), session_valid=valid)

    # Tools of peers.

    async def RegisterTools(
        self, request: bridge_pb.RegisterToolsRequest, context: Any
    ) -> bridge_pb.RegisterToolsResponse:
        try:
            self._register(request)
        except SessionNotFound:
            return bridge_pb.RegisterToolsResponse(error_message="not_found")
        except SnakepitError as error:
            return bridge_pb.RegisterToolsResponse(error_message=peer.answer_text(f"{error.message}. {error.hint}"))
        names = (tool.name.strip() for tool in request.tools)
        return bridge_pb.RegisterToolsResponse(
            success=True, tool_ids={name: f"{request.session_id}:{name}" for name in names}
        )

    def _register(self, request: bridge_pb.RegisterToolsRequest) -> None:
        self._bridge.sessions.get(request.session_id)
        tools = [_registered(tool, self._worker_id or request.worker_id) for tool in request.tools]
        if self._worker_id:
            self._bridge.learn(tool.info for tool in tools)
            # A worker registers its adapter's tools in each session, and so does the next worker of that session.
            tools = [t for t in tools if not self._bridge.registry.find(request.session_id, t.info.name)]
        self._bridge.registry.register(request.session_id, tools)

    # Host tools.

    async def GetExposedElixirTools(
        self, request: bridge_pb.GetExposedElixirToolsRequest, context: Any
    ) -> bridge_pb.GetExposedElixirToolsResponse:
        tools = self._bridge.host_tools.of_session(request.session_id)
        return bridge_pb.GetExposedElixirToolsResponse(tools=[_host_tool_spec(tool) for tool in tools])

    async def ExecuteElixirTool(
        self, request: bridge_pb.ExecuteElixirToolRequest, context: Any
    ) -> bridge_pb.ExecuteElixirToolResponse:
        started = time.monotonic()
        try:
            self._bridge.sessions.get(request.session_id)
            reply = await self._call_host_tool(request, peer.decode_parameters(request.parameters), context)
        except SessionNotFound:
            return bridge_pb.ExecuteElixirToolResponse(error_message="not_found")
        except SnakepitError as error:
            return bridge_pb.ExecuteElixirToolResponse(
                error_message=peer.answer_text(sentence(self._said(error.failure())))
            )
        answer = self._answer(reply, started, LOCAL)
        return bridge_pb.ExecuteElixirToolResponse.FromString(answer.SerializeToString())

    async def _call_host_tool(
        self,
        request: Request,
        arguments: Mapping[str, Any],
        context: Any,
    ) -> pb.ExecuteReply:
        if not self._bridge.host_tools.offers(request.session_id, request.tool_name):
            await self._find(_asked(request, context, streaming=False))
            raise InvalidParameter(
                f"{request.tool_name} is a worker's tool, not a host tool",
                hint="Call it with ExecuteTool or ExecuteStreamingTool.",
                details={"key": "tool_name"},
            )
        payload = values.encode(arguments)
        call = pb.HostToolCall(
            session_id=request.session_id,
            tool=request.tool_name,
            arguments=payload.data,
            arguments_encoding=ENCODING_NUMBERS[payload.encoding],
            timeout=_timeout(request.metadata, context) or 0.0,
            correlation_id=_correlation_id(request.metadata, context),
            plain=True,
        )
        return await self._bridge.host_tools.call(call, client_id="")

    # Calls.

    async def ExecuteTool(self, request: bridge_pb.ExecuteToolRequest, context: Any) -> bridge_pb.ExecuteToolResponse:
        started = time.monotonic()
        asked = _asked(request, context, streaming=False)
        kind = REMOTE
        try:
            if self._bridge.host_tools.offers(request.session_id, request.tool_name):
                kind = LOCAL
                self._bridge.sessions.get(request.session_id)
                arguments = {**peer.decode_parameters(request.parameters), **request.binary_parameters}
                reply = await self._call_host_tool(request, arguments, context)
            else:
                reply = execute_reply(await self._bridge.execute(await self._checked(asked, request)))
        except SnakepitError as error:
            reply = pb.ExecuteReply(failure=failure_to_pb(error.failure()))
        return self._answer(reply, started, kind)

    def _answer(self, reply: pb.ExecuteReply, started: float, kind: str) -> bridge_pb.ExecuteToolResponse:
        took = round((time.monotonic() - started) * 1000)
        metadata = {"execution_time": str(took), "tool_type": kind}
        if reply.HasField("failure"):
            failure = self._said(failure_from_pb(reply.failure))
            # The contract's words for what a worker has seen.
            where = "Remote tool execution failed: " if reply.worker_id else ""
            return bridge_pb.ExecuteToolResponse(
                error_message=peer.answer_text(where + sentence(failure)),
                metadata={**metadata, "error_code": failure.code},
                execution_time_ms=took,
            )
        response = peer.execute_response(reply.result, ENCODINGS[reply.encoding], metadata, took)
        if response.binary_result:
            response.result.value = b"{}"
        if response.binary_result or response.result.value:
            response.result.type_url = TEXT_URL  # whatever kind of JSON it is: section 3.1 of the wire contract
        return response

    # What streams is written, not yielded: gRPC tells a handler that waits in a `yield` nothing of its reader's going.

    async def ExecuteStreamingTool(  # type: ignore[override]
        self, request: bridge_pb.ExecuteToolRequest, context: Any
    ) -> None:
        asked = _asked(request, context, streaming=True)
        try:
            run = await self._bridge.start_run(await self._checked(asked, request), held=True)
        except SnakepitError as error:
            await self._abort(context, error.failure(), request)
        try:  # whoever stops listening stops the tool
            async with aclosing(self._relay(run)) as chunks:
                async for chunk in chunks:
                    await context.write(chunk)
            if run.failure is not None:
                await self._abort(context, run.failure, request)
        finally:
            run.stop("its client went away")

    async def _relay(self, run: BridgeRun) -> AsyncGenerator[bridge_pb.ToolChunk, None]:
        """The run's data, no faster than its reader takes them; what the tool printed has no place in the contract."""
        number = 0
        async with aclosing(self._bridge.read(run, 1, 0.0)) as updates:
            async for update in updates:
                for chunk in update.chunks:
                    if chunk.kind == pb.CHUNK_KIND_DATA:
                        number += 1
                        yield peer.tool_chunk(chunk, _chunk_id(run.call.tool, chunk, number))
                    run.log.acknowledge(chunk.seq)

    async def _checked(self, asked: Call, request: bridge_pb.ExecuteToolRequest) -> Call:
        """The call with its arguments: a worker is touched only by a call that can run.

        Raises:
            SnakepitError: if session, tool, parameters or worker, looked at in this order, are not as they should be.
        """
        try:
            self._bridge.sessions.get(asked.session_id)
            _check_kind(asked, await self._find(asked))
            arguments = values.encode(peer.decode_parameters(request.parameters))
            await self._check_worker(asked)
        except SnakepitError as error:
            self._bridge.refuse(asked, error)
            raise
        binary = dict(request.binary_parameters)
        return replace(asked, arguments=arguments.data, encoding=arguments.encoding, binary=binary)

    async def _find(self, asked: Call) -> ToolInfo | None:
        """The session's own tool of that name, else the workers'; None if only a peer's worker can say.

        Raises:
            ToolNotFound: if there is none.
            StreamingNotSupported: if it is a host tool; only what streams is asked for here.
        """
        if self._bridge.host_tools.offers(asked.session_id, asked.tool):
            raise StreamingNotSupported(f"{asked.tool} is a host tool, and does not stream")
        registered = self._bridge.registry.find(asked.session_id, asked.tool)
        tool = registered.info if registered else await self._bridge.find_tool(asked.tool, asked.deadline)
        if tool is None and self._bridge.tools_are_known:
            raise _tool_not_found(asked)
        return tool

    async def _check_worker(self, asked: Call) -> None:
        """Check that somebody is there to do it.

        Raises:
            ToolNotFound: if it was registered for a worker that is there and does not have it.
            SessionWorkerUnavailable: if only the worker that registered it has it, and that one is not there.
        """
        registered = self._bridge.registry.find(asked.session_id, asked.tool)
        if registered is None or await self._bridge.find_tool(asked.tool, asked.deadline) is not None:
            return
        worker_id = registered.worker_id
        if not self._bridge.has_worker(worker_id):
            raise SessionWorkerUnavailable(f"Worker not found: {worker_id}", details={"worker_id": worker_id})
        if self._bridge.tools_are_known:
            raise _tool_not_found(asked)

    # Telemetry.

    async def StreamTelemetry(  # type: ignore[override]
        self, request_iterator: AsyncIterator[bridge_pb.TelemetryControl], context: Any
    ) -> None:
        async def opened() -> None:
            await self._bridge.hub.listening()
            await context.send_initial_metadata(())

        try:
            async with aclosing(stream(self._bridge.hub.emitter, request_iterator, opened)) as events:
                async for event in events:
                    await context.write(event)
        except InvalidParameter as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)

    # Failures.

    def _said(self, failure: Failure) -> Failure:
        return redaction.outward(failure) if self._outward else failure

    async def _abort(self, context: Any, failure: Failure, request: bridge_pb.ExecuteToolRequest) -> NoReturn:
        await context.abort(*status_of(self._said(failure), request.tool_name, request.session_id))
        raise AssertionError("abort raises")


def _registered(message: bridge_pb.ToolRegistration, worker_id: str) -> Registered:
    info = peer.tool_info(message)
    metadata = {**message.metadata, "supports_streaming": "true" if info.streaming else "false"}
    return Registered(replace(info, name=info.name.strip()), metadata, worker_id)


def _host_tool_spec(tool: pb.HostTool) -> bridge_pb.ToolSpec:
    return bridge_pb.ToolSpec(
        name=tool.name,
        description=tool.description,
        parameters=[
            bridge_pb.ParameterSpec(name=p.name, type=p.type or "any", required=p.required) for p in tool.parameters
        ],
        metadata={"variadic": "true"} if tool.variadic else {},
    )


def _asked(request: Request, context: Any, *, streaming: bool) -> Call:
    """The call as far as it can be told before anything of it was looked at."""
    return Call(
        tool=request.tool_name,
        session_id=request.session_id,
        streaming=streaming,
        deadline=Deadline.after(_timeout(request.metadata, context)),
        labels={key: value for key, value in request.metadata.items() if key != "timeout_ms"},
        plain=True,
        correlation_id=_correlation_id(request.metadata, context),
    )


def _check_kind(asked: Call, tool: ToolInfo | None) -> None:
    if tool is not None and asked.streaming and not tool.streaming:
        raise StreamingNotSupported(f"{asked.tool} does not stream")
    if tool is not None and tool.streaming and not asked.streaming:
        raise StreamingRequired(
            f"the tool {asked.tool!r} streams its results", hint="Call it with ExecuteStreamingTool."
        )


def _tool_not_found(asked: Call) -> ToolNotFound:
    message = f"Tool {asked.tool} not found for session {asked.session_id}"
    return ToolNotFound(message, details={"tool": asked.tool})


def _chunk_id(tool: str, chunk: pb.Chunk, number: int) -> str:
    return f"sp-final-{chunk.seq}" if "synthetic_final" in chunk.metadata else f"{tool}-{number}"


def _timeout(metadata: Mapping[str, str], context: Any) -> float | None:
    """Seconds the call has: what its metadata say, and never longer than its client waits."""
    text = metadata.get("timeout_ms", "")
    said = int(text) / 1000 if TIMEOUT.fullmatch(text) else None
    left = context.time_remaining()
    known = [seconds for seconds in (said, left) if seconds is not None]
    return min(known, default=None)


def _correlation_id(metadata: Mapping[str, str], context: Any) -> str:
    return peer.correlation_id(metadata, dict(context.invocation_metadata() or ()))


def _now() -> Timestamp:
    return Timestamp(seconds=int(time.time()))
