"""How fast a run goes and how long it may still take.

All times are seconds of the run's working phase, so waiting for a worker does not count.
"""

from collections import deque
from dataclasses import dataclass

SAMPLES = 20
EVERY = 0.5
LEAST_PROGRESS = 0.02
LEAST_SPAN = 2.0
TRUST = 3.0
"""By what factor the newest speed may differ from the average: replayed chunks all come at once."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is.

    Args:
        fraction: from 0 to 1; None if unknown.
        origin: the fraction it began with, above 0 for work that was resumed.
        position: the same in things done; None if they are not counted.
        before: things done before this run began.
        noun: those things, in the plural.
    """

    fraction: float | None = None
    origin: float = 0.0
    position: float | None = None
    before: float = 0.0
    noun: str = "chunks"


@dataclass(frozen=True, slots=True)
class Sample:
    """What was known at one moment."""

    at: float
    things: float
    fraction: float | None


class Pace:
    """Samples of a run's progress over the last seconds, or the last twenty steps of a slow one."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._due = 0.0

    def due(self, now: float) -> bool:
        return now >= self._due

    def note(self, now: float, standing: Standing, things: float) -> None:
        self._samples.append(Sample(now, things, standing.fraction))
        self._due = now + EVERY

    def rate(self, now: float, things: float) -> float | None:
        """Things per second of late; None if there is nothing to say."""
        first = self._samples[0] if self._samples else None
        if first is None or now - first.at < EVERY or things <= first.things:
            return None
        return (things - first.things) / (now - first.at)

    def eta(self, now: float, standing: Standing, newest: float) -> float | None:
        """Seconds left, counted from the last step; None if unknown or overdue.

        Args:
            now: the present.
            standing: how far the run is.
            newest: when the newest chunk came; samples are rarer than chunks.
        """
        fraction, origin = standing.fraction, standing.origin
        if fraction is None or not LEAST_PROGRESS <= fraction < 1 or fraction <= origin:
            return None
        known = [sample for sample in self._samples if sample.fraction is not None]
        at = next((sample.at for sample in known if sample.fraction == fraction), newest)
        if at <= 0:
            return None
        remaining = (1 - fraction) / _speed(known, (fraction - origin) / at) - (now - at)
        return remaining if remaining > 0 else None


def _speed(known: list[Sample], average: float) -> float:
    if not known or known[-1].at - known[0].at < LEAST_SPAN:
        return average
    first, last = known[0], known[-1]
    recent = ((last.fraction or 0.0) - (first.fraction or 0.0)) / (last.at - first.at)
    return (average + min(max(recent, average / TRUST), average * TRUST)) / 2
