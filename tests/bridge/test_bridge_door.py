"""The bridge's own door: who may come in, what a second reader sees, what is kept."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from waiting import run_async

from snakepit_jupyter import Client
from snakepit_jupyter.bridge import bridge as bridge_module
from snakepit_jupyter.bridge.bridge import Bridge
from snakepit_jupyter.bridge.opening import open_bridge
from snakepit_jupyter.client.embedded import private_directory, search_path
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2_grpc as pb_grpc
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import RunNotFound, ToolNotFound
from snakepit_jupyter.messages import Call, RunStatus
from snakepit_jupyter.transport.auth import bearer


@pytest.mark.parametrize("metadata", [(), bearer("a guess")])
def test_who_does_not_know_the_token_is_refused_by_every_method(client: Client, metadata: Any) -> None:
    connection = client._core._connection
    assert connection is not None

    async def scene() -> None:
        async with grpc.aio.insecure_channel(connection.address) as channel:
            stub = pb_grpc.RunServiceStub(channel)
            for rpc, request in [
                (stub.Execute, pb.ToolCall(tool="ping")),
                (stub.StartRun, pb.StartRunRequest()),
                (stub.GetRun, pb.GetRunRequest()),
                (stub.Cancel, pb.CancelRequest()),
                (stub.Acknowledge, pb.AcknowledgeRequest()),
                (stub.CloseSession, pb.CloseSessionRequest()),
                (stub.GetStatus, pb.GetStatusRequest()),
            ]:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await rpc(request, metadata=metadata)  # type: ignore[operator]
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async for _ in stub.Subscribe(pb.SubscribeRequest(), metadata=metadata):
                    pass
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

    run_async(scene())


async def collect(bridge: Bridge, run_id: str, seq: int = 1, min_interval: float = 0.0) -> list[pb.RunUpdate]:
    return [update async for update in bridge.read(bridge.run(run_id), seq, min_interval)]


def numbers(updates: list[pb.RunUpdate]) -> list[int]:
    return [chunk.seq for update in updates for chunk in update.chunks]


def a_call(tool: str, arguments: bytes = b"{}") -> Call:
    return Call(tool, arguments, streaming=True)


def in_process(scene: Any) -> None:
    """Run a scene with a bridge in this process: the same object as in the bridge's own."""

    async def with_bridge() -> None:
        config = Config(pool_size=1, adapters=("tools_for_tests:Streams",), sys_path=search_path())
        directory = private_directory()
        async with open_bridge(config, directory, "token") as bridge:
            await scene(bridge)
        shutil.rmtree(directory)

    run_async(with_bridge())


def test_every_reader_sees_the_whole_run_whenever_it_comes() -> None:
    async def scene(bridge: Bridge) -> None:
        run = await bridge.start_run(a_call("count", b'{"count": 300}'), held=False)
        run_id = run.call.call_id
        readers = [asyncio.create_task(collect(bridge, run_id, min_interval=pace)) for pace in (0.0, 0.01)]
        for reading in await asyncio.gather(*readers):
            assert numbers(reading) == list(range(1, 301))
            assert reading[-1].state.status == pb.RUN_STATUS_DONE
        late = await collect(bridge, run_id, seq=250)
        assert numbers(late) == list(range(250, 301))
        assert [update.state.status for update in await collect(bridge, run_id, seq=301)] == [pb.RUN_STATUS_DONE]

    in_process(scene)


def test_starting_the_same_run_twice_starts_it_once() -> None:
    async def scene(bridge: Bridge) -> None:
        call = a_call("count")
        assert await bridge.start_run(call, held=False) is await bridge.start_run(call, held=False)
        assert len((await bridge.status()).runs) == 1

    in_process(scene)


def test_a_run_that_was_stopped_before_its_start_had_come_is_stopped(tmp_path: Path) -> None:
    async def scene(bridge: Bridge) -> None:
        call = a_call("endless", f'{{"path": "{tmp_path}/end"}}'.encode())
        assert not bridge.cancel(call.call_id, "its caller was interrupted")
        run = await bridge.start_run(call, held=True)
        await asyncio.wait_for(run.ended(), 10)
        assert run.status is RunStatus.STOPPED
        assert "its caller was interrupted" in run.state.failure.message

    in_process(scene)


def test_a_tool_that_is_not_there_starts_nothing() -> None:
    async def scene(bridge: Bridge) -> None:
        with pytest.raises(ToolNotFound):
            await bridge.start_run(a_call("cuont"), held=False)
        assert (await bridge.status()).runs == ()
        with pytest.raises(RunNotFound):
            bridge.run("r-unknown")
        assert not bridge.cancel("r-unknown", "")

    in_process(scene)


@pytest.mark.parametrize(("name", "most", "size"), [("KEPT_RUNS", 3, 0), ("KEPT_BYTES", 350_000, 100_000)])
def test_of_runs_that_ended_only_the_newest_are_kept(
    name: str, most: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_module, name, most)

    async def scene(bridge: Bridge) -> None:
        arguments = f'{{"count": 1, "size": {size}}}'.encode()
        runs = []
        for _ in range(6):
            run = await bridge.start_run(a_call("count", arguments), held=False)
            await run.ended()
            runs.append(run)
        last = await bridge.start_run(a_call("count", arguments), held=False)
        kept = [run.run_id for run in (await bridge.status()).runs]
        assert kept == [run.call.call_id for run in [*runs[-3:], last]]

    in_process(scene)


def test_a_run_that_goes_on_is_not_forgotten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bridge_module, "KEPT_RUNS", 0)

    async def scene(bridge: Bridge) -> None:
        first = await bridge.start_run(a_call("endless", f'{{"path": "{tmp_path}/end"}}'.encode()), held=False)
        second = await bridge.start_run(a_call("count"), held=False)
        assert bridge.run(first.call.call_id) is first
        first.stop("the test")
        await asyncio.gather(first.ended(), second.ended())
        assert (first.status, second.status) == (RunStatus.STOPPED, RunStatus.DONE)

    in_process(scene)


def test_a_reader_with_a_pace_gets_no_more_updates_than_that_and_every_chunk() -> None:
    async def scene(bridge: Bridge) -> None:
        run = await bridge.start_run(a_call("count", b'{"count": 400, "pause": 0.001}'), held=False)
        reading = await collect(bridge, run.call.call_id, min_interval=0.05)
        assert numbers(reading) == list(range(1, 401))
        # One each 50 ms, and beside them those that tell of the run's beginning and its end.
        assert len(reading) <= run.state.elapsed / 0.05 + 4

    in_process(scene)
