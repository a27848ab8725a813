"""A stand-in for Snakepit's own worker: section 13 of the wire contract to the letter, and its measured quirks.

It shares nothing with our workers but the messages. What it does wrong on purpose stands in STAND_IN_FAULTS, words
with spaces between them:

    no-final        streams end without a final chunk
    never-ready     it serves, but does not write its port
    garbage-ready   it writes something else
    dead-port       it writes a port that nobody listens on
    hangs           its Heartbeat is never answered
    deaf            SIGTERM is ignored
"""

# ruff: noqa: N802 - gRPC gives the methods' names.

import argparse
import asyncio
import contextlib
import importlib
import inspect
import json
import logging
import math
import os
import signal
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import grpc.aio
from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2_grpc as pb_grpc

FAULTS = set(os.environ.get("STAND_IN_FAULTS", "").split())
TYPE_URL = "type.googleapis.com/"
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "none": 100}
OPTIONS = [("grpc.max_send_message_length", 100 << 20), ("grpc.max_receive_message_length", 100 << 20)]
log = logging.getLogger("grpc_server")


# Values: sections 3.1 to 3.3, and 4.1.


def decode(message: any_pb2.Any) -> Any:
    kind = message.type_url.rpartition("/")[2].rpartition(".")[2]
    value = json.loads(message.value)
    if kind == "float":
        return float(value)
    return int(value) if kind == "integer" else value


def encode(result: Any) -> any_pb2.Any:
    if isinstance(result, bool):
        kind, text = "boolean", json.dumps(result)
    elif isinstance(result, int | float):
        number = float(result)
        special = "NaN" if math.isnan(number) else ("Infinity" if number > 0 else "-Infinity")
        kind, text = "float", json.dumps(number if math.isfinite(number) else special)
    elif isinstance(result, dict | list):
        kind, text = "map" if isinstance(result, dict) else "list", json.dumps(result, default=marker)
    else:
        kind, text = "string", json.dumps(str(result))
    return any_pb2.Any(type_url=f"{TYPE_URL}snakepit.{kind}", value=text.encode())


def marker(value: object) -> dict[str, Any]:
    return {"__ffi_unserializable__": True, "__type__": f"{type(value).__module__}.{type(value).__name__}"}


def encode_for_bridge(value: Any) -> any_pb2.Any:
    """A host tool's argument: numbers as JSON, all else really packed as text."""
    if isinstance(value, int | float):
        return any_pb2.Any(type_url=f"{TYPE_URL}google.protobuf.Value", value=json.dumps(value).encode())
    packed = any_pb2.Any()
    packed.Pack(wrappers_pb2.StringValue(value=str(value)))
    return packed


def chunk_data(payload: Any) -> bytes:
    if payload is None:
        return b""
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    return payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()


def error_payload(error: BaseException, request: pb.ExecuteToolRequest) -> str:
    lines = traceback.format_exception(error)
    context = {"tool_name": request.tool_name, "session_id": request.session_id}
    fields = {"type": type(error).__name__, "message": str(error), "stacktrace": lines, "traceback": "".join(lines)}
    return json.dumps({**fields, "context": context})


def now() -> Timestamp:
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp


class SessionContext:
    """What an adapter gets."""

    def __init__(self, stub: Any, session_id: str, request_metadata: dict[str, str]) -> None:
        self._stub = stub
        self.session_id = session_id
        self.request_metadata = request_metadata
        self._tools: dict[str, Any] | None = None

    @property
    def elixir_tools(self) -> dict[str, Any]:
        if self._tools is None:
            reply = self._stub.GetExposedElixirTools(pb.GetExposedElixirToolsRequest(session_id=self.session_id))
            self._tools = {tool.name: tool.description for tool in reply.tools}
        return self._tools

    def call_elixir_tool(self, name: str, **arguments: Any) -> Any:
        if name not in self.elixir_tools:
            raise ValueError(f"Elixir tool '{name}' not found. Available tools: {list(self.elixir_tools)}")
        parameters = {key: encode_for_bridge(value) for key, value in arguments.items()}
        request = pb.ExecuteElixirToolRequest(session_id=self.session_id, tool_name=name, parameters=parameters)
        reply = self._stub.ExecuteElixirTool(request)
        if not reply.success:
            raise RuntimeError(f"Tool execution failed: {reply.error_message}")
        return decode(reply.result)

    def cleanup(self) -> None:
        self._stub.CleanupSession(pb.CleanupSessionRequest(session_id=self.session_id))


# Tools.


def own_tools(adapter: Any) -> dict[str, Any]:
    found = inspect.getmembers(adapter, inspect.ismethod)
    hidden = {"set_session_context", "register_with_session", "initialize", "cleanup"}
    return {name: method for name, method in found if not name.startswith("_") and name not in hidden}


def registration(name: str, method: Any) -> pb.ToolRegistration:
    kind = type(method.__self__)
    return pb.ToolRegistration(
        name=name,
        description=inspect.getdoc(method) or "",
        parameters=[
            pb.ParameterSpec(
                name=parameter.name,
                type=getattr(parameter.annotation, "__name__", "any").removeprefix("_empty") or "any",
                required=parameter.default is parameter.empty,
                validation_json=""
                if parameter.default is parameter.empty
                else json.dumps({"default": parameter.default}),
            )
            for parameter in inspect.signature(method).parameters.values()
        ],
        metadata={"adapter_class": kind.__name__, "module": kind.__module__},
        supports_streaming=inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method),
    )


async def maybe_async(function: Any, *args: Any, **kwargs: Any) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(*args, **kwargs)
    result = await asyncio.to_thread(function, *args, **kwargs)
    return await result if inspect.isawaitable(result) else result


async def run_tool(adapter: Any, name: str, arguments: dict[str, Any], context: SessionContext) -> Any:
    """By `execute_tool`, or by the method of that name."""
    if hasattr(adapter, "execute_tool"):
        return await maybe_async(adapter.execute_tool, tool_name=name, arguments=arguments, context=context)
    if name not in own_tools(adapter):
        raise AttributeError(f"Tool '{name}' not found")
    return await maybe_async(getattr(adapter, name), **arguments)


class Telemetry:
    """Up to 1,024 events for one reader; the newest are dropped."""

    def __init__(self) -> None:
        self.enabled = True
        self._events: asyncio.Queue[pb.TelemetryEvent | None] = asyncio.Queue(1024)

    def emit(self, name: str, request: pb.ExecuteToolRequest) -> None:
        if self.enabled and not self._events.full():
            event = pb.TelemetryEvent(event_parts=name.split("."), metadata={"tool": request.tool_name})
            event.timestamp_ns = now().ToNanoseconds()
            event.correlation_id = request.metadata.get("correlation_id", "")
            event.measurements["count"].int_value = 1
            self._events.put_nowait(event)

    def close(self) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(None)

    async def read(self) -> AsyncIterator[pb.TelemetryEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    async def obey(self, controls: Any) -> None:
        async for control in controls:
            if control.HasField("toggle"):
                self.enabled = control.toggle.enabled


# The service: sections 5, 7, 12 and 13.4.


class Worker(pb_grpc.BridgeServiceServicer):
    """Everything about sessions is the bridge's business, and passed on to it."""

    def __init__(self, adapter: Any, address: str, heartbeat: dict[str, Any]) -> None:
        self._adapter = adapter
        self._heartbeat = heartbeat
        self._channel = grpc.aio.insecure_channel(address)
        self._bridge: Any = pb_grpc.BridgeServiceStub(self._channel)
        self._sync_channel = grpc.insecure_channel(address)
        self._sync_bridge: Any = pb_grpc.BridgeServiceStub(self._sync_channel)
        self._hearts: dict[str, asyncio.Task[None]] = {}
        self._registered: set[str] = set()
        self.telemetry = Telemetry()

    async def Ping(self, request: pb.PingRequest, context: Any) -> pb.PingResponse:
        return pb.PingResponse(message=f"Pong from Python: {request.message}", server_time=now())

    async def InitializeSession(self, request: Any, context: Any) -> pb.InitializeSessionResponse:
        reply: pb.InitializeSessionResponse = await self._bridge.InitializeSession(request)
        self._beat(request.session_id)
        return reply

    async def GetSession(self, request: Any, context: Any) -> pb.GetSessionResponse:
        reply: pb.GetSessionResponse = await self._bridge.GetSession(request)
        self._beat(request.session_id)
        return reply

    async def CleanupSession(self, request: Any, context: Any) -> pb.CleanupSessionResponse:
        heart = self._hearts.pop(request.session_id, None)
        if heart:
            heart.cancel()
        reply: pb.CleanupSessionResponse = await self._bridge.CleanupSession(request)
        return reply

    async def Heartbeat(self, request: Any, context: Any) -> pb.HeartbeatResponse:
        if "hangs" in FAULTS:
            await asyncio.get_running_loop().create_future()
        reply: pb.HeartbeatResponse = await self._bridge.Heartbeat(request)
        return reply

    def _beat(self, session_id: str) -> None:
        if self._heartbeat["enabled"] and session_id not in self._hearts:
            self._hearts[session_id] = asyncio.create_task(self._beats(session_id))

    async def _beats(self, session_id: str) -> None:
        missed = 0
        while True:
            request = pb.HeartbeatRequest(session_id=session_id, client_time=now())
            try:
                await self._bridge.Heartbeat(request, timeout=self._heartbeat["timeout_ms"] / 1000)
                missed = 0
            except grpc.RpcError as error:
                log.warning("Heartbeat RPC failed for session %s: %s", session_id, error)
                missed += 1
            if missed >= self._heartbeat["max_missed_heartbeats"] and self._heartbeat["dependent"]:
                log.error("Heartbeat threshold exceeded for session %s", session_id)
                os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(self._heartbeat["interval_ms"] / 1000)

    async def _prepare(self, request: pb.ExecuteToolRequest) -> tuple[Any, SessionContext, dict[str, Any]]:
        """Session, adapter and arguments of one request; the bridge is asked on this loop, as upstream does."""
        with contextlib.suppress(grpc.RpcError):
            self._sync_bridge.InitializeSession(pb.InitializeSessionRequest(session_id=request.session_id))
        context = SessionContext(self._sync_bridge, request.session_id, dict(request.metadata))
        self._beat(request.session_id)
        adapter = self._adapter()
        adapter.set_session_context(context)
        self._register(request.session_id, adapter)
        if hasattr(adapter, "initialize"):
            await maybe_async(adapter.initialize)
        arguments = {name: decode(value) for name, value in request.parameters.items()}
        return adapter, context, {**arguments, **request.binary_parameters}

    def _register(self, session_id: str, adapter: Any) -> None:
        if session_id in self._registered:
            return
        self._registered.add(session_id)
        if hasattr(adapter, "register_with_session"):
            adapter.register_with_session(session_id, self._sync_bridge)
            return
        tools = [registration(name, method) for name, method in own_tools(adapter).items()]
        self._sync_bridge.RegisterTools(
            pb.RegisterToolsRequest(session_id=session_id, tools=tools, worker_id=f"python-{id(adapter)}")
        )

    async def ExecuteTool(self, request: pb.ExecuteToolRequest, context: Any) -> pb.ExecuteToolResponse:
        adapter: Any = None
        self.telemetry.emit("tool.execution.start", request)
        try:
            adapter, session, arguments = await self._prepare(request)
            result = await run_tool(adapter, request.tool_name, arguments, session)
            if inspect.isgenerator(result) or inspect.isasyncgen(result):
                result = {"error": "Streaming tool called on non-streaming endpoint."}
            return pb.ExecuteToolResponse(success=True, result=encode(result), execution_time_ms=1)
        except Exception as error:
            log.exception("ExecuteTool failed")
            return pb.ExecuteToolResponse(success=False, error_message=error_payload(error, request))
        finally:
            self.telemetry.emit("tool.execution.stop", request)
            if hasattr(adapter, "cleanup"):
                await maybe_async(adapter.cleanup)

    async def ExecuteStreamingTool(self, request: pb.ExecuteToolRequest, context: Any) -> AsyncIterator[pb.ToolChunk]:
        adapter: Any = None
        iterator: Any = None
        try:
            adapter, session, arguments = await self._prepare(request)
            iterator = await run_tool(adapter, request.tool_name, arguments, session)
            number = 0
            has_final = "no-final" in FAULTS
            async for item in items_of(iterator):
                number += 1
                is_final = bool(getattr(item, "is_final", False))
                has_final = has_final or is_final
                yield pb.ToolChunk(
                    chunk_id=f"{request.tool_name}-{number}",
                    data=chunk_data(getattr(item, "data", item)),
                    is_final=is_final,
                    metadata={str(key): str(value) for key, value in getattr(item, "metadata", {}).items()},
                )
            if not has_final:
                yield pb.ToolChunk(chunk_id=f"{request.tool_name}-{number + 1}", is_final=True)
        except Exception as error:
            log.exception("ExecuteStreamingTool failed")
            await context.abort(grpc.StatusCode.INTERNAL, error_payload(error, request))
        finally:
            if inspect.isgenerator(iterator):
                with contextlib.suppress(ValueError):  # it runs in its thread
                    iterator.close()
            if hasattr(adapter, "cleanup"):
                await maybe_async(adapter.cleanup)

    async def StreamTelemetry(self, request_iterator: Any, context: Any) -> AsyncIterator[pb.TelemetryEvent]:
        await context.send_initial_metadata(())
        obeying = asyncio.create_task(self.telemetry.obey(request_iterator))
        try:
            async for event in self.telemetry.read():
                yield event
        finally:
            obeying.cancel()

    async def RegisterTools(self, request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")

    async def GetExposedElixirTools(self, request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")

    async def ExecuteElixirTool(self, request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")

    async def close(self) -> None:
        self.telemetry.close()
        for heart in self._hearts.values():
            heart.cancel()
        await self._channel.close()
        self._sync_channel.close()


END = object()


async def items_of(outcome: Any) -> AsyncIterator[Any]:
    """What a tool's outcome streams: a generator's items, a dict's keys, a text's characters, else itself."""
    if hasattr(outcome, "__aiter__"):
        async for item in outcome:
            yield item
        return
    iterator = iter(outcome if isinstance(outcome, Iterable) else [outcome])
    while (item := await asyncio.to_thread(next, iterator, END)) is not END:
        yield item


# The process: sections 13.1, 13.3 and 13.6.


async def wait_for_bridge(address: str) -> None:
    pause = 0.05
    for _ in range(60):
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Any = pb_grpc.BridgeServiceStub(channel)
            try:
                await asyncio.wait_for(stub.Ping(pb.PingRequest(message="connection_test")), 1.0)
            except (grpc.RpcError, TimeoutError):
                await asyncio.sleep(pause)
                pause = min(2 * pause, 2.0)
            else:
                return
    log.error("Cannot start Python worker: Elixir server at %s is not available", address)
    sys.exit(1)


def load(adapter: str) -> Any:
    module, _, name = adapter.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        log.error("Failed to import adapter %s: %s", adapter, error)  # noqa: TRY400
        sys.exit(1)


def say_ready(port: int) -> None:
    path = os.environ.get("SNAKEPIT_READY_FILE")
    if not path or "never-ready" in FAULTS:
        return
    said = str(port)
    if "dead-port" in FAULTS:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            said = str(unused.getsockname()[1])
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("no port at all" if "garbage-ready" in FAULTS else said)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.tmp", path)  # noqa: PTH105


def heartbeat_config(options: argparse.Namespace) -> dict[str, Any]:
    config = {"enabled": True, "interval_ms": 2000, "timeout_ms": 10000, "max_missed_heartbeats": 3, "dependent": True}
    if options.heartbeat_interval_ms is not None:
        config["interval_ms"] = options.heartbeat_interval_ms
    return {**config, **json.loads(os.environ.get("SNAKEPIT_HEARTBEAT_CONFIG", "{}"))}


async def serve(options: argparse.Namespace, stop: asyncio.Event) -> None:
    await wait_for_bridge(options.elixir_address)
    worker = Worker(load(options.adapter), options.elixir_address, heartbeat_config(options))
    server = grpc.aio.server(options=OPTIONS)
    pb_grpc.add_BridgeServiceServicer_to_server(worker, server)
    port = server.add_insecure_port(f"[::]:{options.port}")
    await server.start()
    say_ready(port)
    await stop.wait()
    await worker.close()
    await server.stop(2.0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="grpc_server.py")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--adapter")
    address = os.environ.get("SNAKEPIT_GRPC_ADDRESS") or os.environ.get("SNAKEPIT_ELIXIR_ADDRESS")
    parser.add_argument("--elixir-address", default=address)
    for flag in ("--snakepit-run-id", "--snakepit-instance-name", "--snakepit-instance-token"):
        parser.add_argument(flag, default="")
    parser.add_argument("--heartbeat-interval-ms", type=int)
    parser.add_argument("--health-check", action="store_true")
    options = parser.parse_args()
    if options.health_check:
        load(options.adapter or "peer_tools.Tools")
        sys.exit(0)
    if not options.adapter or not options.elixir_address:
        parser.error("--adapter and --elixir-address are required")
    return options


def main() -> None:
    logging.basicConfig(level=LEVELS.get(os.environ.get("SNAKEPIT_LOG_LEVEL", "error"), 40))
    options = parse()
    if os.environ.get("SNAKEPIT_PROCESS_GROUP", "").lower() in {"1", "true", "yes", "on"}:
        with contextlib.suppress(PermissionError):
            os.setsid()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    stop = asyncio.Event()

    def on_signal(number: int, frame: Any) -> None:
        if "deaf" not in FAULTS:
            loop.call_soon_threadsafe(stop.set)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    try:
        loop.run_until_complete(serve(options, stop))
    except SystemExit:
        raise
    except BaseException:
        log.exception("Unhandled exception in main loop")
        sys.exit(1)
    finally:
        loop.close()


if __name__ == "__main__":
    main()
