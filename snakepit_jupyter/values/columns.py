"""The columns of pandas' tables, series and indexes.

They travel together as one Arrow table with pandas' own metadata, those that come back from one as what they were.
The others travel one by one: columns of objects element by element.
"""

from collections.abc import Mapping
from typing import Any

from snakepit_jupyter.values.arrow import stream_of, table_of
from snakepit_jupyter.values.library import library
from snakepit_jupyter.values.reader import Fields, Reader, ReadRule
from snakepit_jupyter.values.walk import Walk

np = library("numpy")
pa = library("pyarrow")
pd = library("pandas")
BITS = 8


def write_columns(walk: Walk, owner: Any, bare: Any) -> dict[str, Any]:
    """The columns of a table, as fields of the typed value of `owner`.

    Args:
        walk: the pass that meets it.
        owner: the value that the columns are of.
        bare: the table, with its columns and rows labelled 0, 1, 2 …
    """
    bare.attrs = {}  # they go with the owner
    bare.columns = list(map(str, range(bare.shape[1])))
    fitting = _fitting(bare)
    others = [name for name in bare.columns if name not in fitting]
    written = walk.items(owner, [_array_of(bare[name]) for name in others])
    fields = {"others": dict(zip(others, written, strict=True))}
    return fields | walk.data(stream_of(_arrow_table(bare[fitting]))) if fitting else fields


def _array_of(column: Any) -> Any:
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _fitting(frame: Any) -> list[str]:
    """The columns that come back from Arrow as the same type, so far as the types can tell."""
    names = [name for name, dtype in frame.dtypes.items() if _may_fit(dtype)]
    try:
        return _surviving(frame[names].iloc[:0])
    except Exception:  # one of them Arrow does not take at all
        return [name for name in names if _survives(frame[[name]].iloc[:0])]


def _may_fit(dtype: Any) -> bool:
    return dtype.kind != "O" or not isinstance(dtype, np.dtype | pd.ArrowDtype | pd.SparseDtype)


def _survives(frame: Any) -> bool:
    try:
        return bool(_surviving(frame))
    except Exception:
        return False


def _surviving(frame: Any) -> list[str]:
    table = _arrow_table(frame)
    after = table.to_pandas().dtypes
    kinds = dict(zip(table.column_names, table.schema.types, strict=True))
    return [name for name, dtype in frame.dtypes.items() if after[name] == dtype and _has_bytes(kinds[name])]


def _arrow_table(frame: Any) -> Any:
    return pa.Table.from_pandas(frame, preserve_index=False)


def _has_bytes(kind: Any) -> bool:
    """Whether each element of an Arrow type takes room, so that no table can have more rows than it has bits."""
    if isinstance(kind, pa.BaseExtensionType):
        return _has_bytes(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _has_bytes(kind.value_type)
    if pa.types.is_struct(kind):
        return kind.num_fields > 0 and all(_has_bytes(field.type) for field in kind)
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return pa.types.is_primitive(kind) or any(is_text(kind) for is_text in texts)


def read_columns(reader: Reader, fields: Fields) -> Any:
    """The table that `write_columns` was given.

    Raises:
        ValueError: if they are no columns of one table; other libraries' own errors, if they are none at all.
    """
    frame = _read_table(reader, fields)
    if fields["others"]:
        columns = {int(name): frame[name].array for name in frame.columns}
        columns |= {int(name): reader.read(tree) for name, tree in fields["others"].items()}
        frame = _joined(columns)
    if list(frame.columns) != list(map(str, range(frame.shape[1]))):
        raise ValueError("a column is missing")
    return frame


def _read_table(reader: Reader, fields: Fields) -> Any:
    if "part" not in fields and "base64" not in fields:
        return pd.DataFrame()
    data = reader.data(fields)
    table = table_of(data)
    if not all(map(_has_bytes, table.schema.types)) or table.num_rows > BITS * len(data):
        raise ValueError("this table has more rows than it has bits")
    return table.to_pandas().reset_index(drop=True)


def _joined(columns: Mapping[int, Any]) -> Any:
    series = {str(place): pd.Series(columns[place], dtype=columns[place].dtype) for place in sorted(columns)}
    if len(set(map(len, series.values()))) != 1:
        raise ValueError("the columns of a table are of different lengths")
    return pd.DataFrame(series)


def checked_index(index: Any) -> Any:
    """The index, if it is one with labels that can be looked up.

    Raises:
        TypeError: if it is none, or one of them cannot.
    """
    if not isinstance(index, pd.Index):
        raise TypeError("this is no index")
    if index.dtype == object:
        for label in index:
            hash(label)
    return index


# Arrays that are no NumPy arrays.


def write_array(walk: Walk, value: Any) -> Any:
    """One of pandas' own arrays; of a kind that no library here knows, its elements."""
    if isinstance(value, pd.Categorical):
        (codes, categories) = walk.items(value, (value.codes, value.categories))
        return walk.tag("pandas.Categorical", codes=codes, categories=categories, ordered=value.ordered)
    if isinstance(value.dtype, pd.StringDtype):
        texts = [None if missing else text for text, missing in zip(value, value.isna(), strict=True)]
        return walk.tag("pandas.strings", value=texts, **describe(value.dtype))
    if isinstance(value.dtype, pd.ArrowDtype):
        (content,) = walk.items(value, (pa.chunked_array(pa.array(value)),))
        return walk.tag("pandas.arrow", content=content)
    bare = pd.DataFrame({"0": value})
    return walk.tag("pandas.array", **write_columns(walk, value, bare)) if _fitting(bare) else _dense(walk, value)


def _dense(walk: Walk, value: Any) -> Any:
    (lowered,) = walk.items(value, (np.asarray(value),))
    return lowered


def describe(dtype: Any) -> dict[str, Any]:
    """A dtype of strings: how they are stored, and whether what is missing is NaN."""
    return {"storage": dtype.storage, "nan": dtype.na_value is not pd.NA}


def strings_dtype(fields: Fields) -> Any:
    """The inverse of `describe`."""
    if fields["nan"]:
        return pd.StringDtype(fields["storage"], na_value=np.nan)
    return pd.StringDtype(fields["storage"])


def _read_categorical(reader: Reader, fields: Fields) -> Any:
    codes, categories = reader.read(fields["codes"]), reader.read(fields["categories"])
    return pd.Categorical.from_codes(codes, checked_index(categories), ordered=fields["ordered"])


def _read_strings(reader: Reader, fields: Fields) -> Any:
    return pd.array(reader.items(fields), dtype=strings_dtype(fields))


def _read_arrow(reader: Reader, fields: Fields) -> Any:
    content = reader.read(fields["content"])
    return pd.array(content, dtype=pd.ArrowDtype(content.type))


READERS: Mapping[str, ReadRule] = {
    "pandas.Categorical": _read_categorical,
    "pandas.strings": _read_strings,
    "pandas.arrow": _read_arrow,
    "pandas.array": lambda reader, fields: read_columns(reader, fields)["0"].array,
}
