"""The way to write values that keeps every type, and the way back."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from snakepit_jupyter import exact_json
from snakepit_jupyter.errors import InvalidParameter, UnserializableValue
from snakepit_jupyter.values import frame, standard
from snakepit_jupyter.values.library import MODULES, knowing
from snakepit_jupyter.values.payload import TAG, Encoding, Payload
from snakepit_jupyter.values.reader import Reader, ReadRule
from snakepit_jupyter.values.walk import Rule, Rules, Walk


def _writer(library: str) -> Rule:
    rule: Rule = knowing(library).write
    return rule


RULES = Rules(exact_json.SCALARS, standard.WRITERS, {library: partial(_writer, library) for library in MODULES})
CAREFUL = dataclasses.replace(RULES, passing=exact_json.SCALARS - {int})
"""The same for values with integers that are too long for JSON; looking at each takes time."""


def write(value: Any, unsendable: Callable[[object], Any] | None = None) -> Payload:
    """A value as JSON, typed where that is needed.

    Args:
        value: any.
        unsendable: what to write in the place of something that cannot be sent; without it that is an error.

    Raises:
        Refused: if something in it cannot be sent, and nothing is to be written instead.
    """
    try:
        return _write(Walk(RULES, unsendable), value)
    except UnserializableValue:
        return _write(Walk(CAREFUL, unsendable), value)


def _write(walk: Walk, value: Any) -> Payload:
    text = exact_json.encode(walk.lower(value))
    return Payload(frame.join(text, walk.parts), Encoding.TYPED) if walk.typed else Payload(text)


def read(data: bytes) -> Any:
    """The value of a typed payload.

    Raises:
        LibraryMissing: if a library is missing here.
        Exception: of whatever kind, if the payload is none.
    """
    text, parts = frame.split(data)
    reader = Reader(parts, _reader)
    value = reader.read(exact_json.decode(text))
    reader.end()
    return value


def _reader(tag: str) -> ReadRule:
    rules = knowing(library).READERS if (library := tag.partition(".")[0]) in MODULES else standard.READERS
    rule: ReadRule = rules[tag]
    return rule


def names(data: bytes) -> list[str]:
    """The keys of an object in a typed payload; its parts are not looked at.

    Raises:
        InvalidParameter: if it is no object, or has other keys than texts.
    """
    try:
        text = frame.text_of(data)
        found = exact_json.names(text)
        return _escaped_names(exact_json.decode(text)) if TAG in found else found
    except (ValueError, TypeError, KeyError) as error:
        raise no_object() from error


def _escaped_names(tree: dict[str, Any]) -> list[str]:
    if tree[TAG] != "dict" or not all(type(name) is str for name, _ in tree["value"]):
        raise no_object()
    return [name for name, _ in tree["value"]]


def no_object() -> InvalidParameter:
    """The error that the arguments of a call have no names."""
    return InvalidParameter("the arguments are no object with names as keys", details={"key": "arguments"})
