"""What a worker owes a foreign bridge for each session: to open it, to register its tools, to beat for it."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable

import grpc.aio

from snakepit_jupyter.codecs import peer
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.messages import ToolInfo
from snakepit_jupyter.worker.heartbeat import HeartbeatSettings, beat
from snakepit_jupyter.worker.link import BridgeLink, Headers

# Seconds that a bridge may take; then the tool runs all the same.
PATIENCE = 5.0
log = logging.getLogger(__name__)


class PeerSessions:
    """The sessions this worker has seen. Only on the loop of its server.

    Args:
        link: the way to the bridge.
        tools: what is registered.
        heartbeat: how often to beat.
        lost: called when the bridge no longer answers, if the worker depends on it.
    """

    def __init__(
        self, link: BridgeLink, tools: Iterable[ToolInfo], heartbeat: HeartbeatSettings, lost: Callable[[], None]
    ) -> None:
        self._link = link
        self._registrations = [peer.registration(info) for info in tools]
        self._heartbeat = heartbeat
        self._lost = lost
        self._known: dict[str, asyncio.Task[None]] = {}
        self._hearts: dict[str, asyncio.Task[None]] = {}

    async def ensure(self, session_id: str, correlation_id: str = "") -> None:
        """Return once the bridge knows the session and the tools in it; asked once, unless it could not be reached.

        Args:
            session_id: the session.
            correlation_id: that of the call that needs it.
        """
        if not session_id:
            return
        if session_id not in self._known:
            self._known[session_id] = asyncio.create_task(self._introduce(session_id, correlation_id))
        await asyncio.shield(self._known[session_id])

    async def _introduce(self, session_id: str, correlation_id: str) -> None:
        headers = self._link.headers(correlation_id)
        about = {"correlation_id": correlation_id} if correlation_id else {}
        try:
            opening = bridge_pb.InitializeSessionRequest(session_id=session_id)
            await self._link.peer.InitializeSession(opening, timeout=PATIENCE, metadata=headers)
            if not await self._register(session_id, headers):
                log.error("the bridge did not register the tools for the session %r", session_id, extra=about)
        except grpc.aio.AioRpcError as error:
            reason = error.code().name
            log.warning("the bridge was not told of the session %r: %s", session_id, reason, extra=about)
            self._known.pop(session_id, None)
        self.beat(session_id)

    async def _register(self, session_id: str, headers: Headers) -> bool:
        """Register the tools; whether the bridge has them now."""
        request = bridge_pb.RegisterToolsRequest(
            session_id=session_id, tools=self._registrations, worker_id=f"python-{os.getpid()}"
        )
        reply = await self._link.peer.RegisterTools(request, timeout=PATIENCE, metadata=headers)
        # None is gRPC's word for what cannot be understood.
        return reply is not None and (reply.success or "duplicate_tool" in reply.error_message)

    def beat(self, session_id: str) -> None:
        """Beat for a session from now on."""
        if session_id and self._heartbeat.enabled and session_id not in self._hearts:
            self._hearts[session_id] = asyncio.create_task(self._beat(session_id))

    async def _beat(self, session_id: str) -> None:
        await beat(self._link, session_id, self._heartbeat)
        self._lost()

    def drop(self, session_id: str) -> None:
        """The session has ended."""
        self._known.pop(session_id, None)
        heart = self._hearts.pop(session_id, None)
        if heart:
            heart.cancel()
