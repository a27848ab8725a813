"""The sessions of a bridge: who is there, since when, with what said of it. No clock and no I/O: `now` is given."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from snakepit_jupyter.errors import InvalidParameter, SessionNotFound, SessionQuotaExceeded

LONGEST_ID = 256


@dataclass(frozen=True, slots=True)
class Session:
    """A snapshot of one session.

    Args:
        session_id: its id.
        metadata: what was said of it when it was opened, and since.
        created_at: seconds since the epoch.
        used_at: when it was last used, on the clock that `now` is read from.
    """

    session_id: str
    metadata: Mapping[str, str]
    created_at: float
    used_at: float


@dataclass(slots=True)
class Sessions:
    """All sessions.

    Args:
        limit: how many there may be at once.
        ttl: seconds without use after which one expires.
    """

    limit: int
    ttl: float
    _sessions: dict[str, Session] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._sessions

    def open(self, session_id: str, now: float, metadata: Mapping[str, str] | None = None) -> tuple[Session, bool]:
        """The session of that id, made if there is none, and whether it was made; either counts as use.

        Raises:
            InvalidParameter: if the id is none.
            SessionQuotaExceeded: if there are as many as there may be; the others go on.
        """
        known = self._sessions.get(session_id)
        if known is None:
            self._check_new(session_id)
        said = {**(known.metadata if known else {}), **(metadata or {})}
        session = Session(session_id, said, known.created_at if known else time.time(), now)
        self._sessions[session_id] = session
        return session, known is None

    def _check_new(self, session_id: str) -> None:
        if not session_id.strip() or len(session_id.encode()) > LONGEST_ID:
            raise InvalidParameter(
                "this is no id of a session",
                hint=f"It is a text of 1 to {LONGEST_ID} bytes.",
                details={"key": "session_id"},
            )
        if len(self._sessions) >= self.limit:
            raise SessionQuotaExceeded(
                f"there are {len(self._sessions):,} sessions, as many as this bridge allows",
                details={"limit": str(self.limit)},
            )

    def get(self, session_id: str) -> Session:
        """The session of that id; looking is no use of it.

        Raises:
            SessionNotFound: if there is none.
        """
        try:
            return self._sessions[session_id]
        except KeyError:
            raise SessionNotFound(f"Session not found: {session_id}", details={"session_id": session_id}) from None

    def touch(self, session_id: str, now: float) -> bool:
        """Note that it is used; False if there is none."""
        if session_id not in self._sessions:
            return False
        self.open(session_id, now)
        return True

    def close(self, session_id: str) -> bool:
        """Forget it; False if there was none."""
        return self._sessions.pop(session_id, None) is not None

    def expired(self, now: float) -> list[str]:
        """The ids of those that nobody has used for too long."""
        return [s.session_id for s in self._sessions.values() if now - s.used_at > self.ttl]
