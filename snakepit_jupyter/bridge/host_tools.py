"""Host tools: functions of clients' own processes, which workers and peers call through the bridge.

A client offers them on a stream that stays open; calls go down that stream and answers come back up. When the
stream ends, its functions are gone, and whoever waits for one is told.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import failure_to_pb
from snakepit_jupyter.errors import Failure, SessionWorkerUnavailable, ToolNotFound


@dataclass(slots=True)
class Offer:
    """The functions of one client.

    Args:
        client_id: who offers them.
    """

    client_id: str
    tools: dict[tuple[str, str], pb.HostTool] = field(default_factory=dict)
    calls: "asyncio.Queue[pb.HostToolCall]" = field(default_factory=asyncio.Queue)
    waiting: "dict[str, asyncio.Future[pb.ExecuteReply]]" = field(default_factory=dict)

    def add(self, tools: Iterable[pb.HostTool]) -> None:
        """Offer more of them; one of the same name takes the place of the earlier."""
        self.tools.update({(tool.session_id, tool.name): tool for tool in tools})

    def find(self, session_id: str, name: str) -> pb.HostTool | None:
        """The function of that name that calls of that session see."""
        return self.tools.get((session_id, name)) or self.tools.get(("", name))

    def answer(self, call_id: str, reply: pb.ExecuteReply) -> None:
        """An answer has come; nothing if nobody waits for it any more."""
        waiter = self.waiting.get(call_id)
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)

    async def call(self, request: pb.HostToolCall, timeout: float) -> pb.ExecuteReply:
        """Have the client call one and wait for its answer, for so many seconds at most."""
        call = pb.HostToolCall()
        call.CopyFrom(request)
        call.call_id = f"h-{uuid.uuid4().hex[:12]}"
        call.timeout = timeout
        waiter: asyncio.Future[pb.ExecuteReply] = asyncio.get_running_loop().create_future()
        self.waiting[call.call_id] = waiter
        self.calls.put_nowait(call)
        try:
            async with asyncio.timeout(timeout):
                return await waiter
        except TimeoutError:
            return pb.ExecuteReply(failure=failure_to_pb(_too_slow(request.tool, timeout)))
        finally:
            del self.waiting[call.call_id]

    def close(self) -> None:
        """Its client has gone."""
        for call_id in list(self.waiting):
            gone = SessionWorkerUnavailable(
                "the notebook that offers this host tool has gone in the middle of the call",
                hint="Register the function again where it is to run.",
            )
            self.answer(call_id, pb.ExecuteReply(failure=failure_to_pb(gone.failure())))


def _too_slow(name: str, timeout: float) -> Failure:
    return Failure(
        "worker_timeout",
        f"the host tool {name!r} did not answer within {timeout:.3g} s",
        "Make it quicker, or start the bridge with a larger host_tool_timeout.",
        retryable=True,
    )


class HostTools:
    """All functions that clients offer.

    Args:
        timeout: seconds that a call may take, if its caller has no earlier deadline.
        gone: called with the id of a client whose stream has ended; it may come again.
    """

    def __init__(self, timeout: float, gone: Callable[[str], object] = lambda _client_id: None) -> None:
        self._timeout = timeout
        self._gone = gone
        self._offers: list[Offer] = []

    async def serve(self, offers: AsyncIterator[pb.HostToolOffer]) -> AsyncGenerator[pb.HostToolCall, None]:
        """One client's stream: its offers and answers come in, calls go out.

        Each offer is confirmed by a call without an id, so that the client knows from when on it stands.
        """
        first = await anext(offers, None)
        if first is None:
            return
        offer = Offer(first.client_id)
        self._offers.append(offer)
        self._take(offer, first)
        reading = asyncio.create_task(self._read(offer, offers))
        try:
            async with aclosing(_until(offer.calls, reading)) as calls:
                async for call in calls:
                    yield call
        finally:
            reading.cancel()
            self._offers.remove(offer)
            offer.close()
            self._gone(offer.client_id)

    def has_client(self, client_id: str) -> bool:
        """Whether a client of that id is connected."""
        return any(offer.client_id == client_id for offer in self._offers)

    async def _read(self, offer: Offer, messages: AsyncIterator[pb.HostToolOffer]) -> None:
        async for message in messages:
            self._take(offer, message)

    def _take(self, offer: Offer, message: pb.HostToolOffer) -> None:
        if message.call_id:
            offer.answer(message.call_id, message.reply)
        else:
            offer.add(message.tools)
            offer.calls.put_nowait(pb.HostToolCall())

    async def call(self, request: pb.HostToolCall, client_id: str) -> pb.ExecuteReply:
        """Call a function. A failure is a value in the reply.

        Args:
            request: what to call; its timeout, if it has one, is the seconds its caller has left.
            client_id: the client on whose behalf; its own functions are preferred.
        """
        offer = self._offering(request.session_id, request.tool, client_id)
        if offer is None:
            return pb.ExecuteReply(failure=failure_to_pb(self._not_found(request).failure()))
        timeout = min(request.timeout, self._timeout) if request.timeout > 0 else self._timeout
        return await offer.call(request, timeout)

    def offers(self, session_id: str, name: str) -> bool:
        """Whether calls of that session see a function of that name."""
        return self._offering(session_id, name, "") is not None

    def of_session(self, session_id: str) -> list[pb.HostTool]:
        """All functions that calls of a session see, by name."""
        seen: dict[str, pb.HostTool] = {}
        for offer in self._offers:
            for _, name in offer.tools:
                if tool := offer.find(session_id, name):
                    seen[name] = tool
        return [seen[name] for name in sorted(seen)]

    def _offering(self, session_id: str, name: str, client_id: str) -> Offer | None:
        return next((offer for offer in self._by_preference(client_id) if offer.find(session_id, name)), None)

    def _by_preference(self, client_id: str) -> Iterator[Offer]:
        """The caller's own client first, then the newest."""
        newest = self._offers[::-1]
        yield from (offer for offer in newest if offer.client_id == client_id)
        yield from (offer for offer in newest if offer.client_id != client_id)

    def _not_found(self, request: pb.HostToolCall) -> ToolNotFound:
        there = ", ".join(tool.name for tool in self.of_session(request.session_id)) or "none"
        return ToolNotFound(
            f"there is no host tool {request.tool!r} for the session {request.session_id!r}",
            hint=f"Register it in the notebook with register_host_tool. There are: {there}.",
            details={"tool": request.tool},
        )


async def _until(
    calls: "asyncio.Queue[pb.HostToolCall]", reading: "asyncio.Task[None]"
) -> AsyncGenerator[pb.HostToolCall, None]:
    """What comes into a queue, until the task that reads the client's side has ended."""
    while not reading.done():
        following = asyncio.ensure_future(calls.get())
        try:
            await asyncio.wait([following, reading], return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                yield following.result()
        finally:
            following.cancel()
