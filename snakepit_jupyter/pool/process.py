"""A worker as its pool sees it, of whatever kind: a process, the channel to it, and what is to be said of its end."""

import asyncio
import enum
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from typing import ClassVar, Protocol

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.errors import Failure
from snakepit_jupyter.lifeline import Program, describe_exit
from snakepit_jupyter.messages import Call, StopRung, ToolInfo

# Each worker is one of several on the machine: its libraries should not start a thread per core.
ENVIRONMENT: Mapping[str, str] = {
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    "GRPC_VERBOSITY": "ERROR",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
}

# Seconds that a worker whose connection broke has to be gone.
DYING = 2.0
LINES_SHOWN = 20
SLOW = "Try a larger worker_init_timeout if the machine is slow."


class NoWorker(Exception):
    """A call gets no worker; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class WorkerStartError(NoWorker):
    """A worker could not be started."""

    @classmethod
    def saying(cls, message: str, hint: str = "") -> "WorkerStartError":
        """The error with these words."""
        return cls(Failure("worker_start_failed", f"no worker could be started: {message}", hint))


class Standing(enum.Enum):
    """What its pool thinks of a worker that runs."""

    SERVING = enum.auto()
    LOST = enum.auto()  # it no longer answers
    DISMISSED = enum.auto()  # we end it


class Transport(Protocol):
    """How a worker is reached.

    Attributes:
        interrupts: whether `cancel` knows a second rung.
    """

    interrupts: ClassVar[bool]

    def stream(self, call: Call) -> AsyncGenerator[pb.CallUpdate, None]: ...
    async def cancel(self, call_id: str, rung: StopRung, timeout: float) -> None: ...
    async def close_session(self, session_id: str, timeout: float) -> int: ...
    def telemetry(
        self, controls: AsyncIterable[bridge_pb.TelemetryControl]
    ) -> AsyncGenerator[bridge_pb.TelemetryEvent, None]: ...
    async def aclose(self) -> None: ...


class WorkerProcess(Protocol):
    """A worker that is ready for calls.

    Attributes:
        worker_id: its name in the pool.
        program: its process.
        tools: what it offers, as far as it has said.
        notices: what users are to be told once.
        standing: whether it is good for further calls.
        cause: what ended it, if that is known better than its exit says.
    """

    worker_id: str
    program: Program
    tools: tuple[ToolInfo, ...]
    notices: tuple[str, ...]
    standing: Standing
    cause: str

    @property
    @abstractmethod
    def transport(self) -> Transport:
        """The channel to it."""

    @abstractmethod
    async def stop(self) -> None:
        """End it: politely, and after a grace by force."""

    @property
    def pid(self) -> int:
        return self.program.pid

    @property
    def spent(self) -> bool:
        """Whether it must be given no further call."""
        return self.standing is not Standing.SERVING

    @property
    def dismissed(self) -> bool:
        """Whether it is we who end it."""
        return self.standing is Standing.DISMISSED

    async def ended(self) -> str:
        """Wait for the process's end; how it ended, in words. What it had started goes with it."""
        code = await self.program.wait()
        self.program.kill()
        return self.cause or describe_exit(code)

    def died_idle(self, ending: str) -> Failure:
        """What to tell callers if the workers keep ending before they have served a call."""
        hint = last_lines(self.program.tail)
        return Failure("worker_start_failed", f"the workers end before they serve a call, {ending}", hint)

    async def obituary(self) -> Failure:
        """What to tell the caller of a call whose worker no longer answers."""
        self._move(Standing.LOST)
        try:
            async with asyncio.timeout(DYING):
                ending = await self.ended()
        except TimeoutError:
            self.program.kill()
            ending = "after it had stopped answering"
        return Failure(
            "worker_crashed",
            f"the worker {self.worker_id} (process {self.pid}) ended {ending} in the middle of the call",
            f"{last_lines(self.program.tail)}\n"
            "A new worker takes its place; state that this session had kept in it is lost.",
            retryable=True,
        )

    def kill(self) -> None:
        """End it and all it has started, at once."""
        self._move(Standing.DISMISSED)
        self.program.kill()

    def _move(self, standing: Standing) -> None:
        """What was thought of it first stays."""
        if self.standing is Standing.SERVING:
            self.standing = standing


def last_lines(tail: str, without: str = "It wrote nothing before.") -> str:
    """The last lines that a process wrote, or what to say if it wrote none."""
    lines = tail.strip().splitlines()[-LINES_SHOWN:]
    return "\n".join(["Its last lines:", *lines]) if lines else without
