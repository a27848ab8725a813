"""How the bridge reaches a worker that is not ours: Snakepit's BridgeService, after sections 3 to 5 of the contract."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from typing import Any, ClassVar, TypeVar

import grpc
import grpc.aio

from snakepit_jupyter import values
from snakepit_jupyter.codecs import correlation, peer
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import ENCODING_NUMBERS, failure_to_pb
from snakepit_jupyter.errors import (
    Failure,
    InvalidParameter,
    SnakepitError,
    ToolError,
    UnserializableValue,
    WorkerTimeout,
)
from snakepit_jupyter.messages import Call, StopRung
from snakepit_jupyter.transport.cancelled import task_is_cancelled
from snakepit_jupyter.transport.grpc import ConnectionLost
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS
from snakepit_jupyter.transport.telemetry import TelemetryLine

# A worker that listens may not be reached at the first try: (seconds between tries, growing to) and for each.
TRIES = 5
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 0.5
TRY_TIMEOUT = 2.0
# gRPC itself would wait a second before it connects again.
PEER_OPTIONS = (
    *CHANNEL_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
)
# The contract wants a deadline for every stream; a call without one of its own is ended by whoever gives it up.
LONGEST_CALL = 7 * 24 * 3600.0
# With such labels a caller could have the worker unpickle what it sends.
UNPICKLING = "binary_format:"

Rpc = Any  # grpc.aio.UnaryUnaryCall or UnaryStreamCall


class PeerTransport:
    """A channel to one worker.

    Args:
        address: where it listens, "127.0.0.1:port".
        session_id: the worker's own session, for calls that have none.
        retire: begins to end the worker, whose state is unknown after a call that was given up; done when it has ended.
    """

    interrupts: ClassVar[bool] = False

    def __init__(self, address: str, session_id: str, retire: Callable[[], "asyncio.Future[None]"]) -> None:
        self._address = address
        self._channel = grpc.aio.insecure_channel(address, options=PEER_OPTIONS)
        self._stub = bridge_grpc.BridgeServiceStub(self._channel)
        self._telemetry = TelemetryLine(self._channel)
        self._session_id = session_id
        self._retire = retire
        self._rpcs: dict[str, Rpc] = {}
        self._sessions: set[str] = set()
        self._closed = False

    # Its start and its pulse.

    async def greet(self) -> None:
        """Reach the worker, and begin its own session: from then on it watches the bridge.

        Raises:
            ConnectionLost: if it does not answer.
        """
        await self._ping()
        request = bridge_pb.InitializeSessionRequest(
            session_id=self._session_id,
            metadata={"initialized_at": str(int(time.time()))},
            config=bridge_pb.SessionConfig(enable_caching=True, cache_ttl_seconds=60),
        )
        try:
            reply = await self._stub.InitializeSession(request, timeout=TRY_TIMEOUT * TRIES)
        except grpc.aio.AioRpcError as error:
            raise ConnectionLost(f"its session could not begin: {error.details()}") from error
        if not _understood(reply).success:
            raise ConnectionLost(f"its session could not begin: {reply.error_message}")

    async def _ping(self) -> None:
        pause = FIRST_PAUSE
        for tried in range(1, TRIES + 1):
            try:
                await self._stub.Ping(bridge_pb.PingRequest(message="connection_test"), timeout=TRY_TIMEOUT)
            except grpc.aio.AioRpcError as error:
                if tried == TRIES:
                    raise ConnectionLost(f"it does not answer at {self._address}: {error.details()}") from error
            else:
                return
            await asyncio.sleep(pause * random.uniform(1.0, 1.25))  # noqa: S311 - only to spread the tries
            pause = min(2 * pause, LONGEST_PAUSE)

    async def heartbeat(self, timeout: float) -> None:
        """Ask whether the worker lives.

        Raises:
            ConnectionLost: if it does not say so within `timeout` seconds.
        """
        request = bridge_pb.HeartbeatRequest(session_id=self._session_id)
        request.client_time.GetCurrentTime()
        try:
            await self._stub.Heartbeat(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise _lost(error) from error

    # Calls.

    async def stream(self, call: Call) -> AsyncGenerator[pb.CallUpdate, None]:
        """The call's chunks, one at a time, its end last. Not asking for more holds the worker back.

        A call that is given up, because it was cancelled, because its deadline has passed or because nobody reads it
        any more, costs the worker its life: it cannot say when the tool has really stopped, and it may keep threads
        that never end.

        Raises:
            ConnectionLost: if the worker went away before the end.
        """
        started = time.monotonic()
        try:
            rpc = self._begin(call)
        except SnakepitError as error:
            yield pb.CallUpdate(end=_failed(error.failure()))
            return
        given_up = True
        try:
            if call.streaming:
                while (chunk := await rpc.read()) is not grpc.aio.EOF:
                    yield pb.CallUpdate(chunks=[peer.chunk_of(_understood(chunk))])
                end = pb.CallEnd(outcome=pb.OUTCOME_DONE)
            else:
                end = _end_of(_understood(await rpc))
            given_up = False
        except grpc.aio.AioRpcError as error:
            given_up = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            end = _end_after(error, call, time.monotonic() - started)
        except asyncio.CancelledError:
            end = self._end_of_cancelled()
        finally:
            del self._rpcs[call.call_id]
            rpc.cancel()
            retired = self._retire() if given_up else None
        if retired:
            await retired
        end.duration = end.duration or time.monotonic() - started
        yield pb.CallUpdate(end=end)

    def _begin(self, call: Call) -> Rpc:
        """Send the request.

        Raises:
            SnakepitError: if its arguments cannot be sent, or its deadline has passed.
        """
        request = _request(call, self._session_id)
        remaining = call.deadline.remaining
        if remaining == 0:
            raise WorkerTimeout(f"{call.tool} was given up before it began")
        self._sessions.add(request.session_id)
        method = self._stub.ExecuteStreamingTool if call.streaming else self._stub.ExecuteTool
        rpc = method(request, timeout=remaining or LONGEST_CALL, metadata=correlation.headers(call.correlation_id))
        self._rpcs[call.call_id] = rpc
        return rpc

    def _end_of_cancelled(self) -> pb.CallEnd:
        if task_is_cancelled():
            raise asyncio.CancelledError
        if self._closed:
            raise ConnectionLost("the channel was closed")
        return pb.CallEnd(outcome=pb.OUTCOME_STOPPED)

    async def cancel(self, call_id: str, rung: StopRung, timeout: float) -> None:
        """Ask a call to stop. It knows one way to stop, so that a higher rung changes nothing; see `stream`."""
        rpc = self._rpcs.get(call_id)
        if rpc is not None:
            rpc.cancel()

    async def close_session(self, session_id: str, timeout: float) -> int:
        """Let the worker forget a session it has seen. It keeps no adapters for sessions, so that 0 is the answer."""
        if session_id in self._sessions:
            self._sessions.discard(session_id)
            request = bridge_pb.CleanupSessionRequest(session_id=session_id)
            try:
                await self._stub.CleanupSession(request, timeout=timeout)
            except grpc.aio.AioRpcError:
                return 0  # it has gone, and the session with it
            except asyncio.CancelledError:
                if task_is_cancelled():
                    raise
        return 0

    def telemetry(
        self, controls: AsyncIterable[bridge_pb.TelemetryControl]
    ) -> AsyncGenerator[bridge_pb.TelemetryEvent, None]:
        """The worker's events; see `TelemetryLine`."""
        return self._telemetry.events(controls)

    async def aclose(self) -> None:
        self._closed = True
        await self._channel.close()


def _request(call: Call, own_session: str) -> bridge_pb.ExecuteToolRequest:
    arguments, binary = _split(call)
    return bridge_pb.ExecuteToolRequest(
        session_id=call.session_id or own_session,
        tool_name=call.tool,
        parameters=peer.encode_parameters(arguments),
        metadata=_metadata(call),
        stream=call.streaming,
        binary_parameters=binary,
    )


def _split(call: Call) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The call's arguments: those that are no bytes, and those that are."""
    try:
        arguments = values.decode(call.arguments, call.encoding)
    except ValueError as error:
        raise InvalidParameter(f"the arguments of {call.tool} cannot be read: {error}") from error
    if not isinstance(arguments, dict) or not all(isinstance(name, str) for name in arguments):
        raise InvalidParameter(f"the arguments of {call.tool} are no object with names as keys")
    binary = {
        name: bytes(value) for name, value in arguments.items() if isinstance(value, (bytes, bytearray, memoryview))
    }
    binary.update(call.binary)
    return {name: value for name, value in arguments.items() if name not in binary}, binary


def _metadata(call: Call) -> Mapping[str, str]:
    labels = {name: text for name, text in call.labels.items() if not name.startswith(UNPICKLING)}
    return {**labels, "correlation_id": call.correlation_id}


# Ends.


T = TypeVar("T")


def _understood(message: T | None) -> T:
    """What gRPC could make of a message: nothing, if it is not what it should be.

    Raises:
        ConnectionLost: then.
    """
    if message is None:
        raise ConnectionLost("it sent what cannot be understood")
    return message


def _end_of(response: bridge_pb.ExecuteToolResponse) -> pb.CallEnd:
    seconds = response.execution_time_ms / 1000
    if not response.success:
        return pb.CallEnd(
            outcome=pb.OUTCOME_FAILED, failure=failure_to_pb(peer.failure_of(response.error_message)), duration=seconds
        )
    result = peer.result_of(response)
    return pb.CallEnd(
        outcome=pb.OUTCOME_DONE,
        result=result.data,
        result_encoding=ENCODING_NUMBERS[result.encoding],
        duration=seconds,
    )


def _failed(failure: Failure) -> pb.CallEnd:
    return pb.CallEnd(outcome=pb.OUTCOME_FAILED, failure=failure_to_pb(failure))


GONE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def _end_after(error: grpc.aio.AioRpcError, call: Call, age: float) -> pb.CallEnd:
    """How a call has ended that got a status instead of an answer.

    Raises:
        ConnectionLost: if the worker has gone.
    """
    if error.code() in GONE:
        raise _lost(error) from error
    said = error.details() or error.code().name
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        message = f"{call.tool} was given up after {age:.3g} s, while it ran"
        return _failed(Failure(WorkerTimeout.code, message, WorkerTimeout.advice, retryable=True))
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _failed(Failure(UnserializableValue.code, f"the worker takes no message of this size: {said}"))
    if error.code() is grpc.StatusCode.INTERNAL:
        return _failed(peer.failure_of(said))
    return _failed(Failure(ToolError.code, f"the worker refused the call: {said} ({error.code().name})"))


def _lost(error: grpc.aio.AioRpcError) -> ConnectionLost:
    return ConnectionLost(error.details() or error.code().name)
