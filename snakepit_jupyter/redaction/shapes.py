"""Values by their shape."""

from collections import deque
from collections.abc import Mapping
from typing import Any

# The names of types are cut after so many characters.
LONGEST_NAME = 60
TIMES = "\N{MULTIPLICATION SIGN}"
SIZED = (dict, list, tuple, set, frozenset, deque, range)


def shape(value: Any) -> str:
    """What kind of thing a value is and how large, never what is in it. Safe with any object.

    For example "dict of 3", "bytes 1,024", "str 20", "ndarray 500 float64", where a table or a matrix has the lengths
    of all its axes; of other types the name.
    """
    try:
        return _shape(value)
    except Exception:  # an object may do anything when it is asked
        return _name(value)


def shapes(values: Mapping[str, Any]) -> dict[str, str]:
    """The shapes of named values, by name."""
    return {str(name): shape(value) for name, value in values.items()}


def _shape(value: Any) -> str:
    name = _name(value)
    if value is None:
        return "None"
    if isinstance(value, (str, bytes, bytearray)):
        return f"{name} {len(value):,}"
    if isinstance(value, memoryview):
        return f"{name} {value.nbytes:,}"
    if isinstance(value, SIZED):
        return f"{name} of {len(value):,}"
    # Asked of the type: the object itself may answer any name, for example by a call over a network.
    return f"{name} {_extent(value)}" if hasattr(type(value), "shape") else name


def _name(value: Any) -> str:
    # As `type` has it: a class's own metaclass may answer otherwise.
    name = type.__dict__["__name__"].__get__(type(value))
    return str(name)[:LONGEST_NAME]


def _extent(value: Any) -> str:
    """The size of an array or table along its axes, and what kind of number is in it."""
    extent = TIMES.join(f"{int(length):,}" for length in value.shape) or "scalar"
    # Asked of the class: a table answers to the names of its columns.
    kind = getattr(value, "dtype", None) if hasattr(type(value), "dtype") else None
    return extent if kind is None else f"{extent} {str(kind)[:LONGEST_NAME]}"
