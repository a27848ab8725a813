"""A tool that fails when it is stopped."""

from collections.abc import Iterator
from typing import Any

from snakepit_jupyter import BaseAdapter, tool


class BadEndings(BaseAdapter):
    @tool(description="Yield for ever; at its end raise", supports_streaming=True)
    def fail_at_the_end(self) -> Iterator[dict[str, Any]]:
        try:
            while True:
                yield {"step": 1}
        finally:
            raise RuntimeError("the end fails too")
