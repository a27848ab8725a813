"""Host tools of a foreign bridge, called through its BridgeService."""

from collections.abc import Coroutine, Mapping
from typing import Any

import grpc
import grpc.aio

from snakepit_jupyter import values
from snakepit_jupyter.codecs import peer
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.errors import GrpcUnavailable, ToolNotFound, WorkerTimeout, error_from
from snakepit_jupyter.messages import Call, ToolInfo
from snakepit_jupyter.worker.link import BridgeLink, Headers


class PeerHost:
    """The host tools of a bridge, asked for at their first use.

    Args:
        link: the way to the bridge.
    """

    def __init__(self, link: BridgeLink) -> None:
        self._link = link
        self._names: dict[str, frozenset[str]] = {}

    def call(self, name: str, arguments: Mapping[str, Any], call: Call) -> Coroutine[Any, Any, Any]:
        """Call a host tool. The arguments are written here, what is returned runs on the server's loop.

        Args:
            name: the tool.
            arguments: its arguments by name.
            call: the call of the tool that asks; its session, deadline and correlation id hold here too.

        Returns:
            what the tool gave.

        Raises:
            ToolNotFound: if the session has no such tool.
            ToolError: if it failed.
            UnserializableValue: if an argument cannot be sent.
            WorkerTimeout: if the call's deadline passed.
            GrpcUnavailable: if the bridge does not answer.
        """
        request = bridge_pb.ExecuteElixirToolRequest(
            session_id=call.session_id,
            tool_name=name,
            parameters=peer.encode_parameters(arguments),
            metadata={"correlation_id": call.correlation_id},
        )
        return self._ask(request, call)

    async def _ask(self, request: bridge_pb.ExecuteElixirToolRequest, call: Call) -> Any:
        await self._check(request.tool_name, call)
        headers = self._link.headers(call.correlation_id)
        try:
            reply = await self._link.peer.ExecuteElixirTool(request, timeout=call.deadline.remaining, metadata=headers)
        except grpc.aio.AioRpcError as error:
            raise _unanswered(error) from None
        if not reply.success:
            raise error_from(peer.failure_of(reply.error_message))
        return values.decode(*peer.result_of(reply))

    async def tools(self, session_id: str) -> Mapping[str, ToolInfo]:
        """The host tools that a session sees, by name.

        Raises:
            GrpcUnavailable: if the bridge does not answer.
        """
        return await self._list(session_id, self._link.headers(), None)

    async def _list(self, session_id: str, headers: Headers, timeout: float | None) -> Mapping[str, ToolInfo]:
        request = bridge_pb.GetExposedElixirToolsRequest(session_id=session_id)
        try:
            reply = await self._link.peer.GetExposedElixirTools(request, timeout=timeout, metadata=headers)
        except grpc.aio.AioRpcError as error:
            raise _unanswered(error) from None
        self._names[session_id] = frozenset(spec.name for spec in reply.tools)
        return {spec.name: peer.tool_info(spec) for spec in reply.tools}

    async def _check(self, name: str, call: Call) -> None:
        """Ask for the session's list if the tool is not known yet: it may have come since."""
        if name in self._names.get(call.session_id, ()):
            return
        known = await self._list(call.session_id, self._link.headers(call.correlation_id), call.deadline.remaining)
        if name not in known:
            offered = ", ".join(known) or "none"
            raise ToolNotFound(f"there is no host tool {name!r}", hint=f"Host tools of this session: {offered}.")


def _unanswered(error: grpc.aio.AioRpcError) -> GrpcUnavailable | WorkerTimeout:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return WorkerTimeout("the bridge did not answer for its host tools in time")
    return GrpcUnavailable(f"the bridge does not answer for its host tools: {error.details() or error.code().name}")
