"""The libraries whose values travel, loaded only where such a value is."""

import importlib
import re
from functools import cache
from typing import Any

LEAST = {"numpy": "1.26", "pandas": "2.0", "pyarrow": "15.0"}
"""The oldest release of each that will do. An older pyarrow runs code that it finds in what it reads."""


MODULES = {"numpy": "arrays", "pandas": "tables", "pyarrow": "arrow"}
"""The modules of this package that know the types of a library: `write`, `write_plain`, `READERS`."""


class LibraryMissing(ValueError):
    """A value came whose library is not installed here, or too old."""


@cache
def library(name: str) -> Any:
    """One of the libraries of `LEAST`, imported.

    Raises:
        LibraryMissing: if it cannot be imported or is too old; says what to install.
    """
    least = LEAST[name]
    hint = f"install it where the value is used: pip install '{name}>={least}'"
    try:
        module = importlib.import_module(name)
    except ImportError:
        raise LibraryMissing(f"this value needs {name}, which is not installed; {hint}") from None
    if _release(module.__version__) < _release(least):
        raise LibraryMissing(f"this value needs {name} {least}, not {module.__version__}; {hint}")
    return module


def _release(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:2]]


@cache
def knowing(name: str) -> Any:
    """The module of this package that knows the types of a library.

    Raises:
        LibraryMissing: if the library, or one that it needs to travel, is not there.
    """
    library(name)
    return importlib.import_module(f"{__package__}.{MODULES[name]}")
