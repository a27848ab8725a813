import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import run_async

from snakepit_jupyter.bridge.runlog import OVERHEAD, News, RunLog
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb


def chunks(*sizes: int) -> list[pb.Chunk]:
    """Chunks that take so many bytes each in the log."""
    return [pb.Chunk(data=b"x" * (size - OVERHEAD)) for size in sizes]


def numbers(log: RunLog, seq: int = 1, limit: int = 1 << 30) -> list[int]:
    return [chunk.seq for chunk in log.read(seq, limit).chunks]


def test_chunks_are_numbered_from_one_on_without_a_gap() -> None:
    log = RunLog()
    log.extend(chunks(100, 100))
    log.extend(chunks(100))
    assert numbers(log) == [1, 2, 3]
    assert log.last == 3


def test_a_reader_gets_what_comes_from_its_number_on() -> None:
    log = RunLog()
    log.extend(chunks(*[100] * 5))
    assert numbers(log, 4) == [4, 5]
    assert numbers(log, 6) == []
    assert log.read(6).skipped == 0


def test_one_reading_is_bounded_in_bytes_and_the_next_goes_on() -> None:
    log = RunLog()
    log.extend(chunks(*[100] * 5))
    assert numbers(log, 1, limit=250) == [1, 2, 3]
    assert numbers(log, 4, limit=250) == [4, 5]


def test_a_chunk_larger_than_the_reading_comes_alone() -> None:
    log = RunLog()
    log.extend(chunks(5000, 100))
    assert numbers(log, 1, limit=100) == [1]


def test_the_ring_is_bounded_in_bytes_and_drops_the_oldest() -> None:
    log = RunLog(limit=1000)
    log.extend(chunks(*[100] * 25))
    reading = log.read(1)
    assert reading.skipped == 15
    assert [chunk.seq for chunk in reading.chunks] == list(range(16, 26))


def test_a_late_reader_is_told_how_many_it_missed() -> None:
    log = RunLog(limit=1000)
    log.extend(chunks(*[100] * 25))
    assert log.read(10).skipped == 6
    assert log.read(16).skipped == 0


def test_the_ring_stays_bounded_over_many_chunks() -> None:
    log = RunLog(limit=1000)
    for _ in range(1000):
        log.extend(chunks(100))
    assert len(log._chunks) <= 2 * 10 + 2
    assert numbers(log, 995) == list(range(995, 1001))


def test_the_newest_chunk_is_kept_even_if_it_is_larger_than_the_ring() -> None:
    log = RunLog(limit=1000)
    log.extend(chunks(100, 5000))
    assert log.read(1).skipped == 1
    assert numbers(log, 2) == [2]
    log.extend(chunks(100))
    assert numbers(log, 3) == [3]


def test_of_a_run_that_is_held_nothing_unread_is_dropped() -> None:
    log = RunLog(held=True, limit=1000)
    log.extend(chunks(*[100] * 25))
    assert numbers(log) == list(range(1, 26))
    log.acknowledge(25)
    assert numbers(log, 16) == list(range(16, 26))
    assert log.read(1).skipped == 15


# Room for the producer.


async def blocked(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """The task of something that waits: it has had its turns and is not done."""
    task = asyncio.create_task(work)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return task


def a_full_log() -> RunLog:
    log = RunLog(held=True, limit=1000)
    log.extend(chunks(*[100] * 10))
    return log


@pytest.mark.parametrize(
    "opens",
    [
        lambda log: log.acknowledge(1),
        lambda log: log.acknowledge(10_000),
        lambda log: log.release(),
        lambda log: log.let_end(),
    ],
    ids=["acknowledged", "acknowledged beyond the end", "released", "let end"],
)
def test_a_full_log_holds_the_producer_back_until_it_is(opens: Callable[[RunLog], None]) -> None:
    async def scene() -> None:
        log = a_full_log()
        waiting = await blocked(log.room())
        opens(log)
        await asyncio.wait_for(waiting, 1)

    run_async(scene())


def test_acknowledging_the_same_again_makes_no_further_room() -> None:
    async def scene() -> None:
        log = a_full_log()
        log.acknowledge(1)
        log.acknowledge(1)
        log.acknowledge(0)
        log.extend(chunks(100))
        (await blocked(log.room())).cancel()

    run_async(scene())


@pytest.mark.parametrize("log", [RunLog(held=False, limit=1000), RunLog(held=True, limit=2000)])
def test_without_an_owner_or_below_the_limit_there_is_room(log: RunLog) -> None:
    log.extend(chunks(*[100] * 15))
    run_async(asyncio.wait_for(log.room(), 1))


def test_who_released_it_may_still_acknowledge() -> None:
    log = a_full_log()
    log.release()
    log.extend(chunks(*[100] * 10))
    log.acknowledge(5)
    log.acknowledge(20)
    assert log._unacknowledged_size == 0


# Readers that wait.


@pytest.mark.parametrize(
    "happens",
    [lambda log: log.extend(chunks(100)), lambda log: log.close(), lambda log: log.tell()],
    ids=["a chunk came", "it was closed", "the state changed"],
)
def test_all_waiting_readers_wake_when(happens: Callable[[RunLog], None]) -> None:
    async def scene() -> None:
        log = RunLog()
        readers = [await blocked(log.after(1)) for _ in range(3)]
        happens(log)
        await asyncio.wait_for(asyncio.gather(*readers), 1)

    run_async(scene())


def test_a_reader_that_is_behind_does_not_wait() -> None:
    log = RunLog()
    log.extend(chunks(100))
    run_async(asyncio.wait_for(log.after(1), 1))


def test_a_reader_that_gives_up_does_not_disturb_the_others() -> None:
    async def scene() -> None:
        news = News()
        one, other = await blocked(news.wait()), await blocked(news.wait())
        one.cancel()
        await asyncio.wait([one])
        assert not other.done()
        news.tell()
        await asyncio.wait_for(other, 1)

    run_async(scene())


# Whatever happens.

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("extend"), st.lists(st.integers(OVERHEAD, 700), min_size=1, max_size=6)),
        st.tuples(st.just("read"), st.integers(1, 800)),
        st.tuples(st.just("acknowledge"), st.integers(0, 60)),
        st.tuples(st.just("release"), st.none()),
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(steps=STEPS, held=st.booleans())
def test_a_reader_sees_every_number_once_and_in_order_or_is_told_that_it_missed_it(
    steps: list[tuple[str, Any]], held: bool
) -> None:
    log = RunLog(held=held, limit=1000)
    seen: list[int] = []
    next_wanted = 1
    for name, value in [*steps, ("read", 1 << 30)]:
        if name == "extend":
            log.extend(chunks(*value))
        elif name == "read":
            reading = log.read(next_wanted, value)
            assert not (held and reading.skipped), "an owner that holds misses nothing that it has not acknowledged"
            seen += range(next_wanted, next_wanted + reading.skipped)
            seen += [chunk.seq for chunk in reading.chunks]
            next_wanted += reading.skipped + len(reading.chunks)
        elif name == "acknowledge":
            log.acknowledge(min(value, next_wanted - 1))
        else:
            held = False
            log.release()
        assert log.size == sum(len(chunk.data) + OVERHEAD for chunk in log._chunks[log._dropped :])
    assert seen == list(range(1, log.last + 1))
