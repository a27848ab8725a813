"""What the client's two faces share: settings, timeouts, and how an answer reaches the caller."""

import asyncio
import inspect
import re
import ssl
import sys
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from snakepit_jupyter.client.connection import Answer, CallFailed
from snakepit_jupyter.client.core import Core, Remote
from snakepit_jupyter.client.given import check_text
from snakepit_jupyter.client.host_tools import HostTool
from snakepit_jupyter.client.portal import portal
from snakepit_jupyter.client.reading import value_of
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import InvalidConfig
from snakepit_jupyter.messages import Call, Chunk, ChunkKind, Status, ToolInfo
from snakepit_jupyter.transport.address import check_address

Arguments = Mapping[str, Any]
Binary = Mapping[str, bytes | bytearray | memoryview]
Callback = Callable[[dict[str, Any]], object]
Outcome = Answer | CallFailed

CALL_TIMEOUT = 30.0
STREAM_TIMEOUT = 300.0
# What may stand in a header of gRPC.
TOKEN = re.compile(r"[!-~]([ -~]*[!-~])?")
# What `start` and the clients accept beside the number of workers and the adapters; `Config` says what each is.
SETTINGS = {field.name for field in fields(Config)} - {"pool_size", "adapters", "sys_path"}


class ToolReplaced(UserWarning):
    """A tool of the user's takes the place of another of the same name."""


def config_of(pool_size: int | None, adapters: Sequence[str] | None, settings: Mapping[str, Any]) -> Config:
    """Settings as the user gave them, checked; what is None was not given."""
    unknown = set(settings) - SETTINGS
    if unknown:
        raise InvalidConfig(f"there is no setting {min(unknown)!r}", hint=f"There are: {', '.join(sorted(SETTINGS))}.")
    given: dict[str, Any] = {"pool_size": pool_size, "adapters": adapters, **settings}
    return Config(**{name: value for name, value in given.items() if value is not None})


def wanted(core: Core, pool_size: int | None, adapters: Sequence[str] | None, settings: Mapping[str, Any]) -> Config:
    """The settings that `start` is given; without any, those the client was made with."""
    if pool_size is None and adapters is None and not settings:
        return core.config
    return config_of(pool_size, adapters, settings)


def say(status: Status) -> Status:
    """Warn the caller of `start` of what is to be said once."""
    for notice in status.notices:
        warnings.warn(notice, ToolReplaced, stacklevel=3)
    return status


def remote_of(address: str, token: str | None, token_file: str | Path | None, certificate: str | Path | None) -> Remote:
    """A bridge that somebody else runs, as the user names it.

    Args:
        address: "unix:PATH" or "HOST:PORT".
        token: its secret, or
        token_file: the file that holds it.
        certificate: if it speaks TLS, a PEM file with what its certificate is signed by; "" for the authorities that
            this machine trusts.

    Raises:
        InvalidConfig: if the address or token is missing or none, or a file cannot be read.
    """
    check_address(address, lowest_port=1)
    if (token is None) == (token_file is None):
        raise InvalidConfig("give the bridge's token, or the file that holds it", hint="token=… or token_file=….")
    secret = token if token_file is None else _read(token_file).decode(errors="replace").strip()
    if not isinstance(secret, str) or not TOKEN.fullmatch(secret):
        where = "the token" if token_file is None else f"what {token_file} holds"
        hint = "It is one line of ASCII, without blanks around it; `snakepit serve` says where it lies."
        raise InvalidConfig(f"{where} is no token of a bridge", hint=hint)
    return Remote(address, secret, None if certificate is None else _authority(certificate))


def _authority(certificate: str | Path) -> bytes:
    """The certificates to trust, as PEM text."""
    if certificate == "":
        return _trusted_here()
    text = _read(certificate)
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise InvalidConfig(f"there is no certificate in {certificate}", hint="It is a file in the PEM format.")
    return text


def _trusted_here() -> bytes:
    """What this machine trusts, or $SSL_CERT_FILE says; gRPC itself would look at nothing but its own list."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return _read(paths.cafile)
    return b"\n".join(map(_read, sorted(Path(paths.capath).glob("*.[0-9]")))) if paths.capath else b""


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}") from error
    except (TypeError, ValueError, RuntimeError) as error:  # no path, a NUL in it, a home that nobody has
        raise InvalidConfig(f"{path!r} is no file: {error}") from error


def host_tool(function: Callable[..., Any], name: str | None, description: str, session_id: str) -> HostTool:
    """A function as it is offered to workers.

    Raises:
        InvalidParameter: if it is none, or the name is none.
    """
    said = description or (inspect.getdoc(function) or "").partition("\n")[0]
    called = str(getattr(function, "__name__", "")) if name is None or name == "" else name
    return HostTool(called, function, said, session_id)


def by_name(status: Status) -> tuple[ToolInfo, ...]:
    return tuple(sorted(status.tools, key=lambda tool: tool.name))


def session_id_of(given: str | None) -> str:
    """The id of a session for a block; a new one if none is given."""
    chosen = f"s-{uuid.uuid4().hex[:12]}" if given is None or given == "" else given
    check_text(chosen, "session_id", "the session's id")
    return chosen


@contextmanager
def abandoned_if_interrupted(core: Core, call: Call) -> Iterator[None]:
    """While a run is being started: who is interrupted never has its handle, and the bridge may have it already."""
    try:
        yield
    except (KeyboardInterrupt, asyncio.CancelledError):
        portal().spawn(core.abandon(call))
        raise


async def outcome_of(core: Core, call: Call) -> Outcome:
    """The answer or the failure: what was printed is shown on the caller's side in both cases."""
    try:
        return await core.execute(call)
    except CallFailed as failed:
        return failed


def settle(outcome: Outcome) -> Any:
    """Show what a call printed; its result, or its error raised."""
    for chunk in outcome.output:
        print_text(chunk)
    if isinstance(outcome, CallFailed):
        raise outcome.error
    return value_of(outcome.data, outcome.encoding)


def print_text(chunk: Chunk) -> None:
    """Show what a tool printed where the caller's own prints go."""
    stream = sys.stdout if chunk.kind is ChunkKind.STDOUT else sys.stderr
    stream.write(f"{chunk.text}\n")
