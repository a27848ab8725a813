import asyncio
import queue
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from waiting import eventually

from snakepit_jupyter.worker.context import CURRENT, SessionContext
from snakepit_jupyter.worker.mainloop import MainLoop


@pytest.fixture
def loop() -> Iterator[MainLoop]:
    made = MainLoop()
    yield made
    made.close()


async def the_loop() -> asyncio.AbstractEventLoop:
    await asyncio.sleep(0)
    return asyncio.get_running_loop()


def later(action: object, loop: MainLoop, inbox: "queue.SimpleQueue[object]") -> None:
    """Put it into the inbox from another thread, once the main thread waits there."""

    def put() -> None:
        threading.Event().wait(0.02)
        inbox.put(action)
        loop.wake()

    threading.Thread(target=put, daemon=True).start()


def test_every_run_is_on_the_same_loop(loop: MainLoop) -> None:
    assert loop.run(the_loop()) is loop.run(the_loop())


def test_what_is_raised_is_raised_here(loop: MainLoop) -> None:
    async def fail(error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error

    for error in (ValueError("a"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()):
        with pytest.raises(type(error)) as caught:
            loop.run(fail(error))
        assert caught.value is error


def test_without_a_loop_the_inbox_is_all_there_is_to_wait_for(loop: MainLoop) -> None:
    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
    later("action", loop, inbox)
    assert loop.next(inbox) == "action"


def test_while_it_waits_for_the_inbox_tasks_go_on(loop: MainLoop) -> None:
    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
    done: list[str] = []

    async def tick() -> None:
        while True:
            done.append("tick")
            await asyncio.sleep(0.001)

    async def start() -> None:
        asyncio.create_task(tick(), name="ticking")  # noqa: RUF006

    loop.run(start())
    before = len(done)
    later("action", loop, inbox)
    assert loop.next(inbox) == "action"
    assert len(done) > before
    inbox.put("at once")
    assert loop.next(inbox) == "at once"


def test_a_task_that_wants_to_leave_the_process_while_it_waits_does_not(
    loop: MainLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()

    async def start() -> None:
        asyncio.get_running_loop().call_later(0.001, sys.exit, 3)

    loop.run(start())
    later("action", loop, inbox)
    assert loop.next(inbox) == "action"
    assert "SystemExit: 3" in capsys.readouterr().err


def test_a_loop_that_was_closed_is_made_anew(loop: MainLoop) -> None:
    first = loop.run(the_loop())
    first.close()
    inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
    later("action", loop, inbox)
    assert loop.next(inbox) == "action"
    assert loop.run(the_loop()) is not first


def test_it_waits_only_while_nothing_executes(loop: MainLoop) -> None:
    seen: list[bool] = [loop.waits]

    async def look() -> None:
        seen.append(loop.waits)
        asyncio.get_running_loop().call_soon(lambda: seen.append(loop.waits))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    loop.run(look())
    assert seen == [False, False, True]


def in_session(session_id: str, loop: MainLoop, ended: list[str]) -> None:
    """Leave a task of a session behind."""

    async def rest() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            ended.append(session_id)

    async def start() -> None:
        asyncio.create_task(rest())  # noqa: RUF006
        await asyncio.sleep(0)

    token = CURRENT.set(SessionContext(session_id))
    loop.run(start())
    CURRENT.reset(token)


def test_the_end_of_a_session_ends_its_tasks_and_no_others(loop: MainLoop) -> None:
    ended: list[str] = []
    for session in ("a", "b"):
        in_session(session, loop, ended)
    loop.end_tasks("a")
    assert ended == ["a"]
    loop.close()
    assert ended == ["a", "b"]


def test_a_task_that_leaves_the_process_at_its_end_does_not(loop: MainLoop, capsys: pytest.CaptureFixture[str]) -> None:
    async def rest() -> None:
        try:
            await asyncio.sleep(600)
        finally:
            sys.exit(3)

    async def start() -> None:
        asyncio.create_task(rest())  # noqa: RUF006
        await asyncio.sleep(0)

    loop.run(start())
    loop.end_tasks("")
    assert "SystemExit: 3" in capsys.readouterr().err
    assert not loop.run(the_loop()).is_closed()


def test_a_task_that_does_not_end_holds_nobody_up_for_long(loop: MainLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snakepit_jupyter.worker.mainloop.TASK_GRACE", 0.05)
    released = threading.Event()

    async def stay() -> None:
        while not released.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    async def start() -> None:
        asyncio.create_task(stay())  # noqa: RUF006
        await asyncio.sleep(0)

    loop.run(start())
    started = time.monotonic()
    loop.end_tasks("")
    assert time.monotonic() - started < 5
    released.set()
    eventually(lambda: not loop.run(left()))


async def left() -> bool:
    await asyncio.sleep(0.01)
    return len(asyncio.all_tasks()) > 1
