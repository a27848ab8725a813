"""The way from a worker back to its bridge."""

from functools import cached_property
from typing import Any

import grpc.aio

from snakepit_jupyter.codecs import correlation
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.transport.auth import bearer
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS

Headers = tuple[tuple[str, str], ...]


class BridgeLink:
    """One channel, opened at its first use, which must be on the loop of the worker's server.

    Args:
        address: where the bridge listens: "unix:/path" or "host:port".
        token: the secret it wants; "" if it wants none.
    """

    def __init__(self, address: str, token: str = "") -> None:
        self.address = address
        self._token = token

    @cached_property
    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self.address, options=CHANNEL_OPTIONS)

    @cached_property
    def peer(self) -> Any:
        """The bridge's BridgeService."""
        return bridge_grpc.BridgeServiceStub(self.channel)

    def headers(self, correlation_id: str = "") -> Headers:
        """The metadata of a call to the bridge."""
        said = correlation.headers(correlation_id)
        return (*bearer(self._token), *said) if self._token else said

    async def aclose(self) -> None:
        """Close the channel, if there is one."""
        if "channel" in self.__dict__:
            await self.channel.close()
