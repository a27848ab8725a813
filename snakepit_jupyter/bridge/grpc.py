"""The bridge's face: RunService over gRPC. Translation only."""

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from snakepit_jupyter.bridge.bridge import Bridge
from snakepit_jupyter.bridge.run import BridgeRun
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.codecs.protobuf import call_from_pb, failure_to_pb, status_to_pb
from snakepit_jupyter.errors import SnakepitError
from snakepit_jupyter.messages import RunStatus
from snakepit_jupyter.transport.auth import TokenCheck
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS

# A plain call's answer carries at most so many of the last groups of lines the tool printed.
MOST_OUTPUT = 1000


class RunService(pb_grpc.RunServiceServicer):
    """Clients' requests, handed to the bridge. Failures are answers, not statuses."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge

    async def Execute(self, request: pb.ToolCall, context: Any) -> pb.ExecuteReply:
        try:
            run = await self._bridge.execute(call_from_pb(request))
        except SnakepitError as error:
            return pb.ExecuteReply(failure=failure_to_pb(error.failure()))
        return _execute_reply(run)

    async def StartRun(self, request: pb.StartRunRequest, context: Any) -> pb.StartRunReply:
        try:
            run = await self._bridge.start_run(call_from_pb(request.call), held=request.held)
        except SnakepitError as error:
            return pb.StartRunReply(failure=failure_to_pb(error.failure()))
        return pb.StartRunReply(state=run.state)

    async def Subscribe(self, request: pb.SubscribeRequest, context: Any) -> AsyncIterator[pb.RunUpdate]:
        try:
            run = self._bridge.run(request.run_id)
        except SnakepitError as error:
            yield pb.RunUpdate(failure=failure_to_pb(error.failure()))
            return
        async for update in self._bridge.read(run, max(1, request.from_seq), request.min_interval):
            yield update

    async def Acknowledge(self, request: pb.AcknowledgeRequest, context: Any) -> pb.AcknowledgeReply:
        try:
            log = self._bridge.run(request.run_id).log
        except SnakepitError:
            return pb.AcknowledgeReply()  # it ended long ago
        if request.release:
            log.release()
        else:
            log.acknowledge(request.seq)
        return pb.AcknowledgeReply()

    async def GetRun(self, request: pb.GetRunRequest, context: Any) -> pb.GetRunReply:
        try:
            run = self._bridge.run(request.run_id)
        except SnakepitError as error:
            return pb.GetRunReply(failure=failure_to_pb(error.failure()))
        if request.wait:
            await run.ended()
        return pb.GetRunReply(state=run.state)

    async def Cancel(self, request: pb.CancelRequest, context: Any) -> pb.CancelReply:
        return pb.CancelReply(known=self._bridge.cancel(request.run_id, request.reason))

    async def CloseSession(self, request: pb.CloseSessionRequest, context: Any) -> pb.CloseSessionReply:
        return pb.CloseSessionReply(closed=await self._bridge.close_session(request.session_id))

    async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusReply:
        return status_to_pb(await self._bridge.status())


def _execute_reply(run: BridgeRun) -> pb.ExecuteReply:
    state = run.state
    reply = pb.ExecuteReply(
        duration=state.elapsed,
        worker_id=state.worker_id,
        output=run.log.read(max(1, run.log.last - MOST_OUTPUT + 1)).chunks,
    )
    if run.status is RunStatus.DONE:
        assert run.end is not None
        reply.result = run.end.result
        reply.encoding = run.end.result_encoding
    else:
        reply.failure.CopyFrom(state.failure)
    return reply


async def serve(bridge: Bridge, address: str, token: str) -> grpc.aio.Server:
    """A server that listens on `address` and wants `token` from its callers."""
    server = grpc.aio.server(interceptors=[TokenCheck(token)], options=CHANNEL_OPTIONS)
    pb_grpc.add_RunServiceServicer_to_server(RunService(bridge), server)
    server.add_insecure_port(address)
    await server.start()
    return server
