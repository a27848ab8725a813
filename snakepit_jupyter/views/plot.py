"""A chart as inline SVG: no script, no style sheet, in the colours of whatever page it stands on."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from snakepit_jupyter.views.look import GRID, MUTED, SERIES
from snakepit_jupyter.views.numbers import number, position
from snakepit_jupyter.views.scene import Chart

WIDTH, WIDE, HEIGHT = 420, 760, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 12, 8, 20
POINTS = 400
AIR = 0.1
THOUSAND = 1000

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """From data to pixels along one axis."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def points_of(xs: Sequence[float], ys: Sequence[float]) -> list[Point]:
    """The points that exist, from left to right."""
    points = [(x, y) for x, y in zip(xs, ys, strict=True) if not math.isnan(x) and not math.isnan(y)]
    return sorted(points, key=lambda point: point[0])


def thinned(points: list[Point], limit: int = POINTS) -> list[Point]:
    """At most `limit` points that draw the same curve: of each stretch the lowest and the highest."""
    if len(points) <= limit:
        return points
    inner = points[1:-1]
    size = math.ceil(len(inner) / ((limit - 2) // 2))
    stretches = (inner[i : i + size] for i in range(0, len(inner), size))
    return [points[0], *(point for stretch in stretches for point in _extremes(stretch)), points[-1]]


def _extremes(stretch: list[Point]) -> list[Point]:
    indexes = range(len(stretch))
    low = min(indexes, key=lambda i: stretch[i][1])
    high = max(indexes, key=lambda i: stretch[i][1])
    return [stretch[i] for i in sorted({low, high})]


def ticks(low: float, high: float, most: int, least_step: float = 0.0) -> list[float]:
    """Round numbers between two ends, at most `most` of them and at least `least_step` apart."""
    span = high - low
    if not 0 < span < math.inf:
        return []
    step = max(_step(span / most), least_step)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if last - first > 2 * most:  # the ends are so close together that floats cannot tell the steps apart
        return []
    return [i * step for i in range(first, last + 1)]


def _step(least: float) -> float:
    unit = 10.0 ** math.floor(math.log10(least))
    return next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= least * (1 - 1e-9))


def labels(values: list[float]) -> list[str]:
    """The ticks in words, all with the same decimals."""
    if len(values) < 2:  # noqa: PLR2004
        return [number(value) for value in values]
    step, largest = values[1] - values[0], max(map(abs, values))
    if step < 1e-4:  # noqa: PLR2004
        return [number(value) for value in values]
    if largest >= 10 * THOUSAND:
        return [_compact(value) for value in values]
    decimals = max(0, math.ceil(-math.log10(step) - 1e-9))
    return [f"{value:.{decimals}f}" if round(value, decimals) else "0" for value in values]


def _compact(value: float) -> str:
    for unit in ("", "k", "M", "G", "T"):
        if abs(value) < THOUSAND:
            return f"{value:.4g}{unit}"
        value /= THOUSAND
    return f"{value * THOUSAND**5:.1e}"


def chart_svg(chart: Chart, lines: dict[str, list[Point]], *, wide: bool = False) -> str:
    """The chart drawn.

    Args:
        chart: what it is of.
        lines: the points of each of its lines, left to right.
        wide: whether it has a row for itself.
    """
    width = WIDE if wide else WIDTH
    points = [point for line in lines.values() for point in line]
    across = Scale(*_x_range(chart, [x for x, _ in points]), LEFT, width - RIGHT)
    up = Scale(*_y_range(chart, [y for _, y in points]), HEIGHT - BOTTOM, TOP)
    parts = [
        *_rows(up, width),
        *_feet(across, 2 * 6 if wide else 6, whole=all(x % 1 == 0 for x, _ in points)),
        *(_line(line, across, up, SERIES[i % len(SERIES)]) for i, line in enumerate(lines.values())),
    ]
    return (
        f'<svg role="img" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}"'
        ' style="display:block;width:100%;height:auto;overflow:visible">'
        f"<title>{escape(_title(chart, lines))}</title>{''.join(parts)}</svg>"
    )


def _title(chart: Chart, lines: dict[str, list[Point]]) -> str:
    ends = ", ".join(f"{name} {number(points[-1][1])}" for name, points in lines.items() if points)
    xs = [points[-1][0] for points in lines.values() if points]
    return f"{chart.title} at {chart.x} {position(max(xs))}: {ends}" if xs else f"{chart.title}: no data"


def _x_range(chart: Chart, xs: Iterable[float]) -> tuple[float, float]:
    known = list(xs)
    if not known:
        return 0.0, chart.x_max or 1.0
    first, last = min(known), max(known)
    if chart.x_max is not None:
        return min(0.0, first), max(chart.x_max, last)
    return (first, last) if first < last else (first - 0.5, last + 0.5)


def _y_range(chart: Chart, ys: Iterable[float]) -> tuple[float, float]:
    known = list(ys) or [0.0, 1.0]
    low, high = min(known), max(known)
    air = (high - low) * AIR or abs(high) * AIR or 1.0
    low = low - air if chart.y_min is None else chart.y_min
    high = high + air if chart.y_max is None else chart.y_max
    return (low, high) if low < high else (low, low + 1.0)


def _rows(up: Scale, width: int) -> Iterator[str]:
    values = ticks(up.low, up.high, 4)
    for value, text in zip(values, labels(values), strict=True):
        y = f"{up(value):.1f}"
        yield f'<line x1="{LEFT}" x2="{width - RIGHT}" y1="{y}" y2="{y}" style="stroke:{GRID}"/>'
        yield _label(LEFT - 6, up(value) + 3.5, text, "end")


def _feet(across: Scale, most: int, *, whole: bool) -> Iterator[str]:
    # Between epoch 4 and epoch 5 there is nothing to label.
    values = ticks(across.low, across.high, most, least_step=1.0 if whole else 0.0)
    for value, text in zip(values, labels(values), strict=True):
        yield _label(across(value), HEIGHT - 4, text, "middle")


def _label(x: float, y: float, text: str, anchor: str) -> str:
    style = f"fill:{MUTED};font-size:10px;font-variant-numeric:tabular-nums"
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="{style}">{escape(text)}</text>'


def _line(points: list[Point], across: Scale, up: Scale, colour: str) -> str:
    if not points:
        return ""
    places = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in thinned(points))
    if len(points) == 1:
        x, y = places.split(",")
        return f'<circle cx="{x}" cy="{y}" r="2.5" style="fill:{colour}"/>'
    style = f"fill:none;stroke:{colour};stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round"
    return f'<polyline points="{places}" style="{style}"/>'
