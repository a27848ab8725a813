"""What the bridge's conformance suite wants of a worker."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snakepit_jupyter.worker.adapter import BaseAdapter, tool


class BridgeTools(BaseAdapter):
    @tool(description="Give bytes back, backwards")
    def bytes_back(self, blob: bytes) -> bytes:
        return blob[::-1]

    @tool(description="What was said of the session")
    def session_metadata(self) -> dict[str, str]:
        return dict(self.session_context.metadata)

    @tool(description="The call's correlation id")
    def correlation(self) -> str:
        return self.session_context.correlation_id

    @tool(description="Its own final chunk with metadata of its own", supports_streaming=True)
    def own_final(self) -> Iterator[Any]:
        yield {"step": 1}
        yield Item({"answer": 42}, metadata={"worker_id": "mine", "note": "kept"})

    @tool(description="Each kind of item", supports_streaming=True)
    def kinds(self, blob: bytes = b"") -> Iterator[Any]:
        yield from [{"a": 1}, [1, 2], 4.5, "text", None, blob]

    @tool(description="Give an array")
    def give_numbers(self) -> Any:
        import numpy as np

        return np.arange(3)

    @tool(description="Give an array as a chunk", supports_streaming=True)
    def stream_numbers(self) -> Iterator[Any]:
        yield {"numbers": self.give_numbers()}

    @tool(description="Give a value back as a field, and as a whole", supports_streaming=True)
    def give_back(self, value: Any) -> Iterator[Any]:
        yield {"value": value}
        yield [value]

    @tool(description="Note that it runs; until its reader goes", supports_streaming=True)
    def noted(self, began: str, ended: str, size: int = 0, pause: float = 0.005) -> Iterator[dict[str, Any]]:
        try:
            number = 0
            while True:
                number += 1
                yield {"number": number, "text": "x" * size}
                Path(began).write_text(str(number))
                threading.Event().wait(pause)
        finally:
            Path(ended).write_text("ended")

    @tool(description="Call a host tool in the middle of a stream", supports_streaming=True)
    def asks_host(self, name: str, value: Any) -> Iterator[dict[str, Any]]:
        yield {"asking": name}
        yield {"answer": self.session_context.call_elixir_tool(name, value=value)}


class Item:
    """Like upstream's StreamChunk: own data, own finality, own metadata."""

    def __init__(self, data: Any, metadata: dict[str, str]) -> None:
        self.data = data
        self.is_final = True
        self.metadata = metadata
