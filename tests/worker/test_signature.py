import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import pytest

from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.worker.arguments import Signature

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


class Tools:
    def all_kinds(
        self,
        name: str,
        count: int = 1,
        ratio: float = 0.5,
        mode: Literal["fast", "slow"] = "fast",
        limit: int | None = None,
        sizes: list[int] | None = None,
        anything: Any = None,
    ) -> None: ...

    def open_ended(self, first: int, /, **others: Any) -> None: ...

    def implicit_none(self, path: str = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013

    def unresolved(self, thing: "Unknown", count: int = 1) -> None: ...

    def bare(self, a, b=2) -> None: ...  # type: ignore[no-untyped-def]

    def strange_default(self, key: object = object()) -> None: ...


def signature(function: Callable[..., Any] = Tools.all_kinds) -> Signature:
    return Signature("tool", function)


def refusal(given: dict[str, Any], function: Callable[..., Any] = Tools.all_kinds) -> InvalidParameter:
    with pytest.raises(InvalidParameter) as caught:
        signature(function).bind(given)
    return caught.value


def test_arguments_that_fit_are_bound_as_they_are() -> None:
    given = {"name": "n", "count": 3, "mode": "slow", "limit": None, "sizes": [1, 2], "anything": {"a": b"b"}}
    assert signature().bind(given) == given


def test_what_is_left_out_stays_left_out() -> None:
    assert signature().bind({"name": "n"}) == {"name": "n"}


def test_a_whole_number_is_good_for_a_float_and_becomes_one() -> None:
    ratio = signature().bind({"name": "n", "ratio": 2})["ratio"]
    assert (ratio, type(ratio)) == (2.0, float)


@pytest.mark.parametrize(
    ("given", "key", "message"),
    [
        ({}, "name", "tool needs the argument 'name'"),
        ({"name": "n", "cout": 1}, "cout", "tool has no argument 'cout'"),
        ({"name": 3}, "name", "the argument 'name' is wrong: expected str, got int (3)"),
        ({"name": "n", "count": 2.5}, "count", "the argument 'count' is wrong: expected int, got float (2.5)"),
        ({"name": "n", "count": True}, "count", "the argument 'count' is wrong: expected int, got bool (True)"),
        ({"name": "n", "count": None}, "count", "the argument 'count' is wrong: expected int, got null (None)"),
        ({"name": "n", "mode": "medium"}, "mode", "the argument 'mode' is wrong: Invalid enum value 'medium'"),
        ({"name": "n", "limit": "x"}, "limit", "the argument 'limit' is wrong: expected int | null, got str"),
        ({"name": "n", "sizes": [1, "2"]}, "sizes", "the argument 'sizes' is wrong: expected int, got str at [1]"),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_should_be(given: dict[str, Any], key: str, message: str) -> None:
    error = refusal(given)
    assert error.key == key
    assert message in error.message
    assert "It is called as tool(name: str, count: int = 1," in error.hint


def test_an_unknown_argument_is_told_its_nearest_neighbour() -> None:
    assert refusal({"name": "n", "cuont": 1}).hint.startswith("Did you mean 'count'? ")
    assert refusal({"name": "n", "zzz": 1}).hint.startswith("It is called as")


def test_all_missing_arguments_are_named_at_once() -> None:
    def function(self: Any, one: int, other: int) -> None: ...

    assert refusal({}, function).message == "tool needs the arguments 'one', 'other'"


def test_a_long_value_is_not_shown() -> None:
    assert "xxx" not in refusal({"name": "n", "count": "x" * 100}).message


def test_a_parameter_whose_default_is_none_takes_none() -> None:
    assert signature(Tools.implicit_none).bind({"path": None}) == {"path": None}


def test_a_tool_with_keywords_takes_any_name() -> None:
    assert signature(Tools.open_ended).bind({"first": 1, "more": [2]}) == {"first": 1, "more": [2]}
    assert str(signature(Tools.open_ended).tool) == "tool(first: int, **arguments)"


def test_an_annotation_that_cannot_be_resolved_is_not_checked() -> None:
    assert signature(Tools.unresolved).bind({"thing": [1]}) == {"thing": [1]}
    assert signature(Tools.unresolved).tool.parameters[0].type == "Unknown"


def test_a_tool_without_annotations_takes_anything() -> None:
    assert signature(Tools.bare).bind({"a": [1], "b": "x"}) == {"a": [1], "b": "x"}
    assert str(signature(Tools.bare).tool) == "tool(a, b = 2)"


def test_the_parameters_are_listed_as_python_writes_them() -> None:
    listed = {p.name: (p.type, p.required, p.default_json) for p in signature().tool.parameters}
    assert listed["name"] == ("str", True, "")
    assert listed["count"] == ("int", False, "1")
    assert listed["limit"] == ("int | None", False, "null")
    assert listed["sizes"] == ("list[int] | None", False, "null")
    assert json.loads(listed["mode"][2]) == "fast"


def test_a_default_that_is_no_json_is_listed_without_its_value() -> None:
    assert str(signature(Tools.strange_default).tool) == "tool(key: object = …)"
