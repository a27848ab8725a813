"""The view of a training: chunks with an `epoch`, drawn as curves over the epochs."""

from typing import ClassVar

from snakepit_jupyter.views.facts import Facts, Fields, is_number
from snakepit_jupyter.views.kinds import Reading
from snakepit_jupyter.views.metrics import RATES, charts_of, goal_of, held_out, is_counter, rank, split_of
from snakepit_jupyter.views.numbers import number, position
from snakepit_jupyter.views.pace import Standing
from snakepit_jupyter.views.scene import Chart, Tile
from snakepit_jupyter.views.table import CHUNK
from snakepit_jupyter.views.wording import short

EPOCH = "epoch"
TOTALS = ("total_epochs", "epochs", "max_epochs", "num_epochs", "n_epochs")
TILES = 6


class View:
    """Tracks the epochs; the numbers are in the facts."""

    weight: ClassVar[int] = 10
    x: ClassVar[str] = EPOCH

    def __init__(self) -> None:
        self._first: float | None = None
        self._epoch: float | None = None
        self._total: float | None = None

    @staticmethod
    def claims(fields: Fields) -> bool:
        return EPOCH in fields and is_number(fields[EPOCH])

    def take(self, fields: Fields) -> None:
        epoch = fields.get(EPOCH)
        if is_number(epoch):
            self._epoch = epoch
            if self._first is None:
                self._first = epoch
        total = _total_in(fields)
        if total is not None:
            self._total = total

    def standing(self) -> Standing:
        if self._epoch is None:
            return Standing(noun="epochs")
        before = max(0.0, (self._first or 0.0) - 1)  # one resumed at epoch 30 brought 29 epochs along
        origin = self._fraction(before) or 0.0
        return Standing(self._fraction(self._epoch), origin, self._epoch, before, "epochs")

    def _fraction(self, epoch: float) -> float | None:
        if not self._total or not 0 <= epoch <= self._total:
            return None
        return epoch / self._total

    def reading(self, facts: Facts) -> Reading:
        place = self._place()
        headline = _headline(facts)
        return Reading(
            doing=place,
            place=place,
            done=self._done(facts, headline),
            tiles=_tiles(facts, headline),
            charts=self._charts(facts),
        )

    def _place(self) -> str:
        if self._epoch is None:
            return ""
        of = f" of {position(self._total)}" if self._total else ""
        return f"epoch {position(self._epoch)}{of}"

    def _done(self, facts: Facts, headline: str) -> str:
        epochs = position(self._epoch) if self._epoch is not None else "no"
        if self._total and self._epoch == self._total - 1 and self._first == 0:
            epochs = position(self._total)  # they were counted from 0
        best = _best(facts, headline)
        words = f"{epochs} epoch{'' if epochs == '1' else 's'}"
        return f"{words}, best {short(headline, 30)} {best.removeprefix('best ')}" if best else words

    def _charts(self, facts: Facts) -> tuple[Chart, ...]:
        if EPOCH in facts.table and not facts.table[EPOCH].rising:
            # Epochs that start over (folds, restarts) would draw the curve backwards.
            return charts_of(facts.table, CHUNK)
        return charts_of(facts.table, EPOCH, self._total)


def _total_in(fields: Fields) -> float | None:
    for name in TOTALS:
        if is_number(fields.get(name)):
            return float(fields[name])
    if "step" not in fields and is_number(fields.get("total")):
        return float(fields["total"])
    return None


def _headline(facts: Facts) -> str:
    """The metric that says how good the model is: of held out data before others, a score before a loss."""
    scored = [name for name in facts.table.names if goal_of(name)]
    return min(scored, key=lambda name: (not held_out(name), rank(name) == 0, rank(name)), default="")


def _best(facts: Facts, name: str) -> str:
    best = facts.bests.get(name)
    return f"best {number(best.value)} at {position(best.at)}" if best else ""


def _tiles(facts: Facts, headline: str) -> tuple[Tile, ...]:
    current = facts.current()
    names = [name for name, value in current.items() if type(value) in {int, float} and not is_counter(name)]
    names.sort(key=lambda name: _order(name, headline))
    return tuple(
        Tile(short(name, 40), number(current[name]), _best(facts, name) if name == headline else "")
        for name in names[:TILES]
    )


def _order(name: str, headline: str) -> tuple[int, int]:
    """Losses, the headline, the learning rate, what was measured on held out data, the rest."""
    if "loss" in split_of(name)[1].lower():
        return 0, held_out(name)
    if name == headline:
        return 1, 0
    return (2, 0) if name in RATES else (3, not held_out(name))
