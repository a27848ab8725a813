"""From JSON with typed values and binary parts back to what it was."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from snakepit_jupyter.exact_json import SCALARS
from snakepit_jupyter.values.payload import TAG

Fields = Mapping[str, Any]
ReadRule = Callable[["Reader", Fields], Any]


class Reader:
    """One pass over one payload.

    Args:
        parts: its binary parts. Each is one value's, so that no payload becomes larger than it is.
        rule_of: gives the rule for a tag; raises ValueError if there is none.
    """

    def __init__(self, parts: Sequence[memoryview], rule_of: Callable[[str], ReadRule]) -> None:
        self._parts = dict(enumerate(parts))
        self._rule_of = rule_of

    def read(self, tree: Any) -> Any:
        """The value of a JSON tree."""
        kind = type(tree)
        if kind is list:
            return tree if SCALARS.issuperset(map(type, tree)) else list(map(self.read, tree))
        if kind is not dict:
            return tree
        if TAG in tree:
            return self._rule_of(tree[TAG])(self, tree)
        if SCALARS.issuperset(map(type, tree.values())):
            return tree
        return dict(zip(tree, map(self.read, tree.values()), strict=True))

    def items(self, fields: Fields, name: str = "value") -> list[Any]:
        """A list among the fields of a typed value, read.

        Raises:
            ValueError: if it is none.
        """
        found = fields[name]
        if type(found) is not list:
            raise ValueError(f"{name!r} of a typed value is no list")
        return list(map(self.read, found))

    def data(self, fields: Fields) -> bytes | memoryview:
        """The bytes among the fields of a typed value, wherever they are.

        Raises:
            ValueError: if they are nowhere.
        """
        if "base64" in fields:
            return base64.b64decode(fields["base64"], validate=True)
        number = fields["part"]
        if type(number) is not int or number not in self._parts:
            raise ValueError("a typed value has no part of its own")
        return self._parts.pop(number)

    def end(self) -> None:
        """Check that nothing is left.

        Raises:
            ValueError: if a part was of no value.
        """
        if self._parts:
            raise ValueError("a part is of no value")
