"""Where workers reach the bridge: our own at its socket, with the secret; each peer's at a socket made for it alone."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import grpc.aio

from snakepit_jupyter.bridge.bridge import Bridge
from snakepit_jupyter.bridge.peer import PeerService
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS

SOCKET = "bridge.sock"


class BridgeDoors:
    """The doors for workers.

    Args:
        directory: a private directory; who can enter it is let in by a peer's door without the secret.
        token: the secret of the bridge's own door.
    """

    def __init__(self, directory: Path, token: str) -> None:
        self._directory = directory
        self._token = token
        self._bridge: Bridge | None = None

    def lead_to(self, bridge: Bridge) -> None:
        """Say what is behind the doors; before any worker is started."""
        self._bridge = bridge

    @property
    def address(self) -> str:
        """Where the bridge's own workers reach it."""
        return f"unix:{self._directory / SOCKET}"

    @property
    def token(self) -> str:
        """The secret they need there."""
        return self._token

    def peer(self, worker_id: str) -> AbstractAsyncContextManager[str]:
        """Open a door for one worker that can send no secret; its address."""
        return self._peer(worker_id)

    @asynccontextmanager
    async def _peer(self, worker_id: str) -> AsyncIterator[str]:
        assert self._bridge is not None
        path = self._directory / f"{worker_id}-door.sock"
        server = grpc.aio.server(options=CHANNEL_OPTIONS)
        service = PeerService(self._bridge, worker_id=worker_id)
        bridge_grpc.add_BridgeServiceServicer_to_server(service, server)
        server.add_insecure_port(f"unix:{path}")
        await server.start()
        try:
            yield f"unix:{path}"
        finally:
            await server.stop(grace=None)
            service.forget_opened()
            path.unlink(missing_ok=True)
