"""How adapters are written, and tried without a worker."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from snakepit_jupyter.errors import ToolNotFound
from snakepit_jupyter.messages import ToolInfo
from snakepit_jupyter.worker.adapter import BaseAdapter, StreamChunk, marked_tools, tool
from snakepit_jupyter.worker.context import CURRENT, SessionContext


class Greeter(BaseAdapter):
    @tool(description="Greet", required_variables=["name"])
    def greet(self, polite: bool = True) -> str:
        return f"Hello, {self.session_context.metadata.get('name', 'you')}"

    @tool(description="Plain", required_variables=None)
    def plain(self) -> Any:
        return self.session_context.call_host_tool("name_of", name="the argument itself")


class Notebook:
    """Host tools for a test of one's own."""

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return name, dict(arguments)

    async def acall(self, name: str, arguments: Mapping[str, Any]) -> Any:
        return self.call(name, arguments)

    def tools(self) -> Mapping[str, ToolInfo]:
        return {}


def test_the_mark_says_what_was_said_of_the_tool() -> None:
    marks = {name: mark.required_variables for name, _, mark in marked_tools(Greeter)}
    assert marks == {"greet": ("name",), "plain": ()}


def test_without_a_call_there_is_no_context() -> None:
    with pytest.raises(LookupError, match="no call is running"):
        _ = Greeter().session_context


def test_a_test_gives_a_context_of_its_own() -> None:
    greeter = Greeter()
    greeter.session_context = SessionContext("s1", metadata={"name": "Ada"})
    assert greeter.greet() == "Hello, Ada"


def test_in_a_call_its_own_context_is_the_one() -> None:
    greeter = Greeter()
    greeter.set_session_context(SessionContext("earlier"))
    token = CURRENT.set(SessionContext("now"))
    try:
        assert greeter.session_context.session_id == "now"
    finally:
        CURRENT.reset(token)
    assert greeter.session_context.session_id == "earlier"


def test_a_context_made_by_hand_reaches_no_notebook() -> None:
    greeter = Greeter()
    greeter.session_context = SessionContext("s1")
    with pytest.raises(ToolNotFound, match="there are no host tools here"):
        greeter.plain()


def test_or_the_one_that_the_test_gives_and_arguments_may_have_any_name() -> None:
    greeter = Greeter()
    greeter.session_context = SessionContext("s1", host=Notebook())
    assert greeter.plain() == ("name_of", {"name": "the argument itself"})
    assert greeter.session_context.elixir_tools == {}


def test_a_chunk_does_not_change() -> None:
    chunk = StreamChunk({"a": 1})
    assert (chunk.is_final, chunk.metadata) == (False, None)
    with pytest.raises(FrozenInstanceError):
        chunk.is_final = True  # type: ignore[misc]
