"""Events on their way from any thread to their readers."""

import asyncio
import gc
import os
import random
import time
from collections.abc import Callable

import pytest
from waiting import eventually, run_async

from snakepit_jupyter.telemetry import LIMIT, Emitter, Event, Policy, Tap


def tell(emitter: Emitter, name: str = "x", number: int = 0) -> None:
    emitter.emit(name, lambda: Event(name, {"number": number}))


def tell_many(emitter: Emitter, numbers: range) -> None:
    for number in numbers:
        tell(emitter, number=number)


async def read(tap: Tap, count: int) -> list[float | str]:
    """The numbers of the next events."""
    return [(await anext(tap)).measurements["number"] for _ in range(count)]


async def all_of(tap: Tap) -> list[float | str]:
    """The numbers of all events until the end."""
    return [event.measurements["number"] async for event in tap]


def test_a_reader_gets_what_is_told_in_its_order_from_any_thread() -> None:
    async def scene() -> None:
        emitter = Emitter()
        reading = asyncio.create_task(read(emitter.attach(), 100))
        await asyncio.to_thread(tell_many, emitter, range(100))
        assert await reading == list(range(100))

    run_async(scene())


def test_what_finds_no_room_is_counted_and_of_each_thread_the_first_events_stay() -> None:
    async def scene() -> None:
        emitter = Emitter()
        tap = emitter.attach()
        parts = [range(first, first + 1000) for first in range(0, 8000, 1000)]
        await asyncio.gather(*(asyncio.to_thread(tell_many, emitter, part) for part in parts))
        emitter.close()
        got = await all_of(tap)
        assert len(got) == len(set(got)) == LIMIT
        assert tap.dropped == 8000 - LIMIT
        for part in parts:
            of_one = [number for number in got if number in part]
            assert of_one == sorted(of_one)

    run_async(scene())


def test_threads_and_a_reader_at_once_agree_on_every_event() -> None:
    async def scene() -> None:
        emitter = Emitter()
        tap = emitter.attach()
        counting = asyncio.create_task(all_of(tap))
        await asyncio.gather(*(asyncio.to_thread(tell_many, emitter, range(5000)) for _ in range(4)))
        emitter.close()
        assert len(await counting) + tap.dropped == 20_000

    run_async(scene())


def test_what_is_told_before_the_first_reader_is_kept_for_it_the_oldest_first() -> None:
    async def scene() -> None:
        emitter = Emitter(buffered=True)
        for number in range(3000):
            tell(emitter, number=number)
        tap = emitter.attach()
        assert await read(tap, LIMIT) == list(range(LIMIT))
        assert tap.dropped == 3000 - LIMIT
        tell(emitter, number=-1)
        assert await read(tap, 1) == [-1]

    run_async(scene())


def test_without_a_buffer_nothing_is_made_while_nobody_reads() -> None:
    emitter = Emitter()
    emitter.emit("x", lambda: pytest.fail("it was made"))
    assert not emitter.listened


def test_two_readers_get_every_event_and_when_one_goes_the_other_goes_on() -> None:
    async def scene() -> None:
        emitter = Emitter(buffered=True)
        first, second = emitter.attach(), emitter.attach()
        tell(emitter, number=1)
        assert await read(first, 1) == await read(second, 1) == [1]
        emitter.detach(first)
        tell(emitter, number=2)
        assert await read(second, 1) == [2]
        with pytest.raises(StopAsyncIteration):
            await anext(first)

    run_async(scene())


def test_when_the_last_reader_has_gone_events_are_kept_for_the_next_one() -> None:
    async def scene() -> None:
        emitter = Emitter(buffered=True)
        emitter.detach(emitter.attach())
        tell(emitter, number=1)
        assert await read(emitter.attach(), 1) == [1]

    run_async(scene())


def test_each_reader_has_its_own_wishes() -> None:
    async def scene() -> None:
        emitter = Emitter()
        some, all_of_them, none = emitter.attach(Policy(allow=("a.*",))), emitter.attach(), emitter.attach()
        none.policy = Policy(enabled=False)
        tell(emitter, "b.c", 1)
        tell(emitter, "a.b", 2)
        emitter.close()
        assert [event.name async for event in some] == ["a.b"]
        assert [event.name async for event in all_of_them] == ["b.c", "a.b"]
        assert [event.name async for event in none] == []

    run_async(scene())


def test_closing_gives_readers_what_there_is_and_then_an_end() -> None:
    async def scene() -> None:
        emitter = Emitter(buffered=True)
        tap, other = emitter.attach(), emitter.attach()
        waiting = asyncio.create_task(all_of(other))
        await asyncio.sleep(0)
        tell(emitter, number=1)
        emitter.close()
        tell(emitter, number=2)
        assert await all_of(tap) == await waiting == [1]

    run_async(scene())


def test_a_share_is_a_share() -> None:
    emitter = Emitter()
    tap = emitter.attach(Policy().sampled(0.25))
    for _ in range(2000):
        tell(emitter)
    assert 300 < LIMIT - len(tap._places) < 700


def test_sampling_does_not_disturb_the_random_numbers_of_a_tool() -> None:
    emitter = Emitter()
    emitter.attach(Policy().sampled(0.5))
    random.seed(1)
    expected = random.random()
    random.seed(1)
    tell(emitter)
    assert random.random() == expected


def test_listeners_are_told_of_only_when_the_first_comes_and_the_last_goes() -> None:
    said: list[bool] = []
    emitter = Emitter(buffered=True, changed=said.append)
    first, second = emitter.attach(), emitter.attach()
    emitter.detach(first)
    emitter.detach(second)
    emitter.attach()
    assert said == [True, False, True]


# Never in the way of the work.


class Broken:
    """A hook that fails."""

    def __init__(self, *, wants: bool) -> None:
        self._wants = wants

    def wants(self, name: str) -> bool:
        if not self._wants:
            raise RuntimeError(name)
        return True

    def put(self, event: Event) -> None:
        raise RuntimeError(event.name)


@pytest.mark.parametrize("wants", [True, False])
def test_a_hook_that_fails_is_of_no_concern_to_who_tells(*, wants: bool) -> None:
    emitter = Emitter()
    emitter.add(Broken(wants=wants))
    tell(emitter)


def test_an_event_that_cannot_be_made_is_of_no_concern_to_who_tells() -> None:
    def fail() -> Event:
        raise RuntimeError

    emitter = Emitter()
    tap = emitter.attach()
    emitter.emit("x", fail)
    tell(emitter)
    assert len(tap._events) == 1


def test_a_reader_whose_loop_has_been_closed_is_of_no_concern_to_who_tells() -> None:
    emitter = Emitter()
    tap = emitter.attach()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(read(tap, 1))
    loop.run_until_complete(asyncio.sleep(0))
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    loop.close()
    for _ in range(3):
        tell(emitter)
    assert not tap.wants("x")


def test_a_destructor_may_tell_something_in_the_middle_of_telling() -> None:
    emitter = Emitter(buffered=True)

    class Talkative:
        def __del__(self) -> None:
            tell(emitter, "destroyed")

    def make() -> Event:
        Talkative()
        gc.collect()
        return Event("made")

    emitter.emit("made", make)
    tap = emitter.attach()
    assert [event.name for event in tap._events] == ["destroyed", "made"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_may_tell_something_while_the_parent_reads() -> None:
    async def scene() -> int:
        emitter = Emitter()
        tap = emitter.attach()
        reading = asyncio.create_task(read(tap, 1))
        await asyncio.sleep(0)
        child = await asyncio.to_thread(_forked, lambda: tell(emitter))
        tell(emitter, number=5)
        assert await reading == [5]
        return child

    child = run_async(scene())
    assert eventually(lambda: os.waitpid(child, os.WNOHANG)[0]) == child


def _forked(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def test_an_interrupt_in_the_middle_of_telling_does_not_silence_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        emitter = Emitter()
        tap = emitter.attach()
        reading = asyncio.create_task(read(tap, 2))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(loop, "call_soon_threadsafe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tell(emitter, number=1)
        monkeypatch.setattr(loop, "call_soon_threadsafe", wake)
        tell(emitter, number=2)
        assert await reading == [1, 2]

    run_async(scene())


def test_telling_costs_next_to_nothing_while_nobody_listens() -> None:
    emitter = Emitter(buffered=True)
    for _ in range(LIMIT):
        tell(emitter)
    assert min(_microseconds_each(emitter) for _ in range(5)) < 10


def _microseconds_each(emitter: Emitter) -> float:
    started = time.perf_counter()
    for _ in range(1000):
        tell(emitter)
    return (time.perf_counter() - started) * 1000
