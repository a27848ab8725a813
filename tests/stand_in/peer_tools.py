"""An adapter as Snakepit's own worker runs them, for the stand-in: a new instance for each request."""

import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any


class StreamChunk:
    """An item that says for itself whether it is the last."""

    def __init__(self, data: Any, *, is_final: bool = False, metadata: dict[str, Any] | None = None) -> None:
        self.data = data
        self.is_final = is_final
        self.metadata = metadata or {}


class Tools:
    """Each public method is a tool; a generator streams."""

    def set_session_context(self, context: Any) -> None:
        self._context = context

    def echo(self, value: Any = None) -> Any:
        """Give back what was given."""
        return value

    def kinds(self, value: Any) -> str:
        return type(value).__name__

    def request(self) -> dict[str, Any]:
        return {"session": self._context.session_id, **self._context.request_metadata}

    def surroundings(self) -> dict[str, Any]:
        watched = [name for name in os.environ if name.startswith(("SNAKEPIT_", "OMP_", "GRPC_", "PYTHON"))]
        ids = {"pid": os.getpid(), "pgid": os.getpgid(0), "sid": os.getsid(0)}
        return {**{name: os.environ[name] for name in watched}, **ids, "cwd": str(Path.cwd())}

    def size(self, blob: bytes) -> int:
        return len(blob)

    def nothing(self) -> None:
        return None

    async def later(self, value: Any) -> Any:
        return value

    def fail(self, message: str = "broken") -> None:
        raise ValueError(message)

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """Call a host tool."""
        return self._context.call_elixir_tool(name, **arguments)

    def die(self, code: int = 7) -> None:
        os.write(2, b"last words\n")
        os._exit(int(code))

    def block(self, path: str) -> None:
        """Say where we are, and stay there."""
        Path(path).write_text(str(os.getpid()))
        threading.Event().wait(600)

    def count(self, n: int = 3) -> Iterator[dict[str, int]]:
        for i in range(int(n)):
            yield {"i": i}

    def forever(self, path: str) -> Iterator[int]:
        """Number after number, until it is closed; then it writes how it ended."""
        try:
            number = 0
            while True:
                yield number
                number += 1
                threading.Event().wait(0.01)
        finally:
            Path(path).write_text("closed")

    def shapes(self) -> Iterator[Any]:
        yield {"a": 1}
        yield "text"
        yield b"\x00\xff"
        yield None
        yield [1, 2]
        yield StreamChunk({"last": True}, is_final=True, metadata={"step": 3})

    def after_final(self) -> Iterator[Any]:
        yield StreamChunk("one", is_final=True)
        yield "two"

    def fail_later(self) -> Iterator[int]:
        yield 1
        raise KeyError("gone")

    async def slowly(self) -> AsyncIterator[int]:
        for i in range(3):
            yield i


class Whole(Tools):
    """The same by `execute_tool`, as adapters of Snakepit that do their own dispatch."""

    def execute_tool(self, tool_name: str, arguments: dict[str, Any], context: Any) -> Any:
        if tool_name == "whole":
            return {"tool": tool_name, "session": context.session_id, **arguments}
        return getattr(self, tool_name)(**arguments)
