"""The words of the system as values: a call, its chunks, the state of a run, what a tool is.

Everything here is frozen and knows nothing of gRPC, of notebooks or of processes, so that each
layer can speak of the same things. Times are seconds.
"""

import base64
import difflib
import enum
import re
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from snakepit_jupyter import exact_json, values
from snakepit_jupyter.errors import Failure, InvalidParameter
from snakepit_jupyter.values import Encoding


class RunStatus(enum.StrEnum):
    """Where a run stands. The last three are its ends."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def ended(self) -> bool:
        return self in {RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED}


class ChunkKind(enum.StrEnum):
    """What a chunk carries: the tool's data, or text that it printed or logged."""

    DATA = "data"
    STDOUT = "stdout"
    STDERR = "stderr"
    LOG = "log"


class StopRung(enum.StrEnum):
    """How hard a call had to be asked to stop."""

    NONE = "none"
    COOPERATIVE = "cooperative"
    INTERRUPT = "interrupt"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time, made once and handed down.

    Args:
        at: seconds on this process's monotonic clock; infinity for none.
    """

    at: float = float("inf")

    @classmethod
    def after(cls, timeout: float | None) -> "Deadline":
        return cls() if timeout is None else cls(time.monotonic() + timeout)

    @property
    def remaining(self) -> float | None:
        """Seconds left, at least 0; None without a deadline."""
        return None if self.at == float("inf") else max(0.0, self.at - time.monotonic())


def new_call_id() -> str:
    """An id for a call or run."""
    return f"r-{uuid.uuid4().hex[:12]}"


# Section 6 of the wire contract; host tools keep to it as well.
TOOL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
TOOL_NAME_RULE = "It has 1 to 64 letters, digits and _-., and begins with a letter or digit."


def new_correlation_id() -> str:
    """An id as upstream makes them: `sp-` and 24 hexadecimal digits."""
    return f"sp-{uuid.uuid4().hex[:24]}"


@dataclass(frozen=True, slots=True)
class Call:
    """One request for a tool.

    Args:
        tool: the tool's name.
        arguments: its arguments by name: one object, written in `encoding`.
        session_id: the session whose state it uses; "" for none.
        streaming: whether chunks are wanted (a run) or one result (a plain call).
        deadline: when it is given up.
        call_id: its own id; of a streaming call also the run's.
        labels: who asks, for lists and logs.
        encoding: how `arguments` is written, as JSON or typed.
        binary: further arguments, as bytes; they win over those of the same name.
        plain: whether its results are for a reader that knows JSON and bytes only.
        correlation_id: what ties together everything that is said of the call, in all processes.
        client_id: the client that asks; the call may use its host tools.
        session_metadata: what was said of the session when it was opened.
    """

    tool: str
    arguments: bytes = b"{}"
    session_id: str = ""
    streaming: bool = False
    deadline: Deadline = Deadline()
    call_id: str = field(default_factory=new_call_id)
    labels: Mapping[str, str] = field(default_factory=dict)
    encoding: Encoding = Encoding.JSON
    binary: Mapping[str, bytes] = field(default_factory=dict)
    plain: bool = False
    correlation_id: str = field(default_factory=new_correlation_id)
    client_id: str = ""
    session_metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def argument_names(self) -> list[str]:
        """The names of all arguments, without reading their values where that can be helped.

        Raises:
            InvalidParameter: if the arguments are no object.
        """
        return [*values.names(self.arguments, self.encoding), *self.binary]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One item of a run, as a reader gets it.

    Args:
        seq: its place in the run: 1, 2, 3 … without a gap.
        kind: data of the tool, or text that it wrote.
        data: the payload as it travelled: JSON text, raw bytes, or UTF-8 text for the text kinds.
        encoding: how `data` is written.
        is_final: whether it is the run's last chunk of data.
        metadata: what worker and bridge said of it.
    """

    seq: int
    kind: ChunkKind
    data: bytes
    encoding: Encoding = Encoding.JSON
    is_final: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The payload as text."""
        return self.data.decode("utf-8", "replace")

    def envelope(self) -> dict[str, Any]:
        """The chunk as the user sees it: a dict, after section 4.2 of the wire contract.

        A dict gives its own fields, any other value `{"data": value}`, bytes also `"raw_data_base64"`, nothing
        `{}`; `is_final` is always there, `_metadata` if there is any.
        """
        fields = self._fields()
        fields["is_final"] = self.is_final
        if self.metadata:
            fields["_metadata"] = dict(self.metadata)
        return fields

    def _fields(self) -> dict[str, Any]:
        if not self.data:
            return {}
        if self.encoding is Encoding.BYTES:
            return {"data": self.data, "raw_data_base64": base64.b64encode(self.data).decode("ascii")}
        value = values.decode(self.data, self.encoding)
        return value if isinstance(value, dict) else {"data": value}


@dataclass(frozen=True, slots=True)
class RunState:
    """What is known of a run at one moment.

    Args:
        run_id: its id.
        tool: the tool's name.
        session_id: its session, "" for none.
        status: where it stands.
        worker_id: who works on it; "" while it is queued.
        created_at: seconds since the epoch.
        elapsed: seconds since then, or the run's whole length once it has ended.
        chunks: how many chunks there were so far.
        failure: why it failed or was stopped.
        rung: how hard it had to be asked to stop.
        stop_reason: who asked.
        final: its final chunk, once it has ended with one.
    """

    run_id: str
    tool: str
    session_id: str = ""
    status: RunStatus = RunStatus.QUEUED
    worker_id: str = ""
    created_at: float = 0.0
    elapsed: float = 0.0
    chunks: int = 0
    failure: Failure | None = None
    rung: StopRung = StopRung.NONE
    stop_reason: str = ""
    final: Chunk | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """What a reader of a run gets at once.

    Args:
        chunks: the next chunks, in order.
        state: the run's state, if it changed.
        skipped: chunks this reader missed, because the run's log no longer held them.
    """

    chunks: tuple[Chunk, ...] = ()
    state: RunState | None = None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a tool: its name, its type as Python writes it, its default as JSON ("" for none)."""

    name: str
    type: str
    required: bool
    default_json: str = ""

    def __str__(self) -> str:
        kind = f": {self.type}" if self.type else ""
        return f"{self.name}{kind}" if self.required else f"{self.name}{kind} = {self._default}"

    @property
    def _default(self) -> str:
        return repr(exact_json.decode(self.default_json.encode())) if self.default_json else "…"


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """What a worker says of a tool it offers."""

    name: str
    description: str = ""
    streaming: bool = False
    parameters: tuple[Parameter, ...] = ()
    adapter: str = ""
    builtin: bool = False
    variadic: bool = False
    required_variables: tuple[str, ...] = ()

    def __str__(self) -> str:
        further = ["**arguments"] if self.variadic else []
        return f"{self.name}({', '.join([*map(str, self.parameters), *further])})"

    def check_names(self, given: Collection[str]) -> None:
        """Check the names of a call's arguments; their types only the tool's worker knows.

        Raises:
            InvalidParameter: if one is unknown or missing; `key` names it, the hint the nearest there is.
        """
        known = {parameter.name for parameter in self.parameters}
        unknown = [name for name in given if name not in known and not self.variadic]
        missing = [p.name for p in self.parameters if p.required and p.name not in given]
        if unknown:
            near = difflib.get_close_matches(unknown[0], known, n=1)
            raise self.wrong(
                unknown[0],
                f"{self.name} has no argument {unknown[0]!r}",
                f"Did you mean {near[0]!r}? " if near else "",
            )
        if missing:
            names = ", ".join(map(repr, missing))
            raise self.wrong(missing[0], f"{self.name} needs the argument{'s' * (len(missing) > 1)} {names}")

    def wrong(self, key: str, message: str, hint: str = "") -> InvalidParameter:
        """The error that an argument is wrong; it says how the tool is called."""
        return InvalidParameter(message, hint=f"{hint}It is called as {self}", details={"key": key})


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What the pool says of a worker."""

    worker_id: str
    pid: int
    status: str
    call_id: str = ""
    tool: str = ""
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """What a bridge says of itself."""

    workers: tuple[WorkerInfo, ...] = ()
    tools: tuple[ToolInfo, ...] = ()
    runs: tuple[RunState, ...] = ()
    queued: int = 0
    notices: tuple[str, ...] = ()
    uptime: float = 0.0
    failure: Failure | None = None
