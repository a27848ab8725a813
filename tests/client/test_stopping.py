"""Stopping reaches the tool, however deep it is, and leaves a worker that works."""

import asyncio
import threading
from pathlib import Path

import pytest
import tools_for_tests
from waiting import eventually, run_async, written

import snakepit_jupyter as snakepit
from snakepit_jupyter import AsyncClient, Client, Run
from snakepit_jupyter.messages import StopRung


def started(client: Client, tool: str, path: Path) -> Run:
    """A run whose tool has given its first chunk."""
    run = client.execute_stream(tool, {"path": str(path)})
    next(iter(run))
    return run


def pids(client: Client) -> list[int]:
    return [worker.pid for worker in client.status().workers]


@pytest.mark.parametrize(
    ("tool", "rung", "mark", "hint"),
    [
        ("endless", StopRung.COOPERATIVE, "ended after", ""),
        ("asleep", StopRung.INTERRUPT, "woken", "KeyboardInterrupt was raised in it"),
    ],
)
def test_a_stopped_tool_runs_its_finally_and_the_worker_goes_on(
    own_client: Client, tmp_path: Path, tool: str, rung: StopRung, mark: str, hint: str
) -> None:
    run = started(own_client, tool, tmp_path / "end")
    worker = pids(own_client)
    run.cancel("the test")
    with pytest.raises(snakepit.RunStopped, match=rf"{tool} was stopped \(the test\)") as caught:
        run.result()
    assert (tmp_path / "end").read_text().startswith(mark)
    assert hint in caught.value.hint
    assert (run.status, run.state.rung, run.state.stop_reason) == ("stopped", rung, "the test")
    assert own_client.execute("echo", {"a": 1}) == {"a": 1}
    assert pids(own_client) == worker


def test_a_tool_that_ignores_everything_loses_its_worker(own_client: Client, tmp_path: Path) -> None:
    run = started(own_client, "stubborn", tmp_path / "end")
    worker = pids(own_client)
    run.cancel()
    with pytest.raises(snakepit.RunStopped, match="so its worker was killed; a new one takes its place"):
        run.result()
    assert (tmp_path / "end").read_text() == "interrupted, and goes on"
    assert run.state.rung is StopRung.KILL
    assert own_client.execute("echo", {"a": 1}) == {"a": 1}
    assert pids(own_client) != worker


def test_a_plain_call_is_stopped_by_its_time_limit_just_so(own_client: Client, tmp_path: Path) -> None:
    own_client.start()
    with pytest.raises(snakepit.WorkerTimeout):
        own_client.execute("nap", {"path": str(tmp_path / "end")}, timeout=0.1)
    assert (tmp_path / "end").read_text() == "woken"


def test_a_queued_run_is_stopped_without_ever_running(own_client: Client, tmp_path: Path) -> None:
    first = started(own_client, "endless", tmp_path / "first")
    queued = own_client.execute_stream("endless", {"path": str(tmp_path / "queued")})
    assert queued.status == "queued"
    queued.cancel()
    with pytest.raises(snakepit.RunStopped):
        queued.result()
    assert (queued.state.worker_id, queued.state.chunks) == ("", 0)
    first.cancel()
    with pytest.raises(snakepit.RunStopped):
        first.result()
    assert own_client.execute("echo", {"a": 1}) == {"a": 1}
    assert not (tmp_path / "queued").exists()


def test_stopping_twice_or_after_the_end_changes_nothing(own_client: Client) -> None:
    run = own_client.execute_stream("count")
    result = run.result()
    run.cancel()
    run.cancel()
    assert own_client.cancel(run.run_id) is False
    assert run.status == "done"
    assert run.result() == result


def test_a_run_can_be_stopped_by_its_id(own_client: Client, tmp_path: Path) -> None:
    run = started(own_client, "endless", tmp_path / "end")
    assert own_client.cancel(run.run_id, "by its id")
    with pytest.raises(snakepit.RunStopped, match="by its id"):
        run.result()


def test_a_reader_on_another_thread_hears_of_the_stop(own_client: Client, tmp_path: Path) -> None:
    run = own_client.execute_stream("endless", {"path": str(tmp_path / "end")})
    heard: list[BaseException] = []
    first = threading.Event()

    def read() -> None:
        try:
            for _ in run:
                first.set()
        except snakepit.RunStopped as error:
            heard.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(10)
    run.cancel()
    reader.join(10)
    assert [type(error) for error in heard] == [snakepit.RunStopped]


def test_a_run_that_nobody_reads_any_more_can_be_stopped(own_client: Client, tmp_path: Path) -> None:
    """The log is full and holds the tool back: it waits for room, not at a yield."""
    given = {"count": 100_000, "size": 64 * 1024, "note": str(tmp_path / "note")}
    run = own_client.execute_stream("noted_count", given)
    eventually(lambda: int((written(tmp_path / "note")) or 0) > 80)
    run.cancel()
    with pytest.raises(snakepit.RunStopped):
        run.result(timeout=5)
    assert run.state.rung is StopRung.COOPERATIVE


def test_after_thirty_stops_the_pool_is_as_it_was(client: Client, tmp_path: Path) -> None:
    before = pids(client)
    for number in range(30):
        run = started(client, "endless", tmp_path / f"{number}")
        run.cancel()
        with pytest.raises(snakepit.RunStopped):
            run.result()
    assert len(list(tmp_path.iterdir())) == 30
    status = client.status()
    assert [worker.pid for worker in status.workers] == before
    assert {worker.status for worker in status.workers} == {"ready"}
    assert status.queued == 0


def test_stopping_the_client_stops_its_runs_and_lets_them_clean_up(own_client: Client, tmp_path: Path) -> None:
    run = started(own_client, "asleep", tmp_path / "end")
    own_client.stop()
    assert (tmp_path / "end").read_text() == "woken"
    with pytest.raises(snakepit.Unavailable):
        run.result(timeout=5)


def test_readers_of_a_client_that_is_stopped_hear_of_it(own_client: Client, tmp_path: Path) -> None:
    run = own_client.execute_stream("endless", {"path": str(tmp_path / "end")})
    heard: list[BaseException] = []
    first = threading.Event()

    def read() -> None:
        try:
            for _ in run:
                first.set()
        except BaseException as error:
            heard.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(10)
    own_client.stop()
    reader.join(10)
    assert len(heard) == 1
    assert isinstance(heard[0], snakepit.SnakepitError)
    assert (tmp_path / "end").exists()


@pytest.mark.parametrize("patience", [0.0, 0.001, 0.002, 0.003, 0.004, 0.006])
def test_a_start_whose_caller_is_cancelled_leaves_no_run_behind(patience: float, tmp_path: Path) -> None:
    async def scene() -> None:
        async with AsyncClient(pool_size=1, adapters=tools_for_tests.ALL, cancel_grace=0.1) as client:
            await client.start()
            starting = asyncio.create_task(client.execute_stream("endless", {"path": str(tmp_path / "end")}))
            await asyncio.wait({starting}, timeout=patience)
            if starting.cancel():
                with pytest.raises(asyncio.CancelledError):
                    await starting
                assert await client.execute("ping")

    run_async(scene())
