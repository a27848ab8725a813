"""The command line of a stand-alone worker: section 13.1 of the wire contract."""

import argparse
from collections.abc import Mapping, Sequence

from snakepit_jupyter.worker.heartbeat import HeartbeatSettings

ADDRESS_VARIABLES = ("SNAKEPIT_GRPC_ADDRESS", "SNAKEPIT_ELIXIR_ADDRESS")
HEARTBEAT_FLAGS = {
    "interval-ms": "interval_ms",
    "timeout-ms": "timeout_ms",
    "max-missed": "max_missed_heartbeats",
    "initial-delay-ms": "initial_delay_ms",
}


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """The command line. `heartbeat` holds its settings, after those of the environment.

    Raises:
        SystemExit: with 2 if it is wrong.
    """
    parser = argparse.ArgumentParser(prog="grpc_server.py", allow_abbrev=False)
    parser.add_argument("--adapter", help="package.module.Class")
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument(
        "--elixir-address", default=_address_in(environment), help="of the bridge: host:port, unix:/path"
    )
    for word in ("run-id", "instance-name", "instance-token"):
        parser.add_argument(f"--snakepit-{word}", default="", help="for lists of processes")
    _add_heartbeat(parser)
    parser.add_argument("--health-check", action="store_true", help="load everything, start nothing")
    options = parser.parse_args(arguments)
    if not options.health_check and not options.adapter:
        parser.error("--adapter is required")
    if not options.health_check and not options.elixir_address:
        parser.error(f"--elixir-address is required, or {ADDRESS_VARIABLES[0]}")
    options.heartbeat = _heartbeat(options, environment)
    return options


def _address_in(environment: Mapping[str, str]) -> str:
    return next(filter(None, map(environment.get, ADDRESS_VARIABLES)), "")


def _add_heartbeat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--heartbeat-enabled", dest="enabled", action="store_true", default=None)
    for flag, name in HEARTBEAT_FLAGS.items():
        parser.add_argument(f"--heartbeat-{flag}", dest=name, type=int)
    parser.add_argument("--heartbeat-dependent", dest="dependent", action="store_true", default=None)
    parser.add_argument("--heartbeat-independent", dest="dependent", action="store_false")


def _heartbeat(options: argparse.Namespace, environment: Mapping[str, str]) -> HeartbeatSettings:
    names = ("enabled", "dependent", *HEARTBEAT_FLAGS.values())
    said = {name: value for name in names if (value := getattr(options, name)) is not None}
    settings = HeartbeatSettings().changed_by(said)
    text = environment.get("SNAKEPIT_HEARTBEAT_CONFIG", "")
    return settings.changed_by_json(text) if text else settings
