"""Callbacks of streams: what they raise, which may be given, and `with` blocks that end badly."""

import asyncio
import functools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tools_for_tests import ALL
from waiting import eventually, run_async

import snakepit_jupyter as snakepit
from snakepit_jupyter import AsyncClient, Client

ADAPTERS = [*ALL, "client.bad_endings:BadEndings"]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(pool_size=1, adapters=ADAPTERS, session_id="", cancel_grace=0.3, kill_grace=1.0) as shared:
        yield shared


class OfItsOwn(Exception):
    """What a callback of a test raises."""


def fail_at_once(chunk: dict[str, Any]) -> None:
    raise OfItsOwn


def test_a_callbacks_exception_is_raised_also_when_the_tool_fails_to_stop(client: Client) -> None:
    with pytest.raises(OfItsOwn):
        client.execute_stream("fail_at_the_end", callback=fail_at_once)
    with pytest.raises(OfItsOwn), client.execute_stream("fail_at_the_end") as run:
        fail_at_once(next(iter(run)))
    assert run.status == "failed"


def test_a_with_block_that_ends_well_still_says_that_the_tool_failed_to_stop(client: Client) -> None:
    with (
        pytest.raises(snakepit.ToolError, match="the end fails too"),
        client.execute_stream("fail_at_the_end") as run,
    ):
        next(iter(run))


def test_a_callbacks_exception_is_raised_also_when_the_bridge_has_gone(own_client: Client, tmp_path: Path) -> None:
    def fail(chunk: dict[str, Any]) -> None:
        pid = own_client.bridge_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not own_client.running)
        raise OfItsOwn

    with pytest.raises(OfItsOwn):
        own_client.execute_stream("endless", {"path": str(tmp_path / "end")}, fail)


def test_an_awaited_run_raises_what_its_callback_raised() -> None:
    async def fail_awaited(chunk: dict[str, Any]) -> None:
        raise OfItsOwn

    def stop(chunk: dict[str, Any]) -> None:
        raise StopIteration

    async def scene() -> None:
        async with AsyncClient(pool_size=1, adapters=ADAPTERS) as own:
            for callback in (fail_at_once, fail_awaited):
                with pytest.raises(OfItsOwn):
                    await own.execute_stream("fail_at_the_end", callback=callback)
            with pytest.raises(RuntimeError, match="StopIteration"):
                await own.execute_stream("fail_at_the_end", callback=stop)

    run_async(scene())


def test_a_coroutine_function_as_callback_is_awaited_chunk_by_chunk_on_the_callers_loop() -> None:
    seen: list[tuple[str, int, bool]] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()

        async def note(chunk: dict[str, Any]) -> None:
            seen.append(("begin", chunk["number"], asyncio.get_running_loop() is loop))
            await asyncio.sleep(0)
            seen.append(("end", chunk["number"], asyncio.get_running_loop() is loop))

        async with AsyncClient(pool_size=1, adapters=ADAPTERS) as own:
            await own.execute_stream("count", {"count": 3}, note)

    run_async(scene())
    assert seen == [(step, number, True) for number in (1, 2, 3) for step in ("begin", "end")]


async def awaited(chunk: dict[str, Any]) -> None:
    raise AssertionError("it was called")


class AwaitedObject:
    async def __call__(self, chunk: dict[str, Any]) -> None:
        raise AssertionError("it was called")


def generating(chunk: dict[str, Any]) -> Iterator[None]:
    yield


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (5, "the callback is int, which cannot be called"),
        (awaited, "the callback is a coroutine function"),
        (functools.partial(awaited), "the callback is a coroutine function"),
        (AwaitedObject(), "the callback is a coroutine function"),
        (generating, "the callback has a yield in it"),
    ],
)
def test_a_callback_that_would_never_run_is_refused_before_the_run_starts(callback: Any, message: str) -> None:
    client = Client(pool_size=1)
    with pytest.raises(snakepit.InvalidParameter, match=message) as caught:
        client.execute_stream("count", callback=callback)
    assert caught.value.key == "callback"
    assert not client.running


@pytest.mark.parametrize("callback", [5, generating])
def test_an_asyncio_program_is_told_of_such_a_callback_too(callback: Any) -> None:
    with pytest.raises(snakepit.InvalidParameter, match="the callback"):
        run_async(AsyncClient(pool_size=1).execute_stream("count", callback=callback))


def test_a_callback_that_gives_a_coroutine_stops_the_run(client: Client, tmp_path: Path) -> None:
    with pytest.raises(snakepit.InvalidParameter, match="here nobody awaits it"):
        client.execute_stream("endless", {"path": str(tmp_path / "end")}, lambda _: awaited({}))
    assert (tmp_path / "end").exists()
