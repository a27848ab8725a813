"""The worker's face: WorkerService over gRPC, on a loop of its own thread. Translation only."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.codecs.protobuf import RUNGS, call_from_pb
from snakepit_jupyter.messages import StopRung
from snakepit_jupyter.transport.auth import TokenCheck
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS
from snakepit_jupyter.worker.outbox import Outbox
from snakepit_jupyter.worker.runtime import Job, Runtime


class WorkerService(pb_grpc.WorkerServiceServicer):
    """Calls of the bridge, handed to the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def RunTool(self, request: pb.ToolCall, context: Any) -> AsyncIterator[pb.CallUpdate]:
        call = call_from_pb(request)
        outbox = Outbox(asyncio.get_running_loop())
        self._runtime.submit(Job(call, outbox))
        ended = False
        try:
            while not ended:
                update = await outbox.take()
                ended = update.HasField("end")
                yield update
        finally:
            if not ended:  # the bridge has gone
                self._runtime.cancel(call.call_id, StopRung.COOPERATIVE)

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
        address: where it listens, for example "unix:/path".
        token: the secret that callers must know.
    """

    def __init__(self, runtime: Runtime, address: str, token: str) -> None:
        self._runtime = runtime
        self._address = address
        self._token = token
        self._listening = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def start(self) -> None:
        """Return once it listens."""
        self._thread.start()
        self._listening.wait()
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._error = error
            self._listening.set()

    async def _serve(self) -> None:
        server = grpc.aio.server(interceptors=[TokenCheck(self._token)], options=CHANNEL_OPTIONS)
        pb_grpc.add_WorkerServiceServicer_to_server(WorkerService(self._runtime), server)
        server.add_insecure_port(self._address)
        await server.start()
        self._listening.set()
        await server.wait_for_termination()
