"""How the bridge reaches a worker: WorkerService over gRPC, one channel for the worker's whole life."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable
from typing import ClassVar, TypeVar

import grpc
import grpc.aio

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.codecs.protobuf import RUNG_NUMBERS, call_to_pb
from snakepit_jupyter.messages import Call, StopRung
from snakepit_jupyter.transport.auth import bearer
from snakepit_jupyter.transport.cancelled import task_is_cancelled
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS
from snakepit_jupyter.transport.telemetry import TelemetryLine

T = TypeVar("T")


class ConnectionLost(Exception):
    """The worker no longer answers."""


class GrpcTransport:
    """A channel to one worker.

    Args:
        address: where it listens, for example "unix:/path".
        token: the secret it wants.
    """

    interrupts: ClassVar[bool] = True

    def __init__(self, address: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._stub = pb_grpc.WorkerServiceStub(self._channel)
        self._metadata = bearer(token)
        self._telemetry = TelemetryLine(self._channel, self._metadata)
        self._closed = False

    async def stream(self, call: Call) -> AsyncGenerator[pb.CallUpdate, None]:
        """The call's chunks in groups, its end last. Not asking for more holds the worker back.

        Raises:
            ConnectionLost: if the worker went away before the end.
        """
        try:
            async for update in self._stub.RunTool(call_to_pb(call), metadata=self._metadata):
                yield update
        except grpc.aio.AioRpcError as error:
            raise ConnectionLost(error.details() or error.code().name) from error
        except asyncio.CancelledError:
            if self._ended_by_closing():
                raise ConnectionLost("the channel was closed") from None
            raise

    async def cancel(self, call_id: str, rung: StopRung, timeout: float) -> None:
        """Ask a call to stop; it is no error if it has ended, or if the worker does not answer in time."""
        request = pb.CancelCallRequest(call_id=call_id, rung=RUNG_NUMBERS[rung])
        await self._quietly(self._stub.CancelCall(request, metadata=self._metadata, timeout=timeout))

    async def close_session(self, session_id: str, timeout: float) -> int:
        """Clean up the session's adapters; how many there were. A busy worker does it later, and 0 is the answer."""
        request = pb.CloseSessionRequest(session_id=session_id)
        reply = await self._quietly(self._stub.CloseSession(request, metadata=self._metadata, timeout=timeout))
        return reply.closed if reply else 0

    def telemetry(
        self, controls: AsyncIterable[bridge_pb.TelemetryControl]
    ) -> AsyncGenerator[bridge_pb.TelemetryEvent, None]:
        """The worker's events; see `TelemetryLine`."""
        return self._telemetry.events(controls)

    async def aclose(self) -> None:
        self._closed = True
        await self._channel.close()

    def _ended_by_closing(self) -> bool:
        """Whether a CancelledError means a call and not our task."""
        return self._closed and not task_is_cancelled()

    async def _quietly(self, rpc: Awaitable[T]) -> T | None:
        """A worker that has gone needs no asking any more."""
        try:
            return await rpc
        except grpc.aio.AioRpcError:
            return None
        except asyncio.CancelledError:
            if self._ended_by_closing():
                return None
            raise
