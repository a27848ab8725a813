"""The types of Python and its standard library: how each is written and read."""

import enum
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from snakepit_jupyter.values.marker import NOTHING, base_of, type_name
from snakepit_jupyter.values.payload import TAG
from snakepit_jupyter.values.reader import Fields, Reader, ReadRule
from snakepit_jupyter.values.walk import Refused, Rule, Walk, refused, step

ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
LONG_BITS = 12_000
"""Python reads no integer from decimal text that is much longer."""


# Containers.


def write_list(walk: Walk, value: list[Any]) -> list[Any]:
    return value if walk.passes(value) else walk.items(value, value)


def write_dict(walk: Walk, value: dict[Any, Any]) -> dict[str, Any]:
    if TAG in value or not all(type(name) is str for name in value):
        return walk.tag("dict", value=_pairs(walk, value))
    return value if walk.passes(value.values()) else walk.fields(value, value.items())


def _pairs(walk: Walk, value: dict[Any, Any]) -> list[Any]:
    pairs: list[Any] = []
    name = None
    walk.enter(value)
    try:
        for name, item in value.items():
            pairs.append([_name(walk, name, len(pairs)), walk.lower(item)])
    except Refused as found:
        found.steps.append(step(name))
        raise
    finally:
        walk.leave(value)
    return pairs


def _name(walk: Walk, name: Any, place: int) -> Any:
    try:
        return write_key(walk, name)
    except Refused:
        if walk.unsendable is None:
            raise
        return f"{type_name(type(name))}#{place}"


def write_tuple(walk: Walk, value: tuple[Any, ...]) -> dict[str, Any]:
    return walk.tag("tuple", value=walk.items(value, value))


def _set_writer(tag: str) -> Rule:
    def write(walk: Walk, value: Iterable[Any]) -> Any:
        kept = len(walk.parts)
        try:
            return walk.tag(tag, value=_keys(walk, value))
        except Refused:
            if walk.unsendable is None:
                raise
            # What stands for an object can be in a list, but in no set.
            del walk.parts[kept:]
            return walk.items(value, value)

    return write


def write_key(walk: Walk, value: Any) -> Any:
    """Something that has to stay hashable, written by its own rule or its base's.

    Raises:
        Refused: if there is none.
    """
    if type(value) in walk.rules.passing:
        return value
    if isinstance(value, enum.Enum):
        return write_key(walk, value.value)
    if isinstance(value, (tuple, frozenset)):
        return walk.tag("tuple" if isinstance(value, tuple) else "frozenset", value=_keys(walk, value))
    rule = walk.rules.of(type(value))
    try:
        if rule is not None:
            return rule(walk, value)
        base = base_of(value)
    except Exception as error:
        raise refused(value) from error
    if base is NOTHING:
        raise refused(value)
    return write_key(walk, base)


def _keys(walk: Walk, owner: Iterable[Any]) -> list[Any]:
    walk.enter(owner)
    try:
        return [write_key(walk, item) for item in owner]
    finally:
        walk.leave(owner)


# Numbers, bytes, names.


def write_long(walk: Walk, value: int) -> Any:
    return value if value.bit_length() <= LONG_BITS else walk.tag("int", value=hex(value))


def _bytes_writer(tag: str) -> Rule:
    return lambda walk, value: walk.tag(tag, **walk.data(value))


def write_complex(walk: Walk, value: complex) -> dict[str, Any]:
    return walk.tag("complex", value=[value.real, value.imag])


def _text_writer(tag: str, text: Callable[[Any], str] = str) -> Rule:
    return lambda walk, value: walk.tag(tag, value=text(value))


def _text_reader(kind: Callable[[str], Any]) -> ReadRule:
    return lambda _, fields: kind(fields["value"])


# Times.


def write_datetime(walk: Walk, value: datetime) -> dict[str, Any]:
    naive = value.replace(tzinfo=None, fold=0)
    return walk.tag("datetime", value=naive.isoformat(), **_clock(value))


def write_time(walk: Walk, value: time) -> dict[str, Any]:
    naive = value.replace(tzinfo=None, fold=0)
    return walk.tag("time", value=naive.isoformat(), **_clock(value))


def _clock(value: datetime | time) -> dict[str, Any]:
    fields: dict[str, Any] = {} if value.tzinfo is None else zone_fields(value.tzinfo, value.utcoffset())
    return {**fields, "fold": 1} if value.fold else fields


def zone_fields(zone: tzinfo, offset: timedelta | None) -> dict[str, Any]:
    """A time zone: by its name if it has one everywhere, else by its offset in seconds.

    Raises:
        Refused: if it has neither.
    """
    if isinstance(zone, ZoneInfo) and zone.key and ZONE.fullmatch(zone.key):
        return {"zone": zone.key}
    if offset is None:
        raise refused(zone)
    return {"offset": offset.total_seconds()}


def zone_of(fields: Fields) -> tzinfo | None:
    """The time zone among the fields of a typed value, None if there is none.

    Raises:
        ValueError: if its name is none.
    """
    if "offset" in fields:
        return timezone(timedelta(seconds=fields["offset"])) if fields["offset"] else UTC
    name = fields.get("zone")
    if name is None:
        return None
    if not ZONE.fullmatch(name):
        raise ValueError("a time zone has no such name")
    return ZoneInfo(name)


def read_datetime(_: Reader, fields: Fields) -> datetime:
    naive = datetime.fromisoformat(fields["value"])
    return naive.replace(tzinfo=zone_of(fields), fold=fields.get("fold", 0))


def read_time(_: Reader, fields: Fields) -> time:
    naive = time.fromisoformat(fields["value"])
    return naive.replace(tzinfo=zone_of(fields), fold=fields.get("fold", 0))


def write_timedelta(walk: Walk, value: timedelta) -> dict[str, Any]:
    return walk.tag("timedelta", value=[value.days, value.seconds, value.microseconds])


WRITERS: Mapping[type, Rule] = {
    list: write_list,
    dict: write_dict,
    tuple: write_tuple,
    set: _set_writer("set"),
    frozenset: _set_writer("frozenset"),
    int: write_long,
    bytes: _bytes_writer("bytes"),
    bytearray: _bytes_writer("bytearray"),
    memoryview: lambda walk, value: walk.tag("bytes", **walk.data(value.tobytes())),
    complex: write_complex,
    Decimal: _text_writer("Decimal"),
    UUID: _text_writer("UUID"),
    PosixPath: _text_writer("Path"),
    WindowsPath: _text_writer("Path"),
    PurePosixPath: _text_writer("PurePosixPath"),
    PureWindowsPath: _text_writer("PureWindowsPath"),
    datetime: write_datetime,
    date: _text_writer("date", date.isoformat),
    time: write_time,
    timedelta: write_timedelta,
}

READERS: Mapping[str, ReadRule] = {
    "dict": lambda reader, fields: dict(reader.items(fields)),
    "tuple": lambda reader, fields: tuple(reader.items(fields)),
    "set": lambda reader, fields: set(reader.items(fields)),
    "frozenset": lambda reader, fields: frozenset(reader.items(fields)),
    "int": _text_reader(lambda text: int(text, 16)),
    "bytes": lambda reader, fields: bytes(reader.data(fields)),
    "bytearray": lambda reader, fields: bytearray(reader.data(fields)),
    "complex": lambda _, fields: complex(*fields["value"]),
    "Decimal": _text_reader(Decimal),
    "UUID": _text_reader(UUID),
    "Path": _text_reader(Path),
    "PurePosixPath": _text_reader(PurePosixPath),
    "PureWindowsPath": _text_reader(PureWindowsPath),
    "datetime": read_datetime,
    "date": _text_reader(date.fromisoformat),
    "time": read_time,
    "timedelta": lambda _, fields: timedelta(*fields["value"]),
}
