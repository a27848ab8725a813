"""pyarrow's tables, batches and arrays, as Arrow IPC streams."""

from collections.abc import Mapping
from typing import Any

from snakepit_jupyter.values.library import library
from snakepit_jupyter.values.plain import check_size, name_of
from snakepit_jupyter.values.reader import Fields, Reader, ReadRule
from snakepit_jupyter.values.walk import Unfit, Walk

pa = library("pyarrow")
ONLY = "value"
"""The name of the column in which an array travels."""


def write(walk: Walk, value: Any) -> Any:
    """A table, batch or array, typed.

    Raises:
        Unfit: if it is none of them.
    """
    if isinstance(value, pa.Table):
        return walk.tag("pyarrow.Table", **walk.data(stream_of(value)))
    if isinstance(value, pa.RecordBatch):
        return walk.tag("pyarrow.RecordBatch", **walk.data(stream_of(value)))
    if isinstance(value, pa.ChunkedArray):
        return walk.tag("pyarrow.ChunkedArray", **walk.data(stream_of(pa.table({ONLY: value}))))
    if isinstance(value, pa.Array):
        return walk.tag("pyarrow.Array", **walk.data(stream_of(pa.RecordBatch.from_arrays([value], [ONLY]))))
    raise Unfit


def stream_of(table: Any) -> memoryview:
    """A table or batch as an IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write(table)
    return memoryview(sink.getvalue())


def table_of(data: bytes | memoryview) -> Any:
    """The table of an IPC stream. Every number in it is checked: Arrow itself would follow wrong ones anywhere.

    Raises:
        Exception: pyarrow's own, if it is none.
    """
    # Copied, because Arrow wants its numbers where a processor likes to have them.
    with pa.ipc.open_stream(pa.py_buffer(bytes(data))) as stream:
        table = stream.read_all()
    table.validate(full=True)
    return table


def _read_table(reader: Reader, fields: Fields) -> Any:
    return table_of(reader.data(fields))


def _read_batch(reader: Reader, fields: Fields) -> Any:
    with pa.ipc.open_stream(pa.py_buffer(bytes(reader.data(fields)))) as stream:
        batch = stream.read_next_batch()
    batch.validate(full=True)
    return batch


def _read_array(reader: Reader, fields: Fields) -> Any:
    return _read_batch(reader, fields).column(ONLY)


def _read_chunked(reader: Reader, fields: Fields) -> Any:
    return _read_table(reader, fields).column(ONLY)


READERS: Mapping[str, ReadRule] = {
    "pyarrow.Table": _read_table,
    "pyarrow.RecordBatch": _read_batch,
    "pyarrow.Array": _read_array,
    "pyarrow.ChunkedArray": _read_chunked,
}


def write_plain(walk: Walk, value: Any) -> Any:
    """A table or batch as a dict of columns, an array as a list, a scalar as what it is.

    Raises:
        Unfit: if it is none of them.
        Refused: if it has too many elements.
    """
    if isinstance(value, pa.Table | pa.RecordBatch):
        check_size(value, value.num_rows * value.num_columns)
        names = (name_of(walk, name, place) for place, name in enumerate(value.schema.names))
        return walk.fields(value, zip(names, (column.to_pylist() for column in value.columns), strict=True))
    if isinstance(value, pa.ChunkedArray | pa.Array):
        check_size(value, len(value))
        return walk.lower(value.to_pylist())
    if isinstance(value, pa.Scalar):
        return walk.lower(value.as_py())
    raise Unfit
