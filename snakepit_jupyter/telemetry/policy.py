"""Which events a reader wants: decided by plain values, without a clock and without dice."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

# What the bridge puts before the names of events that come from workers.
PYTHON = "snakepit.python."


@dataclass(frozen=True, slots=True)
class Policy:
    """Which events a reader wants.

    A pattern is a glob such as "tool.*". It is held against the full name and, of an event that came from a
    worker, also against the name without "snakepit.python.".

    Args:
        enabled: False for none at all.
        sampling_rate: the share of events that is wanted, from 0 to 1.
        event_patterns: the share is taken of events that match one of these; of all, if there are none.
        allow: only events that match one of these; all, if there are none.
        deny: no event that matches one of these, even if it is allowed.
    """

    enabled: bool = True
    sampling_rate: float = 1.0
    event_patterns: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # In this order NaN becomes 0.
        object.__setattr__(self, "sampling_rate", min(1.0, max(0.0, self.sampling_rate)))

    def admits(self, name: str, chance: float) -> bool:
        """Whether an event is wanted.

        Args:
            name: its full name.
            chance: a random number from 0 to 1, 1 excluded.
        """
        if not self.enabled:
            return False
        if self.sampling_rate <= chance and (not self.event_patterns or _matches(name, self.event_patterns)):
            return False
        return (not self.allow or _matches(name, self.allow)) and not _matches(name, self.deny)

    def toggled(self, *, enabled: bool) -> "Policy":
        """The policy after telemetry was switched on or off."""
        return replace(self, enabled=enabled)

    def sampled(self, rate: float, patterns: Iterable[str] = ()) -> "Policy":
        """The policy with another rate, of the events that match the patterns."""
        return replace(self, sampling_rate=rate, event_patterns=tuple(patterns))

    def filtered(self, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> "Policy":
        """The policy with another filter."""
        return replace(self, allow=tuple(allow), deny=tuple(deny))


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    short = name.removeprefix(PYTHON)
    return any(fnmatchcase(name, pattern) or fnmatchcase(short, pattern) for pattern in patterns)


EVERYTHING = Policy()
