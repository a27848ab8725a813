"""The numbers of a run as a table that stays small however long the run gets."""

import math
from array import array
from collections.abc import Iterable, Mapping

ROWS = 4000
COLUMNS = 64
NAME_LENGTH = 60
CHUNK = "chunk"
"""The column every table has: the chunk's place in the run."""


class Column:
    """One named series and what is known of all its values, the thinned out ones too.

    Attributes:
        values: one per kept row, NaN where a chunk had none.
        low: the smallest value so far, high the largest, last the newest; NaN before the first.
        rising: whether no value was below the one before it.
    """

    __slots__ = ("high", "last", "low", "rising", "values")

    def __init__(self, rows: int, value: float) -> None:
        self.values = array("d", [math.nan]) * rows
        self.low = self.high = self.last = value
        self.rising = True

    def note(self, value: float) -> None:
        if value > self.high:
            self.high = value
        elif value < self.low:
            self.low = value
        if value < self.last:
            self.rising = False
        self.last = value

    @property
    def varies(self) -> bool:
        return self.low < self.high


class Table:
    """Rows of numbers by name, at most `limit` of them.

    A full table drops every second row and from then on keeps only every second (fourth, eighth …) new
    one, so that all of the run is shown equally fine. The first row is always kept, and the newest as well:
    as `tail`, until a newer one comes.

    Attributes:
        rows: how many rows are kept for good.
        generation: how often it was thinned out.
    """

    def __init__(self, limit: int = ROWS) -> None:
        self._limit = limit
        self._columns: dict[str, Column] = {}
        self._stride = 1
        self._seen = 0
        self._tail: Mapping[str, float] | None = None
        self.rows = 0
        self.generation = 0

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._columns)

    def add(self, row: Mapping[str, float]) -> None:
        """Append a row of finite numbers; columns it does not name get NaN."""
        for name, value in row.items():
            column = self._columns.get(name)
            if column is None:
                self._open(name, value)
            else:
                column.note(value)
        if self._seen % self._stride:
            self._tail = row
        else:
            self._keep(row)
        self._seen += 1

    def _open(self, name: str, value: float) -> None:
        if len(self._columns) < COLUMNS and len(name) <= NAME_LENGTH and name.isprintable():
            self._columns[name] = Column(self.rows, value)

    def _keep(self, row: Mapping[str, float]) -> None:
        get, nothing = row.get, math.nan
        for name, column in self._columns.items():
            column.values.append(get(name, nothing))
        self.rows += 1
        self._tail = None
        if self.rows >= self._limit:
            self._thin(row)

    def _thin(self, newest: Mapping[str, float]) -> None:
        for column in self._columns.values():
            column.values = column.values[::2]
        if self.rows % 2 == 0:
            self._tail = newest
        self.rows = (self.rows + 1) // 2
        self._stride *= 2
        self.generation += 1

    def columns(self, names: Iterable[str], start: int = 0, *, tail: bool = True) -> list["array[float]"]:
        """Equally long columns from row `start` on, with the newest row if `tail` asks for it."""
        return [self._column(name, start, tail) for name in names]

    def _column(self, name: str, start: int, tail: bool) -> "array[float]":
        column = self._columns.get(name)
        values = column.values[start:] if column else array("d", [math.nan]) * max(0, self.rows - start)
        if tail and self._tail is not None:
            values.append(self._tail.get(name, math.nan))
        return values
