"""A package for an adapter of one's own, with a test that runs it: what `snakepit gen-adapter NAME` writes.

The files lie in `templates`, under the paths that they get. NAME in a path and {{name}} and the like in a text are
filled in.
"""

import importlib.util
import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from snakepit_jupyter.errors import InvalidParameter

NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?")
SUFFIX = ".tmpl"


def write(name: str, directory: Path) -> Path:
    """Write a package with one plain and one streaming tool.

    Args:
        name: the package's name, as it is imported.
        directory: where its folder is put.

    Returns:
        the folder: `directory / name`.

    Raises:
        InvalidParameter: if the name cannot be one, is taken, or nothing can be written there; `key` says which.
    """
    target = directory / name
    _check_name(name)
    _check_place(target)
    _check_free(name)
    try:
        _write_all(target, _fields(name))
    except OSError as error:
        raise _wrong("directory", f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _write_all(target: Path, fields: Mapping[str, str]) -> None:
    """All files or none: they are written aside and moved at once."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as aside:
        made = Path(aside) / target.name
        for path, text in _templates(files(__name__) / "templates", Path()):
            place = made / str(path).replace("NAME", target.name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(_filled(text, fields), encoding="utf-8")
        shutil.move(made, target)


def _templates(folder: Traversable, path: Path) -> Iterator[tuple[Path, str]]:
    """Path and text of each template below a folder."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _templates(entry, path / entry.name)
        elif entry.name.endswith(SUFFIX):
            yield path / entry.name.removesuffix(SUFFIX), entry.read_text(encoding="utf-8")


def _fields(name: str) -> dict[str, str]:
    camel = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return {
        "name": name,
        "project": re.sub(r"_+", "-", name),
        "class": camel if camel.endswith("Tools") else f"{camel}Tools",
    }


def _filled(text: str, fields: Mapping[str, str]) -> str:
    for field, value in fields.items():
        text = text.replace(f"{{{{{field}}}}}", value)
    return text


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise _wrong("name", f"{name!r} is no name of a package", "It has letters, digits and _, as in my_tools.")


def _check_place(target: Path) -> None:
    if not target.parent.is_dir():
        raise _wrong("directory", f"there is no directory {target.parent}")
    if target.exists():
        raise _wrong("name", f"{target} is there already", "Choose another name, or another directory.")


def _check_free(name: str) -> None:
    if name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        raise _wrong("name", f"there is a module {name!r} already", "Choose another name: it would hide that module.")


def _wrong(key: str, message: str, hint: str = "") -> InvalidParameter:
    return InvalidParameter(message, hint=hint, details={"key": key})
