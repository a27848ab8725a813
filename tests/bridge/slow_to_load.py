"""An adapter whose module takes its time, as one does that imports a large library."""

import os
from pathlib import Path

from snakepit_jupyter import BaseAdapter, tool

if gate := os.environ.get("SLOW_TO_LOAD"):
    # Opened for reading it waits for whoever opens the other end.
    Path(gate).read_bytes()


class Slow(BaseAdapter):
    @tool(description="Answer")
    def answer(self) -> int:
        return 42
