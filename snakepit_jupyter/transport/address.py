"""Where a bridge listens: "unix:PATH" or "HOST:PORT"."""

import ipaddress

from snakepit_jupyter.errors import InvalidConfig

HIGHEST_PORT = 65_535


def check_address(address: object, lowest_port: int) -> None:
    """Refuse what is no address.

    Args:
        address: what was given as one.
        lowest_port: 0 to listen, which takes a free port; 1 to connect.

    Raises:
        InvalidConfig: if it is none; says what is allowed.
    """
    if not isinstance(address, str) or not (_is_path(address) or _is_host_and_port(address, lowest_port)):
        raise InvalidConfig(
            f"{address!r} is no address of a bridge",
            hint=f"Write unix:PATH or HOST:PORT with a port from {lowest_port} to {HIGHEST_PORT:,}; "
            "an IPv6 host stands in brackets: [::1]:5000.",
        )


def _is_path(address: str) -> bool:
    return address.startswith("unix:") and len(address) > len("unix:")


def _is_host_and_port(address: str, lowest_port: int) -> bool:
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) <= len(str(HIGHEST_PORT))):
        return False
    # gRPC would read "::1:5000" as a host without a port.
    is_one_host = ":" not in host or (host.startswith("[") and host.endswith("]"))
    return bool(host) and is_one_host and lowest_port <= int(port) <= HIGHEST_PORT


def is_local(address: str) -> bool:
    """Whether only this machine can reach an address."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
