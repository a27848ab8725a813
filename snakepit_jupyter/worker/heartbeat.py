"""The heartbeat of a worker that another process's bridge has started: section 12 of the wire contract."""

import asyncio
import json
import logging
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.worker.link import BridgeLink

YES = {"1", "true", "t", "yes", "y", "on"}
# A heart that beats faster would do nothing else.
SHORTEST_INTERVAL = 0.01
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """How a worker beats, with the names that its bridge gives in JSON. All times are milliseconds.

    Args:
        enabled: whether it beats at all.
        interval_ms: from one beat to the next.
        timeout_ms: how long an answer may take.
        max_missed_heartbeats: how many in a row may fail.
        initial_delay_ms: before the first beat.
        jitter_ms: what is added to the interval at most, by chance.
        dependent: whether the worker ends when that many have failed.
    """

    enabled: bool = True
    interval_ms: int = 2000
    timeout_ms: int = 10_000
    max_missed_heartbeats: int = 3
    initial_delay_ms: int = 0
    jitter_ms: int = 0
    dependent: bool = True

    def changed_by(self, said: Mapping[str, Any]) -> "HeartbeatSettings":
        """These settings with others in their place; camelCase is read too, and what makes no sense is not."""
        known = {_snake_case(name): value for name, value in said.items()}
        settings = self
        for field in fields(self):
            value = _read(field.type, known[field.name]) if field.name in known else None
            if value is not None:
                settings = replace(settings, **{field.name: value})
        return settings

    def changed_by_json(self, text: str) -> "HeartbeatSettings":
        """The same for a text that should be a JSON object."""
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            log.warning("the heartbeat's settings are no JSON object; they are ignored")
            return self
        return self.changed_by(said)


def _snake_case(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", name)


def _read(kind: Any, value: Any) -> Any:
    """A setting's value; None if it is none."""
    if kind is bool:
        return value.strip().lower() in YES if isinstance(value, str) else bool(value)
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number >= 0 else None


async def beat(link: BridgeLink, session_id: str, settings: HeartbeatSettings) -> None:
    """Beat for a session; returns when the bridge has missed too many in a row and the worker depends on it.

    What the answer says of the session makes no difference, as in upstream: it is asked for once, at its first call.
    """
    await asyncio.sleep(settings.initial_delay_ms / 1000)
    missed = 0
    while True:
        missed = 0 if await _answered(link, session_id, settings) else missed + 1
        if missed >= max(1, settings.max_missed_heartbeats):
            log.error("the bridge has missed %d heartbeats of the session %r", missed, session_id)
            if settings.dependent:
                return
            missed = 0
        jitter = random.uniform(0, settings.jitter_ms)  # noqa: S311  # spreads beats, guards nothing
        await asyncio.sleep(max(SHORTEST_INTERVAL, (settings.interval_ms + jitter) / 1000))


async def _answered(link: BridgeLink, session_id: str, settings: HeartbeatSettings) -> bool:
    now = Timestamp()
    now.GetCurrentTime()
    request = bridge_pb.HeartbeatRequest(session_id=session_id, client_time=now)
    try:
        await link.peer.Heartbeat(request, timeout=settings.timeout_ms / 1000, metadata=link.headers())
    except grpc.aio.AioRpcError:
        return False
    return True
