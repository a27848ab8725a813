"""One worker of a pool: its process and the channel to it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import failure_from_pb, tool_from_pb
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import Failure
from snakepit_jupyter.lifeline import Child, ChildFailed, describe_exit
from snakepit_jupyter.messages import ToolInfo
from snakepit_jupyter.transport.grpc import GrpcTransport

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


class WorkerStartError(Exception):
    """A worker could not be started; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(slots=True)
class WorkerProcess:
    """A worker that is ready for calls."""

    worker_id: str
    child: Child
    transport: GrpcTransport
    tools: tuple[ToolInfo, ...]
    notices: tuple[str, ...]

    @classmethod
    async def start(cls, worker_id: str, config: Config, directory: Path, token: str) -> "WorkerProcess":
        """Start a process and wait until it is ready.

        Raises:
            WorkerStartError: if it is not.
        """
        address = f"unix:{directory / worker_id}.sock"
        told = {
            "address": address,
            "token": token,
            "adapters": list(config.adapters),
            "sys_path": list(config.sys_path),
        }
        child = await Child.start("snakepit_jupyter.worker", [worker_id], told, environment=ENVIRONMENT)
        try:
            answer = await child.answer(config.worker_init_timeout)
        except ChildFailed as error:
            raise WorkerStartError(_start_failure(error)) from error
        except asyncio.CancelledError:
            child.kill()
            raise
        tools = (tool_from_pb(pb.Tool.FromString(bytes.fromhex(text))) for text in answer["tools"])
        return cls(worker_id, child, GrpcTransport(address, token), tuple(tools), tuple(answer["notices"]))

    @property
    def pid(self) -> int:
        return self.child.pid

    async def ended(self) -> str:
        """Wait for the process's end; how it ended, in words. What it had started goes with it."""
        code = await self.child.wait()
        self.kill()
        return describe_exit(code)

    def died_idle(self, ending: str) -> Failure:
        """What to tell callers if the workers keep ending before they have served a call."""
        hint = _last_lines(self.child, "It wrote nothing before.")
        return Failure("worker_start_failed", f"the workers end before they serve a call, {ending}", hint)

    async def obituary(self) -> Failure:
        """What to tell the caller of a call whose worker no longer answers."""
        try:
            async with asyncio.timeout(DYING):
                ending = await self.ended()
        except TimeoutError:
            self.kill()
            ending = "after it had stopped answering"
        said = _last_lines(self.child, "It wrote nothing before.")
        return Failure(
            "worker_crashed",
            f"the worker {self.worker_id} (process {self.pid}) ended {ending} in the middle of the call",
            f"{said}\nA new worker takes its place; state that this session had kept in it is lost.",
            retryable=True,
        )

    def kill(self) -> None:
        """End it and all it has started, at once."""
        self.child.kill()

    async def stop(self, grace: float) -> None:
        """End it: politely, and after `grace` seconds by force."""
        await self.child.stop(grace)
        await self.transport.aclose()


def _start_failure(error: ChildFailed) -> Failure:
    said = error.answer.get("failure")
    if said:
        cause = failure_from_pb(pb.Failure.FromString(bytes.fromhex(said)))
        hint = "\n".join(filter(None, [cause.hint, cause.remote_traceback]))
        return Failure("worker_start_failed", f"no worker could be started: {cause.message}", hint)
    hint = _last_lines(error, "Try a larger worker_init_timeout if the machine is slow.")
    return Failure("worker_start_failed", f"no worker could be started: {error}", hint)


def _last_lines(source: Child | ChildFailed, without: str) -> str:
    """The last lines that a process wrote, or what to say if it wrote none."""
    lines = source.tail.strip().splitlines()[-20:]
    return "\n".join(["Its last lines:", *lines]) if lines else without
