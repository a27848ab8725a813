"""Host tools as a worker calls them: functions of the notebook, reached through the bridge.

A tool waits for them on its own thread, the RPC runs on the server's loop; so waiting ends when the call is
stopped, and the process has only one loop with gRPC.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio

from snakepit_jupyter import values
from snakepit_jupyter.codecs import peer
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.codecs.protobuf import ENCODING_NUMBERS, ENCODINGS, failure_from_pb
from snakepit_jupyter.errors import GrpcUnavailable, RunStopped, SnakepitError, ToolNotFound, WorkerTimeout, error_from
from snakepit_jupyter.messages import Call, ToolInfo
from snakepit_jupyter.transport.cancelled import task_is_cancelled
from snakepit_jupyter.values import Encoding
from snakepit_jupyter.worker.link import BridgeLink

T = TypeVar("T")


class Host(Protocol):
    """The way to host tools. What its methods return runs on the server's loop."""

    def call(self, name: str, arguments: Mapping[str, Any], call: Call) -> Coroutine[Any, Any, Any]:
        """Call one on behalf of a call, within that call's deadline.

        The arguments are written here, on the thread of who asks: that takes time, and may run the user's code.

        Raises:
            UnserializableValue: if an argument cannot be sent.
            ToolNotFound, ToolError, WorkerTimeout, GrpcUnavailable: as `SessionContext.call_host_tool` says.
        """

    async def tools(self, session_id: str) -> Mapping[str, ToolInfo]:
        """Those that a session sees, by name."""


class NoHost:
    """For a worker that was told of no bridge."""

    async def call(self, name: str, arguments: Mapping[str, Any], call: Call) -> Any:
        raise ToolNotFound(
            f"there is no host tool {name!r}: this worker knows no bridge to ask",
            hint="Host tools are there for workers that a bridge has started.",
            details={"tool": name},
        )

    async def tools(self, session_id: str) -> Mapping[str, ToolInfo]:
        return {}


class HostTools:
    """The way through our own bridge.

    Args:
        link: to the bridge.
    """

    def __init__(self, link: BridgeLink) -> None:
        self._link = link

    def call(self, name: str, arguments: Mapping[str, Any], call: Call) -> Coroutine[Any, Any, Any]:
        """As `Host` says."""
        return self._ask(_request(name, values.encode(dict(arguments)), call), call)

    async def _ask(self, request: pb.HostToolCall, call: Call) -> Any:
        remaining = call.deadline.remaining
        if remaining == 0:
            raise too_late(request.tool)
        stub = pb_grpc.RunServiceStub(self._link.channel)
        headers = self._link.headers(call.correlation_id)
        try:
            reply = await stub.CallHostTool(request, metadata=headers, timeout=remaining)
        except grpc.aio.AioRpcError as error:
            raise _unanswered(request.tool, error) from None
        return _result(reply)

    async def tools(self, session_id: str) -> Mapping[str, ToolInfo]:
        """As `Host` says."""
        request = bridge_pb.GetExposedElixirToolsRequest(session_id=session_id)
        try:
            reply = await self._link.peer.GetExposedElixirTools(request, metadata=self._link.headers())
        except grpc.aio.AioRpcError as error:
            raise _unanswered("", error) from None
        return {spec.name: peer.tool_info(spec) for spec in reply.tools}


def _request(name: str, payload: values.Payload, call: Call) -> pb.HostToolCall:
    return pb.HostToolCall(
        session_id=call.session_id,
        tool=name,
        arguments=payload.data,
        arguments_encoding=ENCODING_NUMBERS[payload.encoding],
        timeout=call.deadline.remaining or 0.0,
        correlation_id=call.correlation_id,
        caller=call.call_id,
    )


def _result(reply: pb.ExecuteReply) -> Any:
    if reply.HasField("failure"):
        raise error_from(failure_from_pb(reply.failure))
    encoding = ENCODINGS.get(reply.encoding, Encoding.BYTES)
    if not reply.result and encoding is Encoding.JSON:
        return None
    return values.decode(reply.result, encoding)


def _unanswered(name: str, error: grpc.aio.AioRpcError) -> SnakepitError:
    if name and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return too_late(name)
    return GrpcUnavailable(f"the bridge does not answer: {error.details() or error.code().name}")


def too_late(name: str) -> WorkerTimeout:
    """The error that a call's deadline passed while it waited for a host tool."""
    return WorkerTimeout(f"the call's deadline passed before the host tool {name!r} had answered")


class CallHost:
    """The host tools for one call. Any thread but the server's.

    Args:
        host: the way to them.
        call: on whose behalf.
        loop: the server's.
        cancelled: whether the call was asked to stop.
    """

    def __init__(self, host: Host, call: Call, loop: asyncio.AbstractEventLoop, cancelled: Callable[[], bool]) -> None:
        self._host = host
        self._call = call
        self._loop = loop
        self._cancelled = cancelled
        self._waiting: set[concurrent.futures.Future[Any]] = set()

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call one and wait for its result."""
        return self._result(self._host.call(name, arguments, self._call), name)

    def tools(self) -> Mapping[str, ToolInfo]:
        """Those there are, by name."""
        return self._result(self._host.tools(self._call.session_id), "")

    async def acall(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call one and await its result."""
        future = self._begin(self._host.call(name, arguments, self._call))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if self._cancelled() and not task_is_cancelled():
                raise self._stopped(name) from None
            raise

    def stop(self) -> None:
        """Who waits waits no longer: the call was asked to stop. Any thread."""
        for future in list(self._waiting):
            future.cancel()

    def _result(self, work: Coroutine[Any, Any, T], name: str) -> T:
        future = self._begin(work)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise self._stopped(name) from None
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _begin(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        if self._cancelled():  # it may have been too early for `stop` to find it
            future.cancel()
        return future

    def _stopped(self, name: str) -> SnakepitError:
        if self._call.deadline.remaining == 0:
            return too_late(name)
        return RunStopped(f"the call was stopped while it waited for the host tool {name!r}")
