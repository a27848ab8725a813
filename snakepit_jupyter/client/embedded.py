"""The bridge that comes with the client: a child process, started by first use, gone with its parent."""

import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import failure_from_pb
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import BridgeStartFailed, InvalidConfig, error_from
from snakepit_jupyter.lifeline import Child, ChildFailed

# A path of a Unix socket has at most 107 bytes (unix(7)), and ours adds "/bridge.sock".
LONGEST_DIRECTORY = 90
START_TIMEOUT = 20.0
# Where its log goes, if not into its own directory, which goes with it.
LOG_FILE = "SNAKEPIT_LOG_FILE"
# Seconds for the bridge and its workers to go; one that is not ours may take six of them.
STOP_GRACE = 8.0


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a bridge is open for others.

    Args:
        address: "unix:PATH" or "HOST:PORT"; port 0 takes a free one.
        certificate: a PEM file with its certificate, for TLS.
        key: a PEM file with the certificate's key.

    Raises:
        InvalidConfig: if one of the two files is given without the other.
    """

    address: str
    certificate: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise InvalidConfig(
                f"there is a {'certificate without its key' if self.certificate else 'key without its certificate'}",
                hint="Give both: --tls-certificate and --tls-key.",
            )


class EmbeddedBridge:
    """A running bridge.

    Attributes:
        address: where it listens for its own client.
        listening: where it listens for others, if it was told to; else the same.
        token: the secret it wants.
    """

    def __init__(self, child: Child, directory: Path, answer: Mapping[str, str], token: str) -> None:
        self._child = child
        self._directory = directory
        self.address = answer["address"]
        self.listening = answer["listening"]
        self.token = token

    @classmethod
    async def start(cls, config: Config, listen: Listen | None = None) -> "EmbeddedBridge":
        """Start one.

        Args:
            config: its settings.
            listen: where others may reach it as well.

        Raises:
            BridgeStartFailed: if it does not come up; with its last lines.
            InvalidConfig: if it cannot listen there.
        """
        directory = private_directory()
        token = secrets.token_urlsafe(32)
        told = {
            "directory": str(directory),
            "token": token,
            "config": replace(config, sys_path=search_path()).as_json(),
            "listen": asdict(listen) if listen else None,
        }
        environment = {"GRPC_ENABLE_FORK_SUPPORT": "0", "GRPC_VERBOSITY": "ERROR"}
        log = Path(os.environ.get(LOG_FILE) or directory / "bridge.log")
        child = await Child.start("snakepit_jupyter.bridge", [], told, environment=environment, log=log)
        try:
            answer = await child.answer(START_TIMEOUT)
        except ChildFailed as error:
            shutil.rmtree(directory, ignore_errors=True)
            if said := error.answer.get("failure"):
                raise error_from(failure_from_pb(pb.Failure.FromString(bytes.fromhex(said)))) from error
            hint = f"Its last lines:\n{error.tail.strip()}" if error.tail.strip() else ""
            raise BridgeStartFailed(f"the bridge did not start: {error}", hint=hint) from error
        except asyncio.CancelledError:  # who asked for it was interrupted
            child.kill()
            shutil.rmtree(directory, ignore_errors=True)
            raise
        return cls(child, directory, answer, token)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def last_words(self) -> str:
        """The last lines of its log."""
        return self._child.tail.strip()

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
