"""Tools for the browser tests; copied beside each test's notebook."""

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snakepit_jupyter import BaseAdapter, tool


class ScratchTools(BaseAdapter):
    """Steady, loud, faulty and deadly."""

    @tool(supports_streaming=True)
    def wave(self, steps: int = 10_000, pause: float = 0.05) -> Iterator[dict[str, Any]]:
        """A number at each step; leaves a file behind when it ends, however it ends."""
        try:
            for step in range(1, steps + 1):
                yield {"step": step, "total": steps, "height": math.sin(step / 10)}
                time.sleep(pause)
        finally:
            Path("cleaned-up.txt").write_text("yes")

    @tool(supports_streaming=True)
    def chatter(self, steps: int = 40, lines: int = 500) -> Iterator[dict[str, Any]]:
        """So many lines at each step."""
        for step in range(1, steps + 1):
            for line in range(lines):
                print(f"step {step}, line {line}")  # noqa: T201  what a tool prints is its log
            yield {"step": step, "total": steps, "lines": step * lines}
            time.sleep(0.05)

    @tool(supports_streaming=True)
    def fail(self) -> Iterator[dict[str, Any]]:
        """Raises after its first chunk."""
        yield {"step": 1}
        raise ValueError("the scratch is too deep")

    @tool(supports_streaming=True)
    def die(self) -> Iterator[dict[str, Any]]:
        """Takes its worker along after its first chunk."""
        yield {"step": 1}
        os._exit(3)
