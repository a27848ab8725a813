"""One pass over a value that lowers it to JSON: what is met, what is inside what, what cannot be sent.

What becomes of which type say the `Rules`; there is one set of them for each way to write.
"""

import base64
import enum
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from snakepit_jupyter.values.library import LibraryMissing
from snakepit_jupyter.values.marker import NOTHING, stand_in, type_name
from snakepit_jupyter.values.payload import INLINE, TAG

DEPTH = 100
"""How deep what is no plain JSON may be nested: one level costs a reader up to four frames of its stack."""
SHOWN_STEPS = 8
SHOWN_NAME = 40

Rule = Callable[["Walk", Any], Any]


class Unfit(Exception):
    """A library's rule does not take this value; something else may."""


class Refused(Exception):
    """Something in a value cannot be sent.

    Args:
        what: its kind, in words.
        kind: its type's name.
    """

    def __init__(self, what: str, kind: str) -> None:
        super().__init__(what)
        self.what = what
        self.kind = kind
        self.steps: list[str] = []

    @property
    def path(self) -> str:
        """Where it is, as in `$.config.layers[3]`."""
        steps = self.steps[::-1]
        return "".join(["$", *steps[:SHOWN_STEPS], "…" if len(steps) > SHOWN_STEPS else ""])


@dataclass(frozen=True, slots=True)
class Rules:
    """What becomes of which type.

    Args:
        passing: the types that are JSON as they are.
        exact: the rule for values of exactly that type.
        libraries: the rule for the types of a library, by its name; it is fetched when one is met.
    """

    passing: frozenset[type]
    exact: Mapping[type, Rule]
    libraries: Mapping[str, Callable[[], Rule]]

    def of(self, kind: type) -> Rule | None:
        """The rule for a type, or for the library that it or one of its bases is from."""
        if kind in self.exact:
            return self.exact[kind]
        roots = (base.__module__.partition(".")[0] for base in kind.__mro__)
        return next((self.libraries[root]() for root in roots if root in self.libraries), None)


class Walk:
    """One pass over one value.

    Args:
        rules: what becomes of which type.
        unsendable: what to write in the place of something that cannot be sent; without it that is an error.

    Attributes:
        parts: the binary parts so far.
        typed: whether a tag or a part was written.
    """

    def __init__(self, rules: Rules, unsendable: Callable[[object], Any] | None = None) -> None:
        self.rules = rules
        self.unsendable = unsendable
        self.parts: list[bytes | memoryview] = []
        self.typed = False
        self._open: set[int] = set()
        self._circles: dict[int, object] = {}
        self._standing_in: list[type] = []
        self._endless: set[type] = set()

    def lower(self, value: Any) -> Any:
        """The value as JSON.

        Raises:
            Refused: if it or something in it cannot be sent, and nothing is to be written instead.
        """
        if type(value) in self.rules.passing:
            return value
        kept = len(self.parts)
        try:
            return self._by_rule(value)
        except Exception as error:
            if self.unsendable is not None:
                del self.parts[kept:]
                return self.unsendable(value)
            if isinstance(error, Refused):
                raise
            raise refused(value) from error

    def _by_rule(self, value: Any) -> Any:
        if isinstance(value, enum.Enum):
            return self.lower(value.value)
        kept = len(self.parts)
        try:
            rule = self.rules.of(type(value))
            if rule is not None:
                return rule(self, value)
        except Refused:
            raise
        except Exception as error:  # Unfit, or whatever a library has against it
            if isinstance(error, LibraryMissing) and self.unsendable is None:
                raise refused(value, f": {error}") from error
            del self.parts[kept:]
        return self._by_stand_in(value)

    def _by_stand_in(self, value: Any) -> Any:
        kind = type(value)
        self.enter(value)
        self._standing_in.append(kind)
        try:
            other = NOTHING if kind in self._endless else stand_in(value)
            if other is NOTHING:
                raise refused(value)
            return self.lower(other)
        finally:
            self._standing_in.pop()
            self.leave(value)

    def items(self, owner: Any, values: Iterable[Any]) -> list[Any]:
        """What is in `owner`, lowered one by one."""
        lowered: list[Any] = []
        self.enter(owner)
        try:
            for value in values:
                lowered.append(self.lower(value))  # noqa: PERF401 - its length tells where an error was
        except Refused as found:
            found.steps.append(f"[{len(lowered)}]")
            raise
        finally:
            self.leave(owner)
        return lowered

    def fields(self, owner: Any, pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        """The same for what has names."""
        lowered: dict[str, Any] = {}
        name = ""
        self.enter(owner)
        try:
            for name, value in pairs:
                lowered[name] = self.lower(value)
        except Refused as found:
            found.steps.append(step(name))
            raise
        finally:
            self.leave(owner)
        return lowered

    def enter(self, owner: Any) -> None:
        """Begin with what is in `owner`; `leave` it afterwards.

        Raises:
            Refused: if it is in itself, or too deep.
        """
        key = id(owner)
        if key in self._open or key in self._circles:
            # Kept, so that its circle is followed once only, and its id stays its own.
            self._circles[key] = owner
            raise refused(owner, " that contains itself")
        if len(self._open) >= DEPTH:
            # Objects that make ever new ones would else be followed into every branch.
            self._endless.update(self._standing_in)
            raise refused(owner, f", nested deeper than {DEPTH} levels")
        self._open.add(key)

    def leave(self, owner: Any) -> None:
        self._open.discard(id(owner))

    def passes(self, values: Iterable[Any]) -> bool:
        """Whether all of them are JSON as they are."""
        return self.rules.passing.issuperset(map(type, values))

    def tag(self, tag: str, **fields: Any) -> dict[str, Any]:
        """A typed value, made of what is JSON already."""
        self.typed = True
        return {TAG: tag, **fields}

    def data(self, data: bytes | memoryview) -> dict[str, Any]:
        """Bytes, as fields of a typed value: in the text if they are few, else as a part."""
        if memoryview(data).nbytes <= INLINE:
            return {"base64": base64.b64encode(data).decode("ascii")}
        self.parts.append(data)
        return {"part": len(self.parts) - 1}


def step(name: object) -> str:
    """One step of a path: `.name`, `["a name"]`, or the type of what is no name."""
    if not isinstance(name, str):
        return f"[{type_name(type(name))}]"
    return f".{name}" if name.isidentifier() else f"[{json.dumps(name[:SHOWN_NAME])}]"


def refused(value: object, how: str = "") -> Refused:
    """The error that a value cannot be sent; it names the type, not the content."""
    kind = type_name(type(value))
    return Refused(f"an object of type {kind}{how}", kind)
