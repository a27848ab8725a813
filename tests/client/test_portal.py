import asyncio
import contextvars
import subprocess
import sys
import threading

import pytest
from waiting import run_async

from snakepit_jupyter.client.portal import portal

WORD = contextvars.ContextVar("WORD", default="none")


async def where() -> tuple[int, str]:
    return threading.get_ident(), WORD.get()


def test_all_threads_and_loops_cross_to_the_same_loop() -> None:
    here, _ = portal().call(where())
    there, _ = run_async(portal().acall(where()))
    assert here == there != threading.get_ident()


def test_an_error_comes_back_as_it_was() -> None:
    async def fail() -> None:
        raise KeyError("k")

    with pytest.raises(KeyError):
        portal().call(fail())
    with pytest.raises(KeyError):
        portal().spawn(fail()).result(5)


def test_who_stops_awaiting_cancels_what_runs_there() -> None:
    began, ended = threading.Event(), threading.Event()

    async def endless() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def scene() -> None:
        task = asyncio.create_task(portal().acall(endless()))
        await asyncio.to_thread(began.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_async(scene())
    assert ended.wait(5)


def test_what_is_spawned_runs_in_the_context_that_it_is_given() -> None:
    context = contextvars.copy_context()
    context.run(WORD.set, "mine")
    assert portal().spawn(where(), context).result(5)[1] == "mine"
    assert portal().spawn(where()).result(5)[1] == "none"


FORKED = """
import os, sys, snakepit_jupyter as snakepit
client = snakepit.Client(pool_size=1)
client.execute("ping")
child = os.fork()
if child == 0:
    try:
        client.execute("ping")
    except snakepit.GrpcUnavailable as error:
        print(error.message, flush=True)
    sys.exit(0)  # its way out must leave the parent's bridge alone
os.waitpid(child, 0)
print(client.execute("ping", {"message": "still there"})["message"])
"""


def test_a_forked_process_is_told_so_and_its_parent_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first.startswith("this process was forked from one that uses snakepit")
    assert second == "pong: still there"
