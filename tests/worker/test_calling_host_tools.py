"""Host tools, as a worker calls them: a real worker, and in the bridge's place a small service on a socket."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
import pytest
from tools_for_tests import ALL
from waiting import eventually, run_async

from snakepit_jupyter import errors, values
from snakepit_jupyter.client.embedded import private_directory, search_path
from snakepit_jupyter.codecs import peer
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.codecs.protobuf import ENCODING_NUMBERS, ENCODINGS, failure_from_pb, failure_to_pb
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import Failure
from snakepit_jupyter.messages import Call, Deadline, StopRung, ToolInfo
from snakepit_jupyter.pool.own import own_worker
from snakepit_jupyter.pool.process import WorkerProcess
from snakepit_jupyter.transport.auth import TokenCheck

TOKEN = "the bridge's own"
RAISED = Failure("tool_error", "ValueError: no such row", remote_type="ValueError", remote_traceback="in cell 3")
MISSING = Failure("tool_not_found", "there is no host tool 'missing'", "There are: add.")


@dataclass
class Notebook(pb_grpc.RunServiceServicer, bridge_grpc.BridgeServiceServicer):
    """The bridge with a notebook behind it, as far as workers see it."""

    asked: list[pb.HostToolCall] = field(default_factory=list)
    waiting: int = 0
    given_up: int = 0

    async def CallHostTool(self, request: pb.HostToolCall, context: Any) -> pb.ExecuteReply:  # noqa: N802
        self.asked.append(request)
        if request.tool == "never":
            await self.wait_for_ever()
        if request.tool in {"raise", "missing"}:
            return pb.ExecuteReply(failure=failure_to_pb(RAISED if request.tool == "raise" else MISSING))
        arguments = values.decode(request.arguments, ENCODINGS[request.arguments_encoding])
        result = values.encode(arguments["a"] + arguments["b"] if request.tool == "add" else arguments.get("value"))
        return pb.ExecuteReply(result=result.data, encoding=ENCODING_NUMBERS[result.encoding])

    async def wait_for_ever(self) -> None:
        self.waiting += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.waiting -= 1
            self.given_up += 1

    async def GetExposedElixirTools(  # noqa: N802
        self, request: bridge_pb.GetExposedElixirToolsRequest, context: Any
    ) -> bridge_pb.GetExposedElixirToolsResponse:
        spec = peer.tool_spec(ToolInfo("add", f"Add in {request.session_id}"))
        return bridge_pb.GetExposedElixirToolsResponse(tools=[spec])


@dataclass
class Doors:
    """Where the worker reaches it."""

    address: str
    token: str = TOKEN

    def peer(self, worker_id: str) -> AbstractAsyncContextManager[str]:
        raise NotImplementedError


@dataclass
class Scene:
    """A notebook and a worker that may call it."""

    notebook: Notebook
    worker: WorkerProcess
    server: grpc.aio.Server

    async def end_of(self, call: Call) -> pb.CallEnd:
        async with aclosing(self.worker.transport.stream(call)) as updates:
            async for update in updates:
                if update.HasField("end"):
                    return update.end
        raise AssertionError("there was no end")

    async def result(self, tool: str, /, session_id: str = "s1", **arguments: Any) -> Any:
        end = await self.end_of(call_of(tool, session_id=session_id, **arguments))
        assert end.outcome == pb.OUTCOME_DONE, end.failure
        return values.decode(end.result, ENCODINGS[end.result_encoding]) if end.result else None

    async def error(self, tool: str, /, **arguments: Any) -> errors.SnakepitError:
        end = await self.end_of(call_of(tool, **arguments))
        assert end.outcome == pb.OUTCOME_FAILED
        return errors.error_from(failure_from_pb(end.failure))


def call_of(tool: str, /, session_id: str = "s1", **arguments: Any) -> Call:
    payload = values.encode(arguments)
    return Call(tool, payload.data, encoding=payload.encoding, session_id=session_id)


@asynccontextmanager
async def scene(*, bridge: bool = True, token: str = TOKEN) -> AsyncIterator[Scene]:
    directory = private_directory()
    doors = Doors(f"unix:{directory / 'bridge.sock'}", token)
    notebook = Notebook()  # type: ignore[abstract]  # workers ask for no more
    server = grpc.aio.server(interceptors=[TokenCheck(TOKEN)])
    pb_grpc.add_RunServiceServicer_to_server(notebook, server)
    bridge_grpc.add_BridgeServiceServicer_to_server(notebook, server)
    server.add_insecure_port(doors.address)
    await server.start()
    config = Config(pool_size=1, adapters=tuple(ALL), sys_path=search_path())
    try:
        async with own_worker("w1", config, directory, "the-token", doors if bridge else None) as worker:
            yield Scene(notebook, worker, server)
    finally:
        await server.stop(None)
        await asyncio.to_thread(shutil.rmtree, directory)


# Answers.


@pytest.mark.parametrize("tool", ["ask", "ask_elixir", "ask_async"])
def test_a_tool_calls_a_function_of_the_notebook(tool: str) -> None:
    async def play() -> None:
        async with scene() as stage:
            assert await stage.result(tool, name="add", arguments={"a": 40, "b": 2}) == 42
            assert await stage.result(tool, name="give") is None
            assert await stage.result(tool, name="give", arguments={"value": b"\x00\xff"}) == b"\x00\xff"

    run_async(play())


def test_values_keep_their_types_on_both_ways() -> None:
    async def play() -> None:
        async with scene() as stage:
            call = call_of("ask", name="add", arguments={"a": np.arange(3), "b": np.float32(1)})
            end = await stage.end_of(call)
            answer = values.decode(end.result, ENCODINGS[end.result_encoding])
            np.testing.assert_array_equal(answer, [1, 2, 3])
            assert isinstance(answer, np.ndarray)

    run_async(play())


def test_it_says_on_whose_behalf_it_asks_and_how_long_there_is() -> None:
    async def play() -> None:
        async with scene() as stage:
            call = replace(call_of("ask", name="give"), deadline=Deadline.after(20))
            await stage.end_of(call)
            asked = stage.notebook.asked[0]
            assert (asked.caller, asked.session_id) == (call.call_id, "s1")
            assert asked.correlation_id == call.correlation_id
            assert 0 < asked.timeout <= 20
            await stage.result("ask", name="give")
            assert stage.notebook.asked[1].timeout == 0

    run_async(play())


@pytest.mark.parametrize("said", ["x\ny", "ü", "a\x00b", "z" * 20_000], ids=ascii)
def test_it_answers_whatever_id_the_caller_has_chosen(said: str) -> None:
    async def play() -> None:
        async with scene() as on:
            end = await on.end_of(replace(call_of("ask", name="add", arguments={"a": 1, "b": 2}), correlation_id=said))
            assert end.outcome == pb.OUTCOME_DONE, end.failure
            assert on.notebook.asked[0].correlation_id.startswith("sp-")

    run_async(play())


def test_a_stream_may_ask_in_its_middle() -> None:
    async def play() -> None:
        async with scene() as stage:
            call = replace(call_of("ask_in_stream", name="add"), streaming=True)
            chunks = [chunk async for update in stage.worker.transport.stream(call) for chunk in update.chunks]
            answers = [values.decode(chunk.data, ENCODINGS[chunk.encoding]) for chunk in chunks if chunk.data]
            assert answers == [{"answer": 1}, {"answer": 2}, {"answer": 3}]

    run_async(play())


def test_threads_of_a_tool_may_ask_too() -> None:
    async def play() -> None:
        async with scene() as stage:
            assert await stage.result("ask_from_threads", name="add") == [1, 2]

    run_async(play())


def test_the_host_tools_of_a_session_are_listed() -> None:
    async def play() -> None:
        async with scene() as stage:
            assert await stage.result("host_tools") == {"add": "Add in s1"}

    run_async(play())


# Failures.


def test_an_exception_of_the_host_tool_comes_with_both_tracebacks() -> None:
    async def play() -> None:
        async with scene() as stage:
            error = await stage.error("ask", name="raise")
            assert isinstance(error, errors.ToolError)
            assert (error.remote_type, error.message) == ("ValueError", "ValueError: no such row")
            assert error.remote_traceback.startswith("in cell 3")
            assert "in ask\n    return self.session_context.call_host_tool(" in error.remote_traceback
            assert "snakepit_jupyter" not in error.remote_traceback

    run_async(play())


def test_a_host_tool_that_nobody_offers_is_not_found() -> None:
    async def play() -> None:
        async with scene() as stage:
            error = await stage.error("ask", name="missing")
            assert isinstance(error, errors.ToolNotFound)
            assert "There are: add." in error.hint

    run_async(play())


@pytest.mark.parametrize("tool", ["ask", "ask_async"])
def test_without_a_bridge_there_is_no_host_tool(tool: str) -> None:
    async def play() -> None:
        async with scene(bridge=False) as stage:
            error = await stage.error(tool, name="add")
            assert isinstance(error, errors.ToolNotFound)
            assert "this worker knows no bridge to ask" in error.message
            assert await stage.result("host_tools") == {}

    run_async(play())


def test_a_bridge_that_has_gone_or_refuses_is_unavailable() -> None:
    async def play() -> None:
        async with scene(token="a guess") as stage:
            error = await stage.error("ask", name="add")
            assert isinstance(error, errors.GrpcUnavailable)
            assert "wants its token" in error.message
            await stage.server.stop(None)
            assert isinstance(await stage.error("host_tools"), errors.GrpcUnavailable)

    run_async(play())


def test_a_value_that_cannot_be_sent_never_leaves() -> None:
    async def play() -> None:
        async with scene() as stage:
            assert isinstance(await stage.error("ask_with_an_object"), errors.UnserializableValue)
            assert stage.notebook.asked == []

    run_async(play())


# Its end.


def test_the_calls_deadline_ends_the_waiting() -> None:
    async def play() -> None:
        async with scene() as stage:
            started = time.monotonic()
            end = await stage.end_of(replace(call_of("ask", name="never"), deadline=Deadline.after(1.0)))
            assert failure_from_pb(end.failure).code == "worker_timeout"
            assert "the host tool 'never'" in end.failure.message
            assert time.monotonic() - started < 5
            await asyncio.to_thread(eventually, lambda: stage.notebook.given_up == 1)

    run_async(play())


@pytest.mark.parametrize(
    ("tool", "rung", "mark"),
    [
        ("ask_and_note", StopRung.COOPERATIVE, "RunStopped"),
        ("ask_and_note", StopRung.INTERRUPT, "KeyboardInterrupt"),
        ("ask_async", StopRung.COOPERATIVE, "RunStopped"),
        ("ask_async", StopRung.INTERRUPT, "CancelledError"),
    ],
)
def test_a_call_that_is_stopped_waits_no_longer(tool: str, rung: StopRung, mark: str, tmp_path: Path) -> None:
    async def play() -> None:
        async with scene() as stage:
            call = call_of(tool, name="never", path=str(tmp_path / "end"))
            ending = asyncio.create_task(stage.end_of(call))
            await asyncio.to_thread(eventually, lambda: stage.notebook.waiting == 1)
            await stage.worker.transport.cancel(call.call_id, rung, timeout=5)
            assert (await ending).outcome == pb.OUTCOME_STOPPED
            await asyncio.to_thread(eventually, lambda: stage.notebook.given_up == 1)
            assert (tmp_path / "end").read_text() == mark
            assert await stage.result(tool.replace("ask_and_note", "ask"), name="give") is None

    run_async(play())


# What the context says besides.


def test_the_context_holds_what_was_said_of_call_and_session() -> None:
    async def play() -> None:
        async with scene() as stage:
            call = replace(
                call_of("context"),
                labels={"cell": "7"},
                session_metadata={"notebook": "a.ipynb"},
                deadline=Deadline.after(30),
            )
            end = await stage.end_of(call)
            said = values.decode(end.result, ENCODINGS[end.result_encoding])
            assert 0 < said.pop("remaining") <= 30
            assert said == {
                "session_id": "s1",
                "call_id": call.call_id,
                "correlation_id": call.correlation_id,
                "metadata": {"notebook": "a.ipynb"},
                "request_metadata": {"cell": "7", "correlation_id": call.correlation_id},
                "cancelled": False,
            }

    run_async(play())


def test_threads_of_a_tool_see_its_context() -> None:
    async def play() -> None:
        async with scene() as stage:
            for session in ("s1", "s2", "s1"):
                assert await stage.result("context_in_thread", session_id=session) == session

    run_async(play())


def test_any_class_with_tools_is_told_of_its_calls_if_it_wants() -> None:
    async def play() -> None:
        async with scene() as stage:
            await stage.result("sessions", session_id="s2")
            assert await stage.result("sessions", session_id="s1") == ["s1"]
            assert await stage.result("sessions", session_id="s2") == ["s2", "s2"]

    run_async(play())
