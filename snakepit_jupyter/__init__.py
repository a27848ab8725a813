"""Long-running Python work started from a notebook: seen live, stopped for real, never lost.

    import snakepit_jupyter as snakepit

    %load_ext snakepit_jupyter          # in a notebook: %%snakepit_stream and %snakepit

The names below are loaded at their first use, so that importing the package costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snakepit_jupyter.client.aio import AsyncClient
    from snakepit_jupyter.client.calls import ToolReplaced
    from snakepit_jupyter.client.default import (
        connect,
        execute,
        execute_in_session,
        execute_in_session_stream,
        execute_stream,
        host_tool,
        list_tools,
        register_host_tool,
        session,
        start,
        status,
        stop,
        subscribe,
    )
    from snakepit_jupyter.client.run import Run
    from snakepit_jupyter.client.sync import Client, Session
    from snakepit_jupyter.errors import (
        AlreadyStarted,
        BridgeStartFailed,
        ChunksLost,
        GrpcUnavailable,
        InvalidBinaryParameter,
        InvalidConfig,
        InvalidParameter,
        PoolSaturated,
        ProgramQuotaExceeded,
        QuotaExceeded,
        RunNotFound,
        RunStopped,
        SessionNotFound,
        SessionQuotaExceeded,
        SessionWorkerUnavailable,
        SnakepitError,
        StreamingNotSupported,
        StreamingRequired,
        ToolError,
        ToolNotFound,
        Unavailable,
        UnserializableValue,
        UsageError,
        WorkerBusy,
        WorkerCrashed,
        WorkerStartFailed,
        WorkerTimeout,
    )
    from snakepit_jupyter.telemetry import Event
    from snakepit_jupyter.worker.adapter import BaseAdapter, StreamChunk, tool

__version__ = "0.1.0"

__all__ = [
    "AlreadyStarted",
    "AsyncClient",
    "BaseAdapter",
    "BridgeStartFailed",
    "ChunksLost",
    "Client",
    "Event",
    "GrpcUnavailable",
    "InvalidBinaryParameter",
    "InvalidConfig",
    "InvalidParameter",
    "PoolSaturated",
    "ProgramQuotaExceeded",
    "QuotaExceeded",
    "Run",
    "RunNotFound",
    "RunStopped",
    "Session",
    "SessionNotFound",
    "SessionQuotaExceeded",
    "SessionWorkerUnavailable",
    "SnakepitError",
    "StreamChunk",
    "StreamingNotSupported",
    "StreamingRequired",
    "ToolError",
    "ToolNotFound",
    "ToolReplaced",
    "Unavailable",
    "UnserializableValue",
    "UsageError",
    "WorkerBusy",
    "WorkerCrashed",
    "WorkerStartFailed",
    "WorkerTimeout",
    "connect",
    "execute",
    "execute_in_session",
    "execute_in_session_stream",
    "execute_stream",
    "host_tool",
    "list_tools",
    "load_ipython_extension",
    "register_host_tool",
    "session",
    "start",
    "status",
    "stop",
    "subscribe",
    "tool",
    "unload_ipython_extension",
]

_ELSEWHERE = {
    "client.aio": ("AsyncClient",),
    "client.calls": ("ToolReplaced",),
    "client.default": (
        "connect",
        "execute",
        "execute_in_session",
        "execute_in_session_stream",
        "execute_stream",
        "host_tool",
        "list_tools",
        "register_host_tool",
        "session",
        "start",
        "status",
        "stop",
        "subscribe",
    ),
    "client.run": ("Run",),
    "client.sync": ("Client", "Session"),
    "telemetry": ("Event",),
    "worker.adapter": ("BaseAdapter", "StreamChunk", "tool"),
}
_HOME = {name: module for module, names in _ELSEWHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOME.get(name, 'errors')}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext snakepit_jupyter`."""
    from snakepit_jupyter.magics import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """`%unload_ext snakepit_jupyter`."""
    from snakepit_jupyter.magics import unload

    unload(ipython)
