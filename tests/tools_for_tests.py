# ruff: noqa: T201, ASYNC240, ASYNC251 - tools print, and may block their loop
"""Adapters that real workers load in tests: each tool does one thing that a test wants to see."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

from snakepit_jupyter.worker.adapter import BaseAdapter, StreamChunk, tool
from snakepit_jupyter.worker.context import SessionContext

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
    def stubborn(self, path: str, begin: str = os.devnull) -> Iterator[dict[str, Any]]:
        yield {"pid": os.getpid()}
        while True:
            try:
                Path(begin).write_text("asleep")
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

    @tool(description="Return without a generator", supports_streaming=True)
    def return_at_once(self, what: str) -> Any:
        values = {
            "dict": {"a": 1},
            "str": "text",
            "none": None,
            "list": [1, 2],
            "chunk": StreamChunk({"a": 1}, metadata={"stage": "end"}),
        }
        return values[what]

    @tool(description="Yield chunks that say more of themselves, and an error among them", supports_streaming=True)
    def own_chunks(self) -> Iterator[Any]:
        yield StreamChunk({"step": 1}, metadata={"stage": "warm-up", "lr": 0.5})
        yield {"error": "one of them failed", "is_final": False}
        yield StreamChunk("done", is_final=True, metadata={"stage": "end"})

    @tool(description="Yield something that cannot be sent, and go on", supports_streaming=True)
    def give_objects(self) -> Iterator[Any]:
        yield {"step": 1}
        yield {"thing": Secretive()}
        yield {"step": 3, "is_final": True}

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


class Async(BaseAdapter):
    """Coroutines and async generators, and what they keep on their loop."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[str] | None = None
        self.ticks = 0
        self.farewell = ""

    async def initialize(self) -> None:
        self.ready = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(self.ready.set_result, "made in initialize")

    async def cleanup(self) -> None:
        await asyncio.sleep(0)
        if self.farewell:
            Path(self.farewell).write_text(f"cleaned up {self.session_context.session_id}")

    @tool(description="Await what initialize has made, and say where it runs")
    async def where(self) -> dict[str, Any]:
        assert self.ready is not None
        return {
            "made": await self.ready,
            "loop": id(asyncio.get_running_loop()),
            "on_main_thread": threading.current_thread() is threading.main_thread(),
            "session": (await asyncio.create_task(self.its_session())),
        }

    async def its_session(self) -> str:
        await asyncio.sleep(0)
        return self.session_context.session_id

    @tool(description="Run a loop of one's own, as a plain tool may")
    def own_loop(self) -> int:
        async def answer() -> int:
            await asyncio.sleep(0)
            return 42

        return asyncio.run(answer())

    @tool(description="Yield numbers and await in between", supports_streaming=True)
    async def count_async(self, count: int = 3, final: bool = True) -> AsyncIterator[dict[str, Any]]:
        for number in range(1, count + 1):
            yield {"number": number, "is_final": final and number == count}
            await asyncio.sleep(0)

    @tool(description="An async generator that is not marked as streaming")
    async def count_unmarked(self) -> AsyncIterator[int]:
        yield 1

    @tool(description="Await, then return a generator", supports_streaming=True)
    async def generator_later(self) -> Iterator[dict[str, Any]]:
        await asyncio.sleep(0)
        return ({"number": number} for number in (1, 2))

    @tool(description="Go on after a final chunk", supports_streaming=True)
    async def talk_on_async(self) -> AsyncIterator[dict[str, Any]]:
        yield {"answer": 42, "is_final": True}
        await asyncio.sleep(0)
        print("cleaning up")
        yield {"never": "seen"}

    @tool(description="Raise after an await")
    async def raise_async(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("deep in the loop")

    @tool(description="Raise after the first chunk", supports_streaming=True)
    async def raise_midway_async(self) -> AsyncIterator[dict[str, Any]]:
        yield {"step": 1}
        await asyncio.sleep(0)
        raise OSError("the disk is full")

    @tool(description="Leave the process from a task of its own")
    async def leave_from_a_task(self) -> None:
        await asyncio.gather(asyncio.create_task(self.leave_soon()), asyncio.sleep(LONG))

    async def leave_soon(self) -> None:
        await asyncio.sleep(0)
        sys.exit(3)

    @tool(description="Yield for ever; at its end write a file", supports_streaming=True)
    async def endless_async(self, path: str) -> AsyncIterator[dict[str, Any]]:
        try:
            while True:
                yield {"pid": os.getpid(), "cancelled": self.session_context.cancelled}
                await asyncio.sleep(0.005)
        finally:
            await asyncio.sleep(0)
            Path(path).write_text(f"cancelled: {self.session_context.cancelled}")

    @tool(description="Await for long after the first chunk; at its end write a file", supports_streaming=True)
    async def asleep_async(self, path: str, begin: str = os.devnull) -> AsyncIterator[dict[str, Any]]:
        try:
            yield {"pid": os.getpid()}
            Path(begin).write_text("asleep")
            await asyncio.sleep(LONG)
        except BaseException as error:
            await asyncio.sleep(0)
            Path(path).write_text(type(error).__name__)
            raise

    @tool(description="Block the loop after the first chunk; at its end write a file", supports_streaming=True)
    async def busy_async(self, path: str) -> AsyncIterator[dict[str, Any]]:
        try:
            yield {"pid": os.getpid()}
            time.sleep(LONG)
        except BaseException as error:
            await asyncio.sleep(0)
            Path(path).write_text(type(error).__name__)
            raise

    @tool(description="Go on whatever happens", supports_streaming=True)
    async def stubborn_async(self, path: str) -> AsyncIterator[dict[str, Any]]:
        yield {"pid": os.getpid()}
        while True:
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                Path(path).write_text("cancelled, and goes on")

    @tool(description="Await or block for long; at the end write a file")
    async def nap_async(self, path: str, begin: str = os.devnull, blocking: bool = False) -> None:
        try:
            Path(begin).write_text("asleep")
            if blocking:
                time.sleep(LONG)
            await asyncio.gather(asyncio.sleep(LONG), asyncio.sleep(LONG))
        except BaseException as error:
            Path(path).write_text(type(error).__name__)
            raise

    @tool(description="Start to count in the background")
    async def start_ticking(self, path: str) -> None:
        self.task = asyncio.create_task(self.tick(path), name="ticking")

    async def tick(self, path: str) -> None:
        try:
            while True:
                self.ticks += 1
                await asyncio.sleep(0.005)
        finally:
            Path(path).write_text("ended")

    @tool(description="How far the background has counted")
    def ticked(self) -> int:
        return self.ticks

    @tool(description="The names of all tasks but its own, of whatever session")
    async def tasks(self) -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    @tool(description="Write a file when the session ends")
    async def at_the_end_async(self, path: str) -> None:
        self.farewell = path


class Askers(BaseAdapter):
    """Tools that ask the notebook, and give its answer."""

    @tool(description="Call a host tool")
    def ask(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        return self.session_context.call_host_tool(name, **arguments or {})

    @tool(description="The same by Snakepit's own name")
    def ask_elixir(self, name: str, arguments: dict[str, Any] | None = None) -> Any:
        return self.session_context.call_elixir_tool(name, **arguments or {})

    @tool(description="The same, awaited, and note how it ended")
    async def ask_async(self, name: str, arguments: dict[str, Any] | None = None, path: str = os.devnull) -> Any:
        try:
            return await self.session_context.acall_host_tool(name, **arguments or {})
        except BaseException as error:
            Path(path).write_text(type(error).__name__)
            raise

    @tool(description="The same, and note how it ended")
    def ask_and_note(self, name: str, path: str) -> Any:
        try:
            return self.session_context.call_host_tool(name)
        except BaseException as error:
            Path(path).write_text(type(error).__name__)
            raise

    @tool(description="Ask with a value that cannot be sent")
    def ask_with_an_object(self) -> Any:
        return self.session_context.call_host_tool("add", a=Secretive())

    @tool(description="Two at once, both from threads")
    def ask_from_threads(self, name: str) -> list[Any]:
        with ThreadPoolExecutor(2) as threads:
            asked = [threads.submit(self.session_context.call_host_tool, name, a=n, b=1) for n in range(2)]
            return [answer.result() for answer in asked]

    @tool(description="Ask in the middle of a stream", supports_streaming=True)
    def ask_in_stream(self, name: str, count: int = 3) -> Iterator[Any]:
        for number in range(count):
            yield {"answer": self.session_context.call_host_tool(name, a=number, b=1)}

    @tool(description="The names and descriptions of the host tools")
    def host_tools(self) -> dict[str, str]:
        assert self.session_context.elixir_tools == self.session_context.host_tools
        return {name: info.description for name, info in self.session_context.host_tools.items()}

    @tool(description="All that the context says of the call")
    def context(self) -> dict[str, Any]:
        context = self.session_context
        return {
            "session_id": context.session_id,
            "call_id": context.call_id,
            "correlation_id": context.correlation_id,
            "metadata": dict(context.metadata),
            "request_metadata": dict(context.request_metadata),
            "remaining": context.deadline.remaining,
            "cancelled": context.cancelled,
        }

    @tool(description="The session, as a thread of its own sees it")
    def context_in_thread(self) -> str:
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(lambda: self.session_context.session_id).result()


class Told:
    """No adapter of ours by birth: it is told of each call."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def set_session_context(self, context: SessionContext) -> None:
        self.told.append(context.session_id)

    @tool(description="The sessions of all calls so far")
    def sessions(self) -> list[str]:
        return self.told


class OwnPing(BaseAdapter):
    """Takes the place of a built-in tool."""

    @tool(description="Answer differently")
    def ping(self) -> str:
        return "my own pong"


class NoTools(BaseAdapter):
    pass


ALL = [f"{__name__}:{name}" for name in ("Streams", "Failures", "Plain", "Notes", "Async", "Askers", "Told")]
