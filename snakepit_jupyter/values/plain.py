"""The way to write values for readers that know strict JSON only: each type becomes the nearest there is."""

import base64
import json
import math
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID

from snakepit_jupyter import exact_json
from snakepit_jupyter.errors import UnserializableValue
from snakepit_jupyter.values import marker
from snakepit_jupyter.values.library import MODULES, knowing
from snakepit_jupyter.values.standard import LONG_BITS
from snakepit_jupyter.values.walk import Rule, Rules, Walk, refused

PASSING: frozenset[type] = frozenset({str, bool, type(None)})
NUMBERS: frozenset[type] = frozenset({int, float, bool})


def write(value: Any) -> bytes:
    """A value as strict JSON text; what cannot be sent is a marker in it."""
    if not (exact_json.is_exact(value) and exact_json.is_finite(value)):
        return _write_lowered(value)
    try:
        return exact_json.encode(value)
    except UnserializableValue:  # an integer longer than any JSON reader takes
        return _write_lowered(value)


def _write_lowered(value: Any) -> bytes:
    try:
        return exact_json.encode(Walk(RULES, marker.mark).lower(value))
    except (UnserializableValue, RecursionError):  # the caller has left us too little of the stack
        return exact_json.encode(marker.mark(value))


def write_float(_: Walk, value: float) -> Any:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def write_int(_: Walk, value: int) -> Any:
    return value if value.bit_length() <= LONG_BITS else hex(value)


def write_list(walk: Walk, value: Collection[Any]) -> Any:
    return value if _all_finite(value) else walk.items(value, value)


def _all_finite(value: Collection[Any]) -> bool:
    try:
        return NUMBERS.issuperset(map(type, value)) and all(map(math.isfinite, value))
    except OverflowError:  # an integer beyond every float
        return False


def write_dict(walk: Walk, value: Mapping[Any, Any]) -> dict[str, Any]:
    names = (name_of(walk, name, place) for place, name in enumerate(value))
    return walk.fields(value, zip(names, value.values(), strict=True))


def name_of(walk: Walk, name: Any, place: int) -> str:
    """A key as text: of what is no text, as JSON writes it; of what cannot be sent, its type and place."""
    lowered = walk.lower(name)
    if isinstance(lowered, dict) and marker.MARK in lowered:
        return f"{marker.type_name(type(name))}#{place}"
    return lowered if isinstance(lowered, str) else json.dumps(lowered)


def write_set(walk: Walk, value: Collection[Any]) -> Any:
    try:
        ordered = sorted(value)
    except Exception:  # not everything has an order
        ordered = list(value)
    return walk.items(value, ordered)


def write_bytes(_: Walk, value: bytes | bytearray | memoryview) -> dict[str, str]:
    return {"raw_data_base64": base64.b64encode(value).decode("ascii")}


def write_text(_: Walk, value: object) -> str:
    return str(value)


def write_iso(_: Walk, value: date | time) -> str:
    return value.isoformat()


def write_seconds(_: Walk, value: timedelta) -> float:
    return value.total_seconds()


def check_size(value: object, elements: int) -> None:
    """Check that something is not too large to be unfolded.

    Raises:
        Refused: if it is.
    """
    if elements > marker.POLICY.tolist_max:
        raise refused(value)


def _writer(library: str) -> Rule:
    rule: Rule = knowing(library).write_plain
    return rule


RULES = Rules(
    PASSING,
    {
        int: write_int,
        float: write_float,
        list: write_list,
        tuple: write_list,
        dict: write_dict,
        set: write_set,
        frozenset: write_set,
        bytes: write_bytes,
        bytearray: write_bytes,
        memoryview: write_bytes,
        datetime: write_iso,
        date: write_iso,
        time: write_iso,
        timedelta: write_seconds,
        **dict.fromkeys((complex, Decimal, UUID, PosixPath, WindowsPath, PurePosixPath, PureWindowsPath), write_text),
    },
    {library: partial(_writer, library) for library in MODULES},
)
