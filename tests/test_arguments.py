from typing import Any

import pytest

from snakepit_jupyter.arguments import BODY_HINT, from_cell, from_words, word_value
from snakepit_jupyter.errors import InvalidParameter

# A cell's body.


@pytest.mark.parametrize(
    ("body", "arguments"),
    [
        ("", {}),
        ("\n  \n", {}),
        ("# nothing yet", {}),
        ("epochs = 20", {"epochs": 20}),
        ("epochs: int = 20\nname = 'a'", {"epochs": 20, "name": "a"}),
        ("a = b = 1", {"a": 1, "b": 1}),
        ("a = 2\nb = a * 3", {"a": 2, "b": 6}),
        ("a = 1\na = 2", {"a": 2}),
        ("sizes = [n * width for n in range(3)]", {"sizes": [0, 10, 20]}),
        ("{'epochs': 20}", {"epochs": 20}),
        ("# the settings\ndict(epochs=width)", {"epochs": 10}),
        ("config = {\n    'a': 1,\n    'b': [width],\n}", {"config": {"a": 1, "b": [10]}}),
    ],
)
def test_a_body_gives_arguments(body: str, arguments: dict[str, Any]) -> None:
    assert from_cell(body, {"width": 10}) == arguments


def test_the_notebooks_variables_are_seen_and_not_changed() -> None:
    names = {"rate": 0.1}
    assert from_cell("learning_rate = rate / 2\nrate = 5", names) == {"learning_rate": 0.05, "rate": 5}
    assert names == {"rate": 0.1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("this is no Python", "line 1 of the cell's body is no Python (invalid syntax): this is no Python"),
        ("a = 1\nb = (", "line 2 of the cell's body is no Python ('(' was never closed): b = ("),
        ("  a = 1", "line 1 of the cell's body is no Python (unexpected indent): a = 1"),
        ("a = 1\nb += 1", "line 2 of the cell's body is no assignment to a name: b += 1"),
        ("a, b = 1, 2", "line 1 of the cell's body is no assignment to a name: a, b = 1, 2"),
        ("a.b = 1", "line 1 of the cell's body is no assignment to a name: a.b = 1"),
        ("a: int", "line 1 of the cell's body is no assignment to a name: a: int"),
        ("import os", "line 1 of the cell's body is no assignment to a name: import os"),
        ("a = 1\nprint(a)", "line 2 of the cell's body is no assignment to a name: print(a)"),
        ("def f():\n    return 1", "line 1 of the cell's body is no assignment to a name: def f():"),
        ("[1, 2]", "the cell's body is an expression of type list, not a dict"),
        ("'text'", "the cell's body is an expression of type str, not a dict"),
    ],
)
def test_a_body_that_gives_none_says_where_and_what_to_write(body: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        from_cell(body, {})
    assert caught.value.message == message
    assert caught.value.hint == BODY_HINT


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("a = 1\nb = a / 0", "line 2 of the cell's body raised ZeroDivisionError: division by zero", "a / 0"),
        ("a = epochs", "line 1 of the cell's body raised NameError: name 'epochs' is not defined", "epochs"),
        ("open('/no/such/file')", "line 1 of the cell's body raised FileNotFoundError", "open('/no/such/file')"),
        ("a = await b", "line 1 of the cell's body raised SyntaxError: 'await' outside function", "await b"),
        ("a = (yield)", "line 1 of the cell's body raised SyntaxError: 'yield' outside function", "yield"),
    ],
)
def test_an_expression_that_raises_is_shown_with_its_line(body: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        from_cell(body, {})
    assert caught.value.message.startswith(message)
    assert caught.value.hint == hint


def test_a_body_with_a_null_byte_is_no_python() -> None:
    with pytest.raises(InvalidParameter, match="is no Python"):
        from_cell("a = '\0'", {})


# Words.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("1.5", 1.5),
        ("None", None),
        ("null", None),
        ("true", True),
        ("True", True),
        ("[1, 2]", [1, 2]),
        ('{"a": null}', {"a": None}),
        ("'5'", "5"),
        ("text", "text"),
        ("", ""),
        ("two words", "two words"),
        ("/data/file.csv", "/data/file.csv"),
        ("a=b", "a=b"),
        ("(", "("),
    ],
)
def test_a_word_is_a_literal_or_else_text(text: str, value: Any) -> None:
    assert word_value(text) == value


def test_with_names_a_word_is_an_expression_or_else_text() -> None:
    assert word_value("rate * 2", {"rate": 3}) == 6
    assert word_value("rate", {"rate": 3}) == 3
    assert word_value("other", {"rate": 3}) == "other"
    assert word_value("rate", None) == "rate"


def test_dotted_keys_fill_dicts() -> None:
    assert from_words(["config.epochs=5", "config.optimizer.name=adam", "path=x"]) == {
        "config": {"epochs": 5, "optimizer": {"name": "adam"}},
        "path": "x",
    }


def test_a_value_may_hold_an_equals_sign() -> None:
    assert from_words(["query=a=b"]) == {"query": "a=b"}


@pytest.mark.parametrize("word", ["epochs", "=5", "1a=5", "a..b=5", "a-b=5", "a b=5"])
def test_what_is_no_key_and_value_is_named(word: str) -> None:
    with pytest.raises(InvalidParameter, match="is no argument") as caught:
        from_words([word])
    assert caught.value.key == word


def test_a_key_cannot_be_a_value_and_a_dict() -> None:
    with pytest.raises(InvalidParameter, match="'a' is given twice, as a value and as a dict"):
        from_words(["a=1", "a.b=2"])
