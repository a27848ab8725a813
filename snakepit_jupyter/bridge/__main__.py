"""The bridge's process: `python -m snakepit_jupyter.bridge --answer-fd N`, started by a client."""

import argparse
import asyncio
import functools
import os
import shutil
import signal
from pathlib import Path

from snakepit_jupyter.bridge.bridge import open_bridge
from snakepit_jupyter.bridge.grpc import serve
from snakepit_jupyter.config import Config
from snakepit_jupyter.lifeline import Parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m snakepit_jupyter.bridge")
    parser.add_argument("--answer-fd", type=int, required=True, help="where it says that it is ready")
    parent = Parent(parser.parse_args().answer_fd)
    os.umask(0o077)
    asyncio.run(run(parent))


async def run(parent: Parent) -> None:
    """Serve until the parent has gone."""
    directory = Path(parent.config["directory"])
    token = parent.config["token"]
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, gone.set)
    parent.watch(functools.partial(loop.call_soon_threadsafe, gone.set))
    try:
        async with open_bridge(Config.from_json(parent.config["config"]), directory, token) as bridge:
            address = f"unix:{directory / 'bridge.sock'}"
            server = await serve(bridge, address, token)
            parent.answer({"address": address})
            await gone.wait()
            await server.stop(grace=None)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
