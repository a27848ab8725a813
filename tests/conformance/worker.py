"""The two workers that the conformance tests drive, and a bridge that only keeps a record; from the proto alone."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message_factory import GetMessageClass
from waiting import written

import snakepit_jupyter
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as bridge_grpc

ADAPTER = "adapter_for_conformance.Conformance"
HERE = Path(__file__).parent
SCRIPT = Path(snakepit_jupyter.__file__).parent / "worker" / "grpc_server.py"
SERVICE = bridge_pb.DESCRIPTOR.services_by_name["BridgeService"]
TEXT_URL = "type.googleapis.com/google.protobuf.StringValue"
TOKEN = "the token"

Answer = Callable[[Any, grpc.ServicerContext], Any]


@dataclass
class Seen:
    """One request that the bridge got."""

    rpc: str
    request: Any
    headers: Mapping[str, Any]


class RecordingBridge:
    """A bridge that writes down what it is asked, and answers what it is told to.

    Attributes:
        seen: all requests, in order.
        answers: by the RPC's name: what makes its answer.
    """

    def __init__(self, address: str = "127.0.0.1:0") -> None:
        self.seen: list[Seen] = []
        self.answers: dict[str, Answer] = {
            "Ping": lambda request, _: bridge_pb.PingResponse(message=f"pong: {request.message}"),
            "InitializeSession": lambda *_: bridge_pb.InitializeSessionResponse(success=True),
            "RegisterTools": lambda *_: bridge_pb.RegisterToolsResponse(success=True),
            "Heartbeat": lambda *_: bridge_pb.HeartbeatResponse(session_valid=True),
        }
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        handlers = {method.name: self._handler(method) for method in SERVICE.methods if not method.client_streaming}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, handlers),))
        port = self._server.add_insecure_port(address)
        self.address = address if address.startswith("unix:") else f"127.0.0.1:{port}"
        self._server.start()

    def _handler(self, method: Any) -> Any:
        reply_class = GetMessageClass(method.output_type)

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            self.seen.append(Seen(method.name, request, dict(context.invocation_metadata() or ())))
            make = self.answers.get(method.name)
            return make(request, context) if make else reply_class()

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=reply_class.SerializeToString,
        )

    def of(self, session_id: str) -> list[str]:
        """The RPCs that a session was named in, in order."""
        return [seen.rpc for seen in list(self.seen) if getattr(seen.request, "session_id", None) == session_id]

    def last(self, rpc: str) -> Seen:
        return next(seen for seen in reversed(self.seen) if seen.rpc == rpc)

    def stop(self) -> None:
        self._server.stop(None).wait()


@dataclass
class Worker:
    """A running worker, and a raw stub to it."""

    kind: str
    process: "subprocess.Popen[bytes]"
    address: str
    bridge: RecordingBridge
    log: Path
    metadata: tuple[tuple[str, str], ...] = ()
    channel: grpc.Channel = field(init=False)
    stub: Any = field(init=False)

    def __post_init__(self) -> None:
        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(self.address, options=unlimited)
        self.stub = bridge_grpc.BridgeServiceStub(self.channel)

    def ask(self, rpc: str, request: Any, timeout: float = 10, metadata: tuple[tuple[str, str], ...] = ()) -> Any:
        """A unary RPC's reply, or a stream."""
        return getattr(self.stub, rpc)(request, timeout=timeout, metadata=(*self.metadata, *metadata))

    def execute(self, tool: str, **arguments: Any) -> bridge_pb.ExecuteToolResponse:
        reply: bridge_pb.ExecuteToolResponse = self.ask("ExecuteTool", request_for(tool, arguments))
        return reply

    def stream(self, tool: str, timeout: float = 10, **arguments: Any) -> Any:
        return self.ask("ExecuteStreamingTool", request_for(tool, arguments), timeout)

    def answer(self, tool: str, **arguments: Any) -> Any:
        """The value of a result that is JSON."""
        reply = self.execute(tool, **arguments)
        assert reply.success, reply.error_message
        return json.loads(reply.result.value)

    def output(self) -> str:
        return self.log.read_text()

    def end(self) -> None:
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


def request_for(
    tool: str, arguments: Mapping[str, Any], session_id: str = "s1", **fields: Any
) -> bridge_pb.ExecuteToolRequest:
    parameters = {name: any_json(value) for name, value in arguments.items()}
    return bridge_pb.ExecuteToolRequest(session_id=session_id, tool_name=tool, parameters=parameters, **fields)


def any_json(value: Any, url: str = TEXT_URL) -> AnyMessage:
    return AnyMessage(type_url=url, value=json.dumps(value).encode())


def environment(**further: str) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEPIT_")}
    return {**ours, "PYTHONPATH": str(HERE), "GRPC_VERBOSITY": "ERROR", **further}


def start_standalone(*flags: str, log: Path, variables: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """The stand-alone worker as a foreign bridge starts it."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *flags],
            env=environment(**variables),
            cwd=SCRIPT.parent,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@contextlib.contextmanager
def standalone(*flags: str, ready: Path | None = None, **variables: str) -> Iterator[Worker]:
    """A stand-alone worker that is ready."""
    with tempfile.TemporaryDirectory() as directory, _bridge() as host:
        ready, log = ready or Path(directory) / "ready", Path(directory) / "log"
        command = (
            "--adapter",
            ADAPTER,
            "--port",
            "0",
            "--elixir-address",
            host.address,
            "--snakepit-run-id",
            "abc1234",
        )
        process = start_standalone(
            *command, *flags, log=log, variables={"SNAKEPIT_READY_FILE": str(ready), **variables}
        )
        try:
            worker = Worker("standalone", process, f"127.0.0.1:{written(ready)}", host, log)
        except BaseException:
            process.kill()
            raise
        try:
            yield worker
        finally:
            worker.end()


@contextlib.contextmanager
def pool_worker() -> Iterator[Worker]:
    """A worker as our own pools start it."""
    with tempfile.TemporaryDirectory() as directory, _bridge() as host:
        log = Path(directory) / "log"
        told = {
            "address": f"unix:{directory}/w.sock",
            "token": TOKEN,
            "adapters": [ADAPTER.replace(".", ":")],
            "sys_path": [str(HERE)],
            "bridge": {"address": host.address, "token": "the bridge's token"},
        }
        process = _start_of_a_pool(told, log)
        header = (("authorization", f"Bearer {TOKEN}"),)
        worker = Worker("pool", process, str(told["address"]), host, log, header)
        try:
            yield worker
        finally:
            worker.end()


def _start_of_a_pool(told: Mapping[str, Any], log: Path) -> "subprocess.Popen[bytes]":
    read, write = os.pipe()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "snakepit_jupyter.worker", "w1", "--answer-fd", str(write)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[write],
            start_new_session=True,
        )
    os.close(write)
    assert process.stdin is not None
    process.stdin.write(json.dumps(told).encode() + b"\n")
    process.stdin.flush()
    with os.fdopen(read) as answer:
        assert "tools" in json.loads(answer.readline() or "{}"), log.read_text()
    return process


@contextlib.contextmanager
def _bridge() -> Iterator[RecordingBridge]:
    host = RecordingBridge()
    try:
        yield host
    finally:
        host.stop()


KINDS: Mapping[str, Callable[[], contextlib.AbstractContextManager[Worker]]] = {
    "pool": pool_worker,
    "standalone": standalone,
}


def in_background(action: Callable[[], Any]) -> futures.Future[Any]:
    """Run something on a thread of its own."""
    outcome: futures.Future[Any] = futures.Future()

    def run() -> None:
        try:
            outcome.set_result(action())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome
