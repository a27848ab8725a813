"""What may be said outside: values by their shapes, failures without values, tracebacks without strings."""

import traceback
from collections import OrderedDict, deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakepit_jupyter.errors import Failure, InvalidParameter, describe
from snakepit_jupyter.redaction import outward, outward_fields, outward_text, shape, shapes, without_strings

TIMES = "\N{MULTIPLICATION SIGN}"


class Hostile:
    """Answers nothing that is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("the content")

    @property
    def shape(self) -> Any:
        raise RuntimeError("the content")

    def __len__(self) -> int:
        raise RuntimeError("the content")

    def __repr__(self) -> str:
        raise RuntimeError("the content")


class HostileList(list[int]):
    def __len__(self) -> int:
        raise RuntimeError("the content")


class Meta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("the content")


class Odd(metaclass=Meta):
    """Its class does not say its name."""


class Liar:
    """Its shape is no shape."""

    shape = "the content"


SHAPES = [
    (None, "None"),
    (True, "bool"),
    (7, "int"),
    (1.5, "float"),
    ("x" * 20, "str 20"),
    (b"x" * 1024, "bytes 1,024"),
    (bytearray(3), "bytearray 3"),
    (memoryview(bytearray(32)), "memoryview 32"),
    ({"a": 1, "b": 2, "c": 3}, "dict of 3"),
    (OrderedDict(a=1), "OrderedDict of 1"),
    ([1, 2, 3, 4, 5], "list of 5"),
    ((), "tuple of 0"),
    ({1}, "set of 1"),
    (frozenset({1}), "frozenset of 1"),
    (deque([1]), "deque of 1"),
    (range(1000), "range of 1,000"),
    (np.zeros((3, 4)), f"ndarray 3{TIMES}4 float64"),
    (np.zeros(1500, dtype="int8"), "ndarray 1,500 int8"),
    (np.array(5), "ndarray scalar int64"),
    (np.float32(1), "float32 scalar float32"),
    (object(), "object"),
    (ValueError("the content"), "ValueError"),
    (Hostile(), "Hostile"),
    (HostileList([1]), "HostileList"),
    (Odd(), "Odd"),
    (Liar(), "Liar"),
    (Hostile, "type"),
]


@pytest.mark.parametrize(("value", "expected"), SHAPES, ids=[expected for _, expected in SHAPES])
def test_a_value_is_told_by_its_shape(value: Any, expected: str) -> None:
    assert shape(value) == expected


def test_a_column_called_like_an_attribute_is_not_shown_for_it() -> None:
    pandas = pytest.importorskip("pandas")
    assert shape(pandas.DataFrame({"dtype": ["the secret"], "shape": [1]})) == "DataFrame 1×2"  # noqa: RUF001


@given(st.text(min_size=8) | st.binary(min_size=8) | st.lists(st.text(min_size=8), min_size=1))
def test_a_shape_holds_nothing_of_what_is_in_a_value(value: Any) -> None:
    told = shape(value)
    assert str(value) not in told
    assert len(told) < 30


def test_named_values_are_told_by_name() -> None:
    assert shapes({"rows": [1, 2], "path": "/tmp"}) == {"rows": "list of 2", "path": "str 4"}


def test_the_name_of_a_type_is_cut() -> None:
    assert len(shape(type("X" * 1000, (), {})())) == 60


# Texts.


def test_the_home_of_the_user_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert outward_text("in /home/somebody/x.py and /home/somebody") == "in ~/x.py and ~"
    assert (
        outward_text("in /home/somebody2/x.py, /home/somebody-else") == "in /home/somebody2/x.py, /home/somebody-else"
    )
    monkeypatch.setenv("HOME", "/")
    assert outward_text("in /x/y.py") == "in /x/y.py"


def test_a_field_with_the_name_of_a_secret_is_masked_as_a_whole() -> None:
    said = {"api_key": "abc", "session_token": "abc", "max_tokens": "512", "password": "", "path": "token=abc"}
    expected = {"api_key": "***", "session_token": "***", "max_tokens": "512", "password": "", "path": "token=***"}
    assert outward_fields(said) == expected


# Failures.


def test_a_failure_goes_out_without_its_value_and_with_its_texts_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    failure = Failure(
        code="invalid_parameter",
        message="add: the argument 'a' is wrong: Invalid enum value 'content'; api_key=abc",
        hint="It was 'content'. It is called as add(a: int); see /home/somebody/x.py",
        details={"key": "a", "value": "'content'", "token": "abc"},
    )
    told = outward(failure)
    assert told.message == "add: the argument 'a' is wrong: Invalid enum value …; api_key=***"
    assert told.hint == "It is called as add(a: int); see ~/x.py"
    assert told.details == {"key": "a", "token": "***"}
    assert (told.code, told.retryable) == (failure.code, failure.retryable)


def test_a_short_value_is_taken_out_of_its_place_only() -> None:
    failure = Failure(
        "invalid_parameter", "line 5: expected str, got int", "It was 5. Call f(x=5).", details={"value": "5"}
    )
    assert outward(failure).message == "line 5: expected str, got int"
    assert outward(failure).hint == "Call f(x=5)."


def test_a_traceback_in_a_hint_loses_its_strings_too() -> None:
    hint = 'Traceback (most recent call last):\n  File "/x.py", line 3, in f\n    connect("content")\nOSError: no'
    assert "content" not in outward(Failure("worker_start_failed", "it cannot be imported", hint)).hint


def test_what_is_told_of_a_failure_stays_the_same_when_it_is_told_again() -> None:
    error = InvalidParameter("password='abc' is wrong", details={"key": "password", "value": "'abc'"})
    once = outward(error.failure())
    assert outward(once) == once
    assert "abc" not in str(once)


def test_a_tools_own_error_goes_out_with_its_source_but_without_the_strings_in_it() -> None:
    def tool(path: str) -> None:
        raise ValueError(f"cannot read {path}" + "content of a string"[:0])

    try:
        tool("x.csv")
    except ValueError as error:
        failure = describe(error, "nothing")
    told = outward(failure).remote_traceback
    assert "raise ValueError(f" in told
    assert "content of a string" not in told
    assert told.endswith("ValueError: cannot read x.csv\n")
    assert f"line {tool.__code__.co_firstlineno + 1}" in told


# Tracebacks.

SOURCE = {
    'f("abc")': 'f("…")',
    "f('abc', x)": "f('…', x)",
    'f("")': 'f("")',
    'f("""abc""", y)': 'f("""…""", y)',
    r'f("a\"bc", y)': 'f("…", y)',
    r"f('a\\', y)": "f('…', y)",
    "f(b'abc', rb'abc')": "f(b'…', rb'…')",
    'f(f"abc {x} def")': 'f(f"…")',
    """f(f"abc {d['abc']} def", y)""": 'f(f"…", y)',
    """f(f"abc {d["abc"]} def", y)""": 'f(f"…", y)',
    """f(f"{{abc}} {x}", y)""": 'f(f"…", y)',
    'f("abc': 'f("…',
    "f(x[1:2], y) + 5": "f(x[1:2], y) + 5",
    "": "",
}


@pytest.mark.parametrize("line", SOURCE)
def test_a_line_of_source_loses_its_strings(line: str) -> None:
    text = f'Traceback (most recent call last):\n  File "/x.py", line 3, in f\n    {line}\nValueError: "kept"\n'
    expected = (
        f'Traceback (most recent call last):\n  File "/x.py", line 3, in f\n    {SOURCE[line]}\nValueError: "kept"\n'
    )
    assert without_strings(text) == expected


def test_a_string_over_several_lines_goes_as_a_whole() -> None:
    text = '  File "/x.py", line 3, in f\n    f("""abc\n    def\n    ghi""", "jkl")\nValueError: x'
    assert without_strings(text) == '  File "/x.py", line 3, in f\n    f("""…\n…\n…""", "…")\nValueError: x'


def test_marks_below_a_line_go_and_what_is_indented_in_a_message_stays() -> None:
    text = '  File "/x.py", line 3, in f\n    f("abc")\n    ^^^^^^^^\nValueError: one\n    "two"\n    ^^^\n'
    assert without_strings(text) == '  File "/x.py", line 3, in f\n    f("…")\nValueError: one\n    "two"\n    ^^^\n'


def test_groups_of_exceptions_lose_their_strings_too() -> None:
    def fail(message: str) -> None:
        raise KeyError(message or "content")

    def fail_together() -> None:
        try:
            fail("kept")
        except KeyError as error:
            raise ExceptionGroup("several", [error]) from None

    with pytest.raises(ExceptionGroup) as caught:
        fail_together()
    text = "".join(traceback.format_exception(caught.value))
    told = without_strings(text)
    assert "content" in text
    assert "content" not in told
    assert "raise KeyError(" in told
    assert "KeyError: 'kept'" in told


@given(st.text())
def test_a_traceback_of_any_text_can_be_told(text: str) -> None:
    without_strings(f'  File "x", line 1\n    {text}')
    assert without_strings(text.replace("File", "")) == text.replace("File", "")


def test_a_long_traceback_takes_little_time() -> None:
    frame = '  File "/x.py", line 3, in f\n    f("abc", \'def\', f"{x!r}")\n    ^^^^^\n'
    assert without_strings(frame * 20_000).count("…") == 60_000
