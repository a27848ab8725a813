"""What stands for an object that has no type of its own on the wire, and the marker for what cannot be sent.

Both after section 9 of the wire contract. An object's content is shown only where the environment asks for it.
"""

import contextlib
import enum
import math
import os
import pathlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

REPR_MAXLEN, REPR_MAXLEN_MOST = 500, 2000
TOLIST_MAX = 1_000_000
TYPES_MOST = 10_000
READ_OF_A_REPR = 20_000
"""Characters of a `repr` that are looked through for secrets before the rest is cut off."""


class Detail(enum.StrEnum):
    """What a marker tells of the object besides its type."""

    NONE = "none"
    TYPE = "type"
    REPR = "repr_truncated"
    REPR_REDACTED = "repr_redacted_truncated"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the environment says of markers.

    Args:
        detail: what they tell.
        repr_maxlen: how many characters of a `repr` they hold.
        tolist_max: how many elements `tolist()` may give.
    """

    detail: Detail = Detail.NONE
    repr_maxlen: int = REPR_MAXLEN
    tolist_max: int = TOLIST_MAX

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Policy":
        """The policy that variables ask for; one that is not understood counts as not set."""
        detail = environment.get("SNAKEPIT_UNSERIALIZABLE_DETAIL", "").strip().lower()
        length = _number(environment.get("SNAKEPIT_UNSERIALIZABLE_REPR_MAXLEN", ""), REPR_MAXLEN)
        most = _number(environment.get("SNAKEPIT_TOLIST_MAX_ELEMENTS", ""), TOLIST_MAX)
        return cls(
            Detail(detail) if detail in set(Detail) else Detail.NONE,
            max(0, min(length, REPR_MAXLEN_MOST)),
            max(0, most),
        )


def _number(text: str, default: int) -> int:
    try:
        return int(text)
    except ValueError:
        return default


POLICY = Policy.of(os.environ)
MARK = "__ffi_unserializable__"
NOTHING = object()
"""Says that nothing stands for an object."""


# What stands for an object.

BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (complex, complex.__complex__),
    (bytes, bytes.__bytes__),
    (bytearray, bytearray),
    (dict, dict),
    (list, list),
    (tuple, tuple),
    (set, set),
    (frozenset, frozenset),
    (datetime, lambda of: datetime.combine(base_of(of.date()), base_of(of.timetz()))),
    (date, lambda of: date(of.year, of.month, of.day)),
    (time, lambda of: time(of.hour, of.minute, of.second, of.microsecond, of.tzinfo, fold=of.fold)),
    (timedelta, lambda of: timedelta(of.days, of.seconds, of.microseconds)),
    (Decimal, Decimal),
    (UUID, lambda of: UUID(int=of.int)),
    (pathlib.Path, pathlib.Path),
    (pathlib.PureWindowsPath, pathlib.PureWindowsPath),
    (pathlib.PurePath, pathlib.PurePosixPath),
)
"""The types that have a rule of their own; a value of a class made from one is sent as that."""


def base_of(value: Any) -> Any:
    """The value as what its class is made from, `NOTHING` if that is none of ours."""
    return next((exact(value) for base, exact in BASES if isinstance(value, base)), NOTHING)


def stand_in(value: Any) -> Any:
    """Another value that says what an object holds, `NOTHING` if there is none.

    Asked for in this order: `model_dump()`, `to_dict()`, `_asdict()`; what its class is made from; the fields of a
    dataclass, Struct or attrs class; `tolist()` if that is not too long; `isoformat()`. What raises, or gives an
    object of the same type again, is passed over.
    """
    if isinstance(value, type):
        return NOTHING
    for way in WAYS:
        with contextlib.suppress(Exception):
            other = way(value)
            if other is not NOTHING and type(other) is not type(value):
                return other
    return NOTHING


def _calling(method: str) -> Callable[[Any], Any]:
    # Asked of the class: an object that makes up its attributes would answer to every name.
    def call(value: Any) -> Any:
        return getattr(value, method)() if callable(getattr(type(value), method, None)) else NOTHING

    return call


def _fields(value: Any) -> Any:
    kind = type(value)
    names = getattr(kind, "__dataclass_fields__", None) or getattr(kind, "__struct_fields__", None)
    if names is None and hasattr(kind, "__attrs_attrs__"):
        names = [attribute.name for attribute in kind.__attrs_attrs__]
    return NOTHING if names is None else {name: getattr(value, name) for name in names}


def _listed(value: Any) -> Any:
    if _size(value) > POLICY.tolist_max:
        return NOTHING
    listed = _calling("tolist")(value)
    return NOTHING if _longer_than(listed, POLICY.tolist_max) else listed


WAYS = (
    *(_calling(method) for method in ("model_dump", "to_dict", "_asdict")),
    *(base_of, _fields, _listed, _calling("isoformat")),
)


def _size(value: Any) -> int:
    """How many elements it has, so far as it says so without being unfolded."""
    for name in ("size", "shape"):
        said = getattr(value, name, None)
        with contextlib.suppress(TypeError):
            return math.prod(said) if isinstance(said, tuple) else int(said)  # type: ignore[arg-type]
    return 0


def _longer_than(listed: Any, most: int) -> bool:
    count, waiting = 0, [listed]
    while waiting and count <= most:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        else:
            count += 1
    return count > most


# The marker.

_seen: set[str] = set()
_seen_lock = threading.Lock()
_first_seen: Callable[[str], None] | None = None


def set_first_seen(hook: Callable[[str], None] | None) -> None:
    """Have `hook` called with the name of each type of which an object cannot be sent, once per process."""
    global _first_seen  # noqa: PLW0603 - one process, one hook
    _first_seen = hook


def mark(value: object) -> dict[str, Any]:
    """What is written in the place of an object that cannot be sent: its type; its content only if asked for."""
    kind = type_name(type(value))
    _tell(kind)
    detail = _detail(value, kind)
    said = {} if detail is None else {"__repr__": detail}
    return {MARK: True, "__type__": kind, **said}


def type_name(kind: type) -> str:
    """A type as `module.Class`."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _tell(kind: str) -> None:
    hook = _first_seen
    with _seen_lock:
        if hook is None or kind in _seen or len(_seen) >= TYPES_MOST:
            return
        _seen.add(kind)
    with contextlib.suppress(Exception):
        hook(kind)


def _detail(value: object, kind: str) -> str | None:
    if POLICY.detail is Detail.NONE:
        return None
    if POLICY.detail is Detail.TYPE:
        return f"<unserializable {kind}>"
    try:
        text = repr(value)[:READ_OF_A_REPR]
    except Exception:
        text = f"<repr failed for {kind}>"
    if POLICY.detail is Detail.REPR_REDACTED:
        from snakepit_jupyter.redaction import masked  # its patterns take a while to be compiled

        text = masked(text)
    return text[: POLICY.repr_maxlen]
