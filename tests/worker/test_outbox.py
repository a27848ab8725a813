import asyncio
import threading
from collections.abc import Callable

import pytest
from waiting import eventually, run_async

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.worker.outbox import OVERHEAD, Abandoned, Outbox

LIMIT = 1000


def chunk(size: int = 100) -> pb.Chunk:
    return pb.Chunk(data=b"x" * (size - OVERHEAD))


async def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def fill(outbox: Outbox) -> None:
    for _ in range(LIMIT // 100):
        outbox.put(chunk())


def test_what_is_put_is_taken_in_one_group_and_in_order() -> None:
    async def scene() -> None:
        outbox = Outbox(asyncio.get_running_loop(), LIMIT)
        for number in range(3):
            outbox.put(pb.Chunk(data=bytes([number])))
        assert [item.data for item in (await outbox.take()).chunks] == [b"\x00", b"\x01", b"\x02"]

    run_async(scene())


def test_the_end_comes_with_the_last_chunks() -> None:
    async def scene() -> None:
        outbox = Outbox(asyncio.get_running_loop(), LIMIT)
        outbox.put(chunk())
        outbox.finish(pb.CallEnd(outcome=pb.OUTCOME_DONE))
        update = await outbox.take()
        assert len(update.chunks) == 1
        assert update.end.outcome == pb.OUTCOME_DONE

    run_async(scene())


def test_the_sender_wakes_when_there_is_something() -> None:
    async def scene() -> None:
        outbox = Outbox(asyncio.get_running_loop(), LIMIT)
        taking = asyncio.create_task(outbox.take())
        await asyncio.sleep(0)
        assert not taking.done()
        await in_thread(lambda: outbox.put(chunk()))
        assert len((await asyncio.wait_for(taking, 5)).chunks) == 1

    run_async(scene())


def test_a_tool_that_is_too_far_ahead_waits_until_its_chunks_are_taken() -> None:
    async def scene() -> None:
        outbox = Outbox(asyncio.get_running_loop(), LIMIT)
        fill(outbox)
        late = await in_thread(lambda: outbox.put(chunk()))
        late.join(0.05)
        assert late.is_alive()
        assert len((await outbox.take()).chunks) == 10
        assert len((await outbox.take()).chunks) == 1
        late.join(5)
        assert not late.is_alive()

    run_async(scene())


def test_a_chunk_larger_than_the_limit_passes() -> None:
    async def scene() -> None:
        outbox = Outbox(asyncio.get_running_loop(), LIMIT)
        outbox.put(chunk(50_000))
        assert len((await outbox.take()).chunks[0].data) == 50_000 - OVERHEAD

    run_async(scene())


def test_when_nobody_wants_more_put_raises_also_where_it_waits() -> None:
    async def scene() -> None:
        outbox = Outbox(asyncio.get_running_loop(), LIMIT)
        fill(outbox)
        raised: list[BaseException] = []

        def put() -> None:
            try:
                outbox.put(chunk())
            except Abandoned as error:
                raised.append(error)

        waiting = await in_thread(put)
        outbox.abandon()
        waiting.join(5)
        assert len(raised) == 1
        with pytest.raises(Abandoned):
            outbox.put(chunk())
        assert len((await outbox.take()).chunks) == 10, "what was put before is still sent"

    run_async(scene())


def test_text_never_raises_and_is_dropped_only_where_nobody_takes_it() -> None:
    async def scene() -> None:
        outbox = Outbox(asyncio.get_running_loop(), LIMIT)
        outbox.abandon()
        outbox.put_text(chunk())
        assert len((await outbox.take()).chunks) == 1, "a clean-up's words are heard"
        for _ in range(30):
            outbox.put_text(chunk())
        assert len((await outbox.take()).chunks) == 10

    run_async(scene())


def test_text_waits_for_its_place_like_chunks_do() -> None:
    async def scene() -> None:
        outbox = Outbox(asyncio.get_running_loop(), LIMIT)
        fill(outbox)
        late = await in_thread(lambda: outbox.put_text(chunk()))
        await outbox.take()
        assert len((await outbox.take()).chunks) == 1
        eventually(lambda: not late.is_alive())

    run_async(scene())
