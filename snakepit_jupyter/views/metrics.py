"""What the name of a number says: whether more is better, what belongs on one chart, what only counts."""

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from snakepit_jupyter.views.scene import Chart
from snakepit_jupyter.views.table import CHUNK, Column, Table

CHARTS = 6
MIDDLE = 0.5
UPWARD = {
    "acc",
    "accuracy",
    "f1",
    "auc",
    "auroc",
    "score",
    "precision",
    "recall",
    "iou",
    "bleu",
    "reward",
    "r2",
}
DOWNWARD = {"loss", "error", "err", "perplexity", "ppl", "mae", "mse", "rmse", "wer"}
SPLITS = {
    "train": 0,
    "training": 0,
    "": 1,
    "val": 2,
    "valid": 2,
    "validation": 2,
    "dev": 2,
    "eval": 2,
    "test": 3,
}
COUNTERS = {
    *(
        "epoch",
        "epochs",
        "total",
        "step",
        "steps",
        "progress",
        "percent",
        "index",
        "idx",
        "iteration",
        "iter",
    ),
    *("batch", "processed", "seq", "seed", "timestamp", "time", "elapsed", "eta", CHUNK),
}
RATES = {"learning_rate", "lr"}


class Goal(enum.Enum):
    """Where a metric should go."""

    UP = "up"
    DOWN = "down"


@lru_cache(maxsize=1024)
def words(name: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\W_]+", name.lower()) if word)


@lru_cache(maxsize=1024)
def goal_of(name: str) -> Goal | None:
    """Whether more of it is better, less is, or nobody knows."""
    said = set(words(name))
    if said & DOWNWARD:
        return Goal.DOWN
    return Goal.UP if said & UPWARD else None


@lru_cache(maxsize=1024)
def split_of(name: str) -> tuple[str, str]:
    """The part of the data a metric is of, and the metric: `val_acc` is ("val", "acc")."""
    match = re.match(r"([A-Za-z]+)[_/.\- ](.+)", name)
    if match and match[1].lower() in SPLITS:
        return match[1].lower(), match[2]
    return "", name


def held_out(name: str) -> bool:
    """Whether it was measured on data the model was not trained on."""
    return SPLITS[split_of(name)[0]] > 1


@lru_cache(maxsize=1024)
def is_counter(name: str) -> bool:
    """Whether it says where the run is, not how it does."""
    said = words(name)
    if not said or goal_of(name):
        return False
    return said[0] in COUNTERS or said[-1] in {
        "index",
        "idx",
        "number",
        "id",
        "total",
        "percent",
        "step",
        "epoch",
    }


@dataclass(frozen=True, slots=True)
class Best:
    """The best value of a metric, and the x at which it was reached first."""

    value: float
    at: float


class Bests:
    """The best value so far of every metric that has a goal."""

    def __init__(self) -> None:
        self._best: dict[str, Best] = {}

    def note(self, row: Mapping[str, float], x: str) -> None:
        best = self._best
        for name, value in row.items():
            goal = goal_of(name)
            if goal is None:
                continue
            known = best.get(name)
            if known is None or (value > known.value if goal is Goal.UP else value < known.value):
                best[name] = Best(value, row[x])

    def get(self, name: str) -> Best | None:
        return self._best.get(name)


def charts_of(table: Table, x: str, x_max: float | None = None) -> tuple[Chart, ...]:
    """The charts worth drawing: each metric with its splits together, loss first, at most six."""
    groups: dict[str, list[str]] = {}
    for name in filter(lambda name: _worth_drawing(name, table[name]), table.names):
        groups.setdefault(split_of(name)[1], []).append(name)
    order = sorted(groups, key=rank)[:CHARTS]
    return tuple(_chart(base, groups[base], table, x, x_max) for base in order)


def _worth_drawing(name: str, column: Column) -> bool:
    if is_counter(name) or name in RATES:
        return False
    return column.varies or goal_of(name) is not None


def rank(name: str) -> int:
    """Losses come first, then accuracies, then what else has a goal, then the rest."""
    said = words(name)
    if "loss" in said:
        return 0
    if said and said[-1] in {"acc", "accuracy"}:
        return 1
    return 2 if goal_of(name) else 3


def _chart(base: str, names: list[str], table: Table, x: str, x_max: float | None) -> Chart:
    lines = tuple(sorted(names, key=lambda name: SPLITS[split_of(name)[0]]))
    low, high = scale_of(base, [table[name] for name in lines])
    return Chart(base, x, lines, x_max, low, high)


def scale_of(name: str, columns: Iterable[Column]) -> tuple[float | None, float | None]:
    """The ends of a chart's scale. Shares of 1 end at 1; what comes near zero starts there."""
    known = list(columns)
    low, high = min(column.low for column in known), max(column.high for column in known)
    if low >= 0 and goal_of(name) is Goal.UP and high <= 1:
        # Between 0.5 and 1 a scale from zero would press the curve against the top.
        return (0.0 if low < MIDDLE else int(low * 10) / 10 - (0.1 if low >= 1 else 0.0)), 1.0
    return (0.0 if 0 <= low <= 0.4 * high else None), None
