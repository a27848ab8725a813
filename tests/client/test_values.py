"""Bytes and typed values from the user's side: what is refused here, and what a missing library means."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import snakepit_jupyter as snakepit
from snakepit_jupyter import Client
from snakepit_jupyter.values import library

ADAPTERS = ["conformance.bridge_tools:BridgeTools"]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(pool_size=1, session_id="", adapters=ADAPTERS) as shared:
        yield shared


@pytest.mark.parametrize("blob", [b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\xff\x00")[::-1]])
def test_whatever_is_like_bytes_is_a_binary_parameter(client: Client, blob: Any) -> None:
    assert client.execute("bytes_back", binary_parameters={"blob": blob}) == b"\xff\x00"


@pytest.mark.parametrize("wrong", ["text", 3, None, [1], {"a": b"b"}, np.zeros(2)])
def test_anything_else_is_refused_before_a_request_leaves(wrong: Any) -> None:
    client = Client(pool_size=1)
    for call in (client.execute, client.execute_stream):
        with pytest.raises(snakepit.InvalidBinaryParameter) as caught:
            call("bytes_back", binary_parameters={"blob": wrong})
        assert (caught.value.code, caught.value.key) == ("invalid_binary_parameter", "blob")
        assert f"is {type(wrong).__name__}, not bytes" in caught.value.message
        assert "Give bytes" in caught.value.hint
    assert not client.running


def test_bytes_are_results_and_chunks(client: Client) -> None:
    assert client.execute("bytes_back", {"blob": b""}) == b""
    chunks = list(client.execute_stream("kinds", binary_parameters={"blob": b"\x01"}))
    assert [chunk.get("data") for chunk in chunks] == [None, [1, 2], 4.5, "text", None, b"\x01", None]


def test_a_value_of_a_library_that_is_not_here_is_one_clear_error(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"value": np.arange(3)}
    client.execute("echo", given)
    monkeypatch.setitem(library.LEAST, "numpy", "999.0")
    library.library.cache_clear()
    library.knowing.cache_clear()
    try:
        with pytest.raises(snakepit.UnserializableValue, match=r"pip install 'numpy>=999\.0'"):
            client.execute("give_numbers")
        with pytest.raises(snakepit.UnserializableValue, match=r"pip install 'numpy>=999\.0'"):
            list(client.execute_stream("stream_numbers"))
    finally:
        monkeypatch.undo()
        library.library.cache_clear()
        library.knowing.cache_clear()
    assert client.execute("give_numbers").tolist() == [0, 1, 2]
