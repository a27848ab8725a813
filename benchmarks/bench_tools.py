"""The tools that the measurements run."""

import time
from collections.abc import Iterator
from typing import Any

from snakepit_jupyter import BaseAdapter, tool


class BenchTools(BaseAdapter):
    """Generators of a known pace."""

    @tool(description="Small dicts as fast as they come", supports_streaming=True)
    def small_dicts(self, count: int) -> Iterator[dict[str, Any]]:
        for number in range(1, count + 1):
            yield {"a": number, "b": "x", "is_final": number == count}

    @tool(description="So many chunks a second", supports_streaming=True)
    def paced(self, per_second: float, seconds: float) -> Iterator[dict[str, Any]]:
        started = time.perf_counter()
        for number in range(int(per_second * seconds)):
            ahead = started + number / per_second - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
            yield {"step": number, "loss": 1 / (number + 1), "total": int(per_second * seconds)}

    @tool(description="Compute in pure Python, a chunk for each step of about a millisecond", supports_streaming=True)
    def computing(self, seconds: float) -> Iterator[dict[str, Any]]:
        started = time.perf_counter()
        steps = 0
        while (elapsed := time.perf_counter() - started) < seconds:
            sum(number * number for number in range(20_000))
            steps += 1
            yield {"steps": steps}
        yield {"steps_per_second": steps / elapsed, "is_final": True}
