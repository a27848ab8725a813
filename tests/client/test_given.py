"""What users give by mistake is refused in our words, before anything is started."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from waiting import run_async

import snakepit_jupyter as snakepit
from snakepit_jupyter import AsyncClient, Client
from snakepit_jupyter.client.given import check_timeout

HALF = "\ud800"


@pytest.mark.parametrize(
    ("command", "given", "key"),
    [
        (None, {}, "command"),
        (5, {}, "command"),
        (HALF, {}, "command"),
        ("echo", {"args": {HALF: 1}}, r"\ud800"),
        ("echo", {"args": [("a", 1)]}, "args"),
        ("echo", {"binary_parameters": b"x"}, "binary_parameters"),
        ("echo", {"binary_parameters": b""}, "binary_parameters"),
        ("echo", {"binary_parameters": [("a", b"x")]}, "binary_parameters"),
        ("echo", {"binary_parameters": {5: b"x"}}, "binary_parameters"),
        ("echo", {"binary_parameters": {HALF: b"x"}}, r"\ud800"),
        ("echo", {"timeout": "5"}, "timeout"),
        ("echo", {"timeout": True}, "timeout"),
        ("echo", {"timeout": [1]}, "timeout"),
        ("echo", {"timeout": float("nan")}, "timeout"),
        ("echo", {"timeout": -1}, "timeout"),
    ],
)
def test_a_wrong_argument_of_a_call_is_named(command: Any, given: dict[str, Any], key: str) -> None:
    client = Client(pool_size=1)
    for call in (client.execute, client.execute_stream, client.session("s").execute):
        with pytest.raises(snakepit.InvalidParameter) as caught:
            call(command, **given)
        assert caught.value.key == key
        str(caught.value).encode()  # it can be printed
    with pytest.raises(snakepit.InvalidParameter):
        run_async(AsyncClient(pool_size=1).execute(command, **given))
    assert not client.running


@pytest.mark.parametrize("wrong", [b"x", [("a", b"x")], {5: b"x"}])
def test_binary_parameters_are_a_dict_of_names_to_bytes(wrong: Any) -> None:
    with pytest.raises(snakepit.InvalidBinaryParameter, match="no dict of names to bytes"):
        Client(pool_size=1).execute("echo", binary_parameters=wrong)


@pytest.mark.parametrize("wrong", [5, HALF, ["s"]])
def test_the_id_of_a_session_is_a_text(wrong: Any) -> None:
    client = Client(pool_size=1)
    for use in (
        lambda: Client(pool_size=1, session_id=wrong),
        lambda: client.execute_in_session(wrong, "echo"),
        lambda: client.execute_in_session_stream(wrong, "echo"),
        lambda: client.session(wrong),
        lambda: client.close_session(wrong),
    ):
        with pytest.raises(snakepit.InvalidParameter) as caught:
            use()
        assert caught.value.key == "session_id"
    assert not client.running


@pytest.mark.parametrize("time", [None, 1, 0.5, float("inf"), np.float32(0.5), np.int64(3), Fraction(1, 2)])
def test_any_number_above_nothing_is_a_time(time: Any) -> None:
    check_timeout(time)
