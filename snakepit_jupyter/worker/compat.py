"""Snakepit's own import names, so that its adapters run here unchanged."""

import sys
from types import ModuleType

from snakepit_jupyter.worker import adapter, context, telemetry


def install() -> None:
    """Make `from snakepit_bridge.base_adapter import BaseAdapter, tool` and the like give ours, in this process."""
    package = ModuleType("snakepit_bridge", "Snakepit's Python side, as snakepit_jupyter gives it to its workers.")
    package.__path__ = []
    base_adapter = ModuleType("snakepit_bridge.base_adapter", adapter.__doc__)
    for module in (package, base_adapter):
        module.__dict__.update(BaseAdapter=adapter.BaseAdapter, StreamChunk=adapter.StreamChunk, tool=adapter.tool)
    below = {"base_adapter": base_adapter, "session_context": context, "telemetry": telemetry}
    package.__dict__.update(below, SessionContext=context.SessionContext)
    sys.modules["snakepit_bridge"] = package
    sys.modules.update({f"snakepit_bridge.{name}": module for name, module in below.items()})
