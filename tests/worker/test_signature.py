import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from snakepit_jupyter import values
from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.messages import Call
from snakepit_jupyter.values import Encoding
from snakepit_jupyter.worker.arguments import Signature, arguments_of

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


class Named(Protocol):
    name: str


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

    def of_types(
        self,
        blob: bytes = b"",
        when: datetime | None = None,
        price: Decimal | int = 0,
        pair: tuple = (),  # type: ignore[type-arg]
        points: tuple[int, int] = (0, 0),
        names: set[str] = set(),  # noqa: B006
        numbers: list[int] | None = None,
        config: dict[str, int] | None = None,
        array: np.ndarray | None = None,
        vector: npt.NDArray[np.float64] | None = None,
        table: "pd.DataFrame | str" = "",
        arrays: dict[str, np.ndarray] | None = None,
        sequence: Sequence[int] = (),
        count: int = 0,
        ratio: float = 0.0,
        flag: bool = False,
        anything: Any = None,
        named: Named | None = None,
    ) -> None: ...


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
        ({"name": 3}, "name", "the argument 'name' is wrong: expected str, got int"),
        ({"name": "n", "count": 2.5}, "count", "the argument 'count' is wrong: expected int, got float"),
        ({"name": "n", "count": True}, "count", "the argument 'count' is wrong: expected int, got bool"),
        ({"name": "n", "count": None}, "count", "the argument 'count' is wrong: expected int, got null"),
        ({"name": "n", "mode": "medium"}, "mode", "the argument 'mode' is wrong: it is none of the values allowed"),
        ({"name": "n", "limit": "x"}, "limit", "the argument 'limit' is wrong: expected int | null, got str"),
        ({"name": "n", "sizes": [1, "2"]}, "sizes", "the argument 'sizes' is wrong: expected int, got str at [1]"),
    ],
)
def test_a_wrong_argument_is_named_with_what_it_should_be(given: dict[str, Any], key: str, message: str) -> None:
    error = refusal(given)
    assert error.key == key
    assert message in error.message
    assert "It is called as tool(name: str, count: int = 1," in error.hint


@pytest.mark.parametrize(
    ("given", "shown"),
    [({"name": 3}, "3"), ({"name": "n", "mode": "medium"}, "'medium'"), ({"name": "n", "count": None}, "None")],
)
def test_a_short_value_is_shown_beside_the_message_not_in_it(given: dict[str, Any], shown: str) -> None:
    error = refusal(given)
    assert error.details["value"] == shown
    assert error.hint.startswith(f"It was {shown}. It is called as")
    assert "medium" not in error.message


@pytest.mark.parametrize("long", ["x" * 100, ["xxx"] * 100, dict.fromkeys(range(50), "xxx"), np.zeros(1000)])
def test_a_long_value_is_not_shown(long: Any) -> None:
    error = refusal({"name": "n", "count": long})
    assert "value" not in error.details
    assert error.hint.startswith("It is called as")


def test_an_unknown_argument_is_told_its_nearest_neighbour() -> None:
    assert refusal({"name": "n", "cuont": 1}).hint.startswith("Did you mean 'count'? ")
    assert refusal({"name": "n", "zzz": 1}).hint.startswith("It is called as")


def test_all_missing_arguments_are_named_at_once() -> None:
    def function(self: Any, one: int, other: int) -> None: ...

    assert refusal({}, function).message == "tool needs the arguments 'one', 'other'"


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


# Values that have their type already.

NOW = datetime(2025, 1, 20, 15, 30, tzinfo=UTC)
TABLE = pd.DataFrame({"a": [1, 2]})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("blob", b"\x00\xff"),
        ("when", NOW),
        ("when", pd.Timestamp(NOW)),
        ("when", None),
        ("price", Decimal("1.10")),
        ("pair", (1, "x", NOW)),
        ("points", (1, 2)),
        ("names", {"a", "b"}),
        ("array", np.arange(3)),
        ("vector", np.zeros(2)),
        ("table", TABLE),
        ("arrays", {"a": np.arange(3)}),
        ("ratio", np.float64(0.5)),
        ("anything", np.arange(3)),
        ("anything", TABLE),
        ("anything", {"deep": [np.float32(1), NOW, b"x"]}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_a_value_that_fits_stays_what_it_is(name: str, value: Any) -> None:
    bound = signature(Tools.of_types).bind({name: value})[name]
    assert type(bound) is type(value)
    assert repr(bound) == repr(value)


@pytest.mark.parametrize(
    ("name", "value", "bound"),
    [
        ("when", "2025-01-20T15:30:00Z", NOW),
        ("price", 3, 3),
        ("pair", [1, "x"], (1, "x")),
        ("points", [1, 2], (1, 2)),
        ("names", ["a", "b"], {"a", "b"}),
        ("numbers", (1, 2), [1, 2]),
        ("numbers", np.arange(3), [0, 1, 2]),
        ("numbers", [np.int64(1), 2], [1, 2]),
        ("config", {"layers": np.int64(2)}, {"layers": 2}),
        ("sequence", (1, 2), [1, 2]),
        ("count", np.int64(3), 3),
        ("ratio", np.float32(0.5), 0.5),
        ("ratio", 2, 2.0),
        ("flag", np.True_, True),
        ("blob", bytearray(b"ab"), b"ab"),
    ],
)
def test_a_value_that_is_nearly_right_is_converted(name: str, value: Any, bound: Any) -> None:
    got = signature(Tools.of_types).bind({name: value})[name]
    assert got == bound
    assert type(got) is type(bound)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("array", [1, 2], "expected numpy.ndarray, got list"),
        ("points", (1, 2, 3), "expected array of length 2, got 3"),
        ("numbers", ["x"], "expected int, got str at [0]"),
        ("config", {"layers": NOW}, "expected int, got datetime"),
        ("ratio", True, "expected float, got bool"),
        ("blob", 3, "expected bytes, got int"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: Any, message: str) -> None:
    assert message in refusal({name: value}, Tools.of_types).message


def test_an_annotation_that_no_value_can_be_asked_for_is_not_checked() -> None:
    bound = signature(Tools.of_types).bind({"named": 3})
    assert bound == {"named": 3}


# The arguments as they come.


def call_with(arguments: bytes, encoding: Encoding = Encoding.JSON, **binary: bytes) -> Call:
    return Call("tool", arguments, encoding=encoding, binary=binary)


def test_binary_arguments_win_over_others_of_the_same_name() -> None:
    assert arguments_of(call_with(b'{"a":1,"b":2}', b=b"\x00")) == {"a": 1, "b": b"\x00"}


def test_typed_arguments_come_as_what_they_were() -> None:
    payload = values.encode({"array": np.arange(3), "when": NOW, "pair": (1, 2)})
    arguments = arguments_of(call_with(payload.data, payload.encoding))
    np.testing.assert_array_equal(arguments["array"], [0, 1, 2])
    assert (arguments["when"], arguments["pair"]) == (NOW, (1, 2))


@pytest.mark.parametrize(
    ("arguments", "encoding", "message"),
    [
        (b"{", Encoding.JSON, "the arguments of tool cannot be read: "),
        (b"\xff", Encoding.JSON, "the arguments of tool cannot be read: "),
        (b"\x00secret", Encoding.TYPED, "the arguments of tool cannot be read: "),
        (b"[1]", Encoding.JSON, "the arguments of tool are no object"),
        (b"{}", Encoding.BYTES, "the arguments of tool are no object"),
    ],
)
def test_what_is_no_object_is_refused(arguments: bytes, encoding: Encoding, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        arguments_of(call_with(arguments, encoding))
    assert caught.value.key == "arguments"
    assert message in caught.value.message
    assert "secret" not in str(caught.value)
