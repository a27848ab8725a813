"""The kinds of view: each knows how to read one sort of chunk.

A new kind is one more module in this folder with a class `View`; nothing else has to know of it. Of the
kinds that claim a chunk the one with the highest weight shows the run, from that chunk on.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Protocol

from snakepit_jupyter.views.facts import Facts, Fields
from snakepit_jupyter.views.pace import Standing
from snakepit_jupyter.views.scene import Chart, Tile


@dataclass(frozen=True, slots=True)
class Reading:
    """What a kind of view makes of a run.

    Args:
        doing: what goes on, for the line of a running run: "epoch 34 of 50".
        place: how far it came, for a run that was stopped; mostly the same.
        done: what was done, for a run that is through: "50 epochs, best val_acc 0.9750 at 31".
        tiles: the numbers in large type.
        charts: the curves.
    """

    doing: str = ""
    place: str = ""
    done: str = ""
    tiles: tuple[Tile, ...] = ()
    charts: tuple[Chart, ...] = ()


class View(Protocol):
    """One kind of view, looking at one run.

    Attributes:
        weight: how special it is; the default has 0.
        x: the field its rows are numbered by. Chunks without it give no row.
    """

    weight: ClassVar[int]
    x: ClassVar[str]

    @staticmethod
    def claims(fields: Fields, /) -> bool:
        """Whether this chunk is of the sort it knows. Asked for every chunk, so it must be quick."""
        ...

    def take(self, fields: Fields) -> None:
        """Fold what only this kind of view wants to remember of a chunk."""
        ...

    def standing(self) -> Standing:
        """How far the run is."""
        ...

    def reading(self, facts: Facts) -> Reading:
        """What to show."""
        ...


@cache
def kinds() -> Sequence[type[View]]:
    """All kinds, the most special first."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return tuple(sorted((module.View for module in modules), key=lambda kind: -kind.weight))
