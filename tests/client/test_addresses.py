"""What an address is, and which are of this machine only."""

from typing import Any

import pytest

from snakepit_jupyter import InvalidConfig
from snakepit_jupyter.transport.address import check_address, is_local


@pytest.mark.parametrize(
    "address", ["unix:/a/b.sock", "unix:rel.sock", "localhost:1", "127.0.0.1:65535", "[::1]:5000", "a.example:443"]
)
def test_these_are_addresses(address: str) -> None:
    check_address(address, lowest_port=1)


@pytest.mark.parametrize(
    "address",
    [
        5,
        None,
        b"localhost:1",
        "",
        "unix:",
        "localhost",
        "localhost:",
        "localhost:abc",
        "localhost:-1",
        "localhost:65536",
        "localhost:99999",
        f"localhost:{'1' * 5000}",
        "localhost:\N{ARABIC-INDIC DIGIT FIVE}",
        ":5000",
        "::1:5000",
        "unix-abstract:name",
    ],
)
def test_these_are_none(address: Any) -> None:
    with pytest.raises(InvalidConfig, match="is no address of a bridge") as caught:
        check_address(address, lowest_port=0)
    assert "unix:PATH or HOST:PORT with a port from 0 to 65,535" in caught.value.hint


def test_one_listens_on_port_0_and_does_not_connect_to_it() -> None:
    check_address("localhost:0", lowest_port=0)
    with pytest.raises(InvalidConfig):
        check_address("localhost:0", lowest_port=1)


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("unix:/a/b.sock", True),
        ("localhost:1", True),
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("192.0.2.1:1", False),
        ("localhost.example:1", False),
    ],
)
def test_only_these_are_of_this_machine_alone(address: str, local: bool) -> None:
    assert is_local(address) is local
