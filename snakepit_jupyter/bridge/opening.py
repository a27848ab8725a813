"""How the parts of a bridge are put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from snakepit_jupyter.bridge import log
from snakepit_jupyter.bridge.bridge import Bridge
from snakepit_jupyter.bridge.doors import BridgeDoors
from snakepit_jupyter.bridge.telemetry import Hub
from snakepit_jupyter.config import Config
from snakepit_jupyter.pool.local import LocalPool

# Sessions that nobody uses any more are looked for so often, in seconds.
LONGEST_SWEEP = 60.0


@asynccontextmanager
async def open_bridge(config: Config, directory: Path, token: str) -> AsyncIterator[Bridge]:
    """A bridge with a pool of local workers, for as long as the block is entered.

    Args:
        config: its settings.
        directory: a private directory for the workers' sockets.
        token: the secret that the workers want.
    """
    doors = BridgeDoors(directory, token)
    hub = Hub()
    log.attach(hub.emitter)
    pool = LocalPool(config, directory, token, doors, hub)
    bridge = Bridge(pool, config, hub)
    doors.lead_to(bridge)
    pool.open()
    sweeping = asyncio.create_task(_sweep(bridge, config.session_ttl))
    try:
        yield bridge
    finally:
        sweeping.cancel()
        await pool.aclose()
        await hub.aclose()


async def _sweep(bridge: Bridge, ttl: float) -> None:
    while True:
        await asyncio.sleep(min(LONGEST_SWEEP, ttl / 4))
        await bridge.close_expired_sessions()
