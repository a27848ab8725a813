"""Runs: every way to read one, what its chunks look like, how fast it may go, how it survives a broken line."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools_for_tests import ALL
from waiting import came_to_rest, eventually, run_async, written

import snakepit_jupyter as snakepit
from snakepit_jupyter import AsyncClient, Client

MIB = 1024 * 1024


def numbers(chunks: Any) -> list[int]:
    return [chunk["number"] for chunk in chunks]


# Reading.


def test_iterating_gives_every_chunk_in_order(client: Client) -> None:
    assert numbers(client.execute_stream("count", {"count": 500})) == list(range(1, 501))


def test_it_can_be_iterated_twice(client: Client) -> None:
    run = client.execute_stream("count")
    assert numbers(run) == numbers(run) == [1, 2, 3]


def test_the_result_is_the_final_chunk(client: Client) -> None:
    run = client.execute_stream("count")
    result = run.result()
    assert (result["number"], result["is_final"]) == (3, True)
    assert result["_metadata"]["tool_type"] == "remote"
    assert int(result["_metadata"]["execution_time_ms"]) >= 0
    assert result["_metadata"]["worker_id"] in {worker.worker_id for worker in client.status().workers}
    assert run.status == "done"


def test_after_the_result_the_chunks_are_still_there(client: Client) -> None:
    run = client.execute_stream("count")
    run.result()
    assert numbers(run) == [1, 2, 3]


def test_every_chunk_of_many_arrives_once_and_in_order(client: Client) -> None:
    run = client.execute_stream("count", {"count": 20_000})
    assert numbers(run) == list(range(1, 20_001))
    assert run.state.chunks == 20_000


def test_sequence_numbers_have_no_gap(client: Client) -> None:
    run = client.execute_stream("chat")
    assert len(list(run)) == 2
    assert run.state.chunks == 5  # two of data, three of text


def test_the_callback_sees_the_chunks_in_order_on_the_callers_thread(client: Client) -> None:
    seen: list[tuple[int, int]] = []
    run = client.execute_stream(
        "count", {"count": 50}, lambda chunk: seen.append((chunk["number"], threading.get_ident()))
    )
    assert [number for number, _ in seen] == list(range(1, 51))
    assert {thread for _, thread in seen} == {threading.get_ident()}
    assert run.status == "done"


def test_an_exception_in_the_callback_stops_the_run_and_is_raised(client: Client, tmp_path: Path) -> None:
    def fail(chunk: dict[str, Any]) -> None:
        raise KeyError(chunk["number"])

    with pytest.raises(KeyError, match="1"):
        client.execute_stream("endless", {"path": str(tmp_path / "end")}, fail)
    assert written(tmp_path / "end").startswith("ended after")


def test_waiting_with_a_limit_does_not_stop_the_run(client: Client, tmp_path: Path) -> None:
    run = client.execute_stream("endless", {"path": str(tmp_path / "end")})
    with pytest.raises(TimeoutError):
        run.result(timeout=0.1)
    assert run.status == "running"
    assert not (tmp_path / "end").exists()
    run.cancel()
    with pytest.raises(snakepit.RunStopped):
        run.result()


def test_breaking_out_and_dropping_the_run_cancels_it(client: Client, tmp_path: Path) -> None:
    for chunk in client.execute_stream("endless", {"path": str(tmp_path / "end")}):
        assert chunk["number"] == 1
        break
    gc.collect()
    assert written(tmp_path / "end").startswith("ended after")


def test_leaving_its_with_block_cancels_it(client: Client, tmp_path: Path) -> None:
    with client.execute_stream("endless", {"path": str(tmp_path / "end")}) as run:
        next(iter(run))
    assert (tmp_path / "end").exists()
    assert run.status == "stopped"
    assert run.state.stop_reason == "left its with block"


def test_a_run_that_is_kept_goes_on_without_a_reader(client: Client) -> None:
    run = client.execute_stream("count", {"count": 3})
    eventually(lambda: run.status == "done")
    assert numbers(run) == [1, 2, 3]


def test_an_awaited_run_whose_task_is_cancelled_is_stopped(tmp_path: Path) -> None:
    async def scene() -> None:
        async with AsyncClient(pool_size=1, adapters=ALL) as client:
            run = await client.execute_stream("endless", {"path": str(tmp_path / "end")})
            waiting = asyncio.ensure_future(run)
            async for _ in run:
                waiting.cancel()
                break
            await asyncio.wait([waiting])
            await asyncio.to_thread(written, tmp_path / "end")
            with pytest.raises(snakepit.RunStopped):
                await run

    run_async(scene())


def test_the_time_limit_of_a_run_stops_it(client: Client, tmp_path: Path) -> None:
    run = client.execute_stream("endless", {"path": str(tmp_path / "end")}, timeout=0.2)
    with pytest.raises(snakepit.WorkerTimeout, match="endless was given up after"):
        numbers(run)
    assert (tmp_path / "end").exists()
    assert run.status == "failed"


def test_a_run_that_raises_gives_its_chunks_first(client: Client) -> None:
    seen: list[dict[str, Any]] = []
    run = client.execute_stream("raise_midway")
    with pytest.raises(snakepit.ToolError, match="OSError: the disk is full"):
        seen.extend(run)
    assert [chunk["step"] for chunk in seen] == [1]
    with pytest.raises(snakepit.ToolError, match="the disk is full"):
        run.result()


def test_a_run_says_what_it_is(client: Client) -> None:
    run = client.execute_in_session_stream("a-session", "count")
    run.result()
    assert (run.tool, run.session_id) == ("count", "a-session")
    assert repr(run) == f"<Run {run.run_id} of count: done>"


# What a chunk looks like.


@pytest.mark.parametrize(
    ("what", "envelope"),
    [
        ("dict", {"a": 1}),
        ("list", {"data": [1, 2]}),
        ("number", {"data": 4.5}),
        ("bytes", {"data": b"\x00\xff", "raw_data_base64": "AP8="}),
        ("none", {"data": None}),
    ],
)
def test_a_chunk_is_a_dict(client: Client, what: str, envelope: dict[str, Any]) -> None:
    first, last = client.execute_stream("give", {"what": what})
    assert first == {**envelope, "is_final": False}
    del last["_metadata"]
    assert last == {"is_final": True}


def test_the_value_that_a_generator_returns_is_its_final_chunk(client: Client) -> None:
    first, last = client.execute_stream("give_and_return")
    assert first == {"step": 1, "is_final": False}
    assert (last["answer"], last["is_final"]) == (42, True)


def test_nothing_comes_after_a_final_chunk(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    run = client.execute_stream("talk_on")
    (only,) = run
    assert (only["answer"], only["is_final"]) == (42, True)
    assert capsys.readouterr().out == "cleaning up\n"


def test_what_is_printed_after_the_final_chunk_does_not_hide_it(client: Client) -> None:
    for _ in range(20):
        assert client.execute_stream("talk_on").result()["answer"] == 42


def test_something_that_cannot_be_sent_is_marked_and_the_run_goes_on(client: Client) -> None:
    first, marked, final = client.execute_stream("give_object")
    assert first["step"] == 1
    assert marked["thing"] == {"__ffi_unserializable__": True, "__type__": "tools_for_tests.Secretive"}
    assert final["is_final"]


def test_what_a_tool_prints_comes_between_its_chunks(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    for chunk in client.execute_stream("chat"):
        printed = capsys.readouterr()
        seen.append((printed.out, printed.err, chunk["step"]))
    assert seen == [("to stdout\n", "", 1), ("", "to stderr\nWARNING tests: to the log\n", 2)]


# Backpressure.


def test_who_does_not_read_holds_the_tool_back_and_misses_nothing(client: Client, tmp_path: Path) -> None:
    size, count = 64 * 1024, 600  # 37.5 MiB
    note = tmp_path / "note"
    reader = iter(client.execute_stream("noted_count", {"count": count, "size": size, "note": str(note)}))
    first = next(reader)

    def made() -> int:
        return int(note.read_text() or 0)

    eventually(lambda: made() * size > 5 * MIB)
    stalled = eventually(lambda: came_to_rest(made))
    assert stalled * size <= 8 * MIB
    chunks = [first, *reader]
    assert len(chunks) == count + 1
    assert made() == count


def test_a_run_whose_end_is_awaited_is_not_held_back(client: Client, tmp_path: Path) -> None:
    run = client.execute_stream("count", {"count": 400, "size": 64 * 1024})
    assert run.result(timeout=30)["number"] == 400
    with pytest.raises(snakepit.ChunksLost, match="are no longer there"):
        list(run)


# Sessions.


def test_a_session_keeps_its_state_and_does_not_see_anothers(client: Client) -> None:
    with client.session() as mine, client.session() as yours:
        mine.execute("remember", {"key": "k", "value": "mine"})
        yours.execute("remember", {"key": "k", "value": "yours"})
        assert mine.execute("recall", {"key": "k"}) == "mine"
        assert yours.execute("recall", {"key": "k"}) == "yours"
        assert client.execute_in_session("a third", "recall", {"key": "k"}) is None


def test_a_session_that_ends_is_cleaned_up_and_begins_anew(client: Client, tmp_path: Path) -> None:
    with client.session("again") as session:
        session.execute("remember", {"key": "k", "value": 1})
        session.execute("at_the_end", {"path": str(tmp_path / "end")})
    assert (tmp_path / "end").read_text() == "cleaned up"
    with client.session("again") as session:
        assert session.execute("recall", {"key": "k"}) is None


def test_the_end_of_a_session_does_not_wait_for_another_sessions_run(client: Client, tmp_path: Path) -> None:
    with client.execute_in_session_stream("busy", "endless", {"path": str(tmp_path / "end")}) as run:
        next(iter(run))
        closed = threading.Thread(target=client.close_session, args=("idle",), daemon=True)
        closed.start()
        closed.join(5)
        assert not closed.is_alive()
        assert run.status == "running"


def test_a_clean_up_that_raises_harms_nobody(own_client: Client) -> None:
    pid = own_client.execute("ping")["pid"]
    own_client.execute_in_session("kept", "remember", {"key": "k", "value": 1})
    with own_client.session("bad") as session:
        session.execute("at_the_end", {"path": "raise"})
    assert own_client.execute_in_session("kept", "recall", {"key": "k"}) == 1
    assert own_client.execute("ping")["pid"] == pid


# Several at once.


def test_as_many_calls_as_workers_run_at_the_same_time(client: Client, tmp_path: Path) -> None:
    pids: list[int] = []

    def meet(name: str) -> None:
        pids.append(client.execute("meet", {"directory": str(tmp_path), "name": name, "count": 2}))

    threads = [threading.Thread(target=meet, args=(name,)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(pids)) == 2


def test_one_call_more_than_workers_waits_its_turn(client: Client, tmp_path: Path) -> None:
    busy = [client.execute_stream("endless", {"path": str(tmp_path / name)}) for name in ("one", "other")]
    for run in busy:
        next(iter(run))
    third = client.execute_stream("count")
    assert third.status == "queued"
    assert client.status().queued == 1
    busy[0].cancel()
    assert numbers(third) == [1, 2, 3]
    busy[1].cancel()
    for run in busy:
        with pytest.raises(snakepit.RunStopped):
            run.result()


# A line that breaks.


class Forwarder:
    """Stands between a client and its bridge, and can be cut."""

    def __init__(self, target: str, place: Path) -> None:
        self.place = place
        self.cuts = 0
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_unix_server(self._forward, self.place))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._cut()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while block := await reader.read(64 * 1024):
                writer.write(block)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def _cut(self) -> None:
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def cut(self) -> None:
        self._loop.call_soon_threadsafe(self._cut)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


@pytest.fixture
def forwarded(own_client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Forwarder]:
    """A forwarder that `own_client` reaches its bridge through: only the address is exchanged."""
    from snakepit_jupyter.client import core
    from snakepit_jupyter.client.connection import Connection

    lines: list[Forwarder] = []

    def connect(address: str, token: str) -> Connection:
        lines.append(Forwarder(address.removeprefix("unix:"), tmp_path / "line.sock"))
        return Connection(f"unix:{lines[0].place}", token)

    monkeypatch.setattr(core, "Connection", connect)
    own_client.start()
    yield lines[0]
    own_client.stop()
    lines[0].close()


@pytest.mark.parametrize("size", [0, 20_000], ids=["small chunks", "chunks that hold back"])
def test_a_reader_whose_line_is_cut_goes_on_without_gap_or_repeat(
    own_client: Client, forwarded: Forwarder, size: int
) -> None:
    count = 3_000 if size == 0 else 1_500
    run = own_client.execute_stream("count", {"count": count, "size": size})
    seen = []
    for chunk in run:
        seen.append(chunk["number"])
        if chunk["number"] % (count // 5) == 10:
            forwarded.cut()
    assert seen == list(range(1, count + 1))
    eventually(lambda: forwarded.cuts == 5)
