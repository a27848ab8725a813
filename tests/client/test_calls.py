"""Plain calls: results, arguments, errors, time limits. Real bridge, real workers."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from tools_for_tests import ALL
from waiting import all_gone, below, eventually, run_async, written

import snakepit_jupyter as snakepit
from snakepit_jupyter import AsyncClient, Client, errors


def test_a_tool_is_called_and_gives_its_result(client: Client) -> None:
    assert client.execute("compute", {"operation": "add", "a": 5, "b": 3}) == {
        "operation": "add",
        "a": 5,
        "b": 3,
        "result": 8,
    }


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(2**70), 1.5, float("inf"), "ä\u2028\ud800", [], {}, [None, {"a": [1, {"b": None}]}]],
    ids=repr,
)
def test_a_value_comes_back_as_what_it_was(client: Client, value: Any) -> None:
    assert client.execute("echo", {"value": value}) == {"value": value}


def test_bytes_come_back_as_bytes(client: Client) -> None:
    assert client.execute("raw") == b"\x00\x01\xff"


def test_a_call_without_result_gives_none(client: Client) -> None:
    assert client.execute("recall", {"key": "nothing"}) is None


def test_an_answer_of_many_megabytes_arrives(client: Client) -> None:
    assert len(client.execute("say", {"text": "x" * 20_000_000})) == 20_000_000


@pytest.mark.parametrize("name", ["function", "self", "call", "job"])
def test_an_argument_may_have_any_name(client: Client, name: str) -> None:
    assert client.execute("echo", {name: 1}) == {name: 1}


def test_a_parameter_may_have_an_inconvenient_name(client: Client) -> None:
    assert client.execute("named_function", {"function": "f"}) == "f"


def test_what_a_tool_prints_is_printed_here(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert client.execute("say", {"text": "hello"}) == "HELLO"
    printed = capsys.readouterr()
    assert printed.out == "hello\n"
    assert printed.err == "and a complaint\n"


# Wrong calls.


def test_an_unknown_tool_is_named_with_its_nearest_neighbour(client: Client) -> None:
    with pytest.raises(errors.ToolNotFound, match=r"there is no tool 'comput'\nDid you mean 'compute'\?"):
        client.execute("comput")


def test_an_unknown_tool_without_a_neighbour_is_told_what_there_is(client: Client) -> None:
    with pytest.raises(errors.ToolNotFound, match=r"There are: .*compute, .*ping"):
        client.execute("xyzzy")


@pytest.mark.parametrize(
    ("given", "key", "message"),
    [
        ({}, "name", "typed needs the argument 'name'"),
        ({"name": "n", "cuont": 2}, "cuont", r"typed has no argument 'cuont'\nDid you mean 'count'\?"),
        ({"name": "n", "count": "2"}, "count", r"'count' is wrong: expected int, got str\nIt was '2'\."),
        (
            {"name": "n", "mode": "medium"},
            "mode",
            r"'mode' is wrong: it is none of the values allowed\nIt was 'medium'\.",
        ),
        ({"name": "n", "tags": ["a", 1]}, "tags", r"'tags' is wrong: expected str, got int at \[1\]"),
        ({"name": None}, "name", "'name' is wrong: expected str, got null"),
    ],
)
def test_a_wrong_argument_is_named(client: Client, given: dict[str, Any], key: str, message: str) -> None:
    with pytest.raises(errors.InvalidParameter, match=message) as caught:
        client.execute("typed", given)
    assert caught.value.key == key
    assert "It is called as typed(name: str, count: int = 1," in str(caught.value)


def test_arguments_that_are_no_dict_are_refused(client: Client) -> None:
    with pytest.raises(errors.InvalidParameter, match="the arguments of ping are list, not a dict"):
        client.execute("ping", [1])  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidParameter, match="not a dict with names as keys"):
        client.execute("ping", {1: 2})  # type: ignore[dict-item]


def test_a_value_that_cannot_be_sent_is_refused_here(client: Client) -> None:
    with pytest.raises(errors.UnserializableValue, match=r"this value cannot be sent: .*object"):
        client.execute("echo", {"value": object()})


def test_a_streaming_tool_is_not_called_for_one_result(client: Client) -> None:
    with pytest.raises(errors.StreamingRequired, match="Call it with execute_stream"):
        client.execute("count")


def test_a_plain_tool_is_not_streamed(client: Client) -> None:
    with pytest.raises(errors.StreamingNotSupported, match=r"%snakepit_run ping"):
        client.execute_stream("ping")


def test_a_dataset_that_is_not_there_is_named(client: Client) -> None:
    given = {"model_config": {}, "training_config": {}, "dataset_path": "/no/such/file.csv"}
    run = client.execute_stream("distributed_training", given)
    with pytest.raises(snakepit.SnakepitError, match=r"/no/such/file\.csv"):
        run.result()


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_a_time(client: Client, timeout: float) -> None:
    with pytest.raises(errors.InvalidParameter, match="It is in seconds, above 0"):
        client.execute("ping", timeout=timeout)


# Tools that fail.


def test_an_exception_of_the_tool_comes_with_type_message_and_its_own_line(client: Client) -> None:
    with pytest.raises(snakepit.ToolError) as caught:
        client.execute("raise_deeply", {"message": "so deep"})
    error = caught.value
    assert (error.remote_type, error.remote_message) == ("ValueError", "so deep")
    assert error.message == "ValueError: so deep"
    assert "in inner\n    raise ValueError(message)" in error.remote_traceback
    assert "in raise_deeply\n    inner()" in error.remote_traceback
    assert "tools_for_tests.py" in str(error)
    assert "snakepit_jupyter" not in error.remote_traceback


def test_a_tool_that_leaves_the_process_does_not_take_the_worker_with_it(client: Client) -> None:
    before = {worker.pid for worker in client.status().workers}
    with pytest.raises(snakepit.ToolError, match="SystemExit: 3"):
        client.execute("leave")
    assert {worker.pid for worker in client.status().workers} == before


def test_of_a_result_that_cannot_be_sent_its_type_arrives_and_nothing_of_what_it_holds(client: Client) -> None:
    marker = {"__ffi_unserializable__": True, "__type__": "tools_for_tests.Secretive"}
    assert client.execute("return_object") == marker


def test_after_every_failure_the_next_call_works(client: Client) -> None:
    for tool in ("raise_deeply", "leave", "count"):
        with pytest.raises(snakepit.SnakepitError):
            client.execute(tool)
        assert client.execute("echo", {"a": 1}) == {"a": 1}


# Time limits.


def test_a_call_that_takes_too_long_is_given_up_and_stopped(client: Client, tmp_path: Path) -> None:
    with pytest.raises(snakepit.WorkerTimeout, match=r"nap was given up after 0\.\d+ s, while it ran"):
        client.execute("nap", {"path": str(tmp_path / "end")}, timeout=0.2)
    assert written(tmp_path / "end") == "woken"


def test_a_call_that_waits_too_long_for_a_worker_is_given_up(own_client: Client, tmp_path: Path) -> None:
    run = own_client.execute_stream("endless", {"path": str(tmp_path / "end")})
    next(iter(run))
    with pytest.raises(snakepit.WorkerTimeout, match="while it waited for a free worker"):
        own_client.execute("ping", timeout=0.2)
    assert own_client.status().queued == 0
    run.cancel()
    assert own_client.execute("ping", {"message": "a"})["message"] == "pong: a"


# The faces.


def test_the_module_itself_is_a_client(tmp_path: Path) -> None:
    try:
        status = snakepit.start(pool_size=1, adapters=ALL)
        assert [worker.status for worker in status.workers] == ["ready"]
        assert snakepit.execute("echo", {"a": 1}) == {"a": 1}
        assert [chunk["number"] for chunk in snakepit.execute_stream("count")] == [1, 2, 3]
        where = snakepit.execute_in_session("s1", "remember", {"key": "k", "value": 1})
        assert where["session"] == "s1"
        assert snakepit.execute_in_session("s1", "recall", {"key": "k"}) == 1
        assert len(list(snakepit.execute_in_session_stream("s1", "count"))) == 3
        with snakepit.session() as session:
            assert session.execute("recall", {"key": "k"}) is None
            assert session.execute_stream("count").result()["number"] == 3
        assert "count" in {tool.name for tool in snakepit.list_tools()}
        assert snakepit.status().workers[0].calls == 7
        with pytest.raises(errors.AlreadyStarted, match=r"running with pool_size=1\nStop it first"):
            snakepit.start(pool_size=2, adapters=ALL)
    finally:
        snakepit.stop()


def test_an_asynchronous_client_does_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    async def scene() -> None:
        async with AsyncClient(pool_size=2, adapters=ALL, session_id="mine") as client:
            status = await client.start()
            assert {tool.name for tool in status.tools} >= {"count", "ping"}
            one, other = await asyncio.gather(
                client.execute("say", {"text": "a"}), client.execute("remember", {"key": "k", "value": [1]})
            )
            assert (one, other["session"]) == ("A", "mine")
            assert [tool.name for tool in await client.list_tools()] == sorted(tool.name for tool in status.tools)
            assert [c["number"] async for c in await client.execute_stream("count")] == [1, 2, 3]
            assert (await (await client.execute_stream("give_and_return")))["answer"] == 42
            async with client.session("other") as session:
                assert await session.execute("recall", {"key": "k"}) is None
                assert len([c async for c in await session.execute_stream("count")]) == 3
            with pytest.raises(snakepit.ToolError, match="ValueError"):
                await client.execute("raise_deeply")
            seen: list[int] = []
            await client.execute_stream("count", {"count": 5}, lambda chunk: seen.append(chunk["number"]))
            assert seen == [1, 2, 3, 4, 5]

    run_async(scene())
    assert capsys.readouterr().out == "a\n"


def test_an_awaited_call_that_is_cancelled_is_stopped_in_the_worker(tmp_path: Path) -> None:
    async def scene() -> None:
        async with AsyncClient(pool_size=1, adapters=ALL, cancel_grace=0.1) as client:
            call = asyncio.create_task(
                client.execute("nap", {"path": str(tmp_path / "end"), "begin": str(tmp_path / "begin")})
            )
            await asyncio.to_thread(written, tmp_path / "begin")
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await asyncio.to_thread(written, tmp_path / "end") == "woken"
            assert (await client.execute("echo", {"a": 1})) == {"a": 1}

    run_async(scene())


def test_clients_on_several_threads_share_one_bridge(client: Client) -> None:
    results: list[Any] = []

    def call(number: int) -> None:
        results.append(client.execute("echo", {"number": number})["number"])

    threads = [threading.Thread(target=call, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(results) == list(range(10))


# Starting and stopping.


def test_a_start_that_is_given_up_leaves_nothing_behind() -> None:
    before = set(below(os.getpid()))

    def new() -> set[int]:
        return set(below(os.getpid())) - before

    async def scene() -> None:
        async with AsyncClient(pool_size=1) as client:
            call = asyncio.create_task(client.execute("ping"))
            begun = await asyncio.to_thread(eventually, new)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await asyncio.to_thread(all_gone, begun)
            assert (await client.execute("echo", {"a": 1})) == {"a": 1}

    run_async(scene())
    assert not new()


def test_the_first_call_starts_the_workers_and_stop_ends_them(own_client: Client) -> None:
    assert own_client.bridge_pid is None
    first = own_client.execute("ping")["pid"]
    assert own_client.running
    own_client.stop()
    own_client.stop()
    assert own_client.bridge_pid is None
    assert own_client.execute("ping")["pid"] != first


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pool_size": 0}, "pool_size is 0"),
        ({"pool_size": True}, "pool_size is True"),
        ({"adapters": "a:B"}, "adapters is 'a:B'"),
        ({"cancel_grace": 0}, "cancel_grace is 0"),
        ({"kill_grace": float("inf")}, "kill_grace is inf"),
        ({"worker_init_timeout": "1"}, "worker_init_timeout is '1'"),
        ({"pol_size": 1}, "there is no setting 'pol_size'"),
    ],
)
def test_a_wrong_setting_is_refused_at_the_door(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.InvalidConfig, match=message):
        Client(**settings)


def test_starting_again_with_the_same_settings_is_no_error(client: Client) -> None:
    workers = {worker.pid for worker in client.status().workers}
    assert {worker.pid for worker in client.start().workers} == workers


def test_a_tool_that_replaces_another_is_announced() -> None:
    with Client(pool_size=1, adapters=["tools_for_tests:OwnPing"]) as client:
        with pytest.warns(snakepit.ToolReplaced, match="the tool 'ping' of tools_for_tests:OwnPing takes the place of"):
            client.start()
        assert client.execute("ping") == "my own pong"


# Sessions.


def test_a_session_that_nobody_uses_ends_and_is_cleaned_up(tmp_path: Path) -> None:
    with Client(pool_size=1, adapters=ALL, session_id="", session_ttl=0.4) as client:
        client.execute_in_session("s", "at_the_end", {"path": str(tmp_path / "end")})
        assert written(tmp_path / "end") == "cleaned up"


def test_a_session_in_which_a_run_goes_on_is_in_use() -> None:
    # A worker cleans up only after its call, so that nothing is to be seen there.
    ended: list[Any] = []
    with Client(pool_size=1, adapters=ALL, session_id="", session_ttl=0.3) as client:
        client.start()
        with client.subscribe(ended.append, "snakepit.session.stopped"):
            for chunk in client.execute_in_session_stream("s", "count", {"count": 100, "pause": 0.01}):
                assert not ended, chunk
            assert eventually(lambda: ended)[0].metadata["reason"] == "expired"


def test_one_session_too_many_is_refused_by_its_own_error_and_those_there_are_go_on() -> None:
    with Client(pool_size=1, session_id="", max_sessions=1) as client:
        client.execute_in_session("first", "ping")
        with pytest.raises(errors.SessionQuotaExceeded, match="there are 1 sessions") as caught:
            client.execute_in_session("second", "ping")
        assert caught.value.retryable
        client.execute_in_session("first", "ping")
        client.close_session("first")
        client.execute_in_session("second", "ping")


def test_a_call_too_many_is_turned_away_and_those_that_wait_are_served(tmp_path: Path) -> None:
    with Client(pool_size=1, adapters=ALL, session_id="", max_queued=2, cancel_grace=0.1) as client:
        busy = client.execute_stream("endless", {"path": str(tmp_path / "end")})
        next(iter(busy))
        waiting = [client.execute_stream("count") for _ in range(2)]
        eventually(lambda: client.status().queued == 2)
        with pytest.raises(errors.PoolSaturated, match="2 calls wait for a worker already") as caught:
            client.execute("ping")
        assert caught.value.retryable
        busy.cancel()
        assert [run.result()["is_final"] for run in waiting] == [True, True]
