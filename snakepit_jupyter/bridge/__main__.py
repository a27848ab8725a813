"""The bridge's process: `python -m snakepit_jupyter.bridge --answer-fd N`, started by a client."""

import argparse
import asyncio
import functools
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from snakepit_jupyter.bridge import log
from snakepit_jupyter.bridge.doors import SOCKET
from snakepit_jupyter.bridge.opening import open_bridge
from snakepit_jupyter.bridge.server import Tls, serve
from snakepit_jupyter.codecs.protobuf import failure_to_pb
from snakepit_jupyter.config import Config
from snakepit_jupyter.errors import InvalidConfig, SnakepitError
from snakepit_jupyter.lifeline import Parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m snakepit_jupyter.bridge")
    parser.add_argument("--answer-fd", type=int, required=True, help="where it says that it is ready")
    parent = Parent(parser.parse_args().answer_fd)
    os.umask(0o077)
    log.configure()
    asyncio.run(run(parent))


async def run(parent: Parent) -> None:
    """Serve until the parent has gone."""
    directory = Path(parent.config["directory"])
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, gone.set)
    parent.watch(functools.partial(loop.call_soon_threadsafe, gone.set))
    try:
        await _serve(parent, directory, gone)
    except SnakepitError as error:
        parent.answer({"failure": failure_to_pb(error.failure()).SerializeToString().hex()})
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _serve(parent: Parent, directory: Path, gone: asyncio.Event) -> None:
    """Listen in the private directory, and where else the parent says, until it is gone."""
    token, listen = parent.config["token"], parent.config.get("listen")
    async with open_bridge(Config.from_json(parent.config["config"]), directory, token) as bridge:
        servers = [await serve(bridge, f"unix:{directory / SOCKET}", token)]
        if listen:
            servers.append(await serve(bridge, listen["address"], token, _tls(listen)))
        parent.answer({"address": servers[0].address, "listening": servers[-1].address})
        await gone.wait()
        await asyncio.gather(*(server.grpc.stop(grace=None) for server in servers))


def _tls(listen: Mapping[str, str]) -> Tls | None:
    if not listen.get("certificate"):
        return None
    return Tls(_read(listen["certificate"]), _read(listen["key"]))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidConfig(f"{path} cannot be read: {error.strerror}") from error


if __name__ == "__main__":
    main()
