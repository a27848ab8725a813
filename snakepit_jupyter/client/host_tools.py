"""Functions of this process that workers may call: offered to the bridge for as long as the client is connected."""

import asyncio
import contextlib
import contextvars
import functools
import inspect
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc.aio

from snakepit_jupyter import redaction, values
from snakepit_jupyter.client.connection import Connection
from snakepit_jupyter.client.given import check_text
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import ENCODING_NUMBERS, ENCODINGS, failure_to_pb
from snakepit_jupyter.errors import (
    Failure,
    GrpcUnavailable,
    InvalidParameter,
    SnakepitError,
    ToolError,
    ToolNotFound,
    describe,
)
from snakepit_jupyter.messages import TOOL_NAME, TOOL_NAME_RULE
from snakepit_jupyter.transport.address import is_local

Function = Callable[..., Any]
# Seconds after which a lost stream is opened again.
RETRY = 0.5


@dataclass(frozen=True, slots=True)
class HostTool:
    """One function on offer.

    Args:
        name: how workers call it.
        function: what they call; a coroutine function is run to its end.
        description: one line for lists.
        session_id: the session whose calls see it; "" for all.
        context: where it was registered: what it prints goes to that cell.
    """

    name: str
    function: Function
    description: str = ""
    session_id: str = ""
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InvalidParameter(
                f"a host tool is a function, not {type(self.function).__name__}",
                hint="Write register_host_tool(function), or @host_tool before a def.",
                details={"key": "function"},
            )
        check_text(self.name, "name", "the name of a host tool")
        if not TOOL_NAME.fullmatch(self.name):
            raise InvalidParameter(
                f"{self.name!r} is no name of a host tool",
                hint=f"{TOOL_NAME_RULE} Give one with name=….",
                details={"key": "name"},
            )
        check_text(self.description, "description", "the description of a host tool")
        check_text(self.session_id, "session_id", "the session's id")

    def to_pb(self) -> pb.HostTool:
        """How it is listed for workers."""
        parameters = _parameters(self.function)
        return pb.HostTool(
            name=self.name,
            description=self.description,
            session_id=self.session_id,
            parameters=[
                pb.Parameter(name=p.name, type=_type(p), required=p.default is p.empty)
                for p in parameters
                if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}
            ],
            variadic=any(p.kind is p.VAR_KEYWORD for p in parameters),
        )

    def call(self, request: pb.HostToolCall, *, outward: bool) -> pb.ExecuteReply:
        """Run it, on the thread of who asks; a failure is a value.

        Args:
            request: the call.
            outward: whether what is said here leaves the machine.
        """
        try:
            arguments = values.decode(request.arguments, ENCODINGS[request.arguments_encoding])
            outcome = self.context.copy().run(_run, self.function, arguments)
            payload = (values.encode_plain if request.plain else values.encode_marked)(outcome)
        except BaseException as error:
            return _failed(describe(error, __name__), outward=outward)
        return pb.ExecuteReply(result=payload.data, encoding=ENCODING_NUMBERS[payload.encoding])


def _failed(failure: Failure, *, outward: bool) -> pb.ExecuteReply:
    try:
        said = failure_to_pb(redaction.outward(failure) if outward else failure)
    except BaseException:  # without an answer the worker would wait until its time is up
        said = pb.Failure(code=ToolError.code, message="the host tool raised what cannot be described")
    return pb.ExecuteReply(failure=said)


def _run(function: Function, arguments: dict[str, Any]) -> Any:
    outcome = function(**arguments)
    return asyncio.run(_awaited(outcome)) if inspect.isawaitable(outcome) else outcome


async def _awaited(outcome: Any) -> Any:
    return await outcome


def _parameters(function: Function) -> Sequence[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # some functions written in C do not say
        return [inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)]


def _type(parameter: inspect.Parameter) -> str:
    kind = parameter.annotation
    if kind is parameter.empty:
        return ""
    return kind if isinstance(kind, str) else inspect.formatannotation(kind)


def _not_offered() -> GrpcUnavailable:
    return GrpcUnavailable("the bridge does not answer, and does not know of the host tools")


class HostTools:
    """All functions that one client offers. Its methods run on the portal's loop, the functions on threads.

    Args:
        client_id: the client.
    """

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._tools: dict[tuple[str, str], HostTool] = {}
        self._stream: OfferStream | None = None

    def add(self, tool: HostTool) -> None:
        """Add a function; one of the same name takes the place of the earlier."""
        self._tools[tool.session_id, tool.name] = tool

    async def offer(self, connection: Connection) -> None:
        """Tell the bridge of this client and all its functions; returns once calls may come.

        The stream stands also without functions: its end tells the bridge that the client has gone.

        Raises:
            GrpcUnavailable: if the bridge does not answer.
        """
        if self._stream is None or self._stream.connection is not connection:
            call = functools.partial(self._call, outward=not is_local(connection.address))
            self._stream = OfferStream(connection, self._client_id, call)
        await self._stream.offer([tool.to_pb() for tool in self._tools.values()])

    async def aclose(self) -> None:
        """Offer them no more on the connection there is; they are offered again on the next."""
        if self._stream is not None:
            await self._stream.aclose()
            self._stream = None

    def _call(self, request: pb.HostToolCall, *, outward: bool) -> pb.ExecuteReply:
        tool = self._tools.get((request.session_id, request.tool)) or self._tools.get(("", request.tool))
        if tool is None:
            missing = ToolNotFound(f"there is no host tool {request.tool!r}")
            return _failed(missing.failure(), outward=outward)
        return tool.call(request, outward=outward)


class OfferStream:
    """The stream to one bridge: offers and answers go up, calls come down, each on a thread of its own.

    Args:
        connection: the way to the bridge.
        client_id: the client.
        run: what runs a call.
    """

    def __init__(
        self, connection: Connection, client_id: str, run: Callable[[pb.HostToolCall], pb.ExecuteReply]
    ) -> None:
        self.connection = connection
        self._client_id = client_id
        self._run = run
        self._offered: list[pb.HostTool] = []
        self._outgoing: asyncio.Queue[pb.HostToolOffer] = asyncio.Queue()
        self._unconfirmed: deque[asyncio.Future[None]] = deque()
        self._task = asyncio.create_task(self._live())

    async def offer(self, tools: Sequence[pb.HostTool]) -> None:
        """Offer these; returns when the bridge has confirmed it.

        Raises:
            GrpcUnavailable: if it does not answer. They are offered again as soon as it does.
        """
        self._offered = list(tools)
        if self._task.done():
            raise _not_offered()
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unconfirmed.append(confirmed)
        self._outgoing.put_nowait(self._message())
        await confirmed

    def _message(self) -> pb.HostToolOffer:
        return pb.HostToolOffer(client_id=self._client_id, tools=self._offered)

    async def _live(self) -> None:
        """Keep the stream open for as long as the connection stands."""
        while not self.connection.is_over:
            try:
                with contextlib.suppress(SnakepitError, grpc.aio.AioRpcError):
                    await self._serve()
            finally:
                self._give_up()
            if not self.connection.is_over:
                await asyncio.sleep(RETRY)
                self._outgoing = asyncio.Queue()
                self._outgoing.put_nowait(self._message())

    async def _serve(self) -> None:
        stream = self.connection.offer_host_tools()
        writing = asyncio.create_task(self._write(stream))
        try:
            while (call := await stream.read()) is not grpc.aio.EOF:
                self._take(call)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            stream.cancel()

    def _give_up(self) -> None:
        """Who waits for a confirmation waits no longer; on the next stream everything is offered again."""
        while self._unconfirmed:
            confirmed = self._unconfirmed.popleft()
            if not confirmed.done():
                confirmed.set_exception(_not_offered())

    async def _write(self, stream: Any) -> None:
        while True:
            await stream.write(await self._outgoing.get())

    def _take(self, call: Any) -> None:
        """A call runs on a thread of its own; one without an id confirms an offer."""
        if not call.call_id:
            confirmed = self._unconfirmed.popleft() if self._unconfirmed else None
            if confirmed and not confirmed.done():
                confirmed.set_result(None)
            return
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._answer, args=(loop, call), name=f"host-{call.tool}", daemon=True).start()

    async def aclose(self) -> None:
        """Offer nothing any more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _answer(self, loop: asyncio.AbstractEventLoop, call: pb.HostToolCall) -> None:
        answer = pb.HostToolOffer(call_id=call.call_id, reply=self._run(call))
        loop.call_soon_threadsafe(self._outgoing.put_nowait, answer)
