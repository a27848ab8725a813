"""One training, epoch by epoch: the split, the steps, and the best model so far on disk."""

import json
import math
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snakepit_jupyter.adapters.adam import Adam
from snakepit_jupyter.adapters.datasets import Dataset
from snakepit_jupyter.adapters.mlp import Floats, Labels, Network, evaluate, gradient_step, new_network
from snakepit_jupyter.adapters.trained_model import TrainedModel, save, write_whole
from snakepit_jupyter.adapters.training_settings import ModelSettings, TrainingSettings
from snakepit_jupyter.errors import InvalidParameter

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Best:
    """The best epoch so far."""

    epoch: int = 0
    accuracy: float = -1.0
    loss: float = math.inf

    def is_beaten_by(self, accuracy: float) -> bool:
        """Whether that accuracy is better; of equals the earlier epoch stays, as every view of the chunks sees it."""
        return accuracy > self.accuracy


class TrainingRun:
    """A training that is going on; each `epoch()` goes one further.

    Args:
        dataset: what to learn.
        model: the network's settings.
        training: the training's settings.
        path: where the best model goes; its metadata goes beside it, with the suffix .json.
    """

    def __init__(self, dataset: Dataset, model: ModelSettings, training: TrainingSettings, path: Path) -> None:
        rng = np.random.default_rng(training.seed)
        train, validation = stratified_split(dataset.labels, training.validation_split, rng)
        sizes = model.sizes(len(dataset.feature_names), len(dataset.class_names))
        self._dataset, self._model, self._training, self._path = dataset, model, training, path
        self._rng = rng
        self._trained = _standardising(dataset, train, new_network(sizes, model.activation, rng))
        self._train = (self._trained.standardised(dataset.features[train]), dataset.labels[train])
        self._validation = (
            self._trained.standardised(dataset.features[validation]),
            dataset.labels[validation],
        )
        self._adam = Adam(self._network.flat)
        self._best = Best()
        self._history: list[dict[str, Any]] = []
        self._created = datetime.now(UTC)

    @property
    def summary(self) -> str:
        """What is trained on what, in two lines."""
        train, validation = len(self._train[1]), len(self._validation[1])
        sizes = " → ".join(f"{size:,}" for size in self._network.sizes)
        return (
            f"{self._dataset.summary}; {train:,} to train, {validation:,} to validate\n"
            f"{self._model.architecture}: {sizes}, {self._network.flat.size:,} parameters"
        )

    @property
    def stalled(self) -> bool:
        """Whether the best model is older than the patience."""
        patience = self._training.patience
        return patience is not None and len(self._history) - self._best.epoch >= patience

    def epoch(self) -> dict[str, Any]:
        """Trains one epoch and keeps the model if it is the best; returns the chunk that tells of it.

        Raises:
            InvalidParameter: the loss is no longer a number.
        """
        epoch = len(self._history) + 1
        rate = self._training.rate(epoch)
        # A diverging loss is told in words by `_check_converging`, not by NumPy's warnings.
        with np.errstate(over="ignore", invalid="ignore"):
            started = time.perf_counter()
            train_loss, train_acc = self._pass(rate)
            seconds = time.perf_counter() - started
            val_loss, val_acc = evaluate(self._network, *self._validation)
        self._check_converging(epoch, train_loss, val_loss)
        told = {
            "epoch": epoch,
            "train_loss": train_loss,
            "val_loss": val_loss,
            "train_acc": train_acc,
            "val_acc": val_acc,
            "learning_rate": rate,
            "samples_per_second": len(self._train[1]) / seconds,
        }
        self._history.append(told)
        self._keep_if_best(Best(epoch, val_acc, val_loss))
        return {"epoch": epoch, "total_epochs": self._training.epochs, **told, "is_final": False}

    def outcome(self) -> dict[str, Any]:
        """The last chunk."""
        best, trained = self._best, len(self._history)
        samples, features = self._dataset.features.shape
        early = f", stopped early after {trained} epochs" if trained < self._training.epochs else ""
        told = f"validation accuracy {best.accuracy:.4f} in epoch {best.epoch}{early}"
        return {
            "is_final": True,
            "final_model_path": str(self._path),
            "best_val_accuracy": best.accuracy,
            "best_epoch": best.epoch,
            "total_epochs": self._training.epochs,
            "epochs_trained": trained,
            "message": f"Training complete: {told}",
            "samples": samples,
            "features": features,
            "classes": len(self._dataset.class_names),
        }

    def close(self) -> None:
        """Writes the metadata once more, with the epochs after the best one; also of a stopped run."""
        if self._best.epoch:
            self._write_metadata()

    @property
    def _network(self) -> Network:
        return self._trained.network

    def _pass(self, rate: float) -> tuple[float, float]:
        """One pass over the training samples in a new order: mean loss and accuracy."""
        order = self._rng.permutation(len(self._train[1]))
        x, y = self._train[0][order], self._train[1][order]
        loss, correct = 0.0, 0
        for start in range(0, len(y), self._training.batch_size):
            rows = slice(start, start + self._training.batch_size)
            step = gradient_step(self._network, x[rows], y[rows], self._training.l2)
            self._adam.move(self._network.flat, step.gradient, rate)
            loss += step.cross_entropy * len(y[rows])
            correct += step.correct
        return loss / len(y), correct / len(y)

    def _check_converging(self, epoch: int, *losses: float) -> None:
        if not all(map(math.isfinite, losses)):
            raise InvalidParameter(
                f"the training diverged in epoch {epoch}: its loss is no longer a number",
                hint=f"Lower training_config.learning_rate, which is {self._training.learning_rate:g}.",
                details={"key": "training_config.learning_rate"},
            )

    def _keep_if_best(self, latest: Best) -> None:
        if self._best.is_beaten_by(latest.accuracy):
            save(self._trained, self._path)
            self._best = latest
            self._write_metadata()

    def _write_metadata(self) -> None:
        text = json.dumps(self._metadata(), indent=1, ensure_ascii=False)
        write_whole(self._path.with_suffix(".json"), lambda file: file.write(text.encode()))

    def _metadata(self) -> Mapping[str, Any]:
        trained = self._trained
        return {
            "model": self._path.name,
            "created": self._created.isoformat(timespec="seconds"),
            "dataset": self._dataset.name,
            "samples": {"train": len(self._train[1]), "validation": len(self._validation[1])},
            "model_config": asdict(self._model),
            "training_config": asdict(self._training),
            "best": asdict(self._best),
            "class_names": trained.class_names,
            "features": [
                {"name": name, "mean": mean, "scale": scale}
                for name, mean, scale in zip(
                    trained.feature_names, trained.mean.tolist(), trained.scale.tolist(), strict=True
                )
            ],
            "history": self._history,
            "versions": _versions(),
        }


def stratified_split(labels: Labels, share: float, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Rows to train on and rows to validate with, each class in about the same proportion.

    The share is rounded up to whole samples and dealt to the classes by largest remainder; of every class at
    least one sample is on either side.

    Args:
        labels: (samples,), two or more of every class.
        share: of the samples to validate with, between 0 and 1.
        rng: decides which.
    """
    counts = np.bincount(labels)
    wanted = math.ceil(round(len(labels) * share, 6))
    exact = counts * wanted / len(labels)
    taken = exact.astype(np.int64)
    first = np.argsort(taken - exact, kind="stable")[: wanted - taken.sum()]
    taken[first] += 1
    taken = np.clip(taken, 1, counts - 1)
    rows = [rng.permutation(np.flatnonzero(labels == label)) for label in range(len(counts))]
    train = np.concatenate([each[n:] for each, n in zip(rows, taken, strict=True)])
    validation = np.concatenate([each[:n] for each, n in zip(rows, taken, strict=True)])
    return np.sort(train), np.sort(validation)


def _standardising(dataset: Dataset, train: Rows, network: Network) -> TrainedModel:
    """The model with the training samples' mean and deviation; a constant feature becomes 0."""
    values: Floats = dataset.features[train]
    scale = values.std(axis=0)
    scale[scale == 0] = 1.0
    return TrainedModel(network, values.mean(axis=0), scale, dataset.feature_names, dataset.class_names)


def _versions() -> dict[str, str]:
    known = {"python": platform.python_version(), "numpy": np.__version__}
    try:
        return {**known, "snakepit-jupyter": version("snakepit-jupyter")}
    except PackageNotFoundError:  # run from a checkout that is not installed
        return known
