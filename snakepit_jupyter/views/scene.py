"""The scene: everything there is to see of a run, as values (docs/view-protocol.md)."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tile:
    """One number (or word) in large type.

    Args:
        label: its name.
        value: it, formatted.
        note: a remark, such as the best value so far.
    """

    label: str
    value: str
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over a common x. Its data are columns of the same names.

    Args:
        title: what it shows.
        x: the column along the bottom.
        lines: the columns drawn.
        x_max: where x ends, if that is known before it is reached.
        y_min: the lower end of the scale, None to follow the data.
        y_max: the upper end.
    """

    title: str
    x: str
    lines: tuple[str, ...]
    x_max: float | None = None
    y_min: float | None = None
    y_max: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"lines": list(self.lines)}


@dataclass(frozen=True, slots=True)
class ErrorNote:
    """Why a run failed."""

    title: str
    message: str
    hint: str = ""
    traceback: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the tool printed or logged; `kind` is stdout, stderr or log."""

    kind: str
    text: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One thing the run's last chunk said that no chunk had said before."""

    label: str
    value: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to see of a run at one moment. The names and units are the protocol's."""

    run: str
    tool: str
    session: str
    status: str
    summary: str
    elapsed: float
    eta: float | None
    ticking: bool
    progress: float | None
    tiles: tuple[Tile, ...]
    charts: tuple[Chart, ...]
    foot: tuple[str, ...]
    foot_right: str
    log_total: int
    error: ErrorNote | None
    result: tuple[ResultLine, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns its charts need, each once, the x axes first."""
        names = [chart.x for chart in self.charts]
        names += [line for chart in self.charts for line in chart.lines]
        return tuple(dict.fromkeys(names))

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {
            "tiles": [tile.as_json() for tile in self.tiles],
            "charts": [chart.as_json() for chart in self.charts],
            "foot": list(self.foot),
            "result": [line.as_json() for line in self.result],
        }
