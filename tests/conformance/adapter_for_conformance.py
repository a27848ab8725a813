"""The adapter that the workers of the conformance tests serve: one tool for each thing that the contract asks for."""

import datetime as dt
import decimal
import math
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakepit_jupyter import BaseAdapter, tool

SECRET = "sk-12345678901234567890"


class Odd:
    """Something that cannot travel, with a text that must not."""

    def __repr__(self) -> str:
        return f"Odd(token={SECRET!r})"


@dataclass
class ChunkLike:
    """What upstream's adapters yield where they have more to say."""

    data: Any
    is_final: bool = False
    metadata: dict[Any, Any] = field(default_factory=dict)


def array(*values: Any) -> Any:
    import numpy as np

    return np.array(values)


RESULTS: dict[str, Callable[[], Any]] = {
    "true": lambda: True,
    "int": lambda: 7,
    "large int": lambda: 2**60 + 1,
    "huge int": lambda: 2**80,
    "float": lambda: 7.0,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "None": lambda: None,
    "text": lambda: "text",
    "bytes": lambda: b"\x00\x01abc",
    "no bytes": lambda: b"",
    "bytearray": lambda: bytearray(b"\x00\x01abc"),
    "tuple": lambda: (1, "a"),
    "set": lambda: {1},
    "ndarray": lambda: array([1, 2], [3, 4]),
    "numpy int": lambda: array(5)[0],
    "datetime": lambda: dt.datetime(2026, 2, 6, 12, 30, tzinfo=dt.UTC),
    "Decimal": lambda: decimal.Decimal("1.50"),
    "complex": lambda: 1 + 2j,
    "object": Odd,
    "dict": lambda: {"a": [1, None, True], "b": {"c": 1.5}},
    "list": lambda: [1, "b", [2.5]],
    "object inside": lambda: {"odd": Odd(), "fine": 1},
    "nan inside": lambda: {"loss": math.nan},
    "dict with int keys": lambda: {1: "a"},
    "lone surrogate": lambda: "\ud800",
    "generator": lambda: (n for n in range(3)),
}

STREAMS: dict[str, Callable[[], Any]] = {
    "dicts": lambda: iter([{"n": 1}, {"n": 2}]),
    "marked final": lambda: iter([{"n": 1}, {"n": 2, "is_final": True}]),
    "two finals": lambda: iter([{"n": 1, "is_final": True}, {"n": 2, "is_final": True}, {"n": 3}]),
    "nothing": lambda: iter([]),
    "None": lambda: iter([None]),
    "bytes": lambda: iter([b"\x00\xff", bytearray(b"ab"), memoryview(b"cd")]),
    "texts": lambda: iter(["plain", "zwei"]),
    "numbers": lambda: iter([1, 2.5, math.nan]),
    "lists": lambda: iter([[1, "b"]]),
    "objects": lambda: iter([Odd()]),
    "chunk-like": lambda: iter(
        [ChunkLike({"n": 1}, metadata={"k": 1, 2: None}), SimpleNamespace(data=b"\x00", is_final=True, metadata={})]
    ),
    "ndarray": lambda: iter([array(1, 2)]),
    "a dict": lambda: {"a": 1, "b": 2},
    "a text": lambda: "text",
    "a list": lambda: [1, 2],
    "a scalar": lambda: 7,
    "no value": lambda: None,
}


class Wordless(BaseException):
    def __str__(self) -> str:
        raise SystemExit(9)

    __repr__ = __str__


class NoName(type):
    def __getattribute__(cls, name: str) -> Any:
        if name == "__name__":
            raise SystemExit(9)
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=NoName):
    pass


class Conformance(BaseAdapter):
    @tool(description="What arrived, and of which types")
    def described(self, **arguments: Any) -> dict[str, Any]:
        return {name: [type(value).__name__, _shown(value)] for name, value in arguments.items()}

    @tool(description="One of many results")
    def result(self, kind: str) -> Any:
        return RESULTS[kind]()

    @tool(description="One of many streams", supports_streaming=True)
    def stream(self, kind: str) -> Any:
        return STREAMS[kind]()

    @tool(description="An async stream", supports_streaming=True)
    async def async_stream(self, count: int = 2) -> AsyncIterator[dict[str, int]]:
        for n in range(count):
            yield {"n": n}

    @tool(description="An awaited result")
    async def awaited(self) -> str:
        return "awaited"

    @tool(description="Fails")
    def fail(self, message: str = "too many", **arguments: Any) -> None:
        raise ValueError(message)

    @tool(description="Fails after some chunks", supports_streaming=True)
    def fail_late(self, count: int = 2) -> Iterator[dict[str, int]]:
        for n in range(count):
            yield {"n": n}
        raise KeyError("late")

    @tool(description="Leaves, as a script does")
    def leave(self) -> None:
        raise SystemExit(3)

    @tool(description="Raises what leaves when it is asked what it is")
    def leave_wordlessly(self, nameless: bool = False) -> None:
        raise Nameless if nameless else Wordless

    @tool(description="What the tool is told of its call")
    def context(self) -> dict[str, Any]:
        context = self.session_context
        return {
            "session_id": context.session_id,
            "request_metadata": dict(context.request_metadata),
            "remaining": context.deadline.remaining,
            "pid": os.getpid(),
        }

    @tool(description="Prints, and says so", supports_streaming=True)
    def talk(self) -> Iterator[dict[str, bool]]:
        print("spoken aloud")  # noqa: T201
        yield {"said": True}
        print("spoken again", flush=True)  # noqa: T201

    @tool(description="Sleeps")
    def sleep(self, seconds: float, path: str) -> str:
        Path(path).write_text("asleep")
        try:
            time.sleep(seconds)
        except BaseException as error:
            print("woken by", type(error).__name__)  # noqa: T201
            Path(path).write_text(type(error).__name__)
            raise
        return "slept"

    @tool(description="Keeps something for the end of the session")
    def keep(self, path: str) -> None:
        self._kept = Path(path)

    def cleanup(self) -> None:
        if hasattr(self, "_kept"):
            self._kept.write_text("cleaned up")

    @tool(description="Starts a process that stays")
    def start_process(self) -> int:
        return subprocess.Popen(["sleep", "600"]).pid

    @tool(description="Yields for ever", supports_streaming=True)
    def endless(self, path: str, size: int = 10, pause: float = 0.01) -> Iterator[bytes]:
        made = 0
        try:
            while True:
                made += 1
                Path(f"{path}.made").write_text(str(made))
                yield b"\xff" * size
                time.sleep(pause)
        finally:
            Path(path).write_text("closed")

    @tool(description="Many items at once", supports_streaming=True)
    def many(self, count: int) -> Iterator[dict[str, int]]:
        for n in range(count):
            yield {"n": n}

    @tool(description="Calls a host tool")
    def ask_host(self, name: str, arguments: dict[str, Any]) -> Any:
        return self.session_context.call_elixir_tool(name, **arguments)


def _shown(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return str(value) if isinstance(value, int) and abs(value) > 2**53 else value
