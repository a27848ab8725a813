"""A trained network with all that is needed to use it, as one .npz file without pickles."""

import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from snakepit_jupyter.adapters.mlp import Activation, Floats, Network
from snakepit_jupyter.errors import InvalidParameter

_ENTRIES = frozenset({"sizes", "activation", "flat", "mean", "scale", "feature_names", "class_names"})
_FARTHEST = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """A network, and how the samples it was trained on were standardised.

    Attributes:
        network: the weights.
        mean: (features,), subtracted from every sample.
        scale: (features,), which every sample is then divided by; never 0.
        feature_names: what each column of a sample is.
        class_names: what each index of a prediction means.
    """

    network: Network
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]

    def standardised(self, samples: ArrayLike) -> Floats:
        """(samples, features) in the data's own units, as the network takes them.

        Raises:
            InvalidParameter: the samples have another shape.
        """
        values = np.asarray(samples, np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.mean):  # noqa: PLR2004
            raise InvalidParameter(
                f"samples have the shape {values.shape}; allowed is (samples, {len(self.mean)})",
                details={"key": "samples"},
            )
        # A feature which hardly varied in training may make any other value one that float32 cannot hold.
        bounded = np.clip((values - self.mean) / self.scale, -_FARTHEST, _FARTHEST)
        return bounded.astype(self.network.flat.dtype)

    def probabilities(self, samples: ArrayLike) -> Floats:
        """(samples, features) in the data's own units to (samples, classes)."""
        return self.network.probabilities(self.standardised(samples))

    def predict(self, samples: ArrayLike) -> NDArray[np.int64]:
        """(samples, features) in the data's own units to (samples,), indices into `class_names`."""
        classes: NDArray[np.int64] = self.network.logits(self.standardised(samples)).argmax(axis=1)
        return classes


def save(model: TrainedModel, path: Path) -> None:
    """Writes the model so that `path` always holds a whole one."""
    entries: dict[str, Any] = {
        "sizes": np.array(model.network.sizes),
        "activation": np.array(model.network.activation),
        "flat": model.network.flat,
        "mean": model.mean,
        "scale": model.scale,
        "feature_names": np.array(model.feature_names),
        "class_names": np.array(model.class_names),
    }
    write_whole(path, lambda file: np.savez(file, **entries))


def load(path: str | Path) -> TrainedModel:
    """The model that `save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        InvalidParameter: it is not a model; the key is "path".
    """
    with Path(path).open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise _no_model(path)
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            if not set(archive.files) >= _ENTRIES:
                raise _no_model(path)
            held = {name: archive[name] for name in _ENTRIES}
    activation = cast(Activation, str(held["activation"]))
    return TrainedModel(
        network=Network(tuple(held["sizes"].tolist()), activation, held["flat"]),
        mean=held["mean"],
        scale=held["scale"],
        feature_names=tuple(held["feature_names"].tolist()),
        class_names=tuple(held["class_names"].tolist()),
    )


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Writes a file beside `path` and then puts it in its place: nobody ever reads half of one."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with beside.open("xb") as file:
            write(file)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _no_model(path: str | Path) -> InvalidParameter:
    return InvalidParameter(f"{path} is not a model that a training saved", details={"key": "path"})
