"""Functions of the notebook that workers call."""

import asyncio
import functools
import threading
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from waiting import run_async

import snakepit_jupyter as snakepit
from snakepit_jupyter import (
    AsyncClient,
    Client,
    InvalidParameter,
    ToolError,
    ToolNotFound,
    WorkerTimeout,
)
from snakepit_jupyter.client.host_tools import HostTools, _failed
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.errors import Failure

ADAPTER = "client.host_callers:HostCallers"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A bridge whose workers call back."""
    with Client(pool_size=2, adapters=[ADAPTER], session_id="", cancel_grace=0.2, host_tool_timeout=2.0) as shared:
        yield shared


def test_a_tool_calls_a_function_of_the_notebook_and_values_keep_their_types(client: Client) -> None:
    seen: list[Any] = []

    def note(value: Any, *, day: date) -> tuple[Any, date]:
        seen.append((value, day, threading.current_thread() is threading.main_thread()))
        return value, day

    client.register_host_tool(note)
    assert client.execute("ask", {"name": "note", "given": {"value": b"\x00\xff", "day": date(2026, 1, 2)}}) == (
        b"\x00\xff",
        date(2026, 1, 2),
    )
    assert seen == [(b"\x00\xff", date(2026, 1, 2), False)]


@pytest.mark.parametrize("tool", ["ask", "ask_as_upstream", "ask_async"])
def test_both_names_of_the_call_work_and_so_does_the_awaited_one(client: Client, tool: str) -> None:
    client.register_host_tool(lambda number: number + 1, name="next")
    assert client.execute(tool, {"name": "next", "given": {"number": 41}}) == 42


def test_a_coroutine_function_is_run_to_its_end(client: Client) -> None:
    async def slowly(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    client.register_host_tool(slowly)
    assert client.execute("ask", {"name": "slowly", "given": {"number": 21}}) == 42


def test_a_stream_asks_between_its_chunks_while_the_notebook_waits_for_it(client: Client) -> None:
    client.register_host_tool(lambda step: "stop" if step == 3 else "go on", name="decide")
    assert [chunk.get("step") for chunk in client.execute_stream("ask_each_step", {"steps": 10})] == [1, 2, 3, None]


def test_what_the_function_raises_travels_to_the_tool_and_from_there_to_the_caller(client: Client) -> None:
    def refuse(reason: str) -> None:
        raise PermissionError(reason)

    client.register_host_tool(refuse)
    with pytest.raises(ToolError) as caught:
        client.execute("ask", {"name": "refuse", "given": {"reason": "not today"}})
    assert (caught.value.remote_type, caught.value.remote_message) == ("PermissionError", "not today")
    assert "in refuse" in caught.value.remote_traceback
    assert client.execute("ask_or_catch", {"name": "refuse", "given": {"reason": "no"}}) == "caught PermissionError"


class Unspeakable(BaseException):
    def __str__(self) -> str:
        raise SystemExit(9)


class NamelessKind(type):
    def __getattribute__(cls, name: str) -> Any:
        if name == "__name__":
            raise SystemExit(9)
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=NamelessKind):
    pass


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Unspeakable, "Unspeakable: (its text cannot be made)"),
        (Nameless, "Nameless"),
    ],
    ids=["text", "name"],
)
def test_whatever_the_function_raises_there_is_an_answer(
    client: Client, kind: type[BaseException], message: str
) -> None:
    def refuse() -> None:
        raise kind

    client.register_host_tool(refuse)
    assert client.execute("ask_and_tell", {"name": "refuse"})[0] == message


@pytest.mark.parametrize("outward", [False, True])
def test_a_failure_that_cannot_be_sent_is_an_answer_all_the_same(outward: bool) -> None:
    odd: Any = 5
    reply = _failed(Failure(odd, odd), outward=outward)
    assert reply.failure.message == "the host tool raised what cannot be described"


def test_a_function_that_is_not_there_any_more_is_an_answer_too() -> None:
    reply = HostTools("c")._call(pb.HostToolCall(tool="gone"), outward=False)
    assert (reply.failure.code, reply.failure.message) == ("tool_not_found", "there is no host tool 'gone'")


def test_a_function_that_nobody_registered_is_not_found_and_those_there_are_named(client: Client) -> None:
    client.register_host_tool(lambda: None, name="something")
    with pytest.raises(ToolNotFound) as caught:
        client.execute("ask", {"name": "somethin", "given": {}})
    assert "there is no host tool 'somethin'" in caught.value.message
    assert "something" in caught.value.hint


def test_a_function_that_takes_too_long_is_given_up(client: Client) -> None:
    release = threading.Event()
    client.register_host_tool(release.wait, name="linger")
    started = time.monotonic()
    with pytest.raises(WorkerTimeout, match="the host tool 'linger' did not answer within 2 s"):
        client.execute("ask", {"name": "linger", "given": {}})
    assert time.monotonic() - started < 10
    release.set()


def test_the_deadline_of_the_call_counts_for_the_function_too(client: Client) -> None:
    release = threading.Event()
    client.register_host_tool(release.wait, name="linger")
    started = time.monotonic()
    with pytest.raises(WorkerTimeout):
        client.execute("ask", {"name": "linger", "given": {}}, timeout=0.3)
    assert time.monotonic() - started < 2
    release.set()


def test_a_run_that_waits_for_a_function_can_be_stopped(client: Client) -> None:
    release, asked = threading.Event(), threading.Event()

    def linger(step: int) -> str:
        asked.set()
        release.wait()
        return "stop"

    client.register_host_tool(linger, name="decide")
    run = client.execute_stream("ask_each_step", {"steps": 3})
    assert asked.wait(10)
    run.cancel()
    with pytest.raises(snakepit.RunStopped):
        run.result(timeout=1.5)
    release.set()


def test_calls_run_side_by_side(client: Client) -> None:
    both = threading.Barrier(2)
    client.register_host_tool(lambda: both.wait(10) and None, name="meet")
    runs = [client.execute_stream("ask_once", {"name": "meet"}) for _ in range(2)]
    assert [run.result()["is_final"] for run in runs] == [True, True]


def test_a_function_of_a_session_is_seen_by_that_session_only(client: Client) -> None:
    client.register_host_tool(lambda: "ours", name="whose", session_id="s-ours")
    assert client.execute_in_session("s-ours", "ask", {"name": "whose", "given": {}}) == "ours"
    with pytest.raises(ToolNotFound):
        client.execute_in_session("s-theirs", "ask", {"name": "whose", "given": {}})


def test_registering_a_name_again_takes_its_place(client: Client) -> None:
    for answer in ("old", "new"):
        client.register_host_tool(lambda answer=answer: answer, name="current")
    assert client.execute("ask", {"name": "current", "given": {}}) == "new"


def test_tools_see_which_functions_there_are(client: Client) -> None:
    def listed(value: int) -> None:
        """Be listed."""

    client.register_host_tool(listed)
    assert client.execute("host_tools")["listed"] == "Be listed."


@pytest.mark.parametrize(
    ("function", "name"), [("no function", "name"), (print, "no name"), (print, "-x"), (functools.partial(print), None)]
)
def test_what_cannot_be_a_host_tool_is_refused(client: Client, function: Any, name: str | None) -> None:
    with pytest.raises(InvalidParameter, match="host tool"):
        client.register_host_tool(function, name=name)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"name": 5}, "name"),
        ({"name": 0}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"description": 5}, "description"),
        ({"session_id": 5}, "session_id"),
        ({"session_id": "\ud800"}, "session_id"),
    ],
)
def test_what_is_said_of_a_host_tool_is_text(given: dict[str, Any], key: str) -> None:
    client = Client(pool_size=1)
    with pytest.raises(InvalidParameter) as caught:
        client.register_host_tool(print, **given)
    assert caught.value.key == key
    assert not client.running


def test_functions_registered_before_the_start_and_after_a_restart_are_there() -> None:
    with Client(pool_size=1, adapters=[ADAPTER], session_id="") as own:
        own.register_host_tool(lambda: "here", name="where")
        assert own.execute("ask", {"name": "where", "given": {}}) == "here"
        own.stop()
        assert own.execute("ask", {"name": "where", "given": {}}) == "here"


def test_the_asyncio_client_registers_functions_too() -> None:
    async def scene() -> None:
        async with AsyncClient(pool_size=1, adapters=[ADAPTER], session_id="") as own:
            await own.register_host_tool(lambda: "here", name="where")
            assert await own.execute("ask", {"name": "where", "given": {}}) == "here"

    run_async(scene())
