"""Events from a tool, its worker and the bridge to a function of the notebook, through real processes."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from waiting import eventually

from snakepit_jupyter import Client, ToolError, ToolNotFound
from snakepit_jupyter.telemetry import Event

ADAPTER = "telemetry.telemetry_tools:Telling"
PYTHON = "snakepit.python."


@dataclass
class Heard:
    """What a subscription was told."""

    events: list[Event] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def of(self, correlation_id: str) -> list[str]:
        return [event.name for event in self.events if event.correlation_id == correlation_id]

    def until(self, name: str, count: int = 1) -> Event:
        """Wait for an event; the last of that name."""
        eventually(lambda: self.names.count(name) >= count)
        return [event for event in self.events if event.name == name][-1]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two workers whose tools tell of their work."""
    with Client(pool_size=2, adapters=[ADAPTER], session_id="", cancel_grace=0.2, kill_grace=1.0) as shared:
        shared.start()
        eventually(lambda: {worker.status for worker in shared.status().workers} == {"ready"})
        yield shared


@pytest.fixture
def heard(client: Client) -> Iterator[Heard]:
    """Everything that is told during a test."""
    told = Heard()
    with client.subscribe(told.events.append):
        yield told


def test_the_tool_its_worker_and_the_bridge_tell_of_a_call_with_one_id(client: Client, heard: Heard) -> None:
    correlation_id = client.execute("tell")
    heard.until("snakepit.call.stopped")
    heard.until(PYTHON + "tool.execution.stop")
    assert correlation_id.startswith("sp-")
    assert sorted(heard.of(correlation_id)) == sorted(
        [
            "snakepit.call.started",
            PYTHON + "tool.execution.start",
            PYTHON + "thing.done",
            PYTHON + "tool.execution.stop",
            "snakepit.call.stopped",
        ]
    )
    assert {event.correlation_id for event in heard.events} == {correlation_id}
    of_worker = [name for name in heard.of(correlation_id) if name.startswith(PYTHON)]
    assert of_worker == [PYTHON + name for name in ("tool.execution.start", "thing.done", "tool.execution.stop")]


def test_an_event_of_a_worker_says_which_worker_it_was(client: Client, heard: Heard) -> None:
    client.execute("tell")
    event = heard.until(PYTHON + "thing.done")
    workers = {worker.worker_id: str(worker.pid) for worker in client.status().workers}
    assert workers[event.metadata["worker_id"]] == event.metadata["python_pid"]
    assert event.metadata["pool_name"] == "default"
    assert event.metadata["node"]
    assert abs(event.timestamp - time.time()) < 60
    assert event.measurements == {"count": 3}


def test_a_call_says_its_tool_its_session_and_how_long_it_took(client: Client, heard: Heard) -> None:
    client.execute_in_session("s-7", "tell")
    stopped = heard.until("snakepit.call.stopped")
    assert stopped.metadata.items() >= {"tool": "tell", "session_id": "s-7", "outcome": "done"}.items()
    assert 0 < float(stopped.measurements["duration_ms"]) < 10_000
    assert heard.until("snakepit.session.started").metadata["session_id"] == "s-7"
    client.close_session("s-7")
    assert heard.until("snakepit.session.stopped").metadata["session_id"] == "s-7"


@pytest.mark.parametrize("tool", ["count", "count_awaited"])
def test_a_stream_is_told_with_its_chunks_and_the_spans_inside_of_it(client: Client, heard: Heard, tool: str) -> None:
    assert [chunk.get("number") for chunk in client.execute_stream(tool, {"to": 3})] == [1, 2, 3, None]
    stopped = heard.until("snakepit.stream.stopped")
    heard.until(PYTHON + "tool.execution.stop")
    assert stopped.measurements["chunks"] == 4
    assert [name.removeprefix(PYTHON) for name in heard.names if name.startswith(PYTHON)] == [
        "tool.execution.start",
        "counting.start",
        "counted",
        "counted",
        "counted",
        "counting.stop",
        "tool.execution.stop",
    ]
    assert len({event.correlation_id for event in heard.events}) == 1


def test_a_span_and_what_a_thread_tells_belong_to_the_call(client: Client, heard: Heard) -> None:
    client.execute("work")
    stop = heard.until(PYTHON + "work.stop")
    part = heard.until(PYTHON + "work.part")
    assert stop.correlation_id == part.correlation_id != ""
    assert stop.metadata["kind"] == "all"
    assert float(stop.measurements["duration_ms"]) >= 0


def test_a_failure_is_told_by_its_type_and_code_and_never_by_its_text(client: Client, heard: Heard) -> None:
    with pytest.raises(ToolError, match="content"):
        client.execute("fail")
    assert heard.until("snakepit.call.failed").metadata["code"] == "tool_error"
    for name in ("work.exception", "tool.execution.exception"):
        assert heard.until(PYTHON + name).metadata["error_type"] == "ValueError"
    assert "content" not in str(heard.events)


def test_a_stopped_stream_has_not_failed(client: Client, heard: Heard) -> None:
    with client.execute_stream("go_on") as run:
        next(iter(run))
    stopped = heard.until("snakepit.stream.stopped")
    assert stopped.metadata["outcome"] == "stopped"
    for name in ("going.stop", "tool.execution.stop"):
        assert heard.until(PYTHON + name).metadata["stopped"] == "true"


def test_secrets_in_what_a_tool_tells_are_masked(client: Client, heard: Heard) -> None:
    client.execute("tell", {"password": "hunter2-abc"})
    event = heard.until(PYTHON + "thing.done")
    assert (event.metadata["password"], event.metadata["note"]) == ("***", "token=***")
    assert "hunter2" not in str(heard.events)


def test_a_subscription_may_ask_for_some_events_only(client: Client, heard: Heard) -> None:
    some = Heard()
    with client.subscribe(some.events.append, "snakepit.call.*", "thing.*"):
        client.execute("tell")
        client.execute("tell", {"name": "other.thing"})
        some.until("snakepit.call.stopped", 2)
        some.until(PYTHON + "thing.done")
        heard.until(PYTHON + "other.thing")
    assert sorted(set(some.names)) == ["snakepit.call.started", "snakepit.call.stopped", PYTHON + "thing.done"]


def test_a_subscription_misses_nothing_of_the_first_call_after_it_also_when_nobody_had_listened(client: Client) -> None:
    for _ in range(10):
        told = Heard()
        with client.subscribe(told.events.append, "tool.*", "thing.*"):
            client.execute("tell")
            told.until(PYTHON + "tool.execution.stop")
        assert [name.removeprefix(PYTHON) for name in told.names] == [
            "tool.execution.start",
            "thing.done",
            "tool.execution.stop",
        ]


def test_very_many_events_neither_stop_the_tool_nor_grow_without_bound(client: Client, heard: Heard) -> None:
    client.execute("flood", {"events": 100_000})
    heard.until("snakepit.call.stopped")
    numbers = [event.measurements["number"] for event in heard.events if event.name == PYTHON + "flood"]
    assert numbers == sorted(numbers)
    assert numbers[0] == 0
    client.execute("tell", {"name": "after.flood"})
    heard.until(PYTHON + "after.flood")


def test_the_death_of_a_worker_is_told_and_so_is_the_next_one(client: Client, heard: Heard) -> None:
    victim = client.status().workers[0]
    os.kill(victim.pid, signal.SIGKILL)
    failed = heard.until("snakepit.worker.failed")
    assert failed.metadata["worker_id"] == victim.worker_id
    started = heard.until("snakepit.worker.started")
    assert started.metadata["python_pid"] != str(victim.pid)
    client.execute("tell")
    heard.until(PYTHON + "thing.done")


def test_a_subscription_ends_without_a_word_with_its_bridge(client: Client) -> None:
    told = Heard()
    with Client(pool_size=1, adapters=[ADAPTER], session_id="") as short:
        subscription = short.subscribe(told.events.append)
        short.execute("tell")
        told.until("snakepit.call.stopped")
    subscription.cancel()
    assert subscription.dropped == 0


def test_what_happens_while_nobody_listens_is_never_told(client: Client) -> None:
    told = Heard()
    for _ in range(20):
        client.execute("tell")
    with client.subscribe(told.events.append):
        client.execute("tell", {"name": "first"})
        told.until(PYTHON + "first")
    assert told.names.count(PYTHON + "tool.execution.start") == 1


def test_a_call_that_is_refused_is_told_of_as_failed(client: Client, heard: Heard) -> None:
    with pytest.raises(ToolNotFound):
        client.execute("no_such_tool")
    event = heard.until("snakepit.call.failed")
    assert (event.metadata["tool"], event.metadata["code"]) == ("no_such_tool", "tool_not_found")
    assert event.correlation_id.startswith("sp-")


@pytest.mark.parametrize(("arguments", "shows_contents"), [("", False), ("1", True)])
def test_the_log_has_a_line_for_each_event_and_contents_only_if_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, shows_contents: bool
) -> None:
    log = tmp_path / "bridge.log"
    monkeypatch.setenv("SNAKEPIT_LOG_LEVEL", "debug")
    monkeypatch.setenv("SNAKEPIT_LOG_FILE", str(log))
    monkeypatch.setenv("SNAKEPIT_LOG_ARGUMENTS", arguments)
    with Client(pool_size=1, session_id="") as own:
        own.execute(
            "echo", {"text": "what was said", "key": "Bearer abcdefghijklmnop"}, binary_parameters={"b": b"raw"}
        )
    (called,) = [line for line in log.read_text().splitlines() if "echo is called with" in line]
    (stopped,) = [line for line in log.read_text().splitlines() if "snakepit.call.stopped" in line]
    assert ("what was said" in called) is shows_contents
    assert ("text: str 13" in called) is not shows_contents
    assert "abcdefghijklmnop" not in log.read_text()
    correlation_id = called.partition("[")[2].partition("]")[0]
    assert correlation_id.startswith("sp-")
    assert f"[{correlation_id}]" in stopped
    assert log.stat().st_mode & 0o077 == 0
