"""Values of every kind that travels, and what it means that one came back as it was."""

import datetime as dt
import math
import pathlib
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from snakepit_jupyter.values.payload import TAG

pd: Any = pytest.importorskip("pandas")

ZONES = ("Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "UTC")


# JSON.


def json_scalars() -> st.SearchStrategy[Any]:
    """None, bools, integers and floats of any size, texts, also of half surrogate pairs."""
    texts = st.text() | st.text(st.characters())
    return st.none() | st.booleans() | st.integers() | st.integers(-(10**60), 10**60) | st.floats() | texts


def json_values(leaves: int = 20) -> st.SearchStrategy[Any]:
    """What JSON can tell apart, NaN and the infinities besides."""
    return st.recursive(json_scalars(), _lists_and_dicts, max_leaves=leaves)


def _lists_and_dicts(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(names(), inner, max_size=4)


def names() -> st.SearchStrategy[str]:
    return st.text(max_size=8) | st.sampled_from([TAG, "value", "part", "__type__"])


# The standard library.


def zones() -> st.SearchStrategy[dt.tzinfo]:
    return st.timezone_keys().filter(lambda key: key in ZONES or len(key) % 7 == 0).map(_zone) | offsets()


def _zone(key: str) -> dt.tzinfo:
    from zoneinfo import ZoneInfo

    return ZoneInfo(key)


def offsets() -> st.SearchStrategy[dt.tzinfo]:
    day = dt.timedelta(hours=23, minutes=59)
    return st.timedeltas(-day, day).map(dt.timezone) | st.just(dt.UTC)


def datetimes() -> st.SearchStrategy[dt.datetime]:
    naive = st.builds(lambda moment, fold: moment.replace(fold=fold), st.datetimes(), st.integers(0, 1))
    zoned = st.sampled_from(ZONES).map(_zone) | offsets()
    return naive | st.builds(lambda moment, zone: moment.replace(tzinfo=zone), naive, zoned)


def times() -> st.SearchStrategy[dt.time]:
    zoned = st.none() | offsets() | st.sampled_from(ZONES).map(_zone)
    return st.builds(
        lambda time, zone, fold: time.replace(tzinfo=zone, fold=fold), st.times(), zoned, st.integers(0, 1)
    )


def paths() -> st.SearchStrategy[pathlib.PurePath]:
    kinds = st.sampled_from([pathlib.Path, pathlib.PurePosixPath, pathlib.PureWindowsPath])
    return st.builds(lambda kind, text: kind(text), kinds, st.text(st.characters(exclude_characters="\0"), max_size=12))


def hashable() -> st.SearchStrategy[Hashable]:
    """What can be the key of a dict."""
    simple = st.one_of(
        json_scalars(),
        *(st.binary(max_size=8), datetimes(), st.dates(), times(), st.timedeltas(), st.uuids(), paths()),
        *(st.decimals().filter(lambda number: not number.is_snan()), st.complex_numbers()),
        numpy_scalars(),
        *(timestamps(), pandas_timedeltas(), st.just(pd.NaT), st.just(pd.NA)),
    )
    return st.recursive(
        simple,
        lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
        max_leaves=4,
    )


# NumPy.


def dtypes() -> st.SearchStrategy[np.dtype[Any]]:
    """Every kind but objects; both byte orders."""
    simple = st.one_of(
        *(st_np.boolean_dtypes(), st_np.integer_dtypes(), st_np.unsigned_integer_dtypes(), st_np.floating_dtypes()),
        *(st_np.complex_number_dtypes(), st_np.datetime64_dtypes(), st_np.timedelta64_dtypes()),
        *(st_np.unicode_string_dtypes(max_len=4), st_np.byte_string_dtypes(max_len=4)),
    )
    return simple | st_np.array_dtypes(simple, max_size=3)


def arrays() -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Arrays of any layout, none to three dimensions."""
    made = st_np.arrays(dtypes(), st_np.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    return st.builds(lambda array, layout: layout(array), made, st.sampled_from(LAYOUTS))


LAYOUTS = (
    lambda array: array,
    np.asfortranarray,
    lambda array: array[::2] if array.ndim else array,
    lambda array: array[..., ::-1] if array.ndim else array,
)


def numpy_scalars() -> st.SearchStrategy[Any]:
    kinds = st_np.scalar_dtypes().filter(lambda dtype: dtype.kind != "V")
    return kinds.flatmap(st_np.from_dtype).filter(lambda value: isinstance(value, np.generic))


def object_arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    return st.lists(inner, max_size=4).map(_objects)


def _objects(values: list[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(values), object)
    for place, value in enumerate(values):
        array[place] = value
    return array


# pandas.


def timestamps() -> st.SearchStrategy[Any]:
    first, last = map(dt.datetime.fromisoformat, ("1700-01-01", "2250-01-01"))
    moments = st.datetimes(first, last).map(pd.Timestamp)
    units = st.sampled_from(["s", "ms", "us", "ns"])
    zoned = st.none() | st.sampled_from(ZONES).map(_zone)
    return st.builds(
        lambda moment, unit, zone: moment.as_unit(unit).tz_localize("UTC").tz_convert(zone), moments, units, zoned
    )


def pandas_timedeltas() -> st.SearchStrategy[Any]:
    return st.integers(-(2**62), 2**62).map(lambda number: pd.Timedelta(np.timedelta64(number, "ns")))


COLUMNS = (
    st.lists(st.floats(), min_size=3, max_size=3),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3).map(lambda of: np.array(of, np.int64)),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), min_size=3, max_size=3),
    st.lists(st.none() | st.integers(-9, 9), min_size=3, max_size=3).map(lambda of: pd.array(of, dtype="Int64")),
    st.lists(st.sampled_from("abc"), min_size=3, max_size=3).map(pd.Categorical),
    st.lists(st.sampled_from(["a", 1, None]), min_size=3, max_size=3).map(pd.Categorical),
    st.lists(st.complex_numbers(), min_size=3, max_size=3),
    st.lists(timestamps().map(lambda moment: moment.tz_localize(None)), min_size=3, max_size=3),
    st.lists(pandas_timedeltas(), min_size=3, max_size=3),
)


def series(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    typed = st.one_of(*COLUMNS).map(pd.Series)
    objects = st.lists(inner, max_size=3).map(lambda values: pd.Series(_objects(values), dtype=object))
    return st.builds(lambda made, name: made.rename(name), typed | objects, st.text(max_size=4) | st.integers())


def frames() -> st.SearchStrategy[Any]:
    labels = st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.integers(), max_size=3, unique=True
    )
    indexes = st.sampled_from([pd.RangeIndex(3), pd.Index(["x", "y", "z"], name="label"), pd.Index([1.5, 2.0, 2.0])])
    return st.builds(_frame, labels, indexes, st.data())


def _frame(labels: list[Any], index: Any, data: st.DataObject) -> Any:
    columns = [pd.Series(data.draw(st.one_of(*COLUMNS)), index=index) for _ in labels]
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
    return frame.set_axis(pd.Index(labels, dtype=object), axis=1)


# Arrow.


def arrow() -> st.SearchStrategy[Any]:
    columns = st.lists(st.none() | st.integers(-(2**31), 2**31), max_size=4).map(lambda of: pa.array(of, pa.int64()))
    texts = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=4)
    any_array = columns | texts.map(lambda of: pa.array(of, pa.string())) | st.integers(0, 5).map(pa.nulls)
    chunked = st.lists(columns, max_size=3).map(lambda chunks: pa.chunked_array(chunks, pa.int64()))
    tables = any_array.map(lambda array: pa.table({"a": array}))
    return any_array | chunked | tables | any_array.map(lambda array: pa.RecordBatch.from_arrays([array], ["a"]))


# Everything.


def scalars() -> st.SearchStrategy[Any]:
    return hashable() | st.binary(max_size=20).map(bytearray) | arrays() | arrow() | frames()


def any_value(leaves: int = 8) -> st.SearchStrategy[Any]:
    """Any nesting of what travels."""
    return st.recursive(scalars(), _containers, max_leaves=leaves)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        *(
            _lists_and_dicts(inner),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(hashable(), inner, max_size=3),
        ),
        *(st.sets(hashable(), max_size=3), st.frozensets(hashable(), max_size=3)),
        *(object_arrays(inner), series(inner)),
    )


# Sameness.


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all the way down; NaN is the same as NaN."""
    if type(one) is not type(other):
        return False
    kind = next((kind for kind in SAMENESS if isinstance(one, kind)), None)
    return SAMENESS[kind](one, other) if kind else bool(one == other)


def _same_items(one: Any, other: Any) -> bool:
    return len(one) == len(other) and all(map(same, one, other))


def _same_sets(one: Any, other: Any) -> bool:
    left = list(other)
    for item in one:
        twin = next((place for place, candidate in enumerate(left) if same(item, candidate)), None)
        if twin is None:
            return False
        del left[twin]
    return not left


def _same_numbers(one: Any, other: Any) -> bool:
    return (one != one and other != other) or (one == other and math.copysign(1, one) == math.copysign(1, other))  # noqa: PLR0124


def _same_numpy(one: Any, other: Any) -> bool:
    if one.dtype != other.dtype:
        return False
    both_nothing = one != one and other != other  # noqa: PLR0124
    return bool(one == other or both_nothing)


def _same_arrays(one: Any, other: Any) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape or not other.flags.writeable:
        return False
    if one.dtype == object:
        return _same_items(one.ravel().tolist(), other.ravel().tolist())
    if one.dtype.names:
        return all(_same_arrays(one[name], other[name]) for name in one.dtype.names)
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fcmM"))


def _same_series(one: Any, other: Any) -> bool:
    if one.dtype == object and other.dtype == object:
        return _same_items(one.tolist(), other.tolist()) and same(one.index, other.index) and same(one.name, other.name)
    pd.testing.assert_series_equal(one, other)
    return True


def _same_frames(one: Any, other: Any) -> bool:
    pd.testing.assert_frame_equal(one, other, check_column_type=True)
    return True


def _same_indexes(one: Any, other: Any) -> bool:
    pd.testing.assert_index_equal(one, other, exact=True)
    return same(getattr(one, "freq", None), getattr(other, "freq", None))


SAMENESS: dict[type, Any] = {
    dict: lambda one, other: _same_items(list(one.items()), list(other.items())),
    list: _same_items,
    tuple: _same_items,
    set: _same_sets,
    frozenset: _same_sets,
    np.ndarray: _same_arrays,
    np.generic: _same_numpy,
    float: _same_numbers,
    complex: lambda one, other: _same_numbers(one.real, other.real) and _same_numbers(one.imag, other.imag),
    Decimal: lambda one, other: one.as_tuple() == other.as_tuple(),
    type(pd.NaT): lambda _one, _other: True,
    type(pd.NA): lambda _one, _other: True,
    pd.Timestamp: lambda one, other: one == other and one.unit == other.unit and str(one.tz) == str(other.tz),
    dt.datetime: lambda one, other: (one, one.tzinfo, one.fold) == (other, other.tzinfo, other.fold),
    dt.time: lambda one, other: (one, one.tzinfo, one.fold) == (other, other.tzinfo, other.fold),
    pd.Series: _same_series,
    pd.DataFrame: _same_frames,
    pd.Index: _same_indexes,
    pa.Table: lambda one, other: one.equals(other, check_metadata=True),
    pa.RecordBatch: lambda one, other: one.equals(other, check_metadata=True),
    pa.ChunkedArray: lambda one, other: one.equals(other),
    pa.Array: lambda one, other: one.equals(other),
}
