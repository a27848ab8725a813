"""Processes that are tied to the one that started them.

A child of ours is tied by a pipe: the parent writes one line of JSON, the child's configuration and its secret, to
the child's standard input and keeps that pipe open for as long as it lives; the child leaves when it reaches the
pipe's end. The child answers with one line of JSON on a descriptor of its own: ready, or why not.

A program that knows nothing of this gets a guard, which ends it when the parent is gone.

All of them lead their own process group, so that an interrupt of the parent's terminal or kernel does not reach
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
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

TAIL_BYTES = 16 * 1024
# What parent and child say to each other is far shorter.
LONGEST_LINE = 16 * 1024 * 1024
BLOCK = 64 * 1024
PARENT_POLL = 1.0
# Seconds for the last output of a process that has ended: a grandchild may hold the pipe open.
LAST_OUTPUT = 0.2


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


class Program:
    """A running program that leads a process group of its own. Its output is read, and the last of it kept."""

    def __init__(self, process: asyncio.subprocess.Process, output_fd: int | None, log: Path | None) -> None:
        self._process = process
        self._log = log
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._drain = None if output_fd is None else asyncio.create_task(self._drain_output(output_fd))

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        log: Path | None = None,
        descriptors: Sequence[int] = (),
    ) -> "Program":
        """Start one; its standard input is a pipe.

        Args:
            command: the program and its arguments, which may be seen in a list of processes.
            environment: further environment variables.
            directory: where it is run; by default where we are.
            log: where its output goes; without one the last lines are kept in memory.
            descriptors: what it inherits besides.

        Raises:
            OSError: if it cannot be started.
        """
        # Not asyncio's own pipe: Python 3.11 waits for all who hold that one, so for grandchildren too.
        output_read, output_write = (None, _append_to(log)) if log else os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.PIPE,
                stdout=output_write,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=directory,
                pass_fds=descriptors,
                start_new_session=True,
            )
        except BaseException:
            if output_read is not None:
                os.close(output_read)
            raise
        finally:
            os.close(output_write)
        return cls(process, output_read, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it has ended, negative for a signal; None while it runs."""
        return self._process.returncode

    @property
    def tail(self) -> str:
        """The last lines of its output."""
        if self._log:
            with contextlib.suppress(OSError):
                return self._log.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace")
        return b"".join(self._tail).decode("utf-8", "replace")

    def write(self, data: bytes) -> None:
        """Write to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def close_input(self) -> None:
        """Close its standard input."""
        stdin = self._process.stdin
        if stdin and not stdin.is_closing():
            stdin.close()

    async def wait(self) -> int:
        """The exit code, once it has ended; negative for a signal."""
        code = await self._process.wait()
        if self._drain:
            await asyncio.wait([self._drain], timeout=LAST_OUTPUT)
            self._drain.cancel()
        return code

    async def end(self, grace: float) -> None:
        """Wait `grace` seconds for its end, then kill it; kill what it has left behind in any case."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._process.wait()
        self.kill()
        await self.wait()

    def terminate(self) -> None:
        """Ask it to go, by SIGTERM."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        """Kill its whole process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _drain_output(self, output_fd: int) -> None:
        reader, transport = await _reader_of(output_fd)
        try:
            while block := await reader.read(BLOCK):
                self._tail.append(block[-TAIL_BYTES:])
                self._tail_size += len(self._tail[-1])
                while self._tail_size - len(self._tail[0]) >= TAIL_BYTES:
                    self._tail_size -= len(self._tail.popleft())
        finally:
            transport.close()


class Child:
    """The parent's side: one running child of ours."""

    def __init__(self, program: Program, answer_fd: int) -> None:
        self.program = program
        self._answer_fd = answer_fd

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
        command = [sys.executable, "-m", module, *arguments, "--answer-fd", str(answer_write)]
        try:
            program = await Program.start(command, environment=environment, log=log, descriptors=[answer_write])
        except BaseException:
            os.close(answer_read)
            raise
        finally:
            os.close(answer_write)
        program.write(json.dumps(config).encode() + b"\n")
        return cls(program, answer_read)

    @property
    def pid(self) -> int:
        return self.program.pid

    @property
    def tail(self) -> str:
        """The last lines of its output."""
        return self.program.tail

    async def answer(self, timeout: float) -> dict[str, Any]:
        """The child's answer.

        Raises:
            ChildFailed: if it ended, said why it cannot work or what cannot be understood, or stayed silent for
                `timeout` seconds. It is killed, if it has not ended.
        """
        try:
            async with asyncio.timeout(timeout):
                answer = _object_of(await self._read_line())
        except TimeoutError:
            raise self._failed(f"it did not answer within {timeout:g} s") from None
        except ValueError as error:
            raise self._failed(f"its answer cannot be understood: {error}") from None
        if "failure" in answer:
            raise ChildFailed("it cannot work", answer, self.tail)
        return answer

    def _failed(self, message: str) -> ChildFailed:
        self.kill()
        return ChildFailed(message, {}, self.tail)

    async def _read_line(self) -> bytes:
        reader, transport = await _reader_of(self._answer_fd)
        try:
            line = await reader.readline()
        except ValueError:
            raise ValueError("it is too long") from None
        finally:
            transport.close()
        if not line.endswith(b"\n"):
            code = await self.wait()
            raise ChildFailed(f"it ended {describe_exit(code)}", {}, self.tail)
        return line

    async def wait(self) -> int:
        """The exit code, once it has ended; negative for a signal."""
        return await self.program.wait()

    async def stop(self, grace: float) -> None:
        """Let go of the lifeline; after `grace` seconds kill the child and all it started."""
        self.program.close_input()
        await self.program.end(grace)

    def kill(self) -> None:
        """Kill the child's whole process group."""
        self.program.kill()


def _append_to(log: Path) -> int:
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


async def _reader_of(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    file = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    return reader, transport


def _object_of(line: bytes) -> dict[str, Any]:
    """The JSON object that a line is.

    Raises:
        ValueError: if it is none.
    """
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - to who reads it, one kind of error
    return value


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


# A line says that all is well; the end of the pipe, that nobody is left who could say it.
GUARD = 'read -r line || kill -s KILL -- "-$1"'


@contextlib.asynccontextmanager
async def guarded(group: int) -> AsyncIterator[None]:
    """For as long as this is entered, the end of this process, however it comes, is the end of a process group.

    A shell waits for that at a pipe; a signal at the death of a parent (prctl) would come with the end of the
    thread that started it.

    Args:
        group: the process group's id.
    """
    shell = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", GUARD, "snakepit-guard", str(group)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # somebody else has killed it
            shell.kill()
        await shell.wait()


class Parent:
    """The child's side: what it was told, where it answers, and when to leave.

    Args:
        answer_fd: the descriptor for the answer, from the command line.
    """

    def __init__(self, answer_fd: int) -> None:
        self._answer_fd: int | None = answer_fd
        os.set_inheritable(answer_fd, False)
        self._parent_pid = os.getppid()
        # User code must find neither the lifeline nor the place of the answer under its own standard streams.
        self._lifeline = os.dup(0)
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a descriptor is wanted
            os.dup2(nothing.fileno(), 0)
        try:
            self.config: dict[str, Any] = _object_of(self._read_line())
        except ValueError as error:
            sys.exit(f"what the parent said cannot be understood: {error}")

    def _read_line(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            block = os.read(self._lifeline, BLOCK)
            if not block:
                sys.exit("the parent went away before it had said what to do")
            line += block
            if len(line) > LONGEST_LINE:
                raise ValueError("it is too long")
        return bytes(line)

    def answer(self, message: Mapping[str, Any]) -> None:
        """Tell the parent; only the first answer counts. Its descriptor is closed then, and may be anybody's later."""
        descriptor, self._answer_fd = self._answer_fd, None
        if descriptor is not None:
            with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
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
