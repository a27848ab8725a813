"""A worker that a foreign bridge has started: section 13 of the wire contract.

It waits for the bridge, loads the one adapter, listens, says on which port, and works until a signal comes or the
bridge's heartbeats are lost. Exit codes: 0 after a signal, 1 if it could not start, 2 for a wrong command line.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import grpc.aio

from snakepit_jupyter import tracing
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.errors import InvalidConfig
from snakepit_jupyter.transport.options import CHANNEL_OPTIONS
from snakepit_jupyter.worker import compat
from snakepit_jupyter.worker.catalog import load_adapter, load_catalog
from snakepit_jupyter.worker.command_line import parse
from snakepit_jupyter.worker.echo import Echo
from snakepit_jupyter.worker.link import BridgeLink
from snakepit_jupyter.worker.peer import PeerService
from snakepit_jupyter.worker.peer_host import PeerHost
from snakepit_jupyter.worker.peer_sessions import PeerSessions
from snakepit_jupyter.worker.runtime import Runtime
from snakepit_jupyter.worker.server import ServerThread
from snakepit_jupyter.worker.telemetry import EMITTER

YES = {"1", "true", "yes", "on"}
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
SILENT = logging.CRITICAL + 1
# Anybody on this machine may send a request: it is not to take all its memory.
LARGEST_MESSAGE = 100 * 1024 * 1024
OPTIONS = {
    **dict(CHANNEL_OPTIONS),
    "grpc.max_send_message_length": LARGEST_MESSAGE,
    "grpc.max_receive_message_length": LARGEST_MESSAGE,
}
# How often the bridge is asked whether it is there, and how long it may take, in seconds.
TRIES = 60
PING_TIMEOUT = 1.0
FIRST_DELAY, LONGEST_DELAY = 0.05, 2.0
# What a tool has for its clean-up after a signal, in seconds; the bridge kills after 6.
LAST_GRACE = 3.0
# What replies have to be sent, in seconds.
SENDING = 1.0
# What the tools' last lines have to be written, in seconds.
PRINTING = 0.2
FORMAT = "%(asctime)s %(levelname)s %(name)s [%(correlation_id)s]: %(message)s"
log = logging.getLogger("snakepit_jupyter")


def main() -> NoReturn:
    options = parse(sys.argv[1:], os.environ)
    _log_to_stderr(os.environ.get("SNAKEPIT_LOG_LEVEL", ""))
    compat.install()
    if options.health_check:
        sys.exit(_health(options.adapter))
    if os.environ.get("SNAKEPIT_PROCESS_GROUP", "").lower() in YES:
        _lead_a_group()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    if not asyncio.run(bridge_answers(options.elixir_address)):
        log.error("the bridge at %s does not answer", options.elixir_address)
        sys.exit(1)
    try:
        _work(options)
    except InvalidConfig as error:
        log.error("%s. %s", error.message, error.hint)  # noqa: TRY400  # the hint has the traceback, if one helps
    except (OSError, RuntimeError):
        log.exception("the worker cannot start")
    os._exit(1)


def _log_to_stderr(level: str) -> None:
    """Our own lines go to the real standard error, which the tools' output never takes over."""
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(logging.Formatter(FORMAT, defaults={"correlation_id": "-"}))
    log.addHandler(handler)
    log.propagate = False
    chosen = SILENT if level.lower() == "none" else LEVELS.get(level.lower(), logging.ERROR)
    log.setLevel(chosen)
    logging.getLogger().setLevel(chosen)


def _health(adapter: str | None) -> int:
    try:
        load_adapter(adapter or "snakepit_jupyter.adapters.demo:DemoAdapter")
    except InvalidConfig as error:
        log.error("%s. %s", error.message, error.hint)  # noqa: TRY400
        return 1
    return 0


def _lead_a_group() -> None:
    try:
        os.setsid()
    except OSError:  # it leads one already
        log.debug("this process leads its group already")


async def bridge_answers(address: str) -> bool:
    """Whether the bridge answers; asks it for about two minutes, more and more rarely."""
    delay = FIRST_DELAY
    for _ in range(TRIES):
        if await _ping(address):
            return True
        await asyncio.sleep(delay)
        delay = min(2 * delay, LONGEST_DELAY)
    return False


async def _ping(address: str) -> bool:
    link = BridgeLink(address)  # a new channel each time: a refused one waits longer and longer by itself
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await link.peer.Ping(bridge_pb.PingRequest(message="connection_test"))
    except (TimeoutError, grpc.aio.AioRpcError):
        return False
    else:
        return True
    finally:
        await link.aclose()


def _work(options: argparse.Namespace) -> NoReturn:
    """Serve until a signal.

    Raises:
        InvalidConfig: if the adapter cannot be loaded.
        RuntimeError: if it cannot listen.
        OSError: if it cannot say that it is ready.
    """
    catalog = load_catalog((), [options.adapter])
    tracing.configure_worker()
    link = BridgeLink(options.elixir_address)
    runtime = Runtime(catalog, PeerHost(link))
    tools = [tool.info for tool in catalog.tools.values()]
    sessions = PeerSessions(link, tools, options.heartbeat, lost=lambda: os.kill(os.getpid(), signal.SIGTERM))
    echo = Echo()
    face = PeerService(runtime, link, sessions, echo)
    server = ServerThread(runtime, f"127.0.0.1:{options.port}", peer=face, options=tuple(OPTIONS.items()))
    port = server.start()
    leave = _Leaving(runtime, server, echo)
    signal.signal(signal.SIGTERM, lambda *_: leave())
    _watch_signals(runtime, leave)
    announce(port, os.environ.get("SNAKEPIT_READY_FILE", ""))
    runtime.serve()
    leave.at_last()


def _watch_signals(runtime: Runtime, leave: Callable[[], None]) -> None:
    """Hear of signals at once: Python's own handlers wait for the main thread, which may be about to fall asleep."""
    hears, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def watch() -> None:
        while True:
            for number in os.read(hears, 64):
                if number == signal.SIGTERM or (number == signal.SIGINT and not runtime.is_own_interrupt()):
                    leave()

    threading.Thread(target=watch, name="signals", daemon=True).start()


def announce(port: int, ready_file: str) -> None:
    """Write the port, whole or not at all, to where the bridge looks for it.

    Raises:
        OSError: if it cannot be written.
    """
    if not ready_file:
        return
    unfinished = Path(f"{ready_file}.tmp")
    with unfinished.open("w") as file:
        file.write(str(port))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(ready_file)


class _Leaving:
    """What a signal that ends the worker does, once."""

    def __init__(self, runtime: Runtime, server: ServerThread, echo: Echo) -> None:
        self._runtime = runtime
        self._server = server
        self._echo = echo
        self._begun = False

    def __call__(self) -> None:
        if not self._begun:
            self._begun = True
            threading.Thread(target=self._leave, daemon=True).start()

    def _leave(self) -> None:
        """Let the running tool clean up, then go, however it likes that."""
        try:
            self._runtime.stop()
            threading.Event().wait(LAST_GRACE)
        finally:
            self.at_last()

    def at_last(self) -> NoReturn:
        """Let what has been said arrive, and go, whatever happens."""
        try:
            EMITTER.close()
            self._server.stop(SENDING)
            self._echo.flush(PRINTING)
            tracing.flush()
        finally:
            if os.getpgrp() == os.getpid():  # what the tools started goes along
                os.killpg(0, signal.SIGTERM)
            os._exit(0)
