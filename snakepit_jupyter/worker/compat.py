"""Snakepit's own import names, so that its adapters run here unchanged."""

import sys
from types import ModuleType

from snakepit_jupyter.worker import adapter


def install() -> None:
    """Make `from snakepit_bridge.base_adapter import BaseAdapter, tool` give ours, in this process."""
    package = ModuleType("snakepit_bridge", "Snakepit's Python side, as snakepit_jupyter gives it to its workers.")
    package.__path__ = []
    base_adapter = ModuleType("snakepit_bridge.base_adapter", adapter.__doc__)
    for module in (package, base_adapter):
        module.__dict__.update(BaseAdapter=adapter.BaseAdapter, tool=adapter.tool)
    package.__dict__["base_adapter"] = base_adapter
    sys.modules["snakepit_bridge"] = package
    sys.modules["snakepit_bridge.base_adapter"] = base_adapter
