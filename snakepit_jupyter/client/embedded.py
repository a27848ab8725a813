"""The bridge that comes with the client: a child process, started by first use, gone with its parent."""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import BridgeStartFailed
from snakepit_jupyter.lifeline import Child, ChildFailed

# A path of a Unix socket has at most 107 bytes (unix(7)), and ours adds "/bridge.sock".
LONGEST_DIRECTORY = 90
START_TIMEOUT = 20.0
STOP_GRACE = 5.0


class EmbeddedBridge:
    """A running bridge.

    Attributes:
        address: where it listens.
        token: the secret it wants.
    """

    def __init__(self, child: Child, directory: Path, address: str, token: str) -> None:
        self._child = child
        self._directory = directory
        self.address = address
        self.token = token

    @classmethod
    async def start(cls, config: Config) -> "EmbeddedBridge":
        """Start one.

        Raises:
            BridgeStartFailed: if it does not come up; with its last lines.
        """
        directory = private_directory()
        token = secrets.token_urlsafe(32)
        told = {
            "directory": str(directory),
            "token": token,
            "config": replace(config, sys_path=search_path()).as_json(),
        }
        environment = {"GRPC_ENABLE_FORK_SUPPORT": "0", "GRPC_VERBOSITY": "ERROR"}
        log = directory / "bridge.log"
        child = await Child.start("snakepit_jupyter.bridge", [], told, environment=environment, log=log)
        try:
            answer = await child.answer(START_TIMEOUT)
        except ChildFailed as error:
            shutil.rmtree(directory, ignore_errors=True)
            hint = f"Its last lines:\n{error.tail.strip()}" if error.tail.strip() else ""
            raise BridgeStartFailed(f"the bridge did not start: {error}", hint=hint) from error
        except asyncio.CancelledError:  # who asked for it was interrupted
            child.kill()
            shutil.rmtree(directory, ignore_errors=True)
            raise
        return cls(child, directory, answer["address"], token)

    @property
    def pid(self) -> int:
        return self._child.pid

    async def died(self) -> int:
        """Wait until its process has ended; its exit code."""
        return await self._child.wait()

    async def stop(self) -> None:
        """End it and its workers; running calls are interrupted and clean up."""
        await self._child.stop(STOP_GRACE)
        await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)


def private_directory() -> Path:
    """A new directory that only this user can enter, short enough for sockets."""
    base = _runtime_directory()
    if base is None or len(str(base)) > LONGEST_DIRECTORY - len("/snakepit-12345678"):
        base = Path(tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix="snakepit-", dir=base))


def _runtime_directory() -> Path | None:
    """Jupyter's runtime directory, if it can be written."""
    from jupyter_core.paths import jupyter_runtime_dir

    path = Path(jupyter_runtime_dir())
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return path if os.access(path, os.W_OK) else None


def search_path() -> tuple[str, ...]:
    """Where the caller itself finds modules: workers look there too. "" is its current directory."""
    return tuple(dict.fromkeys(str(Path(entry or ".").absolute()) for entry in ["", *sys.path]))
