"""A worker's process, as its bridge sees it: what it imports, who may call it, when it leaves."""

import asyncio
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest
from tools_for_tests import ALL
from waiting import alive, all_gone, eventually, run_async, written

from snakepit_jupyter import Client, exact_json
from snakepit_jupyter.client.embedded import private_directory, search_path
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.config import Config
from snakepit_jupyter.messages import Call
from snakepit_jupyter.pool.own import OwnProcess, own_worker
from snakepit_jupyter.transport.auth import bearer


@asynccontextmanager
async def a_worker(token: str = "the-token") -> AsyncIterator[OwnProcess]:
    config = Config(pool_size=1, adapters=tuple(ALL), sys_path=search_path())
    directory = private_directory()
    try:
        async with own_worker("w1", config, directory, token, None) as worker:
            yield worker
    finally:
        shutil.rmtree(directory)


async def answer(worker: OwnProcess, tool: str, **arguments: Any) -> Any:
    call = Call(tool, exact_json.encode(arguments))
    async for update in worker.transport.stream(call):
        if update.HasField("end"):
            assert update.end.outcome == pb.OUTCOME_DONE, update.end.failure
            return exact_json.decode(update.end.result)
    raise AssertionError("there was no end")


def test_a_worker_runs_tools_on_its_main_thread_and_imports_nothing_of_a_notebook() -> None:
    async def scene() -> None:
        async with a_worker() as worker:
            world = await answer(worker, "world")
            assert world["on_main_thread"]
            assert world["pid"] == worker.pid
            assert not {"IPython", "ipywidgets", "anywidget", "traitlets", "ipykernel"} & set(world["modules"])
            assert not {"numpy", "pandas", "sklearn", "pyarrow", "opentelemetry"} & set(world["modules"])

    run_async(scene())


def test_its_command_line_has_no_secret_and_its_standard_input_is_empty() -> None:
    async def scene() -> None:
        token = secrets.token_hex(16)
        async with a_worker(token) as worker:
            world = await answer(worker, "world")
            assert world["stdin"] == ""
            process = psutil.Process(worker.pid)
            assert token not in " ".join(process.cmdline())
            assert token not in str(process.environ())
            assert os.getpgid(worker.pid) == worker.pid

    run_async(scene())


@pytest.mark.parametrize("metadata", [(), bearer("a guess"), (("authorization", "the-token"),)])
def test_who_does_not_know_the_token_is_refused(metadata: Any) -> None:
    async def scene() -> None:
        async with a_worker() as worker, grpc.aio.insecure_channel(address_of(worker)) as channel:
            stub = pb_grpc.WorkerServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.CancelCall(pb.CancelCallRequest(), metadata=metadata)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async for _ in stub.RunTool(pb.ToolCall(tool="ping"), metadata=metadata):
                    pass
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

    run_async(scene())


def address_of(worker: OwnProcess) -> str:
    return f"unix:{socket_of(worker)}"


def socket_of(worker: OwnProcess) -> Path:
    (path,) = {
        str(connection.laddr)
        for connection in psutil.Process(worker.pid).net_connections("unix")
        if str(connection.laddr).endswith("w1.sock")
    }
    return Path(path)


def test_its_socket_lies_where_no_other_user_comes() -> None:
    async def scene() -> None:
        async with a_worker() as worker:
            assert socket_of(worker).parent.stat().st_mode & 0o077 == 0

    run_async(scene())


@pytest.mark.parametrize(("tool", "mark"), [("asleep", "woken"), ("asleep_async", "Error|Interrupt")])
def test_it_leaves_when_its_parent_lets_go_and_its_tool_cleans_up(tool: str, mark: str, tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_worker() as worker:
            given = {"path": str(tmp_path / "end"), "begin": str(tmp_path / "begin")}
            updates = worker.transport.stream(Call(tool, exact_json.encode(given), streaming=True))
            await anext(updates)
            await asyncio.to_thread(written, tmp_path / "begin")
            await worker.stop()
            await asyncio.to_thread(all_gone, [worker.pid], 1)
            assert re.search(mark, (tmp_path / "end").read_text())
            await updates.aclose()

    run_async(scene())


def test_it_leaves_by_itself_even_if_its_tool_does_not_want_to(tmp_path: Path) -> None:
    async def scene() -> None:
        async with a_worker() as worker:
            given = {"path": str(tmp_path / "end"), "begin": str(tmp_path / "begin")}
            updates = worker.transport.stream(Call("stubborn", exact_json.encode(given), streaming=True))
            await anext(updates)
            await asyncio.to_thread(written, tmp_path / "begin")
            await worker.stop()
            assert (tmp_path / "end").read_text() == "interrupted, and goes on"
            assert worker.program.exit_code == 0, "it was not killed"
            await updates.aclose()

    run_async(scene())


PARENT = """
import asyncio, sys
from pathlib import Path
from snakepit_jupyter.config import Config
from snakepit_jupyter.pool.own import own_worker

async def main():
    async with own_worker("w1", Config(pool_size=1), Path(sys.argv[1]), "t", None) as worker:
        print(worker.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


def test_it_leaves_when_its_parent_is_killed(directory: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(directory)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.kill()
    all_gone([worker])


def test_it_tells_of_its_tools_and_once_of_each_type_that_cannot_be_sent() -> None:
    async def controls() -> AsyncIterator[bridge_pb.TelemetryControl]:
        yield bridge_pb.TelemetryControl(toggle=bridge_pb.TelemetryToggle(enabled=True))
        await asyncio.Event().wait()

    async def scene() -> None:
        async with a_worker() as worker, aclosing(worker.transport.telemetry(controls())) as events:
            for _ in range(2):
                async for _update in worker.transport.stream(Call("return_object", correlation_id="sp-1")):
                    pass
            told = [await anext(events) for _ in range(5)]
            marker = "snakepit.serialization.unserializable_marker"
            assert [".".join(event.event_parts) for event in told] == [
                "tool.execution.start",
                marker,
                "tool.execution.stop",
                "tool.execution.start",
                "tool.execution.stop",
            ]
            assert told[1].metadata["type"] == "tools_for_tests.Secretive"
            assert {event.correlation_id for event in told} == {"sp-1"}

    run_async(scene())


# The end of the process that owns a client.


OWNER = """
import sys
from snakepit_jupyter import Client

client = Client(pool_size=2, adapters=["tools_for_tests:Streams"])
run = client.execute_stream("with_child", {"path": sys.argv[1]})
first = next(iter(run))
print(client.bridge_pid, *[w.pid for w in client.status().workers], first["child"], flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("how", ["kill", "leave", "terminate"])
def test_however_its_owner_ends_nothing_stays_and_the_tool_cleans_up(how: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "end")],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdin is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 4
        assert all(alive(pid) for pid in pids if pid)
        if how == "kill":
            owner.kill()
        elif how == "terminate":
            owner.send_signal(signal.SIGTERM)
        else:
            owner.stdin.write("\n")
            owner.stdin.flush()
        owner.wait(15)
    all_gone([pid for pid in pids if pid])
    assert written(tmp_path / "end", within=1) == "left"
    if how == "leave":
        assert owner.returncode == 0


def test_a_tool_that_waits_in_the_background_is_not_left_behind(own_client: Client, tmp_path: Path) -> None:
    run = own_client.execute_stream("with_child", {"path": str(tmp_path / "end")})
    child = next(iter(run))["child"]
    run.cancel()
    eventually(lambda: run.state.status.ended)
    all_gone([child])
