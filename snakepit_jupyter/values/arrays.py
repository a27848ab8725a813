"""NumPy's arrays and scalars."""

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from snakepit_jupyter.values.payload import INLINE
from snakepit_jupyter.values.plain import check_size
from snakepit_jupyter.values.reader import Fields, Reader, ReadRule
from snakepit_jupyter.values.walk import Unfit, Walk

READABLE = "biufU"
"""The kinds of which JSON holds every value."""
WIDEST = 8
FORMAT = re.compile(r"[<>|=]?[?biufcSUVMm]\d*(\[\d*[A-Za-z]+\])?")
STRINGS = "strings"
"""The format of arrays of strings of any length, NumPy's `StringDType`."""
LAST_CHARACTER = 0x10FFFF


def write(walk: Walk, value: Any) -> Any:
    """An array or scalar, typed.

    Raises:
        Unfit: if it is none that is known.
    """
    if type(value) in {np.ndarray, np.memmap, np.matrix, np.recarray}:
        return _write_array(walk, np.asarray(value))
    if isinstance(value, np.str_):
        return walk.tag("numpy.str_", value=str(value))
    if isinstance(value, np.bytes_):
        return walk.tag("numpy.bytes_", **walk.data(bytes(value)))
    if isinstance(value, np.generic) and not value.dtype.hasobject:
        return walk.tag("numpy.scalar", **_content(walk, np.asarray(value)))
    raise Unfit


def _write_array(walk: Walk, array: np.ndarray[Any, Any]) -> Any:
    if array.dtype == object:
        objects = walk.items(array, array.ravel().tolist())
        return walk.tag("numpy.objects", shape=list(array.shape), value=objects)
    if array.dtype.hasobject and array.dtype.kind != "T":
        raise Unfit
    by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
    content = _content(walk, array.T if by_columns else array)
    return walk.tag("numpy.array", shape=list(array.shape), **content, **({"order": "F"} if by_columns else {}))


def _content(walk: Walk, array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """The format of an array, and its elements in a row: as numbers and texts if they are few, else as bytes."""
    if array.dtype.kind == "T":
        if array.dtype != np.dtypes.StringDType():
            raise Unfit
        return {"format": STRINGS, "value": array.ravel().tolist()}
    described = {"format": describe(array.dtype)}
    if array.nbytes <= INLINE and array.dtype.kind in READABLE and not _is_wide(array.dtype):
        return {**described, "value": array.ravel().tolist()}
    return {**described, **walk.data(_raw(array))}


def _is_wide(dtype: np.dtype[Any]) -> bool:
    return dtype.kind != "U" and dtype.itemsize > WIDEST


def _raw(array: np.ndarray[Any, Any]) -> bytes | memoryview:
    if not array.nbytes:
        return b""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def describe(dtype: np.dtype[Any]) -> Any:
    """A dtype as JSON: its format, or of a structured one the fields."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": describe(base), "shape": list(shape)}
    if dtype.names is None:
        return dtype.str
    fields: Mapping[str, Any] = dtype.fields or {}
    return {
        "names": list(dtype.names),
        "formats": [describe(fields[name][0]) for name in dtype.names],
        "offsets": [fields[name][1] for name in dtype.names],
        "titles": [fields[name][2] if len(fields[name]) > 2 else None for name in dtype.names],  # noqa: PLR2004
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def dtype_of(described: Any) -> np.dtype[Any]:
    """The inverse of `describe`.

    Raises:
        ValueError: if it is of no such dtype; NumPy's own errors, if there is none such.
    """
    if isinstance(described, str):
        if not FORMAT.fullmatch(described):
            raise ValueError("this is no format of an array")
        return np.dtype(described)
    if "base" in described:
        return np.dtype((dtype_of(described["base"]), _shape(described)))
    fields: Any = {
        "names": described["names"],
        "formats": list(map(dtype_of, described["formats"])),
        "offsets": described["offsets"],
        "titles": described["titles"],
        "itemsize": described["itemsize"],
    }
    dtype: np.dtype[Any] = np.dtype(fields, align=bool(described["aligned"]))
    return dtype


def _shape(fields: Fields) -> tuple[int, ...]:
    shape = tuple(fields["shape"])
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError("this is no shape of an array")
    return shape


def _read_array(reader: Reader, fields: Fields) -> np.ndarray[Any, Any]:
    shape = _shape(fields)
    if fields.get("order") == "F":
        return _read_content(reader, fields, shape[::-1]).T
    return _read_content(reader, fields, shape)


def _read_content(reader: Reader, fields: Fields, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if fields["format"] == STRINGS:
        return np.array(_texts(fields), np.dtypes.StringDType()).reshape(shape)
    dtype = dtype_of(fields["format"])
    if dtype.hasobject:
        raise ValueError("objects do not travel as bytes")
    if "value" in fields:
        return _from_list(fields["value"], dtype).reshape(shape)
    return _from_bytes(reader.data(fields), dtype, shape)


def _texts(fields: Fields) -> list[str]:
    texts: list[str] = fields["value"]
    if not all(type(text) is str for text in texts):
        raise ValueError("an array of strings holds something else")
    return texts


def _from_list(value: list[Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    # An itemsize that was made up would else claim any amount of memory.
    if type(value) is not list or len(value) * dtype.itemsize > INLINE:
        raise ValueError("this list is too long for an array")
    array = np.array(value, dtype)
    if array.shape != (len(value),):
        raise ValueError("the elements of this array are lists")
    return array


def _from_bytes(data: bytes | memoryview, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("the bytes of this array are too many or too few")
    if not len(data):
        return np.empty(shape, dtype)
    array = np.ndarray(shape, dtype, buffer=data).copy()
    _check(array)
    return array


def _check(array: np.ndarray[Any, Any]) -> None:
    """Check bytes that came from elsewhere: not every pattern is a bool or a character.

    Raises:
        ValueError: if one is none.
    """
    if array.dtype.names is not None:
        for name in array.dtype.names:
            _check(array[name])
    elif array.dtype.kind == "b":
        _check_most(array, "u1", 1)
    elif array.dtype.kind == "U" and array.nbytes:
        _check_most(array, array.dtype.byteorder.replace("|", "=") + "u4", LAST_CHARACTER)


def _check_most(array: np.ndarray[Any, Any], kind: str, most: int) -> None:
    if array.size and np.ascontiguousarray(array).reshape(-1).view(kind).max() > most:
        raise ValueError("the bytes of this array are none of its elements")


def _read_scalar(reader: Reader, fields: Fields) -> Any:
    array = _read_content(reader, fields, ())
    array.flags.writeable = False  # or a structured one could be no key
    return array[()]


def _read_objects(reader: Reader, fields: Fields) -> np.ndarray[Any, Any]:
    values, shape = reader.items(fields), _shape(fields)
    array = np.empty(len(values), object)
    for place, value in enumerate(values):  # by assignment a list would become more elements
        array[place] = value
    return array.reshape(shape)


READERS: Mapping[str, ReadRule] = {
    "numpy.array": _read_array,
    "numpy.objects": _read_objects,
    "numpy.scalar": _read_scalar,
    "numpy.str_": lambda _, fields: np.str_(fields["value"]),
    "numpy.bytes_": lambda reader, fields: np.bytes_(bytes(reader.data(fields))),
}


# Plain.


def write_plain(walk: Walk, value: Any) -> Any:
    """An array as nested lists, a scalar as the number or text it is; what is no time is None.

    Raises:
        Unfit: if it is neither.
        Refused: if it has too many elements.
    """
    if isinstance(value, np.ndarray):
        check_size(value, value.size)
        return walk.lower(_lists(value))
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.timedelta64):
        return None if np.isnat(value) else float(value / np.timedelta64(1, "s"))
    if not isinstance(value, np.generic):
        raise Unfit
    if isinstance(value, np.longdouble | np.clongdouble):  # Python has no type for them
        return walk.lower(complex(value) if isinstance(value, np.clongdouble) else float(value))
    return walk.lower(value.item())


def _lists(array: np.ndarray[Any, Any]) -> Any:
    if array.dtype.kind not in "mM":
        return array.tolist()
    scalars = np.empty(array.size, object)
    scalars[:] = list(array.flat)
    return scalars.reshape(array.shape).tolist()
