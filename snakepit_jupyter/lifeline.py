"""A child process that is tied to its parent by a pipe.

The parent writes one line of JSON, the child's configuration and its secret, to the child's standard input
and keeps that pipe open for as long as it lives; the child leaves when it reaches the pipe's end. The
child answers with one line of JSON on a descriptor of its own: ready, or why not.

Children lead their own process group, so that an interrupt of the parent's terminal or kernel does not reach
them, and so that what they started can go with them.
"""

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

TAIL_BYTES = 16 * 1024
PARENT_POLL = 1.0


class ChildFailed(Exception):
    """The child ended, or said why it cannot work, before it was ready.

    Attributes:
        answer: what it said, {} if it said nothing.
        tail: the last lines of its output.
    """

    def __init__(self, message: str, answer: Mapping[str, Any], tail: str) -> None:
        super().__init__(message)
        self.answer = answer
        self.tail = tail


class Child:
    """The parent's side: one running child."""

    def __init__(
        self, process: asyncio.subprocess.Process, answer_fd: int, output_fd: int | None, log: Path | None
    ) -> None:
        self._process = process
        self._answer_fd = answer_fd
        self._log = log
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._drain = None if output_fd is None else asyncio.create_task(self._drain_output(output_fd))

    @classmethod
    async def start(
        cls,
        module: str,
        arguments: Sequence[str],
        config: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> "Child":
        """Start `python -m module arguments…` and hand it its configuration.

        Args:
            module: the module to run, by this interpreter.
            arguments: what may be seen in a list of processes; no secrets.
            config: what it reads from its standard input.
            environment: further environment variables.
            log: where its output goes; without one the last lines are kept in memory.
        """
        answer_read, answer_write = os.pipe()
        # Not asyncio's own pipe: Python 3.11 waits for all who hold that one, so for grandchildren too.
        output_read, output_write = (None, _append_to(log)) if log else os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *arguments, "--answer-fd", str(answer_write)),
                stdin=subprocess.PIPE,
                stdout=output_write,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                pass_fds=[answer_write],
                start_new_session=True,
            )
        except BaseException:
            os.close(answer_read)
            if output_read is not None:
                os.close(output_read)
            raise
        finally:
            os.close(answer_write)
            os.close(output_write)
        child = cls(process, answer_read, output_read, log)
        assert process.stdin is not None
        process.stdin.write(json.dumps(config).encode() + b"\n")
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    async def answer(self, timeout: float) -> dict[str, Any]:
        """The child's answer.

        Raises:
            ChildFailed: if it ended, said why it cannot work, or stayed silent for `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                line = await self._read_answer()
        except TimeoutError:
            self.kill()
            raise ChildFailed(f"it did not answer within {timeout:g} s", {}, self.tail) from None
        if not line:
            await self.wait()
            raise ChildFailed(f"it ended {describe_exit(self._process.returncode)}", {}, self.tail)
        answer: dict[str, Any] = json.loads(line)
        if "failure" in answer:
            raise ChildFailed("it cannot work", answer, self.tail)
        return answer

    async def _read_answer(self) -> bytes:
        reader, transport = await _reader_of(self._answer_fd)
        try:
            return await reader.readline()
        finally:
            transport.close()

    async def wait(self) -> int:
        """The exit code, once it has ended; negative for a signal."""
        code = await self._process.wait()
        if self._drain:
            # A grandchild may hold the pipe open; what was written so far is enough.
            await asyncio.wait([self._drain], timeout=0.2)
            self._drain.cancel()
        return code

    async def stop(self, grace: float) -> None:
        """Let go of the lifeline; after `grace` seconds kill the child and all it started."""
        stdin = self._process.stdin
        if stdin and not stdin.is_closing():
            stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._process.wait()
        self.kill()
        await self.wait()

    def kill(self) -> None:
        """Kill the child's whole process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    @property
    def tail(self) -> str:
        """The last lines of its output."""
        if self._log:
            with contextlib.suppress(OSError):
                return self._log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace")
        return b"".join(self._tail).decode("utf-8", "replace")

    async def _drain_output(self, output_fd: int) -> None:
        reader, transport = await _reader_of(output_fd)
        try:
            while block := await reader.read(64 * 1024):
                self._tail.append(block[-TAIL_BYTES:])
                self._tail_size += len(self._tail[-1])
                while self._tail_size - len(self._tail[0]) >= TAIL_BYTES:
                    self._tail_size -= len(self._tail.popleft())
        finally:
            transport.close()


def _append_to(log: Path) -> int:
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


async def _reader_of(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    file = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    return reader, transport


def describe_exit(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "for an unknown reason"
    if code >= 0:
        return f"with exit code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        return f"by signal {-code} ({name}{', out of memory?' if -code == signal.SIGKILL else ''})"
    return f"by signal {-code}"


class Parent:
    """The child's side: what it was told, where it answers, and when to leave.

    Args:
        answer_fd: the descriptor for the answer, from the command line.
    """

    def __init__(self, answer_fd: int) -> None:
        self._answer_fd = answer_fd
        os.set_inheritable(answer_fd, False)
        self._parent_pid = os.getppid()
        # User code must find neither the lifeline nor the place of the answer under its own standard streams.
        self._lifeline = os.dup(0)
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted
            os.dup2(nothing.fileno(), 0)
        self.config: dict[str, Any] = json.loads(self._read_line())

    def _read_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            block = os.read(self._lifeline, 64 * 1024)
            if not block:
                sys.exit("the parent went away before it had said what to do")
            line += block
        return line

    def answer(self, message: Mapping[str, Any]) -> None:
        """Tell the parent; only the first answer counts."""
        with contextlib.suppress(BrokenPipeError), os.fdopen(self._answer_fd, "wb") as pipe:
            pipe.write(json.dumps(message).encode() + b"\n")

    def watch(self, gone: Callable[[], object]) -> None:
        """Call `gone` on a thread of its own when the parent has let go or is dead."""
        threading.Thread(target=self._watch, args=(gone,), name="lifeline", daemon=True).start()

    def _watch(self, gone: Callable[[], object]) -> None:
        while os.getppid() == self._parent_pid:
            # A process forked from the parent may hold the pipe open after the parent's death: so look at both.
            readable, _, _ = select.select([self._lifeline], [], [], PARENT_POLL)
            if readable and not os.read(self._lifeline, 4096):
                break
        gone()
