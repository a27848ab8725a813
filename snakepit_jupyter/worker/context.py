"""What a tool may know of the call that runs it."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from snakepit_jupyter.messages import Deadline


@dataclass(frozen=True, slots=True)
class SessionContext:
    """The running call, as its tool sees it.

    Attributes:
        session_id: the session's id; "" if the call has none.
        call_id: the call's own id; of a streaming call also the run's.
        request_metadata: what the caller said of itself.
        deadline: when the call is given up.
    """

    session_id: str
    call_id: str
    request_metadata: Mapping[str, str] = field(default_factory=dict)
    deadline: Deadline = Deadline()
    was_cancelled: Callable[[], bool] = field(default=lambda: False, repr=False)

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the call to stop. A loop without `yield` should look at it."""
        return self.was_cancelled()


CURRENT: ContextVar[SessionContext] = ContextVar("snakepit_session_context")


def current_context() -> SessionContext:
    """The context of the call that is running here."""
    try:
        return CURRENT.get()
    except LookupError:
        raise LookupError("no call is running: session_context is there only while a tool runs") from None
