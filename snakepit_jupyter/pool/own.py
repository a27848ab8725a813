"""Workers of our own: `python -m snakepit_jupyter.worker`."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import failure_from_pb, tool_from_pb
from snakepit_jupyter.config import Config
from snakepit_jupyter.lifeline import Child, ChildFailed
from snakepit_jupyter.messages import ToolInfo
from snakepit_jupyter.pool.doors import Doors
from snakepit_jupyter.pool.process import ENVIRONMENT, SLOW, Standing, WorkerProcess, WorkerStartError, last_lines
from snakepit_jupyter.transport.grpc import GrpcTransport

# Seconds that a worker has to go.
STOP_GRACE = 3.0


class OwnProcess(WorkerProcess):
    """A worker of ours that is ready for calls."""

    def __init__(self, worker_id: str, child: Child, transport: GrpcTransport, answer: Mapping[str, Any]) -> None:
        self.worker_id = worker_id
        self.program = child.program
        self.tools = _tools(answer)
        self.notices = tuple(map(str, answer["notices"]))
        self.standing = Standing.SERVING
        self.cause = ""
        self._child = child
        self._transport = transport

    @property
    def transport(self) -> GrpcTransport:
        return self._transport

    async def stop(self) -> None:
        self._move(Standing.DISMISSED)
        await self._child.stop(STOP_GRACE)


@asynccontextmanager
async def own_worker(
    worker_id: str, config: Config, directory: Path, token: str, doors: Doors | None
) -> AsyncIterator[OwnProcess]:
    """Start a worker and wait until it is ready. At the end of the block nothing of it is left.

    Args:
        worker_id: its name.
        config: its adapters, where they are, and how long it may take.
        directory: where its socket lies.
        token: the secret it wants from us.
        doors: where it reaches the bridge.

    Raises:
        WorkerStartError: if it does not get ready.
    """
    address = f"unix:{directory / worker_id}.sock"
    told = {
        "address": address,
        "token": token,
        "adapters": list(config.adapters),
        "sys_path": list(config.sys_path),
        "bridge": {"address": doors.address, "token": doors.token} if doors and doors.address else {},
    }
    try:
        child = await Child.start("snakepit_jupyter.worker", [worker_id], told, environment=ENVIRONMENT)
    except OSError as error:
        raise WorkerStartError.saying(str(error)) from error
    transport = GrpcTransport(address, token)
    try:
        yield await _ready(worker_id, child, transport, config.worker_init_timeout)
    finally:
        child.kill()
        await child.wait()
        await transport.aclose()


async def _ready(worker_id: str, child: Child, transport: GrpcTransport, timeout: float) -> OwnProcess:
    try:
        return OwnProcess(worker_id, child, transport, await _answer(child, timeout))
    except (KeyError, TypeError, ValueError, DecodeError) as error:
        raise WorkerStartError.saying("its answer cannot be understood", last_lines(child.tail)) from error


async def _answer(child: Child, timeout: float) -> Mapping[str, Any]:
    try:
        return await child.answer(timeout)
    except ChildFailed as error:
        said = error.answer.get("failure")
        if not said:
            raise WorkerStartError.saying(str(error), last_lines(error.tail, SLOW)) from error
        cause = failure_from_pb(pb.Failure.FromString(bytes.fromhex(said)))
        hint = "\n".join(filter(None, [cause.hint, cause.remote_traceback]))
        raise WorkerStartError.saying(cause.message, hint) from error


def _tools(answer: Mapping[str, Any]) -> tuple[ToolInfo, ...]:
    return tuple(tool_from_pb(pb.Tool.FromString(bytes.fromhex(text))) for text in answer["tools"])
