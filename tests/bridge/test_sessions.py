"""Who is there: sessions and the tools registered in them, without a clock."""

import pytest

from snakepit_jupyter.bridge.registry import Registered, Registry
from snakepit_jupyter.bridge.sessions import Sessions
from snakepit_jupyter.errors import InvalidParameter, ProgramQuotaExceeded, SessionNotFound, SessionQuotaExceeded
from snakepit_jupyter.messages import ToolInfo


def test_a_session_is_made_once_and_keeps_what_was_said_of_it() -> None:
    sessions = Sessions(limit=10, ttl=100)
    made, is_new = sessions.open("s", now=0, metadata={"a": "1"})
    again, is_new_again = sessions.open("s", now=5, metadata={"b": "2"})
    assert (is_new, is_new_again) == (True, False)
    assert again.metadata == {"a": "1", "b": "2"}
    assert (again.created_at, again.used_at) == (made.created_at, 5)
    assert made.metadata == {"a": "1"}, "what was handed out does not change"


def test_use_keeps_a_session_and_looking_does_not() -> None:
    sessions = Sessions(limit=10, ttl=100)
    for session_id in ("used", "looked at", "left alone"):
        sessions.open(session_id, now=0)
    assert sessions.touch("used", now=60)
    sessions.get("looked at")
    assert sessions.expired(now=100) == []
    assert sessions.expired(now=101) == ["looked at", "left alone"]
    assert sessions.expired(now=161) == ["used", "looked at", "left alone"]


def test_a_session_that_was_closed_is_not_there() -> None:
    sessions = Sessions(limit=10, ttl=100)
    sessions.open("s", now=0)
    assert sessions.close("s")
    assert not sessions.close("s")
    assert not sessions.touch("s", now=1)
    with pytest.raises(SessionNotFound, match="Session not found: s"):
        sessions.get("s")


def test_the_quota_refuses_new_sessions_only() -> None:
    sessions = Sessions(limit=2, ttl=100)
    sessions.open("a", now=0)
    sessions.open("b", now=0)
    with pytest.raises(SessionQuotaExceeded) as caught:
        sessions.open("c", now=0)
    assert (caught.value.code, caught.value.retryable) == ("session_quota_exceeded", True)
    sessions.open("a", now=1)
    sessions.close("b")
    sessions.open("c", now=1)
    assert len(sessions) == 2


@pytest.mark.parametrize("session_id", ["", "  ", "ü" * 129])
def test_what_is_no_id_is_refused(session_id: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Sessions(limit=2, ttl=100).open(session_id, now=0)
    assert caught.value.key == "session_id"


# Registered tools.


def a_tool(name: str) -> Registered:
    return Registered(ToolInfo(name), {}, "w1")


def test_tools_belong_to_their_session_and_go_with_it() -> None:
    registry = Registry(limit=10)
    registry.register("s", [a_tool("a"), a_tool("b")])
    registry.register("other", [a_tool("a")])
    assert registry.count("s") == 2
    assert registry.find("other", "b") is None
    registry.forget("s")
    assert registry.find("s", "a") is None
    assert registry.find("other", "a") == a_tool("a")


@pytest.mark.parametrize("batch", [["c", "a"], ["c", "c"], ["c", "not a name"]])
def test_a_batch_with_one_that_is_wrong_adds_none(batch: list[str]) -> None:
    registry = Registry(limit=10)
    registry.register("s", [a_tool("a")])
    with pytest.raises(InvalidParameter):
        registry.register("s", [a_tool(name) for name in batch])
    assert registry.count("s") == 1


def test_a_session_has_a_quota_of_tools() -> None:
    registry = Registry(limit=2)
    registry.register("s", [a_tool("a"), a_tool("b")])
    with pytest.raises(ProgramQuotaExceeded) as caught:
        registry.register("s", [a_tool("c")])
    assert caught.value.session_id == "s"
    registry.register("other", [a_tool("c")])
