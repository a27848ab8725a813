"""One event: something that happened."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from snakepit_jupyter.redaction import shape

# Longer texts in an event are cut.
LONGEST = 4096
NOTHING: Mapping[str, Any] = {}
# Kinds whose text is their value, by the module of their class: they are not imported for this.
PLAIN_MODULES = {"datetime", "decimal", "fractions", "ipaddress", "uuid"}

Measurement = int | float | str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Args:
        name: dotted, for example "tool.execution.stop".
        measurements: what was measured, by name; the unit is part of the name ("duration_ms").
        metadata: what it is about, by name.
        timestamp: seconds since the epoch.
        correlation_id: that of the call it belongs to; "" if it belongs to none.
    """

    name: str
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    timestamp: float = field(default_factory=time.time)
    correlation_id: str = ""

    @classmethod
    def of(
        cls,
        name: str,
        measurements: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        correlation_id: str = "",
    ) -> "Event":
        """An event of any values: numbers and texts as they are, all else by its shape."""
        return cls(
            cut(str(name)),
            {str(key): measurement(value) for key, value in (measurements or NOTHING).items()},
            {str(key): text(value) for key, value in (metadata or NOTHING).items()},
            correlation_id=cut(str(correlation_id)),
        )


def measurement(value: Any) -> Measurement:
    """A measured value as a number if it is one, also one of numpy's or a tensor's; else as text."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    with suppress(Exception):
        if hasattr(type(value), "item") and value.shape == ():
            return measurement(value.item())
    return text(value)


def text(value: Any) -> str:
    """A value as text: plain ones as they are, all else by their shape, so that no contents go along."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return cut(value)
    plain = value is None or isinstance(value, (bool, int, float, complex, Enum, os.PathLike))
    if plain or type(value).__module__ in PLAIN_MODULES:
        with suppress(Exception):
            return cut(str(value))
    return shape(value)


def cut(text: str) -> str:
    """A text, shortened if it is very long."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
