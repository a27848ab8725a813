"""Workers that are not ours, from their start to their end; tests/stand_in takes the place of Snakepit's."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_doors import RecordingBridge, RecordingDoors
from waiting import alive, all_gone, below, eventually, run_async, written

from snakepit_jupyter import values
from snakepit_jupyter.client.embedded import private_directory
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import ENCODINGS
from snakepit_jupyter.config import Config
from snakepit_jupyter.lifeline import Program
from snakepit_jupyter.messages import Call, Deadline, StopRung, ToolInfo
from snakepit_jupyter.pool import launch, peer
from snakepit_jupyter.pool.local import LocalPool
from snakepit_jupyter.pool.peer import Pulse
from snakepit_jupyter.pool.process import NoWorker, WorkerProcess, WorkerStartError
from snakepit_jupyter.transport.grpc import ConnectionLost

T = TypeVar("T")
STAND_IN = Path(__file__).parent.parent / "stand_in" / "grpc_server.py"
COMMAND = (sys.executable, str(STAND_IN))
CONFIG = Config(pool_size=1, adapters=("peer_tools.Tools",), worker_command=COMMAND)
# So quick that a test need not wait, and patient enough for a busy machine.
QUICK = Pulse(interval=0.05, timeout=5.0)


class Watching:
    """Who is told of the workers."""

    def __init__(self) -> None:
        self.ready: list[WorkerProcess] = []
        self.gone: list[tuple[str, str, bool]] = []

    def worker_ready(self, worker: WorkerProcess) -> None:
        self.ready.append(worker)

    def worker_gone(self, worker_id: str, ending: str, *, expected: bool) -> None:
        self.gone.append((worker_id, ending, expected))


class Scene:
    """A pool of foreign workers with all that is around it."""

    def __init__(self, directory: Path, config: Config, bridge: RecordingBridge, pulse: Pulse) -> None:
        self.directory = directory
        self.bridge = bridge
        self.doors = RecordingDoors(directory, bridge)
        self.watching = Watching()
        self.pool = LocalPool(config, directory, "secret", self.doors, self.watching, pulse)

    async def call(self, tool: str, *, session: str = "", streaming: bool = False, **arguments: Any) -> Any:
        """The value of a plain call or the chunks of a stream, and its end."""
        payload = values.encode(arguments)
        return await self.make(Call(tool, payload.data, session, streaming, encoding=payload.encoding))

    async def make(self, call: Call) -> tuple[Any, pb.CallEnd]:
        chunks: list[pb.Chunk] = []
        async with self.pool.worker(call) as worker:
            async for update in worker.transport.stream(call):
                chunks += update.chunks
                if update.HasField("end"):
                    end = update.end
        if call.streaming:
            return chunks, end
        done = end.outcome == pb.OUTCOME_DONE
        return values.decode(end.result, ENCODINGS[end.result_encoding]) if done else None, end

    async def worker(self) -> WorkerProcess:
        """The first worker, when it is ready."""
        await self.pool.usable()
        return self.watching.ready[0]


@asynccontextmanager
async def opened(
    directory: Path,
    config: Config = CONFIG,
    bridge: RecordingBridge | None = None,
    pulse: Pulse = QUICK,
) -> AsyncIterator[Scene]:
    scene = Scene(directory, config, bridge or RecordingBridge(), pulse)
    scene.pool.open()
    try:
        yield scene
    finally:
        await scene.pool.aclose()


async def until(condition: Callable[[], T], within: float = 10.0) -> T:
    """`eventually`, beside a loop that goes on."""
    return await asyncio.to_thread(eventually, condition, within)


class Shared:
    """One scene for several tests, on a loop of its own."""

    def __init__(self, scene: Scene, loop: asyncio.AbstractEventLoop) -> None:
        self.scene = scene
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def call(self, tool: str, **arguments: Any) -> Any:
        return self.run(self.scene.call(tool, **arguments))


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    directory = private_directory()

    async def begin() -> Scene:
        scene = Scene(directory, CONFIG, RecordingBridge(), QUICK)
        scene.pool.open()
        await scene.pool.usable()
        return scene

    scene = asyncio.run_coroutine_threadsafe(begin(), loop).result(30)
    yield Shared(scene, loop)
    asyncio.run_coroutine_threadsafe(scene.pool.aclose(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert not list(directory.iterdir()), "no socket and no ready file is left"
    directory.rmdir()


# The start.


def test_a_worker_gets_snakepits_flags_in_snakepits_order(shared: Shared) -> None:
    worker = shared.scene.watching.ready[0]
    command = psutil.Process(worker.pid).cmdline()
    door = f"unix:{shared.scene.directory / 'w1-door.sock'}"
    assert command[:-1] == [
        *(*COMMAND, "--adapter", "peer_tools.Tools", "--port", "0"),
        *("--elixir-address", door, "--snakepit-run-id"),
    ]
    assert len(command[-1]) == 7
    assert command[-1].isalnum()


def test_a_worker_gets_snakepits_environment_and_leads_its_process_group(shared: Shared) -> None:
    found, _ = shared.call("surroundings")
    assert json.loads(found.pop("SNAKEPIT_HEARTBEAT_CONFIG")) == {
        "enabled": True,
        "interval_ms": 50,
        "timeout_ms": 5000,
        "max_missed_heartbeats": 3,
        "dependent": True,
    }
    expected = {
        "SNAKEPIT_READY_FILE": str(shared.scene.directory / "w1.ready"),
        "SNAKEPIT_PROCESS_GROUP": "1",
        "SNAKEPIT_OTEL_CONSOLE": "false",
        "SNAKEPIT_LOG_LEVEL": "error",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "GRPC_POLL_STRATEGY": "poll",
        "cwd": str(STAND_IN.parent),
    }
    assert found == {**found, **expected}
    assert found["pid"] == found["pgid"] == found["sid"] == shared.scene.watching.ready[0].pid


def test_at_its_start_a_worker_is_greeted_as_snakepit_greets_it(shared: Shared) -> None:
    bridge = shared.scene.bridge
    names = [name for name, _ in bridge.seen[:3]]
    assert names == ["Ping", "InitializeSession", "Heartbeat"], "its own ping, then what we asked it to pass on"
    assert bridge.seen[0][1].message == "connection_test"
    request = bridge.seen[1][1]
    assert request.session_id.startswith("session_1_")
    assert request.config.enable_caching
    assert request.config.cache_ttl_seconds == 60


def test_the_ready_file_is_gone_once_it_was_read(shared: Shared) -> None:
    assert not list(shared.scene.directory.glob("*.ready*"))


def test_a_pool_of_foreign_workers_knows_no_tools_until_they_are_registered(shared: Shared) -> None:
    pool = shared.scene.pool
    assert not pool.tools_are_known
    assert pool.tools == {}
    pool.learn([ToolInfo("echo"), ToolInfo("count", streaming=True)])
    pool.learn([ToolInfo("count", "again", streaming=True)])
    assert {name: tool.description for name, tool in pool.tools.items()} == {"echo": "", "count": "again"}


# Calls.


def test_a_session_is_opened_with_its_tools_at_its_first_call(shared: Shared) -> None:
    shared.call("echo", session="first")
    shared.call("echo", session="first")
    bridge = shared.scene.bridge
    order = [name for name in bridge.order("first") if name != "Heartbeat"]
    assert order == ["InitializeSession", "RegisterTools", "InitializeSession"]
    assert "Heartbeat" in bridge.order("first")
    (registered,) = [request for request in bridge.of("RegisterTools") if request.session_id == "first"]
    assert registered.worker_id.startswith("python-")
    streaming = {tool.name: tool.supports_streaming for tool in registered.tools}
    assert (streaming["echo"], streaming["count"]) == (False, True)


@pytest.mark.parametrize(
    ("value", "comes_back"),
    [
        ("text", "text"),
        (True, True),
        (7, 7.0),
        ({"a": [1, None, 2.5]}, {"a": [1, None, 2.5]}),
        ([], []),
        (float("inf"), "Infinity"),
        (None, "None"),
        (b"\x00", "b'\\x00'"),
    ],
)
def test_values_come_back_as_the_worker_makes_them(shared: Shared, value: Any, comes_back: Any) -> None:
    result, end = shared.call("echo", value=value)
    assert end.outcome == pb.OUTCOME_DONE
    assert result == comes_back or (comes_back == "Infinity" and result == float("inf"))
    assert type(result) is type(comes_back) or comes_back == "Infinity"


def test_bytes_arrive_as_bytes(shared: Shared) -> None:
    assert shared.call("kinds", value=b"x")[0] == "bytes"
    call = Call("size", binary={"blob": bytes(1_000_000)})
    assert shared.run(shared.scene.make(call))[0] == 1_000_000.0


def test_a_tool_sees_session_correlation_id_and_labels(shared: Shared) -> None:
    call = Call("request", session_id="mine", correlation_id="sp-7", labels={"cell": "3"})
    assert shared.run(shared.scene.make(call))[0] == {"session": "mine", "correlation_id": "sp-7", "cell": "3"}
    result, _ = shared.call("request")
    assert result["session"] == shared.scene.bridge.of("InitializeSession")[0].session_id


def test_an_exception_of_the_tool_comes_with_its_type_and_traceback(shared: Shared) -> None:
    _, end = shared.call("fail", message="because")
    assert (end.failure.code, end.failure.remote_type) == ("tool_error", "ValueError")
    assert end.failure.message == "ValueError: because"
    assert "in fail" in end.failure.remote_traceback


def test_a_stream_comes_in_order_with_snakepits_empty_final_chunk(shared: Shared) -> None:
    chunks, end = shared.call("count", streaming=True, n=2)
    assert [(chunk.data, chunk.is_final) for chunk in chunks] == [
        (b'{"i": 0}', False),
        (b'{"i": 1}', False),
        (b"", True),
    ]
    assert end.outcome == pb.OUTCOME_DONE


def test_a_stream_may_hold_anything_the_wire_knows(shared: Shared) -> None:
    chunks, _ = shared.call("shapes", streaming=True)
    json_, bytes_ = pb.ENCODING_JSON, pb.ENCODING_BYTES
    assert [(chunk.data, chunk.encoding, chunk.is_final, dict(chunk.metadata)) for chunk in chunks] == [
        (b'{"a": 1}', json_, False, {}),
        (b"text", bytes_, False, {}),
        (b"\x00\xff", bytes_, False, {}),
        (b"", json_, False, {}),
        (b"[1, 2]", json_, False, {}),
        (b'{"last": true}', json_, True, {"step": "3"}),
    ]


def test_a_stream_that_fails_keeps_what_it_gave(shared: Shared) -> None:
    chunks, end = shared.call("fail_later", streaming=True)
    assert [chunk.data for chunk in chunks] == [b"1"]
    assert (end.failure.code, end.failure.remote_type) == ("tool_error", "KeyError")


def test_a_tool_calls_the_host_in_snakepits_three_encodings(shared: Shared) -> None:
    arguments = {"a": 1, "b": True, "c": "text", "d": [1], "e": None}
    assert shared.call("ask", session="asking", name="add", arguments=arguments)[0] == [42]
    (request,) = shared.scene.bridge.of("ExecuteElixirTool")
    assert (request.session_id, request.tool_name) == ("asking", "add")
    assert {name: value.value for name, value in request.parameters.items()} == {
        "a": b"1",
        "b": b"true",
        "c": b"\n\x04text",
        "d": b"\n\x03[1]",
        "e": b"\n\x04None",
    }


def test_the_end_of_a_session_reaches_the_worker_that_served_it(shared: Shared) -> None:
    shared.call("echo", session="ending")
    shared.run(shared.scene.pool.close_session("ending"))
    shared.run(shared.scene.pool.close_session("never-seen"))
    cleaned = [request.session_id for request in shared.scene.bridge.of("CleanupSession")]
    assert cleaned == ["ending"]


def test_a_workers_telemetry_comes_as_it_happens(shared: Shared) -> None:
    async def controls() -> AsyncIterator[bridge_pb.TelemetryControl]:
        yield bridge_pb.TelemetryControl(toggle=bridge_pb.TelemetryToggle(enabled=True))

    async def scene() -> bridge_pb.TelemetryEvent:
        worker = shared.scene.watching.ready[0]
        async with aclosing(worker.transport.telemetry(controls())) as events:
            await shared.scene.make(Call("later", b'{"value": 1}', correlation_id="sp-telling"))
            async for event in events:
                if event.correlation_id == "sp-telling":
                    return event
        raise AssertionError

    event = shared.run(scene())
    assert list(event.event_parts) == ["tool", "execution", "start"]


def test_an_adapter_may_do_its_own_dispatch(directory: Path) -> None:
    async def scene() -> None:
        async with opened(directory, replace(CONFIG, adapters=("peer_tools:Whole",))) as stage:
            result, _ = await stage.call("whole", session="s", a=1)
            assert result == {"tool": "whole", "session": "s", "a": 1}

    run_async(scene())


def test_a_worker_finds_adapters_where_the_notebook_finds_them(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "mine_only.py").write_text(
        "class Mine:\n    def set_session_context(self, context): ...\n    def where(self): return __file__\n"
    )
    config = replace(CONFIG, adapters=("mine_only:Mine",), sys_path=(str(tmp_path),))

    async def scene() -> None:
        async with opened(directory, config) as stage:
            assert (await stage.call("where"))[0] == str(tmp_path / "mine_only.py")

    run_async(scene())


def test_a_worker_is_not_given_the_library_of_our_own_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/inherited")
    library = [path for path in sys.path if path.endswith((".zip", "lib-dynload", "site-packages"))]
    assert len(library) == 3
    assert launch._search_path(["/mine", *library, str(Path(os.__file__).parent), "/mine"]) == ["/inherited", "/mine"]


# Starts that fail.


def started(config: Config, directory: Path, bridge: RecordingBridge | None = None) -> WorkerStartError:
    """Why a worker did not get ready; nothing of it is left."""

    async def scene() -> WorkerStartError:
        doors = RecordingDoors(directory, bridge or RecordingBridge())
        with pytest.raises(WorkerStartError) as caught:
            async with peer.peer_worker("w1", config, directory, doors, QUICK):
                raise AssertionError("it got ready")
        return caught.value

    before = below(os.getpid())
    error = run_async(scene())
    assert below(os.getpid()) == before
    assert not list(directory.iterdir())
    assert error.failure.code == "worker_start_failed"
    return error


def test_an_adapter_that_cannot_be_imported_is_named_with_the_last_lines(directory: Path) -> None:
    error = started(replace(CONFIG, adapters=("no_such.Adapter",)), directory)
    assert error.failure.message == "no worker could be started: it ended with exit code 1"
    assert "could not import the adapter no_such.Adapter" in error.failure.hint
    assert "No module named 'no_such'" in error.failure.hint


def test_a_script_that_is_not_there_is_an_error_of_the_command(directory: Path) -> None:
    error = started(replace(CONFIG, worker_command=(sys.executable, "/no/such/grpc_server.py")), directory)
    assert "exit code 2" in error.failure.message
    assert "worker_command" in error.failure.hint
    assert "/no/such/grpc_server.py" in error.failure.hint


def test_a_program_that_is_not_there_is_named(directory: Path) -> None:
    error = started(replace(CONFIG, worker_command=("/no/such/python", "x.py")), directory)
    assert error.failure.message == "no worker could be started: No such file or directory: '/no/such/python'"


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ("never-ready", "it was not ready within 2 s"),
        ("garbage-ready", "it wrote b'no port at all' instead of its port within 2 s"),
    ],
)
def test_a_worker_that_does_not_say_its_port_in_time_is_given_up(
    directory: Path, monkeypatch: pytest.MonkeyPatch, faults: str, message: str
) -> None:
    monkeypatch.setenv("STAND_IN_FAULTS", faults)
    error = started(replace(CONFIG, worker_init_timeout=2.0), directory)
    assert error.failure.message == f"no worker could be started: {message}"
    assert "worker_init_timeout" in error.failure.hint


def test_a_port_that_nobody_answers_at_is_named(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_FAULTS", "dead-port")
    error = started(CONFIG, directory)
    assert "it does not answer at 127.0.0.1:" in error.failure.message


def test_a_worker_whose_session_cannot_begin_is_not_ready(directory: Path) -> None:
    error = started(CONFIG, directory, RecordingBridge(refused=frozenset({"InitializeSession"})))
    assert "its session could not begin" in error.failure.message
    assert "not today" in error.failure.message


def test_a_program_that_says_nothing_before_it_ends_says_so(directory: Path) -> None:
    error = started(replace(CONFIG, worker_command=("sh", "-c", "kill -KILL $$")), directory)
    assert "by signal 9" in error.failure.message
    assert error.failure.hint == "It wrote nothing before."


def test_after_three_starts_that_failed_the_pool_says_why(directory: Path) -> None:
    async def scene() -> None:
        async with opened(directory, replace(CONFIG, worker_command=("false",))) as stage:
            with pytest.raises(WorkerStartError, match="exit code 1"):
                await stage.pool.usable()
            assert [worker for worker, _, _ in stage.watching.gone] == ["w1", "w2", "w3"]
            assert {(ending, expected) for _, ending, expected in stage.watching.gone} == {
                ("no worker could be started: it ended with exit code 1", False)
            }

    run_async(scene())


@pytest.mark.parametrize(
    ("reads", "port"),
    [
        ([b"", b"", b"50123", b"50123"], 50123),
        ([b"5", b"50", b"5012", b"50123", b"50123"], 50123),
        ([b"x", b"70000", b"70000", b"0", b"0", b"8080\n", b"8080\n"], 8080),
    ],
)
def test_half_a_port_is_no_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[bytes], port: int) -> None:
    monkeypatch.setattr(launch.Launch, "said", lambda _: reads.pop(0))

    async def scene() -> int:
        program = await Program.start(["sleep", "60"])
        try:
            return await launch.Launch(CONFIG, tmp_path / "ready", "unix:/x", "{}").port(program)
        finally:
            await program.end(0)

    assert run_async(scene()) == port


@given(st.binary(max_size=12))
def test_any_ready_file_is_a_port_or_none(said: bytes) -> None:
    assert 0 <= launch.leading_port(said) <= 65535


# Stopping.


def test_a_cancelled_stream_ends_stopped_with_its_worker_and_another_takes_its_place(
    directory: Path, tmp_path: Path
) -> None:
    async def scene() -> None:
        async with opened(directory) as stage:
            call = Call("forever", json.dumps({"path": str(tmp_path / "end")}).encode(), streaming=True)
            async with stage.pool.worker(call) as worker:
                stream = worker.transport.stream(call)
                await anext(stream)
                await worker.transport.cancel(call.call_id, StopRung.COOPERATIVE, 1)
                updates = [update async for update in stream]
                assert updates[-1].end.outcome == pb.OUTCOME_STOPPED
                assert not alive(worker.pid)
            assert (tmp_path / "end").read_text() == "closed", "its generator could clean up"
            assert (await stage.call("echo", value="next"))[0] == "next"
            assert stage.watching.gone == [("w1", "with exit code 0", True)]

    run_async(scene())


def test_a_call_that_blocks_its_worker_is_killed_from_outside(directory: Path, tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(directory) as stage:
            call = Call("block", json.dumps({"path": str(tmp_path / "here")}).encode())
            async with stage.pool.worker(call) as worker:
                end = asyncio.create_task(anext(worker.transport.stream(call)))
                await asyncio.to_thread(written, tmp_path / "here")
                await worker.transport.cancel(call.call_id, StopRung.COOPERATIVE, 1)
                await worker.transport.cancel(call.call_id, StopRung.INTERRUPT, 1)
                await asyncio.wait([end], timeout=0.2)
                assert not end.done(), "it ignores all that is polite"
                worker.kill()
                assert (await end).end.outcome == pb.OUTCOME_STOPPED
            assert stage.watching.gone[0][2], "it was expected"

    run_async(scene())


def test_a_worker_whose_call_was_abandoned_gets_no_other(directory: Path, tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(directory) as stage:
            call = Call("forever", json.dumps({"path": str(tmp_path / "end")}).encode(), streaming=True)
            async with stage.pool.worker(call) as worker:
                stream = worker.transport.stream(call)
                await anext(stream)
                await stream.aclose()
                assert worker.spent
            assert [info.status for info in stage.pool.workers() if info.worker_id == "w1"] in (["stopping"], [])
            async with stage.pool.worker(Call("echo")) as other:
                assert other.worker_id == "w2"

    run_async(scene())


def test_a_deadline_that_passes_costs_the_worker_its_life_and_is_a_timeout(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "STOP_GRACE", 0.2)

    async def scene() -> None:
        async with opened(directory) as stage:
            pid = (await stage.worker()).pid
            arguments = json.dumps({"path": str(tmp_path / "here")}).encode()
            _, end = await stage.make(Call("block", arguments, deadline=Deadline.after(0.3)))
            assert end.failure.code == "worker_timeout"
            assert not alive(pid)

    run_async(scene())


def test_a_pool_that_closes_leaves_nothing_behind(directory: Path) -> None:
    before = below(os.getpid())

    async def scene() -> list[int]:
        async with opened(directory, replace(CONFIG, pool_size=2)) as stage:
            await stage.pool.usable()
            await until(lambda: len(stage.watching.ready) == 2)
            pids = [worker.pid for worker in stage.watching.ready]
        assert {(ending, expected) for _, ending, expected in stage.watching.gone} == {("with exit code 0", True)}
        return pids

    pids = run_async(scene())
    assert not any(map(alive, pids))
    assert below(os.getpid()) == before
    assert not list(directory.iterdir())


def test_a_worker_that_is_still_starting_is_killed_at_once(directory: Path) -> None:
    """It ignores SIGTERM while it waits for the bridge."""
    before = below(os.getpid())

    async def scene() -> None:
        bridge = RecordingBridge(silent=frozenset({"Ping"}))
        async with opened(directory, bridge=bridge) as stage:
            await until(lambda: bridge.of("Ping"))
            closing = asyncio.create_task(stage.pool.aclose())
            await asyncio.wait_for(closing, 2)

    run_async(scene())
    assert below(os.getpid()) == before
    assert not list(directory.iterdir())


def test_a_worker_that_is_deaf_to_sigterm_is_killed_after_a_grace(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_FAULTS", "deaf")
    monkeypatch.setattr(peer, "STOP_GRACE", 0.3)

    async def scene() -> None:
        async with opened(directory) as stage:
            await stage.pool.usable()
        assert stage.watching.gone == [("w1", "by signal 9 (SIGKILL, out of memory?)", True)]

    run_async(scene())


# Ends that nobody wanted.


def test_a_worker_that_dies_in_a_call_is_described_with_its_last_words(directory: Path) -> None:
    async def scene() -> None:
        async with opened(directory) as stage:
            call = Call("die")
            async with stage.pool.worker(call) as worker:
                with pytest.raises(ConnectionLost):
                    await anext(worker.transport.stream(call))
                failure = await worker.obituary()
            assert failure.code == "worker_crashed"
            assert "ended with exit code 7 in the middle of the call" in failure.message
            assert "last words" in failure.hint
            assert failure.retryable
            assert (await stage.call("echo", value="next"))[0] == "next"
            assert stage.watching.gone == [("w1", "with exit code 7", False)]

    run_async(scene())


def test_a_worker_that_does_not_answer_its_heartbeat_is_replaced(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_FAULTS", "hangs")
    monkeypatch.setattr(peer, "LAST_BREATH", 0.1)

    async def scene() -> None:
        async with opened(directory, pulse=Pulse(0.05, 0.2)) as stage:
            pid = (await stage.worker()).pid
            monkeypatch.delenv("STAND_IN_FAULTS")
            await until(lambda: len(stage.watching.ready) == 2)
            assert not alive(pid)
            assert stage.watching.gone == [("w1", "after its heartbeat had failed (Deadline Exceeded)", False)]
            assert (await stage.call("echo", value="next"))[0] == "next"

    run_async(scene())


def test_a_worker_whose_bridge_does_not_answer_any_more_ends_itself(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "LAST_BREATH", 20.0)

    async def scene() -> None:
        async with opened(directory) as stage:
            await stage.pool.usable()
            await stage.doors.servers["w1"].stop(None)
            await until(lambda: stage.watching.gone)
            assert stage.watching.gone[0] == ("w1", "with exit code 0", False)

    run_async(scene())


BRIDGE = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from recording_doors import RecordingBridge, RecordingDoors
from snakepit_jupyter.pool.local import LocalPool
from test_peer_workers import CONFIG

async def scene():
    directory = Path(sys.argv[1])
    pool = LocalPool(CONFIG, directory, "", RecordingDoors(directory, RecordingBridge()))
    pool.open()
    await pool.usable()
    (directory / "pid").write_text(str(pool.workers()[0].pid))
    await asyncio.sleep(600)

asyncio.run(scene())
"""


def test_a_bridge_that_is_killed_takes_its_workers_along(directory: Path) -> None:
    paths = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    bridge = subprocess.Popen([sys.executable, "-c", BRIDGE.format(paths=paths), str(directory)])
    worker = int(written(directory / "pid", within=20))
    family = below(bridge.pid)
    assert worker in family
    bridge.send_signal(signal.SIGKILL)
    bridge.wait()
    all_gone(family)


# The queue.


def test_a_call_that_comes_when_too_many_wait_is_refused_at_once(directory: Path) -> None:
    async def scene() -> None:
        bridge = RecordingBridge(silent=frozenset({"Ping"}))
        async with opened(directory, replace(CONFIG, max_queued=2), bridge) as stage:
            waiting = [asyncio.create_task(stage.call("echo")) for _ in range(2)]
            await until(lambda: stage.pool.queued == 2)
            with pytest.raises(NoWorker) as caught:
                await stage.call("echo")
            failure = caught.value.failure
            assert (failure.code, failure.retryable) == ("pool_saturated", True)
            assert failure.message == "2 calls wait for a worker already"
            assert "max_queued=2" in failure.hint
            assert stage.pool.queued == 2
            for call in waiting:
                call.cancel()
            await asyncio.wait(waiting)
            assert stage.pool.queued == 0

    run_async(scene())
