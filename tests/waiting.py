"""Waiting for things themselves: for a condition, a coroutine, the end of a process. Always bounded."""

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
STEP = 0.01


def eventually(condition: Callable[[], T], within: float = 10.0) -> T:
    """The condition's value as soon as it is true; fails if that takes longer than `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within:g} s"
        threading.Event().wait(STEP)
    return value


def came_to_rest(value: Callable[[], int], samples: int = 30) -> int:
    """The value, if it does not change while it is looked at for a while; else 0."""
    seen = value()
    for _ in range(samples):
        threading.Event().wait(STEP)
        if value() != seen:
            return 0
    return seen


def written(path: Path, within: float = 10.0) -> str:
    """The text of a file, as soon as somebody has written it."""
    return eventually(lambda: path.exists() and path.read_text(), within) or ""


def run_async(work: Coroutine[Any, Any, T], within: float = 30.0) -> T:
    """Run a coroutine on a loop of its own; Playwright keeps one running on the main thread."""
    outcome: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            outcome.set_result(asyncio.run(work))
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result(within)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits for its parent's attention does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def all_gone(pids: Iterable[int], within: float = 5.0) -> None:
    """Wait for the end of processes; fails with those that stay."""
    asked = list(pids)
    assert asked, "there was no process to wait for"
    deadline = time.monotonic() + within
    while staying := [pid for pid in asked if alive(pid)]:
        assert time.monotonic() < deadline, f"still there: {staying}"
        threading.Event().wait(STEP)


def below(pid: int) -> list[int]:
    """The ids of all processes that a process has started, directly or not."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
