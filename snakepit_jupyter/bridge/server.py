"""Where the bridge listens: both of its faces, behind its secret."""

from dataclasses import dataclass

import grpc
import grpc.aio

from snakepit_jupyter.bridge.bridge import Bridge
from snakepit_jupyter.bridge.grpc import RunService
from snakepit_jupyter.bridge.peer import PeerService
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.errors import InvalidConfig
from snakepit_jupyter.transport.address import check_address, is_local
from snakepit_jupyter.transport.auth import TokenCheck
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS


@dataclass(frozen=True, slots=True)
class Tls:
    """A server's certificate and key, both as PEM text."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Listening:
    """A server, and where it listens."""

    grpc: grpc.aio.Server
    address: str


async def serve(bridge: Bridge, address: str, token: str, tls: Tls | None = None) -> Listening:
    """Listen.

    Args:
        bridge: what is served.
        address: "unix:PATH" or "HOST:PORT"; port 0 takes a free one.
        token: the secret that every caller must know.
        tls: for any address that is not this machine's own.

    Raises:
        InvalidConfig: if that is no address, would be open to other machines without TLS, or cannot be listened on.
    """
    check_address(address, lowest_port=0)
    outward = not is_local(address)
    if outward and tls is None:
        raise InvalidConfig(
            f"{address} can be reached from other machines, and nothing would be encrypted",
            hint="Listen on unix:PATH or 127.0.0.1:PORT, or give --tls-certificate and --tls-key.",
        )
    server = grpc.aio.server(interceptors=[TokenCheck(token)], options=CHANNEL_OPTIONS)
    pb_grpc.add_RunServiceServicer_to_server(RunService(bridge, outward=outward), server)
    bridge_grpc.add_BridgeServiceServicer_to_server(PeerService(bridge, outward=outward), server)
    port = _bind(server, address, tls)
    await server.start()
    return Listening(server, address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}")


def _bind(server: grpc.aio.Server, address: str, tls: Tls | None) -> int:
    try:
        if tls is None:
            return server.add_insecure_port(address)
        credentials = grpc.ssl_server_credentials([(tls.key, tls.certificate)])
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise InvalidConfig(f"the bridge cannot listen on {address}", hint=_why_not(address, tls)) from error


def _why_not(address: str, tls: Tls | None) -> str:
    hint = "Is something else listening there? Port 0 takes a free one."
    if address.startswith("unix:"):
        hint = "Is its directory there, and nothing else at its place? Such a path has at most 107 bytes."
    return f"{hint} Do the certificate and the key belong together?" if tls else hint
