"""A bridge that others may reach: `snakepit serve`."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from snakepit_jupyter.client.connection import Connection
from snakepit_jupyter.client.embedded import EmbeddedBridge, Listen, private_directory
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import BridgeStartFailed, InvalidConfig, error_from


async def serve(config: Config, listen: Listen, token_file: Path | None, say: Callable[[str], object]) -> None:
    """Run a bridge until this process is interrupted or terminated.

    Args:
        config: its settings.
        listen: where it is open for others.
        token_file: where its secret is put, for the user's eyes only; by default in a new private directory.
        say: takes the lines that tell where it is.

    Raises:
        BridgeStartFailed, InvalidConfig, WorkerStartFailed: if it does not come up, or ends by itself.
    """
    ended = _end_of_process()
    bridge = await EmbeddedBridge.start(config, listen)
    try:
        await _check_workers(bridge)
        with _secret_in(token_file, bridge.token) as path:
            say(f"listening on {bridge.listening}")
            say(f"token in {path} (metadata of each call: `authorization: Bearer TOKEN`)")
            say(f"in Python: {_connect(bridge.listening, path, listen.certificate)}")
            await _until(ended, bridge)
    finally:
        await bridge.stop()


@contextlib.contextmanager
def _secret_in(token_file: Path | None, secret: str) -> Iterator[Path]:
    """The file with the secret, for as long as the block is entered; what was not written here is left alone."""
    path = token_file or private_directory() / "token"
    try:
        write_secret(path, secret)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
    finally:
        if token_file is None:
            shutil.rmtree(path.parent, ignore_errors=True)


def _connect(address: str, token_file: Path, certificate: str) -> str:
    """The statement that connects to a bridge."""
    given = [_quoted(address), f"token_file={_quoted(str(token_file))}"]
    if certificate:
        given.append(f"certificate={_quoted(certificate)}")
    return f"snakepit_jupyter.connect({', '.join(given)})"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


async def _check_workers(bridge: EmbeddedBridge) -> None:
    """Better no bridge than one whose adapter cannot be imported."""
    connection = Connection(bridge.address, bridge.token)
    try:
        status = await connection.status()
    finally:
        await connection.aclose()
    if status.failure:
        raise error_from(status.failure)


def _end_of_process() -> asyncio.Event:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    return ended


async def _until(ended: asyncio.Event, bridge: EmbeddedBridge) -> None:
    waiting = asyncio.create_task(ended.wait())
    dying = asyncio.create_task(bridge.died())
    await asyncio.wait([waiting, dying], return_when=asyncio.FIRST_COMPLETED)
    died = dying.done() and not waiting.done()
    for task in (waiting, dying):
        task.cancel()
    if died:
        raise BridgeStartFailed("the bridge has ended by itself", hint=bridge.last_words)


def write_secret(path: Path, secret: str) -> None:
    """Put a secret into a file that only this user can read.

    Raises:
        InvalidConfig: if it cannot be written.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{secret}\n")
    except OSError as error:
        raise InvalidConfig(f"the token cannot be written to {path}: {error.strerror}") from error
