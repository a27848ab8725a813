"""Every error of ours, on one page.

    SnakepitError
    ├── UsageError               who called should change the call
    │   ├── InvalidParameter         an argument is missing, unknown or of the wrong type
    │   │   └── InvalidBinaryParameter   a binary parameter is no bytes
    │   ├── ToolNotFound             no worker offers a tool of that name, or no host tool has it
    │   ├── SessionNotFound          there is no such session, or it was closed
    │   ├── StreamingNotSupported    the tool gives one result: execute() it
    │   ├── StreamingRequired        the tool streams: execute_stream() it
    │   ├── RunNotFound              there is no such run, or it ended long ago
    │   ├── UnserializableValue      a value cannot travel between processes
    │   ├── InvalidConfig            a setting has a wrong value
    │   └── AlreadyStarted           a bridge with other settings is running
    ├── QuotaExceeded            there are as many as the bridge allows
    │   ├── SessionQuotaExceeded     sessions
    │   └── ProgramQuotaExceeded     tools that a session has registered; `session_id` names it
    ├── ToolError                the tool itself raised; its traceback came along
    ├── RunStopped               somebody stopped the run
    ├── WorkerTimeout            the deadline passed
    ├── ChunksLost               a reader came too late for chunks the run's log no longer holds
    └── Unavailable              the machinery failed or is busy; trying again may help
        ├── PoolSaturated            too many calls wait already
        ├── WorkerBusy               the one worker that could do it is busy
        ├── SessionWorkerUnavailable the worker that keeps the session's tool or state has gone
        ├── WorkerCrashed            the worker died in the middle of the call
        ├── WorkerStartFailed        no worker could be started
        ├── BridgeStartFailed        the bridge could not be started
        └── GrpcUnavailable          the bridge does not answer, or refuses us

The codes are those of Snakepit's tagged errors where it has them. Between processes a failure is a value
(`Failure`); it becomes an exception where the user's code waits for it. Every one has a stable `code`, says whether
a retry makes sense (`retryable`), and what to do (`hint`, by default the class's `advice`; a tool's own error
has its traceback instead).
"""

import contextlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure on its way to the user.

    Args:
        code: the stable name of the kind of failure.
        message: what happened, in one line if it can be.
        hint: what to do about it; may be empty.
        retryable: whether the same call may succeed when tried again.
        remote_type: of a tool's own exception, its class's name.
        remote_traceback: of a tool's own exception, its traceback as text.
        details: further named facts.
    """

    code: str
    message: str
    hint: str = ""
    retryable: bool = False
    remote_type: str = ""
    remote_traceback: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


class SnakepitError(Exception):
    """The base of all errors of this package.

    Args:
        message: what happened.
        hint: what to do about it.
        details: further named facts.

    Attributes:
        is_reported: whether the run's report, just above, says it all; then a cell repeats the first line only.
    """

    code: ClassVar[str] = "snakepit_error"
    retryable: ClassVar[bool] = False
    advice: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "", details: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.advice
        self.details: dict[str, str] = dict(details or {})
        self.is_reported = False

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def failure(self) -> Failure:
        """The same as a value that can travel."""
        return Failure(self.code, self.message, self.hint, self.retryable, details=self.details)

    def _render_traceback_(self) -> list[str]:
        """What IPython prints for it: the error itself. Our own frames would say nothing to the user."""
        first = f"{type(self).__name__}: {self.message}"
        return [first] if self.is_reported else [*self._before(), first, *filter(None, [self.hint])]

    def _before(self) -> list[str]:
        """Lines that IPython prints before the error."""
        return []


class UsageError(SnakepitError):
    """The call itself is wrong."""

    code = "usage_error"
    advice = "Change the call."


class InvalidParameter(UsageError):
    """An argument is missing, unknown or of the wrong type; `key` names it."""

    code = "invalid_parameter"
    advice = "Correct that argument."

    @property
    def key(self) -> str:
        return self.details.get("key", "")


class InvalidBinaryParameter(InvalidParameter):
    """A binary parameter is no bytes; `key` names it."""

    code = "invalid_binary_parameter"
    advice = "Give bytes, a bytearray or a memoryview; other values go with the plain arguments."


class ToolNotFound(UsageError):
    """No worker offers a tool of that name, or no host tool has it."""

    code = "tool_not_found"
    advice = "list_tools() lists the tools there are."


class SessionNotFound(UsageError):
    """There is no such session, or it was closed."""

    code = "session_not_found"
    advice = "Open it with InitializeSession, or by a call of a client in it."


class StreamingNotSupported(UsageError):
    """The tool gives one result; it cannot be streamed."""

    code = "streaming_not_supported"
    advice = "Call it with execute(), or mark the tool with @tool(supports_streaming=True)."


class StreamingRequired(UsageError):
    """The tool streams; it cannot be called for one result."""

    code = "streaming_required"
    advice = "Call it with execute_stream()."


class RunNotFound(UsageError):
    """There is no such run, or it ended long ago."""

    code = "run_not_found"
    advice = "status().runs lists the runs there are."


class UnserializableValue(UsageError):
    """A value cannot travel between processes."""

    code = "unserializable_value"
    advice = "Send numbers, texts, lists, dicts or arrays, or save the object to a file and send its path."


class InvalidConfig(UsageError):
    """A setting has a wrong value."""

    code = "invalid_config"
    advice = "Correct the setting."


class AlreadyStarted(UsageError):
    """A bridge with other settings is running."""

    code = "already_started"
    advice = "Call stop() first; running calls end with the bridge."


class QuotaExceeded(SnakepitError):
    """There are as many as the bridge allows; those there are go on."""

    code = "quota_exceeded"
    advice = "Close what is no longer needed, or raise the limit."


class SessionQuotaExceeded(QuotaExceeded):
    """There are as many sessions as the bridge allows."""

    code = "session_quota_exceeded"
    retryable = True
    advice = "Close sessions that are no longer needed, or start the bridge with a larger max_sessions."


class ProgramQuotaExceeded(QuotaExceeded):
    """A session has registered as many tools as the bridge allows; `session_id` names it."""

    code = "program_quota_exceeded"
    advice = "Close the session, or start the bridge with a larger max_programs_per_session."

    @property
    def session_id(self) -> str:
        return self.details.get("session_id", "")


class ToolError(SnakepitError):
    """The tool itself raised.

    Attributes:
        remote_type: the class of the exception in the worker, for example "ValueError".
        remote_message: its text.
        remote_traceback: its traceback in the worker, as text.
    """

    code = "tool_error"
    remote_type: str = ""
    remote_traceback: str = ""

    @property
    def remote_message(self) -> str:
        return self.message.removeprefix(f"{self.remote_type}: ")

    def __str__(self) -> str:
        return f"{self.message}\n\n{self.remote_traceback}" if self.remote_traceback else self.message

    def failure(self) -> Failure:
        return Failure(
            self.code,
            self.message,
            self.hint,
            self.retryable,
            self.remote_type,
            self.remote_traceback,
            self.details,
        )

    def _before(self) -> list[str]:
        return ["In the worker:", self.remote_traceback.rstrip()] if self.remote_traceback else []


class RunStopped(SnakepitError):
    """Somebody stopped the run: the Stop button, an interrupt of the kernel, `cancel()`."""

    code = "stopped"


class WorkerTimeout(SnakepitError):
    """The call's deadline passed."""

    code = "worker_timeout"
    retryable = True
    advice = "Give it more time with timeout=…."


class ChunksLost(SnakepitError):
    """A reader came too late: the run's log no longer holds the chunks it asked for."""

    code = "chunks_lost"
    advice = "Iterate the run while it goes on."


class Unavailable(SnakepitError):
    """The machinery failed, not the call."""

    code = "unavailable"
    retryable = True
    advice = "Try again."


class PoolSaturated(Unavailable):
    """Too many calls wait for a worker already."""

    code = "pool_saturated"
    advice = "Wait for some to end, or start more workers with pool_size=…."


class WorkerBusy(Unavailable):
    """The one worker that could do it is busy."""

    code = "worker_busy"
    advice = "Try again when its call has ended."


class SessionWorkerUnavailable(Unavailable):
    """The worker that keeps the session's tool or state has gone."""

    code = "session_worker_unavailable"
    retryable = False
    advice = "Register the tool again, or start the session anew."


class WorkerCrashed(Unavailable):
    """The worker died in the middle of the call."""

    code = "worker_crashed"
    advice = "Try again: a new worker takes the place of the one that died."


class WorkerStartFailed(Unavailable):
    """No worker could be started."""

    code = "worker_start_failed"
    retryable = False
    advice = "Correct what the message names, then call again."


class BridgeStartFailed(Unavailable):
    """The bridge could not be started."""

    code = "bridge_start_failed"
    retryable = False
    advice = "Look at the last lines of its log."


class GrpcUnavailable(Unavailable):
    """The bridge does not answer."""

    code = "grpc_unavailable"
    advice = "Check that the bridge runs, its address and its token."


def _all_errors(base: type[SnakepitError]) -> dict[str, type[SnakepitError]]:
    known = {base.code: base}
    for child in base.__subclasses__():
        known |= _all_errors(child)
    return known


BY_CODE: Mapping[str, type[SnakepitError]] = _all_errors(SnakepitError)


def error_from(failure: Failure) -> SnakepitError:
    """The exception that stands for a failure which travelled here."""
    kind = BY_CODE.get(failure.code, SnakepitError)
    error = kind(failure.message, hint=failure.hint, details=failure.details)
    if isinstance(error, ToolError):
        error.remote_type = failure.remote_type
        error.remote_traceback = failure.remote_traceback
    return error


def describe(error: BaseException, ours: str) -> Failure:
    """An exception as a failure: our own as they are, any other with its type and traceback. It never raises.

    Args:
        error: the exception.
        ours: a module or package; its frames at the beginning of the traceback are left out: they are always the same.
    """
    with contextlib.suppress(BaseException):  # one of ours that cannot say what it is is described as any other
        if isinstance(error, SnakepitError):
            return _in_texts(error.failure())
    kind = _name_of(error)
    text = _text_of(error)
    return Failure(
        code=ToolError.code,
        message=f"{kind}: {text}" if text else kind,
        remote_type=kind,
        remote_traceback=_traceback_of(error, ours),
    )


def _in_texts(failure: Failure) -> Failure:
    """A failure that can travel: who raises one of our errors may give it anything."""
    return Failure(
        code=_exactly(failure.code),
        message=_exactly(failure.message),
        hint=_exactly(failure.hint),
        retryable=bool(failure.retryable),
        remote_type=_exactly(failure.remote_type),
        remote_traceback=_exactly(failure.remote_traceback),
        details={_exactly(name): _exactly(value) for name, value in failure.details.items()},
    )


# An exception's class is the user's own code, and may raise whatever is asked of it: also SystemExit.


def _name_of(error: BaseException) -> str:
    name: str = type.__dict__["__name__"].__get__(type(error))  # as it is, whatever a metaclass says
    return name


def _text_of(error: BaseException) -> str:
    try:
        return _exactly(error)
    except BaseException:
        return "(its text cannot be made)"


def _exactly(value: object) -> str:
    """A text of no class of the user's."""
    return str.__str__(str(value))


def _traceback_of(error: BaseException, ours: str) -> str:
    try:
        return "".join(traceback.format_exception(_without_frames(error, ours)))
    except BaseException:
        return ""


def _without_frames(error: BaseException, ours: str) -> BaseException:
    trace = error.__traceback__
    while trace is not None and str(trace.tb_frame.f_globals.get("__name__", "")).startswith(ours):
        trace = trace.tb_next
    return error.with_traceback(trace or error.__traceback__)
