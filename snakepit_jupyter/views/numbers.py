"""How numbers and times are written, for the widget, the report and the terminal alike."""

import math

MINUTE, HOUR = 60, 3600
TINY, SMALL, TENS, HUGE = 1e-3, 1e-2, 10, 1e9


def number(value: float) -> str:
    """A measured value: four digits that say something, `3.1e-4` for what is tiny.

    From 0.01 to 1 it has four decimals, so that a metric keeps its width while it changes.
    """
    if isinstance(value, int):
        return count(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    size = abs(value)
    if size == 0:
        return "0"
    if size < TINY or size >= HUGE:
        return _scientific(value)
    return _plain(value, size)


def _plain(value: float, size: float) -> str:
    if size < SMALL:
        return f"{value:.4g}"
    if value.is_integer() and size >= TENS:
        return f"{value:,.0f}"
    decimals = 4 if size < 1 else max(0, 3 - math.floor(math.log10(size)))
    return f"{value:,.{decimals}f}"


def _scientific(value: float) -> str:
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(exponent)}"


def count(value: int) -> str:
    """A number of things, with separators: 1,204."""
    if abs(value) < 10**12:
        return f"{value:,}"
    size = len(str(abs(value))) - 1 if abs(value) < 10**300 else 300
    return f"> 1e{size}" if value > 0 else f"< -1e{size}"


def position(value: float) -> str:
    """A place on the way, such as an epoch: whole if it is whole, two decimals otherwise."""
    return count(int(value)) if float(value).is_integer() else f"{value:,.2f}"


def duration(seconds: float) -> str:
    """A length of time as a clock shows it: 0:42, 1:02:05."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def left(seconds: float) -> str:
    """An estimate, no more exact than it is: 48 s left, 5 min left, 2 h 05 min left."""
    whole = max(0, math.ceil(seconds))
    if whole < MINUTE:
        return f"{whole} s left"
    hours, minutes = divmod(round(seconds / MINUTE), 60)
    return f"{hours} h {minutes:02} min left" if hours else f"{minutes} min left"


def rate(per_second: float, noun: str) -> str:
    """How fast things come: 3.2 chunks/s, or 12 s/epoch when they are slow.

    Args:
        per_second: how many in a second, above 0.
        noun: the things, in the plural.
    """
    if per_second >= 1:
        return f"{_roughly(per_second)} {noun}/s"
    return f"{_roughly(1 / per_second)} s/{noun.removesuffix('s')}"


def _roughly(value: float) -> str:
    return f"{value:,.0f}" if value >= TENS else f"{value:.1f}"
