"""The worker's faces over gRPC, on a loop of its own thread: WorkerService for our bridge, BridgeService for peers."""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Sequence
from typing import Any

import grpc.aio

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.codecs.protobuf import RUNGS, call_from_pb
from snakepit_jupyter.transport.auth import TokenCheck
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS
from snakepit_jupyter.worker.calls import updates_of
from snakepit_jupyter.worker.peer import PeerService
from snakepit_jupyter.worker.runtime import Runtime

# Seconds that the server's loop has for its own end.
ENDING = 0.5


class WorkerService(pb_grpc.WorkerServiceServicer):
    """Calls of the bridge, handed to the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def RunTool(self, request: pb.ToolCall, context: Any) -> None:  # type: ignore[override]
        # Written, not yielded: gRPC tells a handler that waits in a `yield` nothing of its reader's going.
        async with contextlib.aclosing(updates_of(self._runtime, call_from_pb(request))) as updates:
            async for update in updates:
                await context.write(update)

    async def CancelCall(self, request: pb.CancelCallRequest, context: Any) -> pb.CancelCallReply:
        return pb.CancelCallReply(known=self._runtime.cancel(request.call_id, RUNGS[request.rung]))

    async def CloseSession(self, request: pb.CloseSessionRequest, context: Any) -> pb.CloseSessionReply:
        if not self._runtime.has_session(request.session_id):
            return pb.CloseSessionReply()
        loop = asyncio.get_running_loop()
        closed: asyncio.Future[int] = loop.create_future()
        self._runtime.close_session(request.session_id, lambda count: _threadsafe(loop, closed, count))
        return pb.CloseSessionReply(closed=await closed)


def _threadsafe(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[int]", value: int) -> None:
    loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(value))


class ServerThread:
    """The server on its thread.

    Args:
        runtime: what it serves.
        address: where it listens, for example "unix:/path" or "127.0.0.1:0".
        token: the secret that callers must know. "" for none, and then only peers are served: our own bridges
            start their workers with one.
        peer: the face for peers, if it is to know more than the runtime.
        options: gRPC's.
    """

    def __init__(
        self,
        runtime: Runtime,
        address: str,
        token: str = "",
        peer: PeerService | None = None,
        options: Sequence[tuple[str, Any]] = CHANNEL_OPTIONS,
    ) -> None:
        self._address = address
        self._interceptors = [TokenCheck(token)] if token else []
        self._own = WorkerService(runtime) if token else None
        self._peer = peer or PeerService(runtime)
        self._options = options
        self._listening: concurrent.futures.Future[int] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def start(self) -> int:
        """Return once it listens: the port, or some number of a Unix socket.

        Raises:
            RuntimeError: if it cannot listen there.
        """
        self._thread.start()
        return self._listening.result()

    def stop(self, grace: float) -> None:
        """Take no further calls, let those there are end within `grace` seconds. Any thread but its own."""
        self._grace = grace
        with contextlib.suppress(RuntimeError):  # it has been stopped
            self._loop.call_soon_threadsafe(self._asked_to_stop.set)
        self._thread.join(grace + ENDING)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if not self._listening.done():
                self._listening.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked_to_stop = asyncio.Event()
        server = grpc.aio.server(interceptors=self._interceptors, options=self._options)
        bridge_grpc.add_BridgeServiceServicer_to_server(self._peer, server)
        if self._own:
            pb_grpc.add_WorkerServiceServicer_to_server(self._own, server)
        port = server.add_insecure_port(self._address)
        await server.start()
        self._listening.set_result(port)
        await self._asked_to_stop.wait()
        await server.stop(self._grace)
