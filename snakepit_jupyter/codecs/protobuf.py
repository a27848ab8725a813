"""The project's words as protobuf messages, and back."""

from collections.abc import Mapping

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.correlation import chosen
from snakepit_jupyter.errors import Failure
from snakepit_jupyter.messages import (
    Call,
    Chunk,
    ChunkKind,
    Deadline,
    Parameter,
    RunState,
    RunStatus,
    Status,
    StopRung,
    ToolInfo,
    Update,
    WorkerInfo,
    new_call_id,
)
from snakepit_jupyter.values import Encoding

KINDS: Mapping[int, ChunkKind] = {
    pb.CHUNK_KIND_DATA: ChunkKind.DATA,
    pb.CHUNK_KIND_STDOUT: ChunkKind.STDOUT,
    pb.CHUNK_KIND_STDERR: ChunkKind.STDERR,
    pb.CHUNK_KIND_LOG: ChunkKind.LOG,
}
ENCODINGS: Mapping[int, Encoding] = {
    pb.ENCODING_JSON: Encoding.JSON,
    pb.ENCODING_BYTES: Encoding.BYTES,
    pb.ENCODING_TYPED: Encoding.TYPED,
}
ENCODING_NUMBERS = {encoding: pb.Encoding.ValueType(number) for number, encoding in ENCODINGS.items()}
STATUSES: Mapping[int, RunStatus] = {
    pb.RUN_STATUS_QUEUED: RunStatus.QUEUED,
    pb.RUN_STATUS_RUNNING: RunStatus.RUNNING,
    pb.RUN_STATUS_STOPPING: RunStatus.STOPPING,
    pb.RUN_STATUS_DONE: RunStatus.DONE,
    pb.RUN_STATUS_FAILED: RunStatus.FAILED,
    pb.RUN_STATUS_STOPPED: RunStatus.STOPPED,
}
STATUS_NUMBERS = {status: pb.RunStatus.ValueType(number) for number, status in STATUSES.items()}
RUNGS: Mapping[int, StopRung] = {
    pb.STOP_RUNG_NONE: StopRung.NONE,
    pb.STOP_RUNG_COOPERATIVE: StopRung.COOPERATIVE,
    pb.STOP_RUNG_INTERRUPT: StopRung.INTERRUPT,
    pb.STOP_RUNG_KILL: StopRung.KILL,
}
RUNG_NUMBERS = {rung: pb.StopRung.ValueType(number) for number, rung in RUNGS.items()}


def call_to_pb(call: Call) -> pb.ToolCall:
    return pb.ToolCall(
        call_id=call.call_id,
        session_id=call.session_id,
        tool=call.tool,
        arguments=call.arguments,
        streaming=call.streaming,
        # 0 means none, so a deadline that has just passed is sent as the shortest there is.
        timeout=0.0 if call.deadline.remaining is None else max(call.deadline.remaining, 1e-6),
        correlation_id=call.correlation_id,
        labels=call.labels,
        arguments_encoding=ENCODING_NUMBERS[call.encoding],
        binary_parameters=call.binary,
        plain=call.plain,
        client_id=call.client_id,
        session_metadata=call.session_metadata,
    )


def call_from_pb(message: pb.ToolCall) -> Call:
    return Call(
        tool=message.tool,
        arguments=message.arguments,
        session_id=message.session_id,
        streaming=message.streaming,
        deadline=Deadline.after(message.timeout or None),
        call_id=message.call_id or new_call_id(),
        labels=dict(message.labels),
        encoding=ENCODINGS.get(message.arguments_encoding, Encoding.JSON),
        binary=dict(message.binary_parameters),
        plain=message.plain,
        correlation_id=chosen(message.correlation_id),
        client_id=message.client_id,
        session_metadata=dict(message.session_metadata),
    )


def failure_to_pb(failure: Failure) -> pb.Failure:
    return pb.Failure(
        code=failure.code,
        message=_utf8(failure.message),
        hint=_utf8(failure.hint),
        retryable=failure.retryable,
        remote_type=_utf8(failure.remote_type),
        remote_traceback=_utf8(failure.remote_traceback),
        details={_utf8(key): _utf8(value) for key, value in failure.details.items()},
    )


def _utf8(text: str) -> str:
    """A text that can travel: an exception's may hold half a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def failure_from_pb(message: pb.Failure) -> Failure:
    return Failure(
        code=message.code,
        message=message.message,
        hint=message.hint,
        retryable=message.retryable,
        remote_type=message.remote_type,
        remote_traceback=message.remote_traceback,
        details=dict(message.details),
    )


def chunk_from_pb(message: pb.Chunk) -> Chunk:
    return Chunk(
        seq=message.seq,
        kind=KINDS.get(message.kind, ChunkKind.DATA),
        data=message.data,
        encoding=ENCODINGS.get(message.encoding, Encoding.BYTES),
        is_final=message.is_final,
        metadata=dict(message.metadata),
    )


def run_state_to_pb(state: RunState) -> pb.RunState:
    return pb.RunState(
        run_id=state.run_id,
        tool=state.tool,
        session_id=state.session_id,
        status=STATUS_NUMBERS[state.status],
        worker_id=state.worker_id,
        created_at=state.created_at,
        elapsed=state.elapsed,
        chunks=state.chunks,
        failure=failure_to_pb(state.failure) if state.failure else None,
        rung=RUNG_NUMBERS[state.rung],
        stop_reason=state.stop_reason,
    )


def run_state_from_pb(message: pb.RunState) -> RunState:
    return RunState(
        run_id=message.run_id,
        tool=message.tool,
        session_id=message.session_id,
        status=STATUSES[message.status],
        worker_id=message.worker_id,
        created_at=message.created_at,
        elapsed=message.elapsed,
        chunks=message.chunks,
        failure=failure_from_pb(message.failure) if message.HasField("failure") else None,
        rung=RUNGS.get(message.rung, StopRung.NONE),
        stop_reason=message.stop_reason,
        final=chunk_from_pb(message.final) if message.HasField("final") else None,
    )


def update_from_pb(message: pb.RunUpdate) -> Update:
    return Update(
        chunks=tuple(map(chunk_from_pb, message.chunks)),
        state=run_state_from_pb(message.state) if message.HasField("state") else None,
        skipped=message.skipped,
    )


def tool_to_pb(info: ToolInfo) -> pb.Tool:
    return pb.Tool(
        name=info.name,
        description=info.description,
        streaming=info.streaming,
        parameters=[
            pb.Parameter(name=p.name, type=p.type, required=p.required, default_json=p.default_json)
            for p in info.parameters
        ],
        adapter=info.adapter,
        builtin=info.builtin,
        variadic=info.variadic,
        required_variables=info.required_variables,
    )


def tool_from_pb(message: pb.Tool) -> ToolInfo:
    return ToolInfo(
        name=message.name,
        description=message.description,
        streaming=message.streaming,
        parameters=tuple(
            Parameter(p.name, p.type, required=p.required, default_json=p.default_json) for p in message.parameters
        ),
        adapter=message.adapter,
        builtin=message.builtin,
        variadic=message.variadic,
        required_variables=tuple(message.required_variables),
    )


def worker_to_pb(info: WorkerInfo) -> pb.WorkerState:
    return pb.WorkerState(
        worker_id=info.worker_id,
        pid=info.pid,
        status=info.status,
        call_id=info.call_id,
        tool=info.tool,
        calls=info.calls,
    )


def worker_from_pb(message: pb.WorkerState) -> WorkerInfo:
    return WorkerInfo(message.worker_id, message.pid, message.status, message.call_id, message.tool, message.calls)


def status_to_pb(status: Status) -> pb.GetStatusReply:
    return pb.GetStatusReply(
        workers=map(worker_to_pb, status.workers),
        tools=map(tool_to_pb, status.tools),
        runs=map(run_state_to_pb, status.runs),
        queued=status.queued,
        notices=status.notices,
        uptime=status.uptime,
        failure=failure_to_pb(status.failure) if status.failure else None,
    )


def status_from_pb(message: pb.GetStatusReply) -> Status:
    return Status(
        workers=tuple(map(worker_from_pb, message.workers)),
        tools=tuple(map(tool_from_pb, message.tools)),
        runs=tuple(map(run_state_from_pb, message.runs)),
        queued=message.queued,
        notices=tuple(message.notices),
        uptime=message.uptime,
        failure=failure_from_pb(message.failure) if message.HasField("failure") else None,
    )
