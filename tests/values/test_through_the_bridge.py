"""Values of every kind go to a worker and come back as what they were: by a call, and by the chunks of a run."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import any_value, json_values, same

from snakepit_jupyter import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(pool_size=1, session_id="", adapters=["conformance.bridge_tools:BridgeTools"]) as shared:
        yield shared


def goes_and_comes_back(client: Client, value: Any) -> None:
    assert same(client.execute("echo", {"value": value})["value"], value)
    run = client.execute_stream("give_back", {"value": value})
    field, whole, final = run
    assert same(field["value"], value)
    assert same(whole["data"], [value])
    assert final["is_final"]


@settings(max_examples=60)
@given(json_values())
def test_any_json_value(client: Client, value: Any) -> None:
    goes_and_comes_back(client, value)


@settings(max_examples=100)
@given(any_value())
def test_any_nesting_of_the_supported_types(client: Client, value: Any) -> None:
    goes_and_comes_back(client, value)


@settings(max_examples=30)
@given(st.binary(max_size=20_000), st.binary(max_size=100))
def test_any_bytes_by_either_way_in(client: Client, blob: bytes, other: bytes) -> None:
    assert client.execute("bytes_back", {"blob": other}, binary_parameters={"blob": blob}) == blob[::-1]
    assert client.execute("bytes_back", {"blob": blob}) == blob[::-1]
