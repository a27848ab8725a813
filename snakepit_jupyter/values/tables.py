"""pandas' tables, series, indexes and times."""

from collections.abc import Iterable, Mapping
from typing import Any

from snakepit_jupyter.values import columns
from snakepit_jupyter.values.columns import checked_index, describe, read_columns, strings_dtype, write_columns
from snakepit_jupyter.values.library import library
from snakepit_jupyter.values.plain import check_size, name_of
from snakepit_jupyter.values.reader import Fields, Reader, ReadRule
from snakepit_jupyter.values.standard import ZONE, write_key, zone_fields, zone_of
from snakepit_jupyter.values.walk import Rule, Unfit, Walk

np = library("numpy")
pd = library("pandas")


def write(walk: Walk, value: Any) -> Any:
    """A table, series, index, array or time, typed.

    Raises:
        Unfit: if it is none of them.
    """
    if value is pd.NaT or value is pd.NA:
        return walk.tag("pandas.NaT" if value is pd.NaT else "pandas.NA")
    rule = next((rule for kind, rule in WRITERS.items() if isinstance(value, kind)), None)
    if rule is None:
        raise Unfit
    return rule(walk, value)


# Times.


def _write_timestamp(walk: Walk, value: Any) -> Any:
    return walk.tag("pandas.Timestamp", value=str(value.asm8), unit=value.unit, **_zone(value))


def _zone(value: Any) -> dict[str, Any]:
    name = getattr(value.tz, "zone", None)  # of pytz's zones, which pandas took before release 3
    if isinstance(name, str) and ZONE.fullmatch(name):
        return {"zone": name}
    return {} if value.tz is None else zone_fields(value.tz, value.utcoffset())


def _read_timestamp(_: Reader, fields: Fields) -> Any:
    moment = pd.Timestamp(np.datetime64(fields["value"], fields["unit"]))
    zone = zone_of(fields)
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _write_timedelta(walk: Walk, value: Any) -> Any:
    return walk.tag("pandas.Timedelta", value=int(value.asm8.astype("i8")), unit=value.unit)


def _read_timedelta(_: Reader, fields: Fields) -> Any:
    return pd.Timedelta(np.timedelta64(fields["value"], fields["unit"]))


# Indexes.


def _write_range(walk: Walk, value: Any) -> Any:
    bounds = [value.start, value.stop, value.step]
    return walk.tag("pandas.RangeIndex", value=bounds, name=write_key(walk, value.name))


def _read_range(reader: Reader, fields: Fields) -> Any:
    return pd.RangeIndex(*fields["value"], name=reader.read(fields["name"]))


def _write_multi(walk: Walk, value: Any) -> Any:
    levels, codes = walk.items(value, value.levels), walk.items(value, value.codes)
    return walk.tag("pandas.MultiIndex", levels=levels, codes=codes, names=_keys(walk, value.names))


def _read_multi(reader: Reader, fields: Fields) -> Any:
    levels, codes, names = (reader.items(fields, name) for name in ("levels", "codes", "names"))
    return pd.MultiIndex(list(map(checked_index, levels)), codes, names=names)


def _keys(walk: Walk, values: Iterable[Any]) -> list[Any]:
    return [write_key(walk, value) for value in values]


def _write_index(walk: Walk, value: Any) -> Any:
    name = write_key(walk, value.name)
    if value.dtype == object:
        return walk.tag("pandas.Index", keys=_keys(walk, value), name=name)
    if isinstance(value.dtype, pd.StringDtype):
        return walk.tag("pandas.Index", keys=_keys(walk, value), name=name, strings=describe(value.dtype))
    freq = value.freqstr if isinstance(value, pd.DatetimeIndex | pd.TimedeltaIndex) else None
    bare = pd.DataFrame({0: pd.Series(value.array)})
    return walk.tag("pandas.Index", columns=write_columns(walk, value, bare), name=name, freq=freq)


def _read_index(reader: Reader, fields: Fields) -> Any:
    name = reader.read(fields["name"])
    if "keys" in fields:
        return checked_index(_labels(reader, fields).rename(name))
    index = checked_index(pd.Index(read_columns(reader, fields["columns"])["0"].array, name=name))
    if fields["freq"] is not None:
        index.freq = fields["freq"]
    return index


def _labels(reader: Reader, fields: Fields) -> Any:
    keys = reader.items(fields, "keys")
    if "strings" in fields:
        return pd.Index(keys, dtype=strings_dtype(fields["strings"]))
    return pd.Index(keys, dtype=object, tupleize_cols=False)


# Series and tables.


def _write_series(walk: Walk, value: Any) -> Any:
    bare = pd.DataFrame({0: pd.Series(value.array)})
    return walk.tag("pandas.Series", columns=write_columns(walk, value, bare), name=write_key(walk, value.name)) | (
        _labelled(walk, value, index=value.index)
    )


def _read_series(reader: Reader, fields: Fields) -> Any:
    series = read_columns(reader, fields["columns"])["0"]
    series.index, series.name = checked_index(reader.read(fields["index"])), reader.read(fields["name"])
    series.attrs = reader.read(fields["attrs"])
    return series


def _write_frame(walk: Walk, value: Any) -> Any:
    bare = pd.DataFrame(value).set_axis(range(value.shape[1]), axis=1).reset_index(drop=True)
    return walk.tag("pandas.DataFrame", columns=write_columns(walk, value, bare)) | (
        _labelled(walk, value, labels=value.columns, index=value.index)
    )


def _labelled(walk: Walk, owner: Any, **labels: Any) -> dict[str, Any]:
    return walk.fields(owner, {**labels, "attrs": owner.attrs}.items())


def _read_frame(reader: Reader, fields: Fields) -> Any:
    frame, index = read_columns(reader, fields["columns"]), checked_index(reader.read(fields["index"]))
    if frame.shape[1] == 0:
        frame = pd.DataFrame(index=index)
    frame.columns, frame.index = checked_index(reader.read(fields["labels"])), index
    frame.attrs = reader.read(fields["attrs"])
    return frame


WRITERS: Mapping[type, Rule] = {
    pd.Timestamp: _write_timestamp,
    pd.Timedelta: _write_timedelta,
    pd.RangeIndex: _write_range,
    pd.MultiIndex: _write_multi,
    pd.Index: _write_index,
    pd.Series: _write_series,
    pd.DataFrame: _write_frame,
    pd.api.extensions.ExtensionArray: columns.write_array,
}

READERS: Mapping[str, ReadRule] = {
    "pandas.NaT": lambda _reader, _fields: pd.NaT,
    "pandas.NA": lambda _reader, _fields: pd.NA,
    "pandas.Timestamp": _read_timestamp,
    "pandas.Timedelta": _read_timedelta,
    "pandas.RangeIndex": _read_range,
    "pandas.MultiIndex": _read_multi,
    "pandas.Index": _read_index,
    "pandas.Series": _read_series,
    "pandas.DataFrame": _read_frame,
    **columns.READERS,
}


# Plain.


def write_plain(walk: Walk, value: Any) -> Any:
    """A table as a dict of columns, a series or index as a list, a time as text or seconds, what is missing as None.

    Raises:
        Unfit: if it is none of them.
        Refused: if it has too many elements.
    """
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, pd.Timedelta):
        return value.total_seconds()
    if isinstance(value, pd.Period | pd.Interval):
        return str(value)
    if isinstance(value, pd.DataFrame):
        return _plain_frame(walk, value)
    if isinstance(value, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        check_size(value, len(value))
        return walk.lower(_list(value))
    raise Unfit


def _list(values: Any) -> list[Any]:
    """The elements; what is missing is None, but NaN among numbers is NaN."""
    elements: list[Any] = values.tolist()
    if values.dtype.kind == "f" or isinstance(values, pd.MultiIndex):
        return elements
    return [None if missing else element for element, missing in zip(elements, values.isna(), strict=True)]


def _plain_frame(walk: Walk, value: Any) -> dict[str, Any]:
    check_size(value, value.size)
    names = (name_of(walk, label, place) for place, label in enumerate(value.columns))
    lists = (_list(value.iloc[:, place]) for place in range(value.shape[1]))
    return walk.fields(value, zip(names, lists, strict=True))
