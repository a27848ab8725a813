"""The stream of a worker's telemetry: section 11 of the wire contract."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Any

import grpc
import grpc.aio

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.transport.cancelled import task_is_cancelled


class TelemetryLine:
    """The one stream of events that a worker has: two of them would share its events.

    Args:
        channel: the channel to the worker.
        metadata: what it wants to see.
    """

    def __init__(self, channel: grpc.aio.Channel, metadata: Sequence[tuple[str, str]] = ()) -> None:
        self._stub = bridge_grpc.BridgeServiceStub(channel)
        self._metadata = metadata
        self._is_open = False

    async def events(
        self, controls: AsyncIterable[bridge_pb.TelemetryControl]
    ) -> AsyncGenerator[bridge_pb.TelemetryEvent, None]:
        """The worker's events, until it ends; none from a worker that knows no telemetry. There is no deadline.

        Args:
            controls: what is to be switched on or off, sampled, let through. Its end ends nothing.

        Raises:
            RuntimeError: if the stream is open already.
        """
        if self._is_open:
            raise RuntimeError("a worker has one stream of telemetry, and this one has been opened")
        self._is_open = True
        rpc: Any = self._stub.StreamTelemetry(aiter(controls), metadata=tuple(self._metadata))
        try:
            while (event := await rpc.read()) is not grpc.aio.EOF:
                if event is not None:  # gRPC's word for what cannot be understood
                    yield event
        except grpc.aio.AioRpcError:
            return
        except asyncio.CancelledError:
            if task_is_cancelled():
                raise
        finally:
            rpc.cancel()
            self._is_open = False
