"""What the data chunks of a run amount to, for whatever kind of view looks at them."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from snakepit_jupyter.values.marker import MARK
from snakepit_jupyter.views.glance import glances, outline
from snakepit_jupyter.views.metrics import Bests
from snakepit_jupyter.views.numbers import number
from snakepit_jupyter.views.scene import ResultLine
from snakepit_jupyter.views.table import CHUNK, Table
from snakepit_jupyter.views.wording import clean, short

FIELDS = 200
RESULTS = 20
LABEL_WIDTH = 60
VALUE_WIDTH = 2000
ENVELOPE = ("is_final", "_metadata")
"""What the envelope of a chunk adds to the tool's own fields."""

Fields = Mapping[str, Any]


def is_number(value: object) -> TypeGuard[float]:
    """Whether it counts as a number here: finite, no bool, no text."""
    try:
        return (type(value) is float or type(value) is int) and math.isfinite(value)
    except OverflowError:
        return False


def numbers_in(fields: Fields) -> dict[str, float]:
    """The fields that are numbers."""
    try:
        return {
            name: value
            for name, value in fields.items()
            if (type(value) is float or type(value) is int) and math.isfinite(value)
        }
    except OverflowError:  # an integer beyond every float
        return {name: value for name, value in fields.items() if is_number(value)}


class Facts:
    """The fold of all data chunks.

    Attributes:
        table: the numbers, a row per chunk that has the view's x.
        bests: the best value of each metric.
        latest: the newest value of every field.
        result: the fields that only the last chunk had, for showing.
    """

    def __init__(self) -> None:
        self.table = Table()
        self.bests = Bests()
        self.latest: dict[str, Any] = {}
        self.result: tuple[ResultLine, ...] = ()
        self._only_at_the_end: frozenset[str] = frozenset()

    def restart(self) -> None:
        """Begin the table anew, for a view that numbers its rows by another x."""
        generation = self.table.generation
        self.table = Table()
        self.table.generation = generation + 1
        self.bests = Bests()

    def note(self, fields: dict[str, Any], place: int, x: str, *, last: bool) -> None:
        """Fold the fields of the chunk at that place among the data. They are the tool's own and may be changed."""
        row = numbers_in(fields)
        row[CHUNK] = place
        if last:
            self._conclude(fields)
            row = {name: value for name, value in row.items() if name not in self._only_at_the_end or name == x}
        if len(row) > 1 and x in row:
            self.bests.note(row, x)
            self.table.add(row)
        self.latest.update(fields)
        if len(self.latest) > FIELDS:
            self._forget()

    def _conclude(self, fields: Fields) -> None:
        new = {name: value for name, value in fields.items() if name not in self.latest}
        lines = [ResultLine(short(name, LABEL_WIDTH), text) for name, text in _texts(new) if text]
        self.result = tuple(lines[:RESULTS])
        self._only_at_the_end = frozenset(new)

    def _forget(self) -> None:
        for name in list(self.latest)[: len(self.latest) - FIELDS]:
            del self.latest[name]

    def current(self) -> dict[str, Any]:
        """The newest value of every field, without the result's."""
        return {name: value for name, value in self.latest.items() if name not in self._only_at_the_end}


def _texts(fields: Fields, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every value in full as far as that is bearable; a dict's fields one by one."""
    for name, value in fields.items():
        if isinstance(value, dict) and not prefix and MARK not in value:
            yield from _texts(glances(value), f"{name}.")
        else:
            yield f"{prefix}{name}", clean(_text(value)[:VALUE_WIDTH])


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return number(value)
    outlined = outline(value)
    return outlined if isinstance(outlined, str) else json.dumps(outlined, ensure_ascii=False)
