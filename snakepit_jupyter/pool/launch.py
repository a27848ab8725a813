"""How a worker that is not ours is started: command line, environment and ready file of section 13 of the contract."""

import asyncio
import os
import re
import secrets
import string
import sysconfig
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from snakepit_jupyter.config import Config
from snakepit_jupyter.lifeline import Program, describe_exit, guarded
from snakepit_jupyter.pool.process import ENVIRONMENT, WorkerStartError, last_lines

# Seconds between two looks for the ready file.
POLL = 0.02
LAST_PORT = 65535
LEADING_DIGITS = re.compile(rb"\s*([0-9]{1,5})(?![0-9])")
BASE36 = string.digits + string.ascii_lowercase
PEER_ENVIRONMENT: Mapping[str, str] = {
    **ENVIRONMENT,
    "GRPC_POLL_STRATEGY": "poll",
    "SNAKEPIT_PROCESS_GROUP": "1",
    # It would write its spans to its standard output.
    "SNAKEPIT_OTEL_CONSOLE": "false",
}
TOLD_TO_END = "It was told to end while it started."
# What the exit of a worker that never was ready tells; Python itself ends with 2 if there is no such script.
CAUSES: Mapping[int, str] = {
    0: TOLD_TO_END,
    1: "It could not import the adapter {adapter}, or a library it needs.",
    2: "It does not know its command line: worker_command is a Python and the path of Snakepit's grpc_server.py.",
    -15: TOLD_TO_END,
    143: TOLD_TO_END,
}


@dataclass(frozen=True, slots=True)
class Launch:
    """How one worker is started.

    Args:
        config: what is started.
        ready_file: where it writes its port.
        address: where it reaches the bridge.
        heartbeat: how it watches the bridge, as JSON.
    """

    config: Config
    ready_file: Path
    address: str
    heartbeat: str

    @property
    def command(self) -> list[str]:
        """Its command line, in Snakepit's order."""
        program, *words = self.config.worker_command
        if os.sep in program:
            program = str(Path(program).absolute())
        if words and self._script:
            words[-1] = str(self._script)
        return [
            *(program, *words),
            *("--adapter", self.config.peer_adapter),
            *("--port", "0"),
            *("--elixir-address", self.address),
            *("--snakepit-run-id", "".join(secrets.choice(BASE36) for _ in range(7))),
        ]

    @property
    def environment(self) -> dict[str, str]:
        """What it finds in its environment besides what we have in ours."""
        return {
            **PEER_ENVIRONMENT,
            "SNAKEPIT_READY_FILE": str(self.ready_file),
            "SNAKEPIT_HEARTBEAT_CONFIG": self.heartbeat,
            "SNAKEPIT_LOG_LEVEL": os.environ.get("SNAKEPIT_LOG_LEVEL", "error"),
            "PYTHONPATH": os.pathsep.join(_search_path(self.config.sys_path)),
        }

    @property
    def _script(self) -> Path | None:
        """The script it runs: the command's last word, if that is a file."""
        last = Path(self.config.worker_command[-1]).absolute()
        return last if last.is_file() else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Program]:
        """Start it. At the end of the block, or of this process, it is killed if it has not ended by itself.

        Raises:
            WorkerStartError: if there is no such program.
        """
        directory = self._script.parent if self._script else None
        try:
            program = await Program.start(self.command, environment=self.environment, directory=directory)
        except OSError as error:
            hint = f"worker_command is {list(self.config.worker_command)}."
            raise WorkerStartError.saying(f"{error.strerror}: {error.filename!r}", hint) from error
        try:  # around the guard as well: it may not come up, or its start be cancelled
            async with AsyncExitStack() as guard:
                try:
                    await guard.enter_async_context(guarded(program.pid))
                except OSError as error:
                    raise WorkerStartError.saying(f"its guard cannot be started: {error.strerror}") from error
                yield program
        finally:
            program.kill()
            await program.wait()
            for left in (self.ready_file, self.ready_file.with_name(f"{self.ready_file.name}.tmp")):
                left.unlink(missing_ok=True)

    async def port(self, program: Program) -> int:
        """The port it has written, once that is whole: until then there may be nothing, or half of it.

        Raises:
            WorkerStartError: if it ends before.
        """
        before = b""
        while program.exit_code is None:
            said = self.said()
            port = leading_port(said)
            if port and said == before:
                self.ready_file.unlink(missing_ok=True)
                return port
            before = said
            await asyncio.sleep(POLL)
        raise await self.ended(program)

    def said(self) -> bytes:
        """What its ready file holds, nothing if there is none."""
        try:
            return self.ready_file.read_bytes()
        except OSError:
            return b""

    async def ended(self, program: Program) -> WorkerStartError:
        """The error that it has ended, with the likely cause."""
        code = await program.wait()
        cause = CAUSES.get(code, "").format(adapter=self.config.peer_adapter)
        hint = "\n".join(filter(None, [cause, last_lines(program.tail)]))
        return WorkerStartError.saying(f"it ended {describe_exit(code)}", hint)


def leading_port(said: bytes) -> int:
    """The port that a text begins with, 0 if it is none."""
    found = LEADING_DIGITS.match(said)
    port = int(found[1]) if found else 0
    return port if port <= LAST_PORT else 0


def _search_path(of_adapters: Sequence[str]) -> list[str]:
    """Where it looks for modules: what it inherits, and where adapters may be.

    Not our own Python's library: the worker may be another Python, and its own it finds without us.
    """
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    own = [path for path in of_adapters if not _is_library(Path(path))]
    return [path for path in dict.fromkeys([*inherited, *own]) if path]


def _is_library(path: Path) -> bool:
    library = Path(sysconfig.get_path("stdlib"))
    is_zip = path.name.startswith("python") and path.suffix == ".zip"
    return is_zip or path.is_relative_to(library) or bool({"site-packages", "dist-packages"} & set(path.parts))
