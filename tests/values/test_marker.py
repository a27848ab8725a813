"""What stands in a result for an object that cannot be sent, after section 9 of the wire contract."""

import array
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from snakepit_jupyter.values import decode, encode, encode_marked, encode_plain, marker, set_first_seen
from snakepit_jupyter.values.marker import Detail, Policy

SECRETS = "Secret(api_key='sk-abc123xyz789', token='Bearer eyJhbGciOi', auth='Authorization: Bearer secret123')"


class Secret:
    def __repr__(self) -> str:
        return SECRETS


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def mark(kind: type, **more: Any) -> dict[str, Any]:
    return {"__ffi_unserializable__": True, "__type__": f"{kind.__module__}.{kind.__qualname__}", **more}


def marked(value: Any) -> Any:
    """What both ways of sending a result make of a value; where it is all JSON they agree."""
    arrived = decode(*encode_marked(value))
    assert json.loads(encode_plain(value).data) == arrived
    return arrived


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The types that the process was told of."""
    types: list[str] = []
    marker._seen.clear()
    set_first_seen(types.append)
    yield types
    set_first_seen(None)
    marker._seen.clear()


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda **settings: monkeypatch.setattr(marker, "POLICY", Policy(**settings))


def test_an_object_is_marked_wherever_it_is_and_the_rest_arrives() -> None:
    assert marked(Secret()) == mark(Secret)
    assert marked({"a": [1, Secret()], "b": {"c": Secret()}}) == {"a": [1, mark(Secret)], "b": {"c": mark(Secret)}}
    assert decode(*encode_marked(((1, Secret()), np.int8(2)))) == ((1, mark(Secret)), 2)


def test_nothing_of_its_content_is_told_unless_asked_for() -> None:
    for payload in (encode_marked([Secret()]), encode_plain([Secret()]), encode_marked(Secret())):
        assert b"Secret(" not in payload.data
        assert b"sk-abc" not in payload.data


def test_a_payload_with_a_marker_and_nothing_typed_is_plain_json() -> None:
    assert json.loads(encode_marked({"a": Secret()}).data) == {"a": mark(Secret)}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"detail": Detail.NONE}, None),
        ({"detail": Detail.TYPE}, f"<unserializable {__name__}.Secret>"),
        ({"detail": Detail.REPR}, SECRETS),
        ({"detail": Detail.REPR, "repr_maxlen": 10}, SECRETS[:10]),
        ({"detail": Detail.REPR, "repr_maxlen": 0}, ""),
    ],
)
def test_the_detail_is_as_the_policy_says(policy: Any, settings: dict[str, Any], told: str | None) -> None:
    policy(**settings)
    assert marked(Secret()).get("__repr__") == told


def test_secrets_are_masked_before_it_is_cut(policy: Any) -> None:
    policy(detail=Detail.REPR_REDACTED, repr_maxlen=2000)
    told = marked(Secret())["__repr__"]
    assert told.startswith("Secret(")
    assert not any(secret in told for secret in ("sk-abc123xyz789", "eyJhbGciOi", "secret123"))
    policy(detail=Detail.REPR_REDACTED, repr_maxlen=30)
    assert len(marked(Secret())["__repr__"]) <= 30


def test_a_repr_that_raises_is_said_to(policy: Any) -> None:
    policy(detail=Detail.REPR)
    assert marked(Unspeakable())["__repr__"] == f"<repr failed for {__name__}.Unspeakable>"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Policy(Detail.NONE, 500, 1_000_000)),
        ({"SNAKEPIT_UNSERIALIZABLE_DETAIL": " Type "}, Policy(Detail.TYPE)),
        ({"SNAKEPIT_UNSERIALIZABLE_DETAIL": "repr_truncated"}, Policy(Detail.REPR)),
        ({"SNAKEPIT_UNSERIALIZABLE_DETAIL": "everything"}, Policy(Detail.NONE)),
        ({"SNAKEPIT_UNSERIALIZABLE_REPR_MAXLEN": "0"}, Policy(repr_maxlen=0)),
        ({"SNAKEPIT_UNSERIALIZABLE_REPR_MAXLEN": "99999"}, Policy(repr_maxlen=2000)),
        ({"SNAKEPIT_UNSERIALIZABLE_REPR_MAXLEN": "-3"}, Policy(repr_maxlen=0)),
        ({"SNAKEPIT_UNSERIALIZABLE_REPR_MAXLEN": "many"}, Policy(repr_maxlen=500)),
        ({"SNAKEPIT_TOLIST_MAX_ELEMENTS": "10"}, Policy(tolist_max=10)),
        ({"SNAKEPIT_TOLIST_MAX_ELEMENTS": "1e3"}, Policy(tolist_max=1_000_000)),
    ],
)
def test_what_the_environment_asks_for(environment: dict[str, str], expected: Policy) -> None:
    assert Policy.of(environment) == expected


def test_the_environment_of_a_process_counts() -> None:
    code = "from snakepit_jupyter.values import encode_marked; print(encode_marked([print]).data.decode())"
    environment = {**os.environ, "SNAKEPIT_UNSERIALIZABLE_DETAIL": "type"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)[0]["__repr__"] == "<unserializable builtins.builtin_function_or_method>"


# What stands for an object.


def an_object(**methods: Any) -> Any:
    """An object whose class has these methods."""
    return type("Made", (), methods)()


def fails(_: Any) -> Any:
    raise ValueError("not today")


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (an_object(model_dump=lambda _: {"a": 1}, to_dict=lambda _: {"b": 1}), {"a": 1}),
        (an_object(to_dict=lambda _: {"b": 1}, _asdict=lambda _: {"c": 1}), {"b": 1}),
        (an_object(_asdict=lambda _: {"c": 1}, tolist=lambda _: [1]), {"c": 1}),
        (an_object(tolist=lambda _: [1], isoformat=lambda _: "then"), [1]),
        (an_object(isoformat=lambda _: "then"), "then"),
        (an_object(model_dump=fails, to_dict=fails, isoformat=lambda _: "then"), "then"),
        (an_object(model_dump=lambda self: self, to_dict=lambda self: type(self)(), tolist=lambda _: [1]), [1]),
        (an_object(to_dict=lambda _: {"inner": an_object(isoformat=lambda _: "then")}), {"inner": "then"}),
        (array.array("i", [1, 2]), [1, 2]),
        ([SimpleNamespace, an_object], [mark(type), mark(type(an_object))]),
    ],
)
def test_an_object_is_asked_in_order(value: Any, arrives: Any) -> None:
    assert marked(value) == arrives


def test_an_object_that_answers_to_every_name_is_not_asked() -> None:
    class Proxy:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError("asked over the network")

    assert marked(Proxy()) == mark(Proxy)


@pytest.mark.parametrize("ends", ["itself", "another", "two others", "recursion"])
def test_an_object_that_never_comes_to_an_end_is_marked(ends: str) -> None:
    class Endless:
        def to_dict(self) -> Any:
            if ends == "recursion":
                return self.to_dict()
            return {"itself": {"me": self}, "another": {"next": Endless()}}.get(
                ends, {"a": Endless(), "b": [Endless()]}
            )

    arrived = marked({"x": Endless(), "y": 1})
    assert arrived["y"] == 1
    assert "__ffi_unserializable__" in json.dumps(arrived["x"])
    assert len(json.dumps(arrived)) < 50_000


def test_circles_end_in_a_marker_and_the_rest_arrives() -> None:
    circle: list[Any] = [1]
    circle.append({"again": circle})
    assert marked({"c": circle}) == {"c": [1, {"again": mark(list)}]}


def test_many_values_that_all_hold_each_other_are_quick() -> None:
    everyone: list[dict[str, Any]] = [{} for _ in range(60)]
    for person in everyone:
        person["knows"] = everyone
    assert len(encode_marked(everyone).data) < 100_000


def test_what_is_nested_too_deep_ends_in_a_marker() -> None:
    deep: Any = ()
    for _ in range(50_000):
        deep = [deep]
    arrived, depth = decode(*encode_marked({"deep": deep, "a": 1})), 0
    assert arrived["a"] == 1
    inner = arrived["deep"]
    while isinstance(inner, list):
        inner, depth = inner[0], depth + 1
    assert inner == mark(list)
    assert depth > 50


def test_a_caller_that_has_used_up_the_stack_gets_a_marker_still() -> None:
    def down(levels: int) -> Any:
        return down(levels - 1) if levels else decode(*encode_marked([(1, [2])]))

    for levels in range(200, sys.getrecursionlimit(), 7):
        try:
            arrived = down(levels)
        except RecursionError:  # nothing can be called there any more
            return
        except ValueError:  # encoded, but there is no stack to read it
            continue
        assert arrived == [(1, [2])] or "__ffi_unserializable__" in json.dumps(arrived)
    raise AssertionError("the stack was not used up")


# Size.


def test_what_is_too_long_is_marked_and_not_unfolded(policy: Any) -> None:
    policy(tolist_max=10)
    unfolded: list[int] = []
    long = an_object(tolist=lambda _: unfolded.append(1))
    type(long).shape = (3, 4)
    assert marked(long) == mark(type(long))
    assert unfolded == []
    assert marked(an_object(tolist=lambda _: [[1] * 6, [2] * 6]))["__type__"].endswith("Made")
    assert marked(array.array("i", range(10))) == list(range(10))
    assert json.loads(encode_plain(np.zeros((3, 4))).data) == mark(np.ndarray)
    assert decode(*encode(np.zeros((3, 4)))).shape == (3, 4)


# Keys and sets.


class Key:
    pass


def test_what_cannot_be_a_key_is_one_by_its_type_and_place() -> None:
    name = f"{__name__}.Key"
    assert marked({"a": 1, Key(): 2, Key(): 3}) == {"a": 1, f"{name}#1": 2, f"{name}#2": 3}


def test_a_set_of_what_cannot_be_sent_is_a_list() -> None:
    assert marked({"s": {Key()}}) == {"s": [mark(Key)]}
    assert decode(*encode_marked(frozenset({(1, Key())}))) == [(1, mark(Key))]


# Telling of it.


def test_each_type_is_told_once(told: list[str]) -> None:
    encode_marked([Secret(), Secret(), {"a": Unspeakable()}])
    encode_plain(Secret())
    assert told == [f"{__name__}.Secret", f"{__name__}.Unspeakable"]


def test_no_more_types_are_told_than_there_is_room_for(told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marker, "TYPES_MOST", 3)
    encode_marked([type(f"Type{number}", (), {})() for number in range(10)])
    assert len(told) == 3


def test_a_hook_that_raises_disturbs_nobody() -> None:
    marker._seen.clear()
    set_first_seen(fails)
    try:
        assert marked(Secret()) == mark(Secret)
    finally:
        set_first_seen(None)
