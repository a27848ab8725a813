"""The secret that every RPC carries."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

HEADER = "authorization"


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call that knows the secret."""
    return ((HEADER, f"Bearer {token}"),)


class TokenCheck(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """Refuses every RPC that does not carry the secret, before anything of it is read."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()
        # Of the four kinds of handlers the one that answers without waiting for a message.
        self._refusal: Any = grpc.stream_stream_rpc_method_handler(_refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        given = dict(handler_call_details.invocation_metadata or ()).get(HEADER, "")
        text = given.encode() if isinstance(given, str) else given
        if hmac.compare_digest(text, self._expected):
            return await continuation(handler_call_details)
        return self._refusal


async def _refuse(_requests: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
    await context.abort(grpc.StatusCode.UNAUTHENTICATED, "this bridge wants its token")
