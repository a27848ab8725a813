"""The client's core: RunService spoken over one gRPC channel, on the portal's loop."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

# A notebook's `!command` forks; without this gRPC prints about it into the cell.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# Its notes on connections that end are for its developers.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

import grpc
import grpc.aio

from snakepit_jupyter.client.telemetry import events
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.codecs.protobuf import (
    ENCODINGS,
    call_to_pb,
    chunk_from_pb,
    failure_from_pb,
    run_state_from_pb,
    status_from_pb,
    update_from_pb,
)
from snakepit_jupyter.errors import GrpcUnavailable, SnakepitError, error_from
from snakepit_jupyter.messages import Call, Chunk, RunState, Status, Update
from snakepit_jupyter.telemetry import Event, Policy
from snakepit_jupyter.transport.auth import bearer
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS
from snakepit_jupyter.values import Encoding

Reply = TypeVar("Reply")
# A reader that lost its connection tries again after so many seconds, one after another, then gives up.
RETRY_DELAYS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
# What to do when a bridge does not answer: one of our own is started by the next call.
GONE = "It may have been stopped or killed; the next call starts a new one."
GONE_REMOTE = (
    "Check its address, and certificate=… if it speaks TLS. "
    "If it has ended, start it again with `snakepit serve`, then connect again."
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a plain call gave: its result as it travelled, and what the tool printed."""

    data: bytes
    encoding: Encoding
    output: tuple[Chunk, ...]


class CallFailed(Exception):
    """A plain call failed; `error` is for the caller, `output` what the tool had printed."""

    def __init__(self, error: SnakepitError, output: tuple[Chunk, ...]) -> None:
        super().__init__(str(error))
        self.error = error
        self.output = output


class Connection:
    """A channel to a bridge. All methods run on the portal's loop.

    Args:
        address: where the bridge listens, for example "unix:/path".
        token: the secret it wants.
        authority: of a bridge that speaks TLS, the certificates to trust as PEM text; b"" for those gRPC comes with.
        remote: whether somebody else has started it.
    """

    def __init__(self, address: str, token: str, authority: bytes | None = None, *, remote: bool = False) -> None:
        self.address = address
        self._remote = remote
        self._channel = _channel(address, authority)
        self._open_stub = pb_grpc.RunServiceStub(self._channel)
        self._metadata = bearer(token)
        self._lost = False
        self._closed = False

    @property
    def _stub(self) -> "pb_grpc.RunServiceAsyncStub":
        """The bridge's methods.

        Raises:
            GrpcUnavailable: if the channel is closed; gRPC's own error would say that this program is wrong.
        """
        if self._closed:
            raise self._closed_error()
        return self._open_stub

    async def execute(self, call: Call) -> Answer:
        """Run a plain call to its end. Cancelling this stops the call.

        Raises:
            CallFailed: if it failed.
        """
        reply = await self._answered(self._stub.Execute(call_to_pb(call), metadata=self._metadata))
        output = tuple(map(chunk_from_pb, reply.output))
        if reply.HasField("failure"):
            raise CallFailed(error_from(failure_from_pb(reply.failure)), output)
        return Answer(reply.result, ENCODINGS[reply.encoding], output)

    async def start_run(self, call: Call, *, held: bool) -> RunState:
        """Start a run; `held` if its owner will read every chunk and may hold it back."""
        request = pb.StartRunRequest(call=call_to_pb(call), held=held)
        reply = await self._answered(self._stub.StartRun(request, metadata=self._metadata))
        if reply.HasField("failure"):
            raise error_from(failure_from_pb(reply.failure))
        return run_state_from_pb(reply.state)

    async def subscribe(self, run_id: str, seq: int = 1, min_interval: float = 0.0) -> AsyncGenerator[Update, None]:
        """A run from chunk `seq` on, until its end; a lost connection is taken up where it broke.

        Args:
            run_id: the run.
            seq: the first number wanted.
            min_interval: seconds between two updates at least.
        """
        attempts = iter(RETRY_DELAYS)
        while True:
            request = pb.SubscribeRequest(run_id=run_id, from_seq=seq, min_interval=min_interval)
            try:
                async for message in self._stub.Subscribe(request, metadata=self._metadata):
                    if message.HasField("failure"):
                        raise error_from(failure_from_pb(message.failure))
                    seq += len(message.chunks) + message.skipped
                    attempts = iter(RETRY_DELAYS)
                    yield update_from_pb(message)
            except grpc.aio.AioRpcError as error:
                await self._before_retry(error, attempts)
            else:
                return

    async def acknowledge(self, run_id: str, seq: int) -> None:
        """The run's owner has consumed everything up to `seq`."""
        request = pb.AcknowledgeRequest(run_id=run_id, seq=seq)
        # What is not said now might never be said, and the run waits for it.
        await self._persistently(lambda: self._stub.Acknowledge(request, metadata=self._metadata))

    async def release(self, run_id: str) -> None:
        """The run's owner holds it back no more."""
        request = pb.AcknowledgeRequest(run_id=run_id, release=True)
        await self._persistently(lambda: self._stub.Acknowledge(request, metadata=self._metadata))

    async def run_state(self, run_id: str, *, wait: bool) -> RunState:
        """A run's state, now or at its end."""
        request = pb.GetRunRequest(run_id=run_id, wait=wait)
        reply = await self._persistently(lambda: self._stub.GetRun(request, metadata=self._metadata))
        if reply.HasField("failure"):
            raise error_from(failure_from_pb(reply.failure))
        return run_state_from_pb(reply.state)

    async def cancel(self, call_id: str, reason: str) -> bool:
        """Stop a run or call; False if it has ended already."""
        request = pb.CancelRequest(run_id=call_id, reason=reason)
        return (await self._answered(self._stub.Cancel(request, metadata=self._metadata))).known

    async def close_session(self, session_id: str) -> int:
        """Clean up what a session left on the workers; how many adapters there were."""
        request = pb.CloseSessionRequest(session_id=session_id)
        return (await self._answered(self._stub.CloseSession(request, metadata=self._metadata))).closed

    async def status(self) -> Status:
        """What the bridge says of itself, once there is a worker or it is known why not."""
        return status_from_pb(
            await self._answered(self._stub.GetStatus(pb.GetStatusRequest(), metadata=self._metadata))
        )

    def offer_host_tools(self) -> "grpc.aio.StreamStreamCall[pb.HostToolOffer, pb.HostToolCall]":
        """Open the stream on which functions of this process are offered and called; it stands as long as it is used.

        Raises:
            GrpcUnavailable: if the channel is closed.
        """
        return self._stub.OfferHostTools(metadata=self._metadata)

    async def telemetry(self, policy: Policy, opened: Callable[[], None]) -> AsyncGenerator[Event, None]:
        """What the bridge and its workers tell of their work, until the bridge ends.

        Args:
            policy: which events are wanted.
            opened: called once none can be missed any more.

        Raises:
            GrpcUnavailable: if it cannot be opened, or the connection breaks.
        """
        try:
            async with aclosing(events(self._channel, self._metadata, policy, opened)) as told:
                async for event in told:
                    yield event
        except grpc.aio.AioRpcError as error:
            raise self._unavailable(error) from error

    @property
    def is_over(self) -> bool:
        """Whether the bridge is known to be gone, or the channel is closed."""
        return self._lost or self._closed

    def lost(self) -> None:
        """The bridge is known to be gone: trying again is of no use."""
        self._lost = True

    async def aclose(self) -> None:
        self.lost()
        self._closed = True
        await self._channel.close()

    async def _answered(self, rpc: Awaitable[Reply]) -> Reply:
        try:
            return await rpc
        except grpc.aio.AioRpcError as error:
            raise self._unavailable(error) from error

    async def _persistently(self, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        """The answer to what may be asked twice; a lost connection is taken up again."""
        attempts = iter(RETRY_DELAYS)
        while True:
            try:
                return await ask()
            except grpc.aio.AioRpcError as error:
                await self._before_retry(error, attempts)

    async def _before_retry(self, error: grpc.aio.AioRpcError, delays: Iterator[float]) -> None:
        """Wait as long as the next delay says; raise if it is not worth it any more."""
        delay = next(delays, None)
        if self._lost or delay is None or error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise self._unavailable(error) from error
        await asyncio.sleep(delay)

    def _unavailable(self, error: grpc.aio.AioRpcError) -> GrpcUnavailable:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            hint = "Give the token of this bridge; `snakepit serve` says where it lies."
            return GrpcUnavailable("the bridge refuses this token", hint=hint)
        return GrpcUnavailable(
            f"the bridge does not answer ({error.code().name.lower()}: {error.details()})",
            hint=GONE_REMOTE if self._remote else GONE,
        )

    def _closed_error(self) -> GrpcUnavailable:
        if self._remote:
            return GrpcUnavailable("this connection was closed", hint="The next call of the client opens a new one.")
        return GrpcUnavailable("the bridge was stopped", hint="The next call starts a new one.")


def _channel(address: str, authority: bytes | None) -> grpc.aio.Channel:
    if authority is None:
        return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
    credentials = grpc.ssl_channel_credentials(authority or None)
    return grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)
