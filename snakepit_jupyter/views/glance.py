"""A value at a glance: what a view keeps of one, which is never the content of something large.

Views know numbers, texts, lists and dicts. Chunks may carry whatever travels, so the rest becomes one of these.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from snakepit_jupyter.values.marker import MARK
from snakepit_jupyter.views.numbers import count
from snakepit_jupyter.views.wording import short

PLAIN = frozenset({str, int, float, bool, type(None), list, dict})
TABULAR = ("numpy", "pandas", "pyarrow")
NAME_WIDTH = 200
TYPE_WIDTH = 60
LONG = 50
DEEP = 8
TIMES = "×"  # noqa: RUF001 - no letter


def glances(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields of a chunk, each as something that a view knows; also the names are texts."""
    return {_name(name): glance(value) for name, value in fields.items()}


def _name(name: Any) -> str:
    return name if type(name) is str else short(str(glance(name)), NAME_WIDTH)


def glance(value: Any) -> Any:
    """The value if it is a number, text, list, dict or None; else the nearest of these, or its shape in words."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind in {tuple, set, frozenset}:
        return list(value)
    if isinstance(value, (bytes, bytearray)):
        return f"{count(len(value))} byte{'' if len(value) == 1 else 's'}"
    if kind is Decimal:
        return float("nan") if value.is_nan() else float(value)
    return _of_library(value) if kind.__module__.partition(".")[0] in TABULAR else str(value)


def _of_library(value: Any) -> Any:
    shape = _shape(value)
    if shape is None:
        return str(value)
    if shape == ():
        return _scalar(value)
    size = TIMES.join(f"{length:,}" for length in shape)
    return " ".join(filter(None, [_kind(type(value)), size, _elements(value)]))


def _shape(value: Any) -> tuple[int, ...] | None:
    # Asked of the class: a table answers to the names of its columns.
    if hasattr(type(value), "shape"):
        return tuple(value.shape)
    if hasattr(type(value), "num_columns"):
        return value.num_rows, value.num_columns
    return (len(value),) if hasattr(type(value), "__len__") else None


def _scalar(value: Any) -> Any:
    """A number of NumPy's, or an array without dimensions, as Python's; a time or what else it is as text."""
    if value.dtype.kind in "Mm":
        return str(value)
    item = value.item()
    if type(item) is type(value):  # wider than Python's floats
        return float(value) if value.dtype.kind == "f" else str(value)
    return str(item) if isinstance(item, complex) else glance(item)


def _kind(kind: type) -> str:
    """`Array` for any of pyarrow's `Int64Array`s."""
    is_array = kind.__module__.startswith("pyarrow") and kind.__name__.endswith("Array")
    return kind.__name__ if not is_array or kind.__name__ == "ChunkedArray" else "Array"


def _elements(value: Any) -> str:
    name = next((name for name in ("dtype", "type") if hasattr(type(value), name)), None)
    return short(str(getattr(value, name)), TYPE_WIDTH) if name else ""


def outline(value: Any, depth: int = 0) -> Any:
    """The value as JSON for reading: what is long or deep in it is only counted."""
    value = glance(value)
    if isinstance(value, dict) and MARK in value:
        return short(f"{value.get('__type__', 'something')}, which cannot be sent", NAME_WIDTH)
    if isinstance(value, (list, dict)) and (len(value) > LONG or depth > DEEP):
        return f"{count(len(value))} items"
    if isinstance(value, list):
        return [outline(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_name(name): outline(item, depth + 1) for name, item in value.items()}
    return value
