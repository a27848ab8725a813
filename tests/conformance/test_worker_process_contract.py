"""The stand-alone worker as a process: section 13 of the wire contract, seen by a bridge that keeps a record."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from waiting import alive, all_gone, eventually, run_async, written

from conformance.worker import (
    ADAPTER,
    SCRIPT,
    RecordingBridge,
    environment,
    in_background,
    request_for,
    standalone,
    start_standalone,
)
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.worker import standalone as process_of_its_own
from snakepit_jupyter.worker.command_line import parse
from snakepit_jupyter.worker.heartbeat import HeartbeatSettings

NOWHERE = "127.0.0.1:9"
# Seconds from SIGTERM to SIGKILL.
KILLED_AFTER = 6.0


def run(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The worker run to its end."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *flags],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


# The command line.


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--adapter", ADAPTER], "--elixir-address is required"),
        (["--elixir-address", NOWHERE], "--adapter is required"),
        (["--adapter", ADAPTER, "--elixir-address", NOWHERE, "--max-workers", "2"], "unrecognized arguments"),
        (["--adapter", ADAPTER, "--elixir-address", NOWHERE, "--port", "http"], "invalid int value"),
    ],
)
def test_a_wrong_command_line_ends_with_2(flags: list[str], says: str) -> None:
    done = run(*flags)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ([], 0),
        (["--adapter", ADAPTER], 0),
        (["--adapter", "no_such_module.Adapter"], 1),
        (["--adapter", "adapter_for_conformance.NoSuchClass"], 1),
    ],
)
def test_a_health_check_loads_the_adapter_and_starts_nothing(flags: list[str], code: int) -> None:
    done = run("--health-check", *flags)
    assert done.returncode == code
    assert ("no_such" in done.stderr or "NoSuchClass" in done.stderr) is bool(code)


ALL_FLAGS = (
    *("--snakepit-instance-name", "n", "--snakepit-instance-token", "t"),
    *("--heartbeat-enabled", "--heartbeat-interval-ms", "50", "--heartbeat-timeout-ms", "500"),
    *("--heartbeat-max-missed", "2", "--heartbeat-initial-delay-ms", "1", "--heartbeat-dependent"),
)


def test_upstreams_flags_are_understood_and_can_be_found_in_a_list_of_processes() -> None:
    with standalone(*ALL_FLAGS) as worker:
        assert worker.answer("result", kind="int") == 7
        line = psutil.Process(worker.process.pid).cmdline()
        assert "grpc_server.py" in line[1]
        assert line[line.index("--snakepit-run-id") + 1] == "abc1234"


def settings(*flags: str, **variables: str) -> HeartbeatSettings:
    line = ["--adapter", "a.B", "--elixir-address", NOWHERE, *flags]
    heartbeat: HeartbeatSettings = parse(line, variables).heartbeat
    return heartbeat


def test_heartbeats_are_set_by_flags_and_then_by_the_environment() -> None:
    assert settings() == HeartbeatSettings(interval_ms=2000, timeout_ms=10_000, max_missed_heartbeats=3)
    flags = ("--heartbeat-interval-ms", "50", "--heartbeat-max-missed", "7", "--heartbeat-independent")
    assert settings(*flags) == HeartbeatSettings(interval_ms=50, max_missed_heartbeats=7, dependent=False)
    said = json.dumps({"interval_ms": 20, "maxMissedHeartbeats": "9", "timeoutMs": 1, "jitter_ms": 4, "other": 1})
    assert settings(*flags, SNAKEPIT_HEARTBEAT_CONFIG=said) == HeartbeatSettings(
        interval_ms=20, timeout_ms=1, max_missed_heartbeats=9, jitter_ms=4, dependent=False
    )


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('{"enabled": false}', HeartbeatSettings(enabled=False)),
        ('{"enabled": "no", "dependent": "off"}', HeartbeatSettings(enabled=False, dependent=False)),
        ('{"enabled": "yes", "interval_ms": 10.0}', HeartbeatSettings(interval_ms=10)),
        ('{"interval_ms": "soon", "timeout_ms": null, "max_missed_heartbeats": -1}', HeartbeatSettings()),
        ('{"interval_ms": 1e999}', HeartbeatSettings()),
        ("[1]", HeartbeatSettings()),
        ("{", HeartbeatSettings()),
        ("", HeartbeatSettings()),
    ],
)
def test_settings_that_make_no_sense_are_left_out(said: str, expected: HeartbeatSettings) -> None:
    assert settings(SNAKEPIT_HEARTBEAT_CONFIG=said) == expected


def test_the_bridges_address_may_come_from_the_environment() -> None:
    def address(*flags: str, **variables: str) -> str:
        found: str = parse(["--adapter", "a.B", *flags], variables).elixir_address
        return found

    both = {"SNAKEPIT_GRPC_ADDRESS": "first:1", "SNAKEPIT_ELIXIR_ADDRESS": "second:2"}
    assert address(**both) == "first:1"
    assert address(SNAKEPIT_GRPC_ADDRESS="", SNAKEPIT_ELIXIR_ADDRESS="second:2") == "second:2"
    assert address("--elixir-address", "third:3", **both) == "third:3"


# Getting ready.


def test_ready_is_said_by_a_port_in_a_file_and_the_bridge_has_seen_a_ping_only(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with standalone(ready=ready) as worker:
        assert worker.address == f"127.0.0.1:{ready.read_bytes().decode('ascii')}"
        assert not ready.with_name("ready.tmp").exists()
        assert [(seen.rpc, seen.request.message) for seen in worker.bridge.seen] == [("Ping", "connection_test")]
        assert worker.output() == ""


def test_it_listens_on_this_machine_only() -> None:
    with standalone() as worker:
        listening = [
            connection.laddr
            for connection in psutil.Process(worker.process.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        # gRPC's sockets are of the newer family, where an address of the older one looks so.
        assert [f"{address.ip.removeprefix('::ffff:')}:{address.port}" for address in listening] == [worker.address]


@contextmanager
def kept(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """A process for the length of a block."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_needs_no_ready_file(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    bridge = RecordingBridge(f"unix:{tmp_path}/b")
    line = ("--adapter", ADAPTER, "--port", port, "--elixir-address", bridge.address)
    with (
        kept(start_standalone(*line, log=tmp_path / "log", variables={})),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        ping: Any = channel.unary_unary("/snakepit.bridge.BridgeService/Ping")
        reply = ping(bridge_pb.PingRequest(message="a").SerializeToString(), timeout=10, wait_for_ready=True)
        assert bridge_pb.PingResponse.FromString(reply).message == "pong: a"
    bridge.stop()


@pytest.mark.parametrize(
    ("flags", "variables", "says"),
    [
        (("--adapter", "no_such_module.Adapter"), {}, "no_such_module"),
        (("--adapter", "adapter_for_conformance.Odd"), {}, "has no tool"),
        ((), {"SNAKEPIT_READY_FILE": "/no/such/directory/ready"}, "/no/such/directory"),
        (("--port", "{taken}"), {}, "cannot start"),
    ],
)
def test_what_cannot_start_ends_with_1_and_says_why(flags: Any, variables: dict[str, str], says: str) -> None:
    bridge = RecordingBridge()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        line = [flag.format(taken=taken.getsockname()[1]) for flag in flags]
        done = run("--adapter", ADAPTER, "--elixir-address", bridge.address, *line, **variables)
    bridge.stop()
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stdout == ""


def test_a_bridge_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    ready, log = tmp_path / "ready", tmp_path / "log"
    address = f"unix:{tmp_path}/b"
    line = ("--adapter", ADAPTER, "--elixir-address", address)
    with kept(start_standalone(*line, log=log, variables={"SNAKEPIT_READY_FILE": str(ready)})) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        assert not ready.exists()
        bridge = RecordingBridge(address)
        assert int(written(ready)) > 0
        bridge.stop()


def test_a_bridge_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_of_its_own, "TRIES", 4)
    monkeypatch.setattr(process_of_its_own, "LONGEST_DELAY", 0.06)
    started = time.monotonic()
    assert not run_async(process_of_its_own.bridge_answers(NOWHERE))
    assert time.monotonic() - started >= 0.05 + 3 * 0.06


def test_the_waits_for_a_bridge_add_up_to_two_minutes_at_most() -> None:
    waits = [process_of_its_own.FIRST_DELAY * 2**n for n in range(process_of_its_own.TRIES)]
    assert 100 < sum(min(wait, process_of_its_own.LONGEST_DELAY) for wait in waits) < 120


def test_asked_to_it_leads_a_process_group(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    bridge = RecordingBridge()
    command = [sys.executable, str(SCRIPT), "--adapter", ADAPTER, "--elixir-address", bridge.address]
    variables = environment(SNAKEPIT_READY_FILE=str(ready), SNAKEPIT_PROCESS_GROUP="1")
    with kept(subprocess.Popen(command, env=variables)) as process:
        written(ready)
        assert os.getpgid(process.pid) == os.getsid(process.pid) == process.pid
        process.terminate()
        assert process.wait(KILLED_AFTER) == 0
    bridge.stop()


def test_its_own_modules_hide_nobody_elses(tmp_path: Path) -> None:
    (tmp_path / "context.py").write_text(
        "import signal, queue, json\n"
        "from snakepit_bridge.base_adapter import BaseAdapter, tool\n"
        "class Mine(BaseAdapter):\n"
        "    @tool(description='Whose')\n"
        "    def whose(self): return __file__\n"
    )
    with standalone("--adapter", "context.Mine", PYTHONPATH=str(tmp_path)) as worker:
        assert worker.answer("whose") == str(tmp_path / "context.py")


# Sessions.


def test_before_a_sessions_first_tool_the_bridge_learns_of_session_and_tools() -> None:
    with standalone() as worker:
        worker.bridge.answers["RegisterTools"] = lambda *_: bridge_pb.RegisterToolsResponse(
            success=not worker.bridge.of("s1").index("RegisterTools")
        )
        worker.bridge.answers["ExecuteElixirTool"] = lambda *_: bridge_pb.ExecuteElixirToolResponse(success=True)
        exposed = bridge_pb.GetExposedElixirToolsResponse(tools=[bridge_pb.ToolSpec(name="told")])
        worker.bridge.answers["GetExposedElixirTools"] = lambda *_: exposed
        assert worker.answer("ask_host", name="told", arguments={}) is None
        order = [rpc for rpc in worker.bridge.of("s1") if rpc != "Heartbeat"]
        assert order == ["InitializeSession", "RegisterTools", "GetExposedElixirTools", "ExecuteElixirTool"]
        eventually(lambda: "Heartbeat" in worker.bridge.of("s1"))


def test_tools_are_registered_once_for_each_session() -> None:
    with standalone() as worker:
        for session_id in ("s1", "s1", "s2", "s1"):
            worker.ask("ExecuteTool", request_for("result", {"kind": "int"}, session_id))
        list(worker.ask("ExecuteStreamingTool", request_for("many", {"count": 1}, "s2")))
        rpcs = [seen.rpc for seen in worker.bridge.seen if seen.rpc == "RegisterTools"]
        assert len(rpcs) == 2
        request = worker.bridge.last("RegisterTools").request
        assert request.session_id == "s2"
        assert request.worker_id.startswith("python-")


def test_what_is_registered_are_the_adapters_tools_and_no_others() -> None:
    with standalone() as worker:
        worker.execute("result", kind="int")
        tools = {tool.name: tool for tool in worker.bridge.last("RegisterTools").request.tools}
    assert set(tools) == {
        *("described", "result", "stream", "async_stream", "awaited", "fail", "fail_late", "leave", "context"),
        *("leave_wordlessly", "talk", "sleep", "keep", "start_process", "endless", "many", "ask_host"),
    }
    sleep = tools["sleep"]
    assert sleep.description == "Sleeps"
    assert [(p.name, p.type, p.required) for p in sleep.parameters] == [
        ("seconds", "float", True),
        ("path", "str", True),
    ]
    assert dict(sleep.metadata) == {"adapter_class": "Conformance", "module": "adapter_for_conformance"}
    assert not sleep.supports_streaming
    assert tools["endless"].supports_streaming
    assert json.loads(tools["endless"].parameters[1].validation_json) == {"default": 10}


def unavailable(_request: Any, context: grpc.ServicerContext) -> Any:
    context.abort(grpc.StatusCode.UNAVAILABLE, "not now")


def test_a_bridge_that_cannot_be_told_keeps_no_tool_from_running_and_is_told_later() -> None:
    with standalone() as worker:
        answer = worker.bridge.answers.pop("InitializeSession")
        worker.bridge.answers["InitializeSession"] = unavailable
        assert worker.answer("result", kind="int") == 7
        assert "RegisterTools" not in worker.bridge.of("s1")
        worker.bridge.answers["InitializeSession"] = answer
        assert worker.answer("result", kind="int") == 7
        assert "RegisterTools" in worker.bridge.of("s1")


@pytest.mark.parametrize(("message", "logged"), [("duplicate_tool: result", False), ("quota", True)])
def test_only_a_refusal_that_matters_is_logged(message: str, logged: bool) -> None:
    with standalone() as worker:
        refusal = bridge_pb.RegisterToolsResponse(error_message=message)
        worker.bridge.answers["RegisterTools"] = lambda *_: refusal
        request = request_for("result", {"kind": "int"}, metadata={"correlation_id": "sp-logged"})
        assert worker.ask("ExecuteTool", request).success
        assert ("[sp-logged]: the bridge did not register the tools" in worker.output()) is logged
        assert worker.bridge.last("RegisterTools").headers["x-snakepit-correlation-id"] == "sp-logged"


def test_no_session_can_forge_a_line_of_the_log() -> None:
    with standalone() as worker:
        refusal = bridge_pb.RegisterToolsResponse(error_message="quota")
        worker.bridge.answers["RegisterTools"] = lambda *_: refusal
        assert worker.ask("ExecuteTool", request_for("result", {"kind": "int"}, "s\nFORGED")).success
        assert worker.output().count("\n") == 1


# Heartbeats.

FAST = json.dumps({"interval_ms": 20, "timeout_ms": 500, "max_missed_heartbeats": 3})


def beats(bridge: RecordingBridge, session_id: str) -> int:
    return bridge.of(session_id).count("Heartbeat")


def test_a_session_beats_from_its_first_use_until_it_is_cleaned_up() -> None:
    with standalone(SNAKEPIT_HEARTBEAT_CONFIG=FAST) as worker:
        assert not beats(worker.bridge, "s1")
        worker.ask("InitializeSession", bridge_pb.InitializeSessionRequest(session_id="s1"))
        worker.ask("GetSession", bridge_pb.GetSessionRequest(session_id="s2"))
        eventually(lambda: beats(worker.bridge, "s1") > 3 and beats(worker.bridge, "s2") > 3)
        assert worker.bridge.last("Heartbeat").request.client_time.seconds > 0
        worker.ask("CleanupSession", bridge_pb.CleanupSessionRequest(session_id="s1"))
        before = beats(worker.bridge, "s1")
        others = beats(worker.bridge, "s2")
        eventually(lambda: beats(worker.bridge, "s2") > others + 10)
        assert beats(worker.bridge, "s1") <= before + 1


def test_a_bridge_that_no_longer_knows_the_session_is_no_lost_bridge() -> None:
    with standalone(SNAKEPIT_HEARTBEAT_CONFIG=FAST) as worker:
        worker.bridge.answers["Heartbeat"] = lambda *_: bridge_pb.HeartbeatResponse(session_valid=False)
        worker.execute("result", kind="int")
        eventually(lambda: beats(worker.bridge, "s1") > 10)
        assert worker.answer("result", kind="int") == 7


def test_without_its_bridge_a_dependent_worker_ends_with_0(tmp_path: Path) -> None:
    with standalone(SNAKEPIT_HEARTBEAT_CONFIG=FAST) as worker:
        sleeping = in_background(lambda: worker.execute("sleep", seconds=60, path=str(tmp_path / "end")))
        written(tmp_path / "end")
        eventually(lambda: beats(worker.bridge, "s1"))
        worker.bridge.stop()
        assert worker.process.wait(KILLED_AFTER) == 0
        assert (tmp_path / "end").read_text() == "KeyboardInterrupt"
        assert isinstance(sleeping.exception(5), grpc.RpcError)


def test_an_independent_worker_stays_and_says_that_its_bridge_is_lost() -> None:
    with standalone("--heartbeat-independent", SNAKEPIT_HEARTBEAT_CONFIG=FAST) as worker:
        worker.execute("result", kind="int")
        worker.bridge.stop()
        eventually(lambda: worker.output().count("missed 3 heartbeats") > 1)
        assert worker.answer("result", kind="int") == 7


def test_no_heart_beats_where_none_is_wanted() -> None:
    with standalone(SNAKEPIT_HEARTBEAT_CONFIG='{"enabled": false, "interval_ms": 1}') as worker:
        for _ in range(20):
            worker.execute("result", kind="int")
        assert not beats(worker.bridge, "s1")


# Signals.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_ends_at_once_with_0(number: signal.Signals) -> None:
    with standalone() as worker:
        worker.execute("result", kind="int")
        started = time.monotonic()
        worker.process.send_signal(number)
        assert worker.process.wait(KILLED_AFTER) == 0
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_still_waits_for_its_bridge_ends_with_0(number: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as asked:
        asked.settimeout(10)
        address = f"127.0.0.1:{asked.getsockname()[1]}"
        line = ("--adapter", ADAPTER, "--elixir-address", address)
        with kept(start_standalone(*line, log=tmp_path / "log", variables={})) as process, asked.accept()[0]:
            process.send_signal(number)
            assert process.wait(KILLED_AFTER) == 0


def running(what: str) -> Callable[[Any, str], Any]:
    def call(worker: Any, path: str) -> Any:
        if what == "sleep":
            return worker.execute("sleep", seconds=60, path=path)
        return list(worker.stream("endless", path=path))

    return call


@pytest.mark.parametrize(
    ("what", "left"), [("sleep", "KeyboardInterrupt"), ("endless", "closed")], ids=["tool", "stream"]
)
def test_a_running_tool_is_interrupted_and_may_clean_up(what: str, left: str, tmp_path: Path) -> None:
    with standalone() as worker:
        end = tmp_path / "end"
        call = in_background(lambda: running(what)(worker, str(end)))
        written(end if what == "sleep" else end.with_name("end.made"))
        worker.process.terminate()
        assert worker.process.wait(KILLED_AFTER) == 0
        assert end.read_text() == left
        assert ("woken by KeyboardInterrupt" in worker.output()) is (what == "sleep")
        error: Any = call.exception(5)
        assert error.code() is grpc.StatusCode.UNAVAILABLE


def test_a_tool_that_does_not_let_itself_be_interrupted_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(
        "import pathlib, time\n"
        "from snakepit_jupyter import BaseAdapter, tool\n"
        "class Stubborn(BaseAdapter):\n"
        "    @tool(description='Stays')\n"
        "    def stay(self, path: str):\n"
        "        while True:\n"
        "            try:\n"
        "                pathlib.Path(path).write_text('here')\n"
        "                time.sleep(60)\n"
        "            except BaseException:\n"
        "                pass\n"
    )
    with standalone("--adapter", "stubborn.Stubborn", PYTHONPATH=str(tmp_path)) as worker:
        in_background(lambda: worker.execute("stay", path=str(tmp_path / "here")))
        written(tmp_path / "here")
        worker.process.terminate()
        assert worker.process.wait(KILLED_AFTER) == 0


def test_what_a_tool_has_started_goes_along() -> None:
    with standalone() as worker:
        child = worker.answer("start_process")
        assert alive(child)
        worker.process.terminate()
        assert worker.process.wait(KILLED_AFTER) == 0
        all_gone([child])


def test_a_telemetry_stream_ends_well_when_the_worker_does() -> None:
    with standalone() as worker:
        call = worker.ask("StreamTelemetry", iter(()), timeout=20)
        call.initial_metadata()
        worker.answer("result", kind="int")
        worker.process.terminate()
        assert [event.event_parts[-1] for event in call] == ["start", "stop"]
        assert call.code() is grpc.StatusCode.OK


# Output.


def test_what_tools_print_is_on_the_workers_own_streams_and_our_own_lines_only_if_asked_for() -> None:
    with standalone() as worker:
        list(worker.stream("talk"))
        eventually(lambda: "spoken again" in worker.output())
        assert worker.output() == "spoken aloud\nspoken again\n"


@pytest.mark.parametrize(("level", "heard"), [("warning", True), ("none", False), ("", False)])
def test_the_log_level_is_the_bridges_choice(level: str, heard: bool) -> None:
    with standalone(SNAKEPIT_LOG_LEVEL=level) as worker:
        worker.bridge.answers["InitializeSession"] = unavailable
        worker.execute("result", kind="int")
        assert ("was not told of the session" in worker.output()) is heard


def test_a_parent_that_does_not_read_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "from snakepit_jupyter import BaseAdapter, tool\n"
        "class Loud(BaseAdapter):\n"
        "    @tool(description='Shouts')\n"
        "    def shout(self):\n"
        "        for _ in range(300): print('x' * 1000)\n"
        "        return 'done'\n"
    )
    ready = tmp_path / "ready"
    bridge = RecordingBridge()
    command = [sys.executable, str(SCRIPT), "--adapter", "loud.Loud", "--elixir-address", bridge.address]
    variables = environment(SNAKEPIT_READY_FILE=str(ready), PYTHONPATH=str(tmp_path))
    unread = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with kept(unread), grpc.insecure_channel(f"127.0.0.1:{written(ready)}") as channel:
        call: Any = channel.unary_unary("/snakepit.bridge.BridgeService/ExecuteTool")
        reply = call(request_for("shout", {}).SerializeToString(), timeout=10)
        assert bridge_pb.ExecuteToolResponse.FromString(reply).result.value == b'"done"'
    bridge.stop()
