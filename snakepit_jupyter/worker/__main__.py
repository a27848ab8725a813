"""A worker's process: `python -m snakepit_jupyter.worker ID --answer-fd N`, started by a pool."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from snakepit_jupyter import tracing
from snakepit_jupyter.codecs.protobuf import failure_to_pb, tool_to_pb
from snakepit_jupyter.errors import describe
from snakepit_jupyter.lifeline import Parent
from snakepit_jupyter.worker import compat
from snakepit_jupyter.worker.catalog import Catalog, load_catalog
from snakepit_jupyter.worker.host import HostTools
from snakepit_jupyter.worker.job import OURS
from snakepit_jupyter.worker.link import BridgeLink
from snakepit_jupyter.worker.peer import PeerService
from snakepit_jupyter.worker.runtime import Runtime
from snakepit_jupyter.worker.server import ServerThread

BUILTIN = ("snakepit_jupyter.adapters.demo:DemoAdapter", "snakepit_jupyter.adapters.training:TrainingAdapter")
# What a tool has for its clean-up when the parent has gone, in seconds.
LAST_GRACE = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m snakepit_jupyter.worker")
    parser.add_argument("worker_id", help="its name in lists of processes")
    parser.add_argument("--answer-fd", type=int, required=True, help="where it says that it is ready")
    parent = Parent(parser.parse_args().answer_fd)
    config = parent.config
    sys.path.extend(path for path in config["sys_path"] if path not in sys.path)
    compat.install()
    try:
        runtime, catalog = _open(config)
    except Exception as error:
        parent.answer({"failure": failure_to_pb(describe(error, OURS)).SerializeToString().hex()})
        sys.exit(1)
    parent.watch(lambda: _leave(runtime))
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=_leave, args=(runtime,)).start())
    parent.answer(
        {
            "tools": [tool_to_pb(tool.info).SerializeToString().hex() for tool in catalog.tools.values()],
            "notices": catalog.notices,
        }
    )
    runtime.serve()
    _exit()


def _open(config: dict[str, Any]) -> tuple[Runtime, Catalog]:
    catalog = load_catalog(BUILTIN, config["adapters"])
    tracing.configure_worker()
    link = _link(config.get("bridge") or {})
    runtime = Runtime(catalog, HostTools(link) if link else None)
    ServerThread(runtime, config["address"], config["token"], PeerService(runtime, link)).start()
    return runtime, catalog


def _link(bridge: Mapping[str, str]) -> BridgeLink | None:
    return BridgeLink(bridge["address"], bridge["token"]) if bridge else None


def _leave(runtime: Runtime) -> None:
    """End the running call, let it clean up, and go."""
    runtime.stop()
    threading.Event().wait(LAST_GRACE)
    _exit()


def _exit() -> None:
    """Go, and take along what the tools started: a worker leads its process group."""
    tracing.flush()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGTERM)  # our own handler only notes it: there is no time left to run it
    os._exit(0)


if __name__ == "__main__":
    main()
