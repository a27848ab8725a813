"""The two dictionaries of a training, checked at the door and turned into frozen values."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from snakepit_jupyter.errors import InvalidParameter

Architecture = Literal["mlp", "linear"]
Activation = Literal["relu", "tanh"]
Schedule = Literal["cosine", "constant", "step"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The network. A linear model has no hidden layers: it uses none of the other three.

    Attributes:
        architecture: "mlp", or "linear" (softmax regression).
        layers: hidden layers, 1 to 64.
        hidden_size: units of each hidden layer, 1 to 4,096.
        activation: what a hidden layer applies.
    """

    architecture: Architecture = "mlp"
    layers: int = 2
    hidden_size: int = 64
    activation: Activation = "relu"

    def sizes(self, features: int, classes: int) -> tuple[int, ...]:
        """Units of each layer, from the features to the classes."""
        hidden = [] if self.architecture == "linear" else [self.hidden_size] * self.layers
        return (features, *hidden, classes)


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How the network is trained.

    Attributes:
        epochs: passes over the training samples, 1 to 1,000,000.
        batch_size: samples of a minibatch, 1 to 1,000,000; the last one of an epoch may be smaller.
        learning_rate: Adam's step size, above 0 and at most 1.
        validation_split: the share of the samples that is held out, above 0 and below 1.
        schedule: the learning rate over the epochs, see `rate`.
        warmup_epochs: first epochs with a rising learning rate, fewer than `epochs`.
        l2: weight of the penalty l2/2 * sum(W**2), 0 to 10.
        patience: epochs without a better model after which the training ends early; None for never.
        seed: of the split, the first weights and the order of the samples, 0 to 2**32 - 1.
    """

    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 0.001
    validation_split: float = 0.2
    schedule: Schedule = "cosine"
    warmup_epochs: int = 0
    l2: float = 0.0001
    patience: int | None = None
    seed: int = 0

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 1.

        The warm-up rises linearly (Goyal et al. 2017). Then "cosine" falls to almost 0 (Loshchilov & Hutter
        2017, one period), "step" falls to a tenth at a half and to a hundredth at three quarters, and
        "constant" stays.
        """
        if epoch <= self.warmup_epochs:
            return self.learning_rate * epoch / (self.warmup_epochs + 1)
        done = (epoch - 1 - self.warmup_epochs) / (self.epochs - self.warmup_epochs)
        return self.learning_rate * _factor(self.schedule, done)


def _factor(schedule: Schedule, done: float) -> float:
    if schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    if schedule == "step":
        return 0.1 ** ((done >= 0.5) + (done >= 0.75))  # noqa: PLR2004  said in `rate`
    return 1.0


class Rule(Protocol):
    """What a key allows."""

    def convert(self, value: Any) -> Any:
        """The value as it is used.

        Raises:
            ValueError: if it is not allowed.
        """

    def __str__(self) -> str:
        """What is allowed, in words."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number; also as a float, since 1e3 is one."""

    low: int
    high: int
    optional: bool = False

    def convert(self, value: Any) -> int | None:
        if value is None and self.optional:
            return None
        number = _number(value)
        if number % 1 or not self.low <= number <= self.high:
            raise ValueError
        return int(number)

    def __str__(self) -> str:
        return f"a whole number from {self.low:,} to {self.high:,}" + " or None" * self.optional


@dataclass(frozen=True, slots=True)
class Real:
    """A number in a range, of which an end may be left out."""

    low: float
    high: float
    above_low: bool = False
    below_high: bool = False

    def convert(self, value: Any) -> float:
        number = _number(value)
        too_low = number <= self.low if self.above_low else number < self.low
        too_high = number >= self.high if self.below_high else number > self.high
        if too_low or too_high:
            raise ValueError
        return number

    def __str__(self) -> str:
        low, high = ("above" if self.above_low else "at least"), ("below" if self.below_high else "at most")
        return f"a number {low} {self.low:g} and {high} {self.high:g}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words."""

    words: tuple[str, ...]

    def convert(self, value: Any) -> str:
        if value not in self.words:
            raise ValueError
        return str(value)

    def __str__(self) -> str:
        return ", ".join(map(repr, self.words))


_MODEL: Mapping[str, Rule] = {
    "architecture": OneOf(("mlp", "linear")),
    "layers": Whole(1, 64),
    "hidden_size": Whole(1, 4096),
    "activation": OneOf(("relu", "tanh")),
}
_TRAINING: Mapping[str, Rule] = {
    "epochs": Whole(1, 1_000_000),
    "batch_size": Whole(1, 1_000_000),
    "learning_rate": Real(0, 1, above_low=True),
    "validation_split": Real(0, 1, above_low=True, below_high=True),
    "schedule": OneOf(("cosine", "constant", "step")),
    "warmup_epochs": Whole(0, 1_000_000),
    "l2": Real(0, 10),
    "patience": Whole(1, 1_000_000, optional=True),
    "seed": Whole(0, 2**32 - 1),
}


def model_settings(given: Mapping[str, Any]) -> ModelSettings:
    """The checked `model_config`.

    Raises:
        InvalidParameter: a key is unknown or its value not allowed; `key` is like "model_config.layers".
    """
    return ModelSettings(**_checked("model_config", given, _MODEL))


def training_settings(given: Mapping[str, Any]) -> TrainingSettings:
    """The checked `training_config`.

    Raises:
        InvalidParameter: a key is unknown or its value not allowed; `key` is like "training_config.epochs".
    """
    settings = TrainingSettings(**_checked("training_config", given, _TRAINING))
    if settings.warmup_epochs >= settings.epochs:
        allowed = f"fewer than the {settings.epochs:,} epochs"
        raise _not_allowed("training_config.warmup_epochs", settings.warmup_epochs, allowed)
    return settings


def _checked(where: str, given: Mapping[str, Any], rules: Mapping[str, Rule]) -> dict[str, Any]:
    return {key: _value(f"{where}.{key}", value, _rule(where, key, rules)) for key, value in given.items()}


def _rule(where: str, key: str, rules: Mapping[str, Rule]) -> Rule:
    if key in rules:
        return rules[key]
    found = difflib.get_close_matches(str(key), rules, n=1, cutoff=0.5)
    near = f". Did you mean {found[0]!r}?" if found else ""
    raise InvalidParameter(
        f"{where} has no key {key!r}{near}",
        hint=f"Its keys: {', '.join(rules)}.",
        details={"key": f"{where}.{key}"},
    )


def _value(key: str, value: Any, rule: Rule) -> Any:
    try:
        return rule.convert(value)
    except ValueError:
        raise _not_allowed(key, value, str(rule)) from None


def _not_allowed(key: str, value: Any, allowed: str) -> InvalidParameter:
    return InvalidParameter(f"{key} is {value!r}; allowed is {allowed}", details={"key": key})


def _number(value: Any) -> int | float:
    # True is an int to Python, but nobody means it as a number of epochs.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return value
