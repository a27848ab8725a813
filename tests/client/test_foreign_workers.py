"""Workers that are not ours under our bridge, from the user's side: `start(worker_command=[…])`."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from waiting import all_gone, below, eventually, written

import snakepit_jupyter
from snakepit_jupyter import (
    Client,
    InvalidConfig,
    InvalidParameter,
    RunStopped,
    ToolError,
    UnserializableValue,
    WorkerCrashed,
    WorkerStartFailed,
)

TESTS = Path(__file__).parent.parent
STAND_IN = TESTS / "stand_in" / "grpc_server.py"
OURS = Path(snakepit_jupyter.__file__).parent / "worker" / "grpc_server.py"


def a_client(script: Path = STAND_IN, adapter: str = "peer_tools.Tools", **settings: Any) -> Client:
    return Client(
        pool_size=1,
        session_id="s-notebook",
        worker_command=[sys.executable, str(script)],
        adapters=[adapter],
        cancel_grace=0.2,
        kill_grace=0.5,
        **settings,
    )


@pytest.fixture(scope="module")
def foreign() -> Iterator[Client]:
    with a_client() as client:
        yield client


def test_a_call_gives_what_the_worker_makes_of_it(foreign: Client) -> None:
    given = {"text": "ü", "number": 3, "nothing": None, "list": [1, 2.5]}
    assert foreign.execute("echo", {"value": given}) == given
    assert foreign.execute("echo", {"value": 7}) == 7.0, "upstream makes floats of whole numbers"
    assert foreign.execute("nothing") == "None", "and texts of None"


def test_values_that_json_does_not_know_arrive_as_the_nearest_it_knows(foreign: Client) -> None:
    assert foreign.execute("echo", {"value": (1, {"a": {2}})}) == [1, {"a": [2]}]
    assert foreign.execute("kinds", {"value": b"\x00"}) == "bytes"
    assert foreign.execute("size", binary_parameters={"blob": bytes(5000)}) == 5000.0
    with pytest.raises(UnserializableValue):
        foreign.execute("echo", {"value": object()})


def test_its_tools_are_known_from_its_first_call_on(foreign: Client) -> None:
    foreign.execute("echo", {"value": 1})
    tools = {tool.name: tool for tool in foreign.list_tools()}
    assert {"echo", "count", "fail"} <= set(tools)
    assert (tools["count"].streaming, tools["echo"].streaming) == (True, False)


def test_a_stream_is_iterated_and_its_final_chunk_is_decorated(foreign: Client) -> None:
    run = foreign.execute_stream("count", {"n": 3})
    *chunks, final = run
    assert [chunk["i"] for chunk in chunks] == [0, 1, 2]
    assert final["is_final"]
    assert final["_metadata"]["tool_type"] == "remote"
    assert final["_metadata"]["worker_id"] == run.state.worker_id


def test_each_kind_of_item_arrives(foreign: Client) -> None:
    chunks = list(foreign.execute_stream("shapes"))
    assert [{k: v for k, v in chunk.items() if not k.startswith("_")} for chunk in chunks] == [
        {"a": 1, "is_final": False},
        {"data": b"text", "raw_data_base64": "dGV4dA==", "is_final": False},
        {"data": b"\x00\xff", "raw_data_base64": "AP8=", "is_final": False},
        {"is_final": False},
        {"data": [1, 2], "is_final": False},
        {"last": True, "is_final": True},
    ]
    assert chunks[-1]["_metadata"]["step"] == "3"


def test_nothing_comes_after_a_final_chunk(foreign: Client) -> None:
    assert [chunk["is_final"] for chunk in foreign.execute_stream("after_final")] == [True]


def test_a_stream_without_a_final_chunk_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_FAULTS", "no-final")
    with a_client() as client:
        *chunks, final = client.execute_stream("count", {"n": 2})
    assert [chunk["i"] for chunk in chunks] == [0, 1]
    assert final["is_final"]
    said = final["_metadata"]
    assert (said["synthetic_final"], said["chunks_sent"], said["tool_type"]) == ("true", "2", "remote")
    assert int(said["execution_time_ms"]) >= 0


def test_an_exception_keeps_its_type_and_traceback(foreign: Client) -> None:
    with pytest.raises(ToolError) as caught:
        foreign.execute("fail", {"message": "no"})
    assert (caught.value.remote_type, caught.value.remote_message) == ("ValueError", "no")
    assert "peer_tools.py" in caught.value.remote_traceback
    run = foreign.execute_stream("fail_later")
    reader = iter(run)
    assert next(reader)["data"] == 1
    with pytest.raises(ToolError, match="KeyError"):
        next(reader)


def test_it_calls_functions_of_the_notebook_as_upstream_writes_them(foreign: Client) -> None:
    seen: list[dict[str, Any]] = []

    def note(**given: Any) -> dict[str, Any]:
        seen.append(given)
        return {"noted": len(given)}

    foreign.register_host_tool(note)
    given = {"number": 3, "flag": True, "text": "hello", "list": [1, 2], "none": None}
    assert foreign.execute("ask", {"name": "note", "arguments": given}) == {"noted": 5}
    # Really packed, all but numbers and flags arrive as the text that upstream's Python makes of them.
    assert seen == [{"number": 3, "flag": True, "text": "hello", "list": "[1, 2]", "none": "None"}]


def test_correlation_id_and_session_reach_its_tools(foreign: Client) -> None:
    said = foreign.execute("request")
    assert said["correlation_id"].startswith("sp-")
    assert said["session"] == "s-notebook"
    assert foreign.execute_in_session("s-other", "request")["session"] == "s-other"


def test_a_session_can_be_closed(foreign: Client) -> None:
    with foreign.session() as session:
        assert session.execute("echo", {"value": "x"}) == "x"


def test_stopping_a_run_ends_its_generator_and_replaces_the_worker(foreign: Client, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    run = foreign.execute_stream("forever", {"path": str(ended)})
    reader = iter(run)
    assert next(reader)["data"] == 0
    before = run.state.worker_id
    run.cancel()
    with pytest.raises(RunStopped):
        run.result(timeout=15)
    assert written(ended) == "closed"
    after = foreign.execute_stream("count")
    assert after.result()["is_final"]
    assert after.state.worker_id != before


def test_a_call_that_takes_too_long_is_given_up(foreign: Client, tmp_path: Path) -> None:
    with pytest.raises(snakepit_jupyter.WorkerTimeout):
        foreign.execute("block", {"path": str(tmp_path / "here")}, timeout=1.0)
    assert foreign.execute("echo", {"value": "still there"}) == "still there"


def test_a_worker_that_dies_is_told_and_replaced(foreign: Client) -> None:
    with pytest.raises(WorkerCrashed, match="exit code 7") as caught:
        foreign.execute("die", {"code": 7})
    assert "last words" in caught.value.hint
    assert foreign.execute("echo", {"value": "new"}) == "new"


def test_nothing_is_left_when_the_client_stops_or_its_bridge_is_killed(tmp_path: Path) -> None:
    for end in ("stop", "kill"):
        client = a_client()
        client.execute("echo", {"value": 1})
        assert client.bridge_pid is not None
        processes = [client.bridge_pid, *below(client.bridge_pid)]
        if end == "kill":
            os.kill(client.bridge_pid, signal.SIGKILL)
        else:
            client.stop()
        all_gone(processes, within=20)
        client.stop()


def test_it_has_no_token_and_reaches_the_bridge_at_a_door_of_its_own(foreign: Client) -> None:
    foreign.execute("echo", {"value": 1})
    assert foreign.bridge_pid is not None
    every = [psutil.Process(pid) for pid in below(foreign.bridge_pid)]
    (worker,) = [process for process in every if process.cmdline()[1:2] == [str(STAND_IN)]]
    bridge = foreign._core._bridge
    assert bridge is not None
    words = worker.cmdline()
    assert bridge.token not in " ".join(words)
    assert bridge.token not in str(worker.environ())
    address = words[words.index("--elixir-address") + 1].removeprefix("unix:")
    assert Path(address).parent.stat().st_mode & 0o077 == 0
    assert Path(address) != Path(bridge.address.removeprefix("unix:"))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"worker_command": ["/no/such/program"]}, WorkerStartFailed, "/no/such/program"),
        (
            {"worker_command": [sys.executable, "-c", "raise SystemExit('words of farewell')"]},
            WorkerStartFailed,
            "words",
        ),
        ({"adapters": ["no_such_module.Class"]}, WorkerStartFailed, "no_such_module"),
        ({"adapters": []}, InvalidConfig, "adapter"),
        ({"adapters": ["a.B", "c.D"]}, InvalidConfig, "adapter"),
    ],
)
def test_a_worker_that_cannot_start_is_one_clear_error(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    given: dict[str, Any] = {"worker_command": [sys.executable, str(STAND_IN)], "adapters": ["peer_tools.Tools"]}
    with pytest.raises(error) as caught, Client(pool_size=1, **{**given, **settings}) as client:
        client.start()
    assert message in str(caught.value)


# Our own stand-alone worker, driven the same way.


def test_our_own_stand_alone_worker_is_driven_in_the_same_way(tmp_path: Path) -> None:
    with a_client(OURS, "client.host_callers.HostCallers") as client:
        client.register_host_tool(lambda value: value, name="same")
        given = {"text": "ü", "number": 3, "none": None, "list": [1, None]}
        assert client.execute("ask", {"name": "same", "given": {"value": given}}) == given
        client.register_host_tool(lambda step: "stop" if step == 2 else "go on", name="decide")
        assert [chunk.get("step") for chunk in client.execute_stream("ask_each_step", {"steps": 9})] == [1, 2, None]
        with pytest.raises(InvalidParameter):
            client.execute("ask", {"nme": "same", "given": {}})
        assert client.bridge_pid is not None
        processes = below(client.bridge_pid)
    all_gone(processes, within=10)


def test_two_foreign_workers_work_side_by_side(tmp_path: Path) -> None:
    with Client(
        pool_size=2, session_id="", worker_command=[sys.executable, str(STAND_IN)], adapters=["peer_tools.Tools"]
    ) as client:
        ends = [tmp_path / "one", tmp_path / "two"]
        runs = [client.execute_stream("forever", {"path": str(end)}) for end in ends]
        assert [next(iter(run))["data"] for run in runs] == [0, 0]
        assert len({run.state.worker_id for run in runs}) == 2
        for run in runs:
            run.cancel()
        eventually(lambda: {run.status for run in runs} == {"stopped"}, within=15)
