"""Data sets to classify: four that scikit-learn brings along, and .csv, .parquet and .npz files.

NumPy, scikit-learn and PyArrow are imported when they are needed, so that a worker starts without them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakepit_jupyter.adapters.dataset_files import READERS, RawData, listed, near, refuse, refuse_target
from snakepit_jupyter.adapters.libraries import need

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BUILT_IN = ("breast_cancer", "digits", "iris", "wine")
FEWEST_SAMPLES = 4
FEWEST_PER_CLASS = 2
# A target of fractions with more values than this is a measurement, not a set of classes.
_MOST_FRACTIONS = 20
# Squares of features must fit in a float64.
_LARGEST = 1e100


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Samples with classes, ready to be split.

    Attributes:
        name: "digits", or the file's name without its extension.
        features: (samples, features), finite, in the data's own units.
        labels: (samples,), indices into `class_names`.
        feature_names: one for each feature.
        class_names: sorted as numbers if they are numbers; at least two.
    """

    name: str
    features: "NDArray[np.float64]"
    labels: "NDArray[np.int64]"
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]

    @property
    def summary(self) -> str:
        samples, features = self.features.shape
        return f"{self.name}: {samples:,} samples, {features:,} features, {len(self.class_names):,} classes"


def load_dataset(path: str, target: str | None = None) -> Dataset:
    """Loads a data set to classify.

    A table's target is the column `target`; without it the first of the columns named target, label, class
    or y (in any case), else the last column. Row numbers as pandas writes them are left out. An archive holds
    the arrays X and y, x and y, data and target, or x_train and y_train; samples of more dimensions are
    flattened.

    Args:
        path: "digits", "iris", "wine" or "breast_cancer" (from scikit-learn, no download), or a .csv,
            .parquet or .npz file, relative to the notebook's directory.
        target: the column to learn; only for .csv and .parquet.

    Raises:
        InvalidParameter: there is no such data set, or it cannot be learned from; the message says what is
            wrong with it and what is allowed, the key is "dataset_path" or "target".
        SnakepitError: a library that is needed for this kind of data set is not installed.
    """
    need("numpy")
    if path in BUILT_IN:
        refuse_target(target, f"the built-in {path!r}")
        return _built_in(path)
    file = Path(path).expanduser()
    _check_file(file)
    raw = READERS[file.suffix.lower()](file, target)
    return _judged(file, raw)


def _built_in(name: str) -> Dataset:
    need("sklearn")
    import numpy as np
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return Dataset(
        name=name,
        features=np.asarray(bunch.data, np.float64),
        labels=np.asarray(bunch.target, np.int64),
        feature_names=tuple(map(str, bunch.feature_names)),
        class_names=tuple(map(str, bunch.target_names)),
    )


def _check_file(file: Path) -> None:
    kinds = ", ".join(READERS)
    if file.is_dir():
        inside = _data_files(file)
        refuse(
            "dataset_path",
            f"{file} is a directory; needed is one {kinds} file",
            f"In it: {listed(inside)}." if inside else "",
        )
    if not file.exists():
        _refuse_missing(file)
    if file.suffix.lower() not in READERS:
        refuse("dataset_path", f"{file} ends in {file.suffix!r}; allowed are {kinds}")
    if not file.stat().st_size:
        refuse("dataset_path", f"{file} is empty")


def _refuse_missing(file: Path) -> None:
    beside = _data_files(file.parent)
    files = f"In {file.parent.resolve()}: {listed(beside)}." if beside else f"No data file in {file.parent.resolve()}."
    refuse(
        "dataset_path",
        f"there is no data set {str(file)!r}.{near(file.name, [*BUILT_IN, *beside])}",
        f"Built in: {', '.join(BUILT_IN)}. {files}",
    )


def _data_files(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if each.suffix.lower() in READERS)


def _judged(file: Path, raw: RawData) -> Dataset:
    """The data set, if it can be learned from."""
    import numpy as np

    _check_features(file, raw)
    _check_missing_target(file, raw)
    if len(raw.target) < FEWEST_SAMPLES:
        refuse("dataset_path", f"{file} has {len(raw.target)} samples; needed are {FEWEST_SAMPLES} or more")
    classes, labels, counts = np.unique(raw.target, return_inverse=True, return_counts=True)
    names = [_class_name(value) for value in classes.tolist()]
    _check_classes(file, raw, names, counts.tolist())
    return Dataset(file.stem, raw.features, labels.astype(np.int64), raw.feature_names, tuple(names))


def _check_features(file: Path, raw: RawData) -> None:
    import numpy as np

    if not raw.features.size:
        refuse("dataset_path", f"{file} has no values: its features have the shape {raw.features.shape}")
    for what, wrong in (
        ("missing", np.isnan(raw.features)),
        ("infinite or enormous", np.abs(raw.features) > _LARGEST),
    ):
        counts = wrong.sum(axis=0)
        columns = np.flatnonzero(counts)
        if columns.size:
            first = int(columns[0])
            name, count = raw.feature_names[first], counts[first]
            others = f" (and {columns.size - 1:,} more columns have some)" if columns.size > 1 else ""
            refuse(
                "dataset_path",
                f"{file}: the column {name!r} has {count:,} {what} value(s){others}",
                "Fill them in or leave those rows out; every value must be a finite number.",
            )


def _check_missing_target(file: Path, raw: RawData) -> None:
    missing = sum(value is None or value != value for value in raw.target.tolist())  # noqa: PLR0124  NaN
    if missing:
        refuse(
            "dataset_path",
            f"{file}: the target {raw.target_name!r} has {missing:,} missing value(s)",
            "Leave those rows out; every sample needs a class.",
        )


def _check_classes(file: Path, raw: RawData, names: Sequence[str], counts: Sequence[int]) -> None:
    where = f"{file}: the target {raw.target_name!r}"
    if len(names) == 1:
        refuse("target", f"{where} has one class only ({names[0]!r}); needed are two or more")
    if _is_continuous(raw, len(names)):
        refuse(
            "target",
            f"{where} has {len(names):,} different values in {len(raw.target):,} rows; "
            "it looks continuous, and allowed are classes",
            "Choose another column as the target, or put its values into classes.",
        )
    rare = [name for name, count in zip(names, counts, strict=True) if count < FEWEST_PER_CLASS]
    if rare:
        refuse(
            "target",
            f"{where} has only one sample of {listed(rare)}; "
            f"every class needs {FEWEST_PER_CLASS} or more, to train and to validate",
        )


def _is_continuous(raw: RawData, classes: int) -> bool:
    fractions = raw.target.dtype.kind == "f" and any(value % 1 for value in raw.target.tolist())
    return classes > len(raw.target) / 2 or (fractions and classes > _MOST_FRACTIONS)


def _class_name(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
