"""Tools that tell of their work."""

import threading
from collections.abc import AsyncIterator, Iterator

from snakepit_bridge import telemetry  # type: ignore[import-not-found]

from snakepit_jupyter import BaseAdapter, tool


class Telling(BaseAdapter):
    """Tools that emit events and spans."""

    @tool(description="Tell of one thing")
    def tell(self, name: str = "thing.done", password: str = "") -> str:
        telemetry.emit(name, {"count": 3}, {"password": password, "note": f"token={password}"})
        return str(telemetry.get_correlation_id())

    @tool(description="Tell of a piece of work, in a thread too")
    def work(self) -> None:
        with telemetry.span("work", {"kind": "all"}):
            thread = threading.Thread(target=telemetry.emit, args=["work.part"])
            thread.start()
            thread.join()

    @tool(description="Tell of each chunk", supports_streaming=True)
    def count(self, to: int = 3) -> Iterator[dict[str, int]]:
        with telemetry.span("counting"):
            for number in range(1, to + 1):
                telemetry.emit("counted", {"number": number})
                yield {"number": number}

    @tool(description="Tell of each chunk, awaited", supports_streaming=True)
    async def count_awaited(self, to: int = 3) -> AsyncIterator[dict[str, int]]:
        async with telemetry.span("counting"):
            for number in range(1, to + 1):
                telemetry.emit("counted", {"number": number})
                yield {"number": number}

    @tool(description="Go on until it is stopped", supports_streaming=True)
    def go_on(self) -> Iterator[dict[str, int]]:
        with telemetry.span("going"):
            while True:
                yield {}

    @tool(description="The trace it runs in")
    def traced(self) -> dict[str, str]:
        from opentelemetry import trace

        context = trace.get_current_span().get_span_context()
        return {
            "trace": format(context.trace_id, "032x"),
            "label": self.session_context.request_metadata["traceparent"],
        }

    @tool(description="Fail")
    def fail(self) -> None:
        with telemetry.span("work"):
            raise ValueError("content")

    @tool(description="Tell of very much")
    def flood(self, events: int) -> None:
        for number in range(events):
            telemetry.emit("flood", {"number": number})
