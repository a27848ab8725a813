"""The bridge's face to its clients and workers: RunService over gRPC. Translation only."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from snakepit_jupyter import redaction
from snakepit_jupyter.bridge.bridge import Bridge
from snakepit_jupyter.bridge.run import BridgeRun
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.codecs.protobuf import call_from_pb, failure_from_pb, failure_to_pb, status_to_pb
from snakepit_jupyter.errors import SnakepitError
from snakepit_jupyter.messages import RunStatus

# A plain call's answer carries at most so many of the last groups of lines the tool printed.
MOST_OUTPUT = 1000


class RunService(pb_grpc.RunServiceServicer):
    """Clients' requests, handed to the bridge. Failures are answers, not statuses.

    Args:
        bridge: what does the work.
        outward: whether what is said here leaves the machine.
    """

    def __init__(self, bridge: Bridge, *, outward: bool = False) -> None:
        self._bridge = bridge
        self._outward = outward

    async def Execute(self, request: pb.ToolCall, context: Any) -> pb.ExecuteReply:
        try:
            run = await self._bridge.execute(call_from_pb(request))
        except SnakepitError as error:
            return pb.ExecuteReply(failure=self._said(error))
        reply = execute_reply(run)
        self._redact(reply)
        return reply

    async def StartRun(self, request: pb.StartRunRequest, context: Any) -> pb.StartRunReply:
        try:
            run = await self._bridge.start_run(call_from_pb(request.call), held=request.held)
        except SnakepitError as error:
            return pb.StartRunReply(failure=self._said(error))
        return pb.StartRunReply(state=self._state(run))

    # What streams is written, not yielded: gRPC tells a handler that waits in a `yield` nothing of its reader's going.

    async def Subscribe(self, request: pb.SubscribeRequest, context: Any) -> None:  # type: ignore[override]
        try:
            run = self._bridge.run(request.run_id)
        except SnakepitError as error:
            await context.write(pb.RunUpdate(failure=self._said(error)))
            return
        async with aclosing(self._bridge.read(run, max(1, request.from_seq), request.min_interval)) as updates:
            async for update in updates:
                self._redact(update.state)
                await context.write(update)

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
            return pb.GetRunReply(failure=self._said(error))
        if request.wait:
            await run.ended()
        return pb.GetRunReply(state=self._state(run))

    async def Cancel(self, request: pb.CancelRequest, context: Any) -> pb.CancelReply:
        return pb.CancelReply(known=self._bridge.cancel(request.run_id, request.reason))

    async def CloseSession(self, request: pb.CloseSessionRequest, context: Any) -> pb.CloseSessionReply:
        return pb.CloseSessionReply(closed=await self._bridge.close_session(request.session_id))

    async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusReply:
        status = status_to_pb(await self._bridge.status())
        self._redact(status)
        for run in status.runs:
            self._redact(run)
        return status

    async def OfferHostTools(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.HostToolOffer], context: Any
    ) -> None:
        async with aclosing(self._bridge.host_tools.serve(aiter(request_iterator))) as calls:
            async for call in calls:
                await context.write(call)

    async def CallHostTool(self, request: pb.HostToolCall, context: Any) -> pb.ExecuteReply:
        return await self._bridge.host_tools.call(request, self._bridge.client_of(request.caller))

    def _said(self, error: SnakepitError) -> pb.Failure:
        failure = error.failure()
        return failure_to_pb(redaction.outward(failure) if self._outward else failure)

    def _state(self, run: BridgeRun) -> pb.RunState:
        state = run.state
        self._redact(state)
        return state

    def _redact(self, message: pb.RunState | pb.ExecuteReply | pb.GetStatusReply) -> None:
        if self._outward and message.HasField("failure"):
            message.failure.CopyFrom(failure_to_pb(redaction.outward(failure_from_pb(message.failure))))


def execute_reply(run: BridgeRun) -> pb.ExecuteReply:
    """What a plain call that has ended gave."""
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
