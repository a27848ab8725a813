"""The view of everything else: how far it is, what it says, its numbers."""

from typing import Any, ClassVar

from snakepit_jupyter.views.facts import Facts, Fields, is_number
from snakepit_jupyter.views.kinds import Reading
from snakepit_jupyter.views.metrics import charts_of, is_counter
from snakepit_jupyter.views.numbers import number, position
from snakepit_jupyter.views.pace import Standing
from snakepit_jupyter.views.scene import Tile
from snakepit_jupyter.views.table import CHUNK
from snakepit_jupyter.views.wording import short

TILES = 6
ALL = 100
"""Of a hundred."""
MESSAGE_WIDTH = 80
TILE_WIDTH = 24
MESSAGES = ("message", "msg", "status", "data")
HIDDEN = {*MESSAGES, "raw_data_base64", "is_final"}
PERCENTS = ("progress_percent", "percent")
PAIRS = (
    ("step", "total"),
    ("step", "total_steps"),
    ("processed", "total"),
    ("processed_rows", "total_rows"),
    ("processed_items", "total_items"),
)


class View:
    """Finds in the fields how far the run is.

    Many fields may speak of it, each on its own scale (`stream_progress` gives `progress` in percent beside
    `step` and `total`), so the best source is used, and another one only if it does not lead backwards.
    """

    weight: ClassVar[int] = 0
    x: ClassVar[str] = CHUNK

    def __init__(self) -> None:
        self._source = ""
        self._fraction: float | None = None
        self._origin: float | None = None
        self._step = ""
        self._percent = False
        self._chunks = 0

    @staticmethod
    def claims(_: Fields) -> bool:
        return True

    def take(self, fields: Fields) -> None:
        self._chunks += 1
        for first, second in PAIRS:
            if first in fields and self._take_ratio(fields, first, second, before=1):
                return
        for name in PERCENTS:
            if name in fields and self._take_percent(name, fields[name]):
                return
        if "progress" in fields and not self._take_ratio(fields, "progress", "total", before=0):
            self._take_alone(fields["progress"])

    def _take_ratio(self, fields: Fields, first: str, second: str, before: int) -> bool:
        done, total = fields.get(first), fields.get(second)
        if not (is_number(done) and is_number(total) and 0 <= done <= total and total > 0):
            return False
        origin = max(0.0, (done - before) / total)
        if self._settle(first, done / total, origin):
            self._step = f"{_things(first)}{position(done)} of {position(total)}"
        return True

    def _take_percent(self, name: str, value: Any) -> bool:
        if not is_number(value) or not 0 <= value <= ALL:
            return False
        self._settle(name, value / ALL, 0.0)
        return True

    def _take_alone(self, value: Any) -> None:
        """`progress` without a total is a share of 1, until it is above 1: then it is a percentage."""
        if not is_number(value) or not 0 <= value <= ALL:
            return
        self._percent = self._percent or value > 1 or (type(value) is int and value == 1 and not self._fraction)
        self._settle("progress", value / ALL if self._percent else value, 0.0)

    def _settle(self, source: str, fraction: float, origin: float) -> bool:
        if source != self._source and self._fraction is not None and fraction < self._fraction:
            return False
        if source != self._source:
            self._source, self._step = source, ""
        if self._origin is None:
            self._origin = origin
        self._fraction = fraction
        return True

    def standing(self) -> Standing:
        return Standing(self._fraction, self._origin or 0.0)

    def reading(self, facts: Facts) -> Reading:
        current = facts.current()
        place = self._place()
        message = _message(facts.latest)
        return Reading(
            doing=message or place,
            place=place,
            done=message or place,
            tiles=_tiles(current),
            charts=charts_of(facts.table, CHUNK),
        )

    def _place(self) -> str:
        if self._step:
            return self._step
        if self._fraction is not None:
            return f"{self._fraction:.0%}".replace("%", " %")
        return f"{self._chunks:,} chunk{'' if self._chunks == 1 else 's'}" if self._chunks else ""


def _things(name: str) -> str:
    return "step " if name == "step" else ""


def _message(fields: Fields) -> str:
    for name in MESSAGES:
        if isinstance(fields.get(name), str) and fields[name].strip():
            return short(fields[name], MESSAGE_WIDTH)
    return ""


def _tiles(fields: Fields) -> tuple[Tile, ...]:
    """Its numbers first, then its words."""
    numbers = [
        Tile(short(name, 40), number(value))
        for name, value in fields.items()
        if type(value) in {int, float} and not is_counter(name)
    ]
    texts = [
        Tile(short(name, 40), short(value, TILE_WIDTH))
        for name, value in fields.items()
        if isinstance(value, str) and value.strip() and name not in HIDDEN
    ]
    return tuple((numbers + texts)[:TILES])
