# ruff: noqa: T201 - tools print
"""Adapters that real workers load in tests: each tool does one thing that a test wants to see."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Literal

from snakepit_jupyter.worker.adapter import BaseAdapter, tool

LONG = 600.0


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not come")
        threading.Event().wait(0.005)


class Streams(BaseAdapter):
    """Generators that end, that go on, and that leave a mark when they are ended."""

    @tool(description="Yield numbers, each with a text of `size` letters", supports_streaming=True)
    def count(self, count: int = 3, size: int = 0, pause: float = 0.0) -> Iterator[dict[str, Any]]:
        for number in range(1, count + 1):
            yield {"number": number, "text": "x" * size, "is_final": number == count}
            threading.Event().wait(pause)

    @tool(description="Yield, and note in a file how far it came", supports_streaming=True)
    def noted_count(self, count: int, size: int, note: str) -> Iterator[bytes]:
        with Path(note).open("w") as file:
            for number in range(1, count + 1):
                yield number.to_bytes(4, "big") + b"x" * (size - 4)
                file.seek(0)
                file.write(str(number))
                file.flush()

    @tool(description="Yield for ever; at its end write a file", supports_streaming=True)
    def endless(self, path: str, pause: float = 0.005) -> Iterator[dict[str, Any]]:
        number = 0
        try:
            while True:
                number += 1
                yield {"number": number, "pid": os.getpid()}
                threading.Event().wait(pause)
        finally:
            Path(path).write_text(f"ended after {number}")

    @tool(description="Sleep for long after the first chunk; at its end write a file", supports_streaming=True)
    def asleep(self, path: str, begin: str = os.devnull) -> Iterator[dict[str, Any]]:
        try:
            yield {"pid": os.getpid()}
            Path(begin).write_text("asleep")
            time.sleep(LONG)
        finally:
            Path(path).write_text("woken")

    @tool(description="Go on whatever happens", supports_streaming=True)
    def stubborn(self, path: str) -> Iterator[dict[str, Any]]:
        yield {"pid": os.getpid()}
        while True:
            try:
                time.sleep(LONG)
            except KeyboardInterrupt:
                Path(path).write_text("interrupted, and goes on")

    @tool(description="Yield what is asked for", supports_streaming=True)
    def give(self, what: str) -> Iterator[Any]:
        values: dict[str, Any] = {
            "dict": {"a": 1},
            "list": [1, 2],
            "number": 4.5,
            "bytes": b"\x00\xff",
            "none": None,
        }
        yield values[what]

    @tool(description="Return a value at the end", supports_streaming=True)
    def give_and_return(self) -> Generator[dict[str, Any], None, dict[str, Any]]:
        yield {"step": 1}
        return {"answer": 42}

    @tool(description="Go on after a final chunk", supports_streaming=True)
    def talk_on(self) -> Iterator[dict[str, Any]]:
        yield {"answer": 42, "is_final": True}
        print("cleaning up")
        yield {"never": "seen"}

    @tool(description="Print between chunks", supports_streaming=True)
    def chat(self) -> Iterator[dict[str, Any]]:
        print("to stdout")
        yield {"step": 1}
        print("to stderr", file=sys.stderr)
        logging.getLogger("tests").warning("to the log")
        yield {"step": 2, "is_final": True}

    @tool(description="Start a process that would outlive its parent", supports_streaming=True)
    def with_child(self, path: str) -> Iterator[dict[str, Any]]:
        with subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({LONG})"]) as child:
            try:
                yield {"pid": os.getpid(), "child": child.pid}
                time.sleep(LONG)
            finally:
                Path(path).write_text("left")
                child.kill()

    @tool(description="Yield something that cannot be sent", supports_streaming=True)
    def give_object(self) -> Iterator[Any]:
        yield {"step": 1}
        yield {"thing": Secretive()}


class Secretive:
    def __repr__(self) -> str:
        return "the secret"


class Failures(BaseAdapter):
    """Tools that fail in the ways tools fail."""

    @tool(description="Raise from a nested function")
    def raise_deeply(self, message: str = "deep down") -> None:
        def inner() -> None:
            raise ValueError(message)

        inner()

    @tool(description="Raise after the first chunk", supports_streaming=True)
    def raise_midway(self) -> Iterator[dict[str, Any]]:
        yield {"step": 1}
        raise OSError("the disk is full")

    @tool(description="Try to leave the process")
    def leave(self) -> None:
        sys.exit(3)

    @tool(description="Die in the middle", supports_streaming=True)
    def die(self, code: int = 7, when: str = os.devnull) -> Iterator[dict[str, Any]]:
        yield {"pid": os.getpid()}
        wait_for(lambda: Path(when).exists())
        os.write(2, b"last words\n")
        os._exit(code)

    @tool(description="Die at once")
    def die_at_once(self, code: int = 7) -> None:
        os.write(2, b"last words\n")
        os._exit(code)

    @tool(description="Be killed by a signal")
    def kill_itself(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @tool(description="Return something that cannot be sent")
    def return_object(self) -> Any:
        return Secretive()


class Plain(BaseAdapter):
    """Tools that give one result."""

    @tool(description="Check the types of its arguments")
    def typed(
        self,
        name: str,
        count: int = 1,
        mode: Literal["fast", "slow"] = "fast",
        ratio: float | None = None,
        tags: list[str] | None = None,
    ) -> dict[str, Any]:
        return {"name": name, "count": count, "mode": mode, "ratio": ratio, "tags": tags}

    @tool(description="Print and return")
    def say(self, text: str) -> str:
        print(text)
        print("and a complaint", file=sys.stderr)
        return text.upper()

    @tool(description="Return bytes")
    def raw(self) -> bytes:
        return b"\x00\x01\xff"

    @tool(description="A parameter with an inconvenient name")
    def named_function(self, function: str) -> str:
        return function

    @tool(description="Where it runs, and what is imported there")
    def world(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "on_main_thread": threading.current_thread() is threading.main_thread(),
            "modules": sorted(name.partition(".")[0] for name in sys.modules),
            "argv": sys.argv,
            "stdin": sys.stdin.read(),
        }

    @tool(description="Wait until so many of them are here at once")
    def meet(self, directory: str, name: str, count: int) -> int:
        place = Path(directory)
        (place / name).write_text(str(os.getpid()))
        wait_for(lambda: len(list(place.iterdir())) >= count)
        return os.getpid()

    @tool(description="Sleep for long; at the end write a file")
    def nap(self, path: str, begin: str = os.devnull) -> None:
        try:
            Path(begin).write_text("asleep")
            time.sleep(LONG)
        finally:
            Path(path).write_text("woken")


class Notes(BaseAdapter):
    """State that belongs to a session."""

    def __init__(self) -> None:
        self.notes: dict[str, Any] = {}
        self.farewell = ""

    def cleanup(self) -> None:
        if self.farewell == "raise":
            raise RuntimeError("the cleanup failed")
        if self.farewell:
            Path(self.farewell).write_text("cleaned up")

    @tool(description="Keep a value")
    def remember(self, key: str, value: Any) -> dict[str, Any]:
        self.notes[key] = value
        return {"session": self.session_context.session_id, "pid": os.getpid()}

    @tool(description="Give a value back")
    def recall(self, key: str) -> Any:
        return self.notes.get(key)

    @tool(description="Write a file when the session ends")
    def at_the_end(self, path: str) -> None:
        self.farewell = path


class OwnPing(BaseAdapter):
    """Takes the place of a built-in tool."""

    @tool(description="Answer differently")
    def ping(self) -> str:
        return "my own pong"


class NoTools(BaseAdapter):
    pass


ALL = [f"{__name__}:{name}" for name in ("Streams", "Failures", "Plain", "Notes")]
