"""What dies is said clearly and replaced."""

import os
import signal
import threading
from pathlib import Path

import psutil
import pytest
from tools_for_tests import ALL
from waiting import alive, all_gone, below, eventually

import snakepit_jupyter as snakepit
from snakepit_jupyter import Client


def pids(client: Client) -> set[int]:
    return {worker.pid for worker in client.status().workers}


def full_again(client: Client, size: int) -> None:
    eventually(lambda: [worker.status for worker in client.status().workers] == ["ready"] * size)


def test_a_worker_that_dies_in_mid_run_is_named_with_its_last_words_and_replaced(
    client: Client, tmp_path: Path
) -> None:
    chunks = iter(client.execute_stream("die", {"code": 7, "when": str(tmp_path / "seen")}))
    chunk = next(chunks)
    (tmp_path / "seen").touch()
    with pytest.raises(snakepit.WorkerCrashed, match=r"ended with exit code 7 in the middle of the call") as caught:
        next(chunks)
    assert "last words" in caught.value.hint
    assert caught.value.retryable
    assert not alive(chunk["pid"])
    assert client.execute("echo", {"a": 1}) == {"a": 1}
    full_again(client, 2)
    assert chunk["pid"] not in pids(client)


def test_a_plain_call_whose_worker_dies_is_told_so(client: Client) -> None:
    with pytest.raises(snakepit.WorkerCrashed, match="exit code 3"):
        client.execute("die_at_once", {"code": 3})
    assert client.execute("echo", {"a": 1}) == {"a": 1}


def test_a_worker_that_is_killed_is_named_with_the_signal(client: Client) -> None:
    with pytest.raises(snakepit.WorkerCrashed, match=r"by signal 9 \(SIGKILL, out of memory\?\)"):
        client.execute("kill_itself")
    full_again(client, 2)


def test_an_idle_worker_that_is_killed_is_replaced(client: Client) -> None:
    full_again(client, 2)
    victim = min(pids(client))
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in pids(client))
    full_again(client, 2)
    assert client.execute("echo", {"a": 1}) == {"a": 1}


def test_what_a_tool_had_started_goes_with_its_worker(client: Client, tmp_path: Path) -> None:
    run = client.execute_stream("with_child", {"path": str(tmp_path / "end")})
    chunk = next(iter(run))
    assert alive(chunk["child"])
    os.kill(chunk["pid"], signal.SIGKILL)
    with pytest.raises(snakepit.WorkerCrashed):
        run.result()
    all_gone([chunk["child"]])


def test_five_crashes_in_a_row_do_not_wear_the_pool_out(client: Client) -> None:
    for _ in range(5):
        with pytest.raises(snakepit.WorkerCrashed):
            client.execute("die_at_once")
    full_again(client, 2)


# The bridge.


def test_when_the_bridge_is_killed_readers_hear_of_it_and_the_next_call_starts_another(
    own_client: Client, tmp_path: Path
) -> None:
    run = own_client.execute_stream("endless", {"path": str(tmp_path / "end")})
    heard: list[BaseException] = []
    first = threading.Event()

    def read() -> None:
        try:
            for _ in run:
                first.set()
        except snakepit.SnakepitError as error:
            heard.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(10)
    bridge = own_client.bridge_pid
    assert bridge is not None
    processes = [bridge, *below(bridge)]
    os.kill(bridge, signal.SIGKILL)
    reader.join(5)
    assert [type(error) for error in heard] == [snakepit.GrpcUnavailable]
    assert own_client.execute("echo", {"a": 1}) == {"a": 1}
    assert own_client.bridge_pid != bridge
    all_gone(processes)
    assert (tmp_path / "end").exists()


def test_nothing_is_left_behind_by_a_client_that_stops(own_client: Client) -> None:
    own_client.start()
    assert own_client.bridge_pid is not None
    processes = [own_client.bridge_pid, *below(own_client.bridge_pid)]
    (directory,) = {
        Path(str(connection.laddr)).parent
        for connection in psutil.Process(own_client.bridge_pid).net_connections("unix")
        if str(connection.laddr).endswith("bridge.sock")
    }
    assert directory.stat().st_mode & 0o777 == 0o700
    own_client.stop()
    all_gone(processes)
    assert not directory.exists()


# Adapters that cannot be.


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that workers can find."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "their_adapter.py"


def refused(adapter: str) -> str:
    """What a user reads whose adapter cannot be loaded."""
    with Client(pool_size=1, adapters=[adapter]) as client:
        with pytest.raises(snakepit.WorkerStartFailed) as caught:
            client.start()
        assert not client.running
    return str(caught.value)


def test_an_adapter_that_cannot_be_imported_is_shown_with_its_own_traceback(module: Path) -> None:
    module.write_text("def load():\n    raise RuntimeError('it is broken')\nload()\n")
    said = refused("their_adapter:Mine")
    assert "the adapter their_adapter:Mine cannot be imported: RuntimeError: it is broken" in said
    assert 'their_adapter.py", line 3, in <module>' in said


def test_an_adapter_that_is_nowhere_or_has_no_tool_is_named(module: Path) -> None:
    assert "It is looked for where the caller looks" in refused("no_such_module:Mine")
    assert "Its adapters: Streams, Failures" in refused("tools_for_tests:Missing")
    assert "tools_for_tests:NoTools has no tool" in refused("tools_for_tests:NoTools")


def test_after_a_start_that_failed_another_works(module: Path) -> None:
    module.write_text("import something_that_is_not_installed")
    with Client(pool_size=1, adapters=["their_adapter:Mine"]) as client:
        with pytest.raises(snakepit.WorkerStartFailed, match="Install what it needs: something_that_is_not_installed"):
            client.execute("ping")
        with pytest.raises(snakepit.WorkerStartFailed):
            client.start()
        client.start(pool_size=1, adapters=ALL)
        assert client.execute("echo", {"a": 1}) == {"a": 1}


def test_an_adapter_that_was_mended_is_loaded_by_the_next_call(module: Path) -> None:
    module.write_text("broken =")
    with Client(pool_size=1, adapters=["their_adapter:Mine"]) as client:
        with pytest.raises(snakepit.WorkerStartFailed, match="SyntaxError"):
            client.execute("ping")
        module.write_text(
            "from snakepit_jupyter import BaseAdapter, tool\n"
            "class Mine(BaseAdapter):\n"
            "    @tool(description='d')\n"
            "    def mine(self): return 'mended'\n"
        )
        assert client.execute("mine") == "mended"


def test_a_worker_that_does_not_come_up_in_time_is_said_so(module: Path) -> None:
    module.write_text("import threading; threading.Event().wait(60)")
    with (
        Client(pool_size=1, adapters=["their_adapter:Mine"], worker_init_timeout=0.2) as client,
        pytest.raises(snakepit.WorkerStartFailed, match=r"it did not answer within 0\.2 s"),
    ):
        client.start()


def test_a_start_that_failed_leaves_the_settings_as_they_were(own_client: Client) -> None:
    with pytest.raises(snakepit.WorkerStartFailed):
        own_client.start(adapters=["nowhere:Nothing"])
    assert "count" in {tool.name for tool in own_client.list_tools()}
