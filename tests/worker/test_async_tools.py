"""Tools that are coroutines and async generators: on one loop, on the worker's main thread, stopped like any other."""

from pathlib import Path
from typing import Any

import pytest
from waiting import eventually, written

import snakepit_jupyter as snakepit
from snakepit_jupyter import Client, Run
from snakepit_jupyter.messages import StopRung


def started(client: Client, tool: str, **arguments: Any) -> Run:
    """A run whose tool has given its first chunk."""
    run = client.execute_stream(tool, arguments)
    next(iter(run))
    return run


def stopped(run: Run) -> Run:
    run.cancel("the test")
    with pytest.raises(snakepit.RunStopped):
        run.result()
    return run


# Their loop.


def test_a_coroutine_runs_on_the_main_thread_and_finds_what_initialize_made(client: Client) -> None:
    answer = client.execute_in_session("async-1", "where")
    assert answer["made"] == "made in initialize"
    assert answer["on_main_thread"] is True


def test_the_context_of_the_call_is_seen_in_its_tasks(client: Client) -> None:
    assert client.execute_in_session("async-2", "where")["session"] == "async-2"


def test_all_calls_of_a_worker_share_one_loop(own_client: Client) -> None:
    loops = {own_client.execute_in_session(session, "where")["loop"] for session in ("a", "b", "a")}
    assert len(loops) == 1


def test_a_plain_tool_may_run_a_loop_of_its_own(own_client: Client) -> None:
    own_client.execute("where")
    assert own_client.execute("own_loop") == 42
    assert own_client.execute("where")["on_main_thread"] is True


# What they give.


def test_an_async_generator_streams(client: Client) -> None:
    run = client.execute_stream("count_async", {"count": 50})
    assert [chunk["number"] for chunk in run] == list(range(1, 51))
    assert run.result()["is_final"] is True


def test_without_a_final_item_an_empty_one_follows(client: Client) -> None:
    chunks = list(client.execute_stream("count_async", {"count": 2, "final": False}))
    assert [chunk.get("number") for chunk in chunks] == [1, 2, None]
    assert [chunk["is_final"] for chunk in chunks] == [False, False, True]


def test_a_coroutine_may_return_a_generator(client: Client) -> None:
    assert [chunk.get("number") for chunk in client.execute_stream("generator_later")] == [1, 2, None]


def test_nothing_follows_a_final_item_but_the_code_behind_it_runs(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    chunks = list(client.execute_stream("talk_on_async"))
    assert [chunk["answer"] for chunk in chunks] == [42]
    assert capsys.readouterr().out == "cleaning up\n"


def test_an_async_generator_is_not_called_for_one_result(client: Client) -> None:
    with pytest.raises(snakepit.StreamingRequired, match="count_unmarked gives a stream of values"):
        client.execute("count_unmarked")


def test_an_exception_comes_with_the_tools_own_lines_only(client: Client) -> None:
    with pytest.raises(snakepit.ToolError, match="ValueError: deep in the loop") as caught:
        client.execute("raise_async")
    assert 'raise ValueError("deep in the loop")' in caught.value.remote_traceback
    assert "snakepit_jupyter" not in caught.value.remote_traceback
    assert "asyncio" not in caught.value.remote_traceback


def test_chunks_before_an_exception_stay_delivered(client: Client) -> None:
    run = client.execute_stream("raise_midway_async")
    chunks = iter(run)
    assert next(chunks) == {"step": 1, "is_final": False}
    with pytest.raises(snakepit.ToolError, match="OSError: the disk is full"):
        next(chunks)


def test_a_task_that_wants_to_leave_the_process_ends_its_call_only(own_client: Client) -> None:
    before = own_client.execute("where")["loop"]
    with pytest.raises(snakepit.ToolError, match="SystemExit: 3"):
        own_client.execute("leave_from_a_task")
    assert own_client.execute("where")["loop"] == before
    assert own_client.execute("tasks") == []


# Stopping them.


@pytest.mark.parametrize(
    ("tool", "rung", "mark"),
    [
        ("endless_async", StopRung.COOPERATIVE, "cancelled: True"),
        ("asleep_async", StopRung.INTERRUPT, "CancelledError"),
        ("busy_async", StopRung.INTERRUPT, "KeyboardInterrupt"),
    ],
)
def test_a_stopped_generator_cleans_up_and_the_worker_goes_on(
    own_client: Client, tmp_path: Path, tool: str, rung: StopRung, mark: str
) -> None:
    before = own_client.execute("where")["loop"]
    run = stopped(started(own_client, tool, path=str(tmp_path / "end")))
    assert (tmp_path / "end").read_text() == mark
    assert run.state.rung is rung
    assert own_client.execute("where")["loop"] == before
    assert own_client.execute("tasks") == []


@pytest.mark.parametrize(("blocking", "mark"), [(False, "CancelledError"), (True, "KeyboardInterrupt")])
def test_a_stopped_coroutine_is_cancelled_where_it_waits_and_interrupted_where_it_computes(
    own_client: Client, tmp_path: Path, blocking: bool, mark: str
) -> None:
    begin, end = tmp_path / "begin", tmp_path / "end"
    own_client.start()
    with pytest.raises(snakepit.WorkerTimeout, match="while it ran"):
        own_client.execute("nap_async", {"path": str(end), "begin": str(begin), "blocking": blocking}, timeout=0.3)
    assert end.read_text() == mark
    assert own_client.execute("tasks") == []


def test_a_coroutine_that_ignores_everything_loses_its_worker(own_client: Client, tmp_path: Path) -> None:
    run = stopped(started(own_client, "stubborn_async", path=str(tmp_path / "end")))
    assert (tmp_path / "end").read_text() == "cancelled, and goes on"
    assert run.state.rung is StopRung.KILL


def test_after_twenty_stops_nothing_is_left_on_the_loop(own_client: Client, tmp_path: Path) -> None:
    for number in range(20):
        tool = ("endless_async", "asleep_async")[number % 2]
        stopped(started(own_client, tool, path=str(tmp_path / f"{number}")))
    assert len(list(tmp_path.iterdir())) == 20
    assert own_client.execute("tasks") == []


# What goes on between the calls.


def test_a_task_in_the_background_goes_on_between_calls_and_ends_with_its_session(
    own_client: Client, tmp_path: Path
) -> None:
    with own_client.session("s1") as session:
        session.execute("start_ticking", {"path": str(tmp_path / "end")})
        first = session.execute("ticked")
        eventually(lambda: session.execute("ticked") > first + 3)
        assert own_client.execute_in_session("s2", "tasks") == ["ticking"]
        own_client.close_session("s2")
        assert session.execute("tasks") == ["ticking"]
    assert written(tmp_path / "end") == "ended"
    assert own_client.execute_in_session("s2", "tasks") == []


def test_the_end_of_a_session_awaits_its_cleanup(own_client: Client, tmp_path: Path) -> None:
    with own_client.session("s1") as session:
        session.execute("at_the_end_async", {"path": str(tmp_path / "end")})
    assert written(tmp_path / "end") == "cleaned up s1"


def test_the_end_of_the_worker_awaits_cleanups_too(tmp_path: Path) -> None:
    with Client(pool_size=1, adapters=["tools_for_tests:Async"]) as client:
        client.execute("at_the_end_async", {"path": str(tmp_path / "end")})
    assert written(tmp_path / "end", within=1).startswith("cleaned up")
