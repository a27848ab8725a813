"""Reading .csv, .parquet and .npz files into plain arrays; what they hold is judged in `datasets`."""

import difflib
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from snakepit_jupyter.adapters.libraries import need
from snakepit_jupyter.errors import InvalidParameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TARGET_NAMES = ("target", "label", "class", "y")
ARRAY_PAIRS = (("X", "y"), ("x", "y"), ("data", "target"), ("x_train", "y_train"))
# What pandas calls the row numbers it wrote along. As a feature they would leak the order of the rows.
_ROW_NUMBERS = frozenset({"", "Unnamed: 0", "__index_level_0__"})


@dataclass(frozen=True, slots=True, eq=False)
class RawData:
    """What a file holds, not yet judged.

    Attributes:
        features: (samples, features); NaN stands for a missing value.
        target: (samples,) of numbers, booleans or text; None or NaN stands for a missing value.
        feature_names: one for each feature.
        target_name: the column or array that `target` was taken from.
    """

    features: "NDArray[np.float64]"
    target: "NDArray[Any]"
    feature_names: tuple[str, ...]
    target_name: str


def refuse(key: str, message: str, hint: str = "") -> NoReturn:
    """Raises the error of a data set which cannot be used; `key` is the argument to change."""
    raise InvalidParameter(message, hint=hint, details={"key": key})


def near(name: str, known: Sequence[str]) -> str:
    """A sentence with the nearest known name, or nothing."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean {found[0]!r}?" if found else ""


def listed(names: Sequence[str], most: int = 8) -> str:
    """The names in a row; of many, the first."""
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def read_csv(path: Path, target: str | None) -> RawData:
    """Reads a comma-separated file whose first row holds the names of the columns."""
    need("pyarrow")
    from pyarrow import ArrowInvalid, csv, types

    # Otherwise an empty cell of a text column would be a class of its own.
    options = csv.ConvertOptions(strings_can_be_null=True)
    try:
        table = csv.read_csv(path, convert_options=options)
        names = table.column_names
    except UnicodeDecodeError:
        refuse("dataset_path", f"{path} is not written in UTF-8")
    except ArrowInvalid as error:
        refuse("dataset_path", f"{path} cannot be read as CSV: {_first_line(error)}")
    # What PyArrow cannot decode, it leaves as bytes.
    if any(types.is_binary(kind) for kind in table.schema.types):
        refuse("dataset_path", f"{path} is not written in UTF-8")
    if all(map(_is_number, names)):
        refuse(
            "dataset_path",
            f"the first row of {path} holds numbers ({listed(names, 4)}), not column names",
            "Put a row with the names of the columns before it.",
        )
    return _from_table(path, table, target)


def read_parquet(path: Path, target: str | None) -> RawData:
    """Reads a Parquet file."""
    need("pyarrow")
    from pyarrow import ArrowInvalid, parquet

    try:
        # Not read_table: it takes parts of the path ("year=2024/") for columns.
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except (ArrowInvalid, OSError) as error:
        refuse("dataset_path", f"{path} cannot be read as Parquet: {_first_line(error)}")
    return _from_table(path, table, target)


def read_npz(path: Path, target: str | None) -> RawData:
    """Reads an array of features (samples, …) and one of labels (samples,) from a NumPy archive."""
    import numpy as np

    refuse_target(target, path.name)
    if not zipfile.is_zipfile(path):
        refuse("dataset_path", f"{path} is no NumPy archive; write it with numpy.savez(path, X=…, y=…)")
    with np.load(path, allow_pickle=False) as archive:
        x_name, y_name = _array_pair(path, archive.files)
        try:
            features, labels = archive[x_name], archive[y_name]
        except (ValueError, zipfile.BadZipFile, OSError) as error:
            refuse("dataset_path", f"{path} cannot be read: {_first_line(error)}")
    _check_arrays(path, (x_name, features), (y_name, labels))
    columns = features.reshape(len(features), -1).astype(np.float64)
    names = tuple(f"{x_name}[{index}]" for index in range(columns.shape[1]))
    return RawData(columns, labels.reshape(-1), names, y_name)


READERS: Mapping[str, Callable[[Path, str | None], RawData]] = {
    ".csv": read_csv,
    ".npz": read_npz,
    ".parquet": read_parquet,
}


def refuse_target(target: str | None, what: str) -> None:
    """Only a table has a column to choose."""
    if target is not None:
        refuse("target", f"target is {target!r}, but {what} has its own; leave it out here")


def _array_pair(path: Path, held: Sequence[str]) -> tuple[str, str]:
    for pair in ARRAY_PAIRS:
        if set(pair) <= set(held):
            return pair
    allowed = ", ".join(f"{x}/{y}" for x, y in ARRAY_PAIRS)
    refuse("dataset_path", f"{path} holds the arrays {listed(held)}; allowed pairs are {allowed}")


def _check_arrays(path: Path, x: "tuple[str, NDArray[Any]]", y: "tuple[str, NDArray[Any]]") -> None:
    (x_name, features), (y_name, labels) = x, y
    if features.dtype.kind not in "iufb":
        refuse("dataset_path", f"{path}: {x_name!r} is not numeric but of type {features.dtype}")
    if labels.dtype.kind not in "iufbU":
        refuse(
            "dataset_path",
            f"{path}: {y_name!r} is of type {labels.dtype}; allowed are text, integers and booleans",
        )
    if features.ndim < 2:  # noqa: PLR2004  (samples, features)
        refuse(
            "dataset_path",
            f"{path}: {x_name!r} has the shape {features.shape}; allowed is (samples, features)",
        )
    if labels.shape not in {(len(features),), (len(features), 1)}:
        refuse(
            "dataset_path",
            f"{path}: {y_name!r} has the shape {labels.shape}; with {len(features):,} samples in "
            f"{x_name!r} allowed is ({len(features)},)",
        )


def _from_table(path: Path, table: Any, target: str | None) -> RawData:
    import numpy as np

    table = _without_row_numbers(table)
    _check_columns(path, table)
    target_name = _target_column(path, table.column_names, target)
    feature_names = tuple(name for name in table.column_names if name != target_name)
    _check_numeric(path, table.select(list(feature_names)))
    labels = _labels(path, table, target_name)
    columns = [_as_floats(table.column(name)) for name in feature_names]
    return RawData(np.column_stack(columns), labels, feature_names, target_name)


def _without_row_numbers(table: Any) -> Any:
    return table.select([i for i, name in enumerate(table.column_names) if name not in _ROW_NUMBERS])


def _check_columns(path: Path, table: Any) -> None:
    twice = [name for name, times in Counter(table.column_names).items() if times > 1]
    if twice:
        refuse("dataset_path", f"{path} has more than one column {twice[0]!r}; names must differ")
    if table.num_columns < 2:  # noqa: PLR2004  a feature and a target
        refuse(
            "dataset_path",
            f"{path} has {table.num_columns} column(s) ({listed(table.column_names)}); "
            "needed are one feature and the target",
            "Values are separated by commas.",
        )
    if not table.num_rows:
        refuse("dataset_path", f"{path} has column names but no rows")


def _target_column(path: Path, names: Sequence[str], target: str | None) -> str:
    if target is None:
        lower = {name.lower(): name for name in reversed(names)}
        return next((lower[name] for name in TARGET_NAMES if name in lower), names[-1])
    if target not in names:
        refuse("target", f"{path} has no column {target!r}.{near(target, names)}", f"Columns: {listed(names)}.")
    return target


def _check_numeric(path: Path, table: Any) -> None:
    wrong = [field.name for field in table.schema if not _is_numeric(field.type)]
    if wrong:
        value = _first_text(table.column(wrong[0]))
        others = f" (nor are {listed(wrong[1:], 4)})" if wrong[1:] else ""
        refuse(
            "dataset_path",
            f"{path}: the feature column {wrong[0]!r} is not numeric: it holds {value!r}{others}",
            "Turn it into numbers, leave it out, or name it as the target.",
        )


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    checks = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null)
    return any(check(kind) for check in checks)


def _first_text(column: Any) -> Any:
    """The first value that keeps a column from being numeric."""
    return next((v for v in column.to_pylist() if v is not None and not _is_number(v)), "text")


def _as_floats(column: Any) -> "NDArray[np.float64]":
    import pyarrow as pa

    # Booleans have no cast to float64 of their own in every version of Arrow; through int8 they do.
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    floats: NDArray[np.float64] = column.cast(pa.float64(), safe=False).to_numpy()
    return floats


def _labels(path: Path, table: Any, name: str) -> "NDArray[Any]":
    from pyarrow import types

    column = table.column(name)
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    allowed = (types.is_string, types.is_large_string, _is_numeric)
    if not any(check(column.type) for check in allowed):
        refuse(
            "target",
            f"{path}: the target {name!r} is of type {column.type}; allowed are text, integers and booleans",
        )
    labels: NDArray[Any] = column.to_numpy()
    return labels


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
