"""What is told of the work while it goes on: one kind of event, who wants which, and how it reaches a reader.

    emitter = Emitter()
    tap = emitter.attach()
    emitter.emit("tool.execution.start", lambda: Event.of("tool.execution.start", {"count": 1}, {"tool": "add"}))
    async for event in tap: ...

Telling is done in the middle of a user's work, on any thread: it never waits and never raises, and an event is
made only if somebody wants it. Events that find no room are dropped and counted.
"""

from snakepit_jupyter.telemetry.emitter import Emitter, Hook
from snakepit_jupyter.telemetry.event import Event, Measurement
from snakepit_jupyter.telemetry.policy import PYTHON, Policy
from snakepit_jupyter.telemetry.tap import LIMIT, Tap

__all__ = ["LIMIT", "PYTHON", "Emitter", "Event", "Hook", "Measurement", "Policy", "Tap"]
