"""Arguments of a tool as people write them: a cell of assignments, or `key=value` words."""

import ast
import json
from collections.abc import Iterable, Mapping
from typing import Any

from snakepit_jupyter.errors import InvalidParameter

BODY_HINT = 'Write assignments such as `epochs = 20`, or one dict such as `{"epochs": 20}`.'


def from_cell(body: str, names: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that a cell's body gives.

    Args:
        body: Python assignments to plain names, or one expression that is a dict; empty for no arguments.
        names: the names its expressions may use; those assigned before count as well.

    Raises:
        InvalidParameter: if it is no Python, or holds something else; names the line.
    """
    statements = _parse(body)
    if len(statements) == 1 and isinstance(statements[0], ast.Expr):
        return _single_dict(statements[0], body, names)
    arguments: dict[str, Any] = {}
    for statement in statements:
        for name in _assigned(statement, body):
            arguments[name] = _value(statement, body, {**names, **arguments})
    return arguments


def _parse(body: str) -> list[ast.stmt]:
    try:
        return ast.parse(body).body
    except SyntaxError as error:
        line = (error.text or "").rstrip("\n")
        raise InvalidParameter(
            f"line {error.lineno} of the cell's body is no Python ({error.msg}): {line.strip()}",
            hint=BODY_HINT,
            details={"key": ""},
        ) from None


def _single_dict(statement: ast.Expr, body: str, names: Mapping[str, Any]) -> dict[str, Any]:
    value = _evaluate(statement.value, body, names)
    if not isinstance(value, Mapping):
        raise InvalidParameter(
            f"the cell's body is an expression of type {type(value).__name__}, not a dict",
            hint=BODY_HINT,
            details={"key": ""},
        )
    return dict(value)


def _assigned(statement: ast.stmt, body: str) -> list[str]:
    """The names that a statement assigns."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets = [statement.target]
    plain = [target.id for target in targets if isinstance(target, ast.Name)]
    if not plain or len(plain) != len(targets):
        raise InvalidParameter(
            f"line {statement.lineno} of the cell's body is no assignment to a name: {_source(statement, body)}",
            hint=BODY_HINT,
            details={"key": ""},
        )
    return plain


def _value(statement: ast.stmt, body: str, names: Mapping[str, Any]) -> Any:
    assert isinstance(statement, (ast.Assign, ast.AnnAssign))
    assert statement.value is not None
    return _evaluate(statement.value, body, names)


def _evaluate(expression: ast.expr, body: str, names: Mapping[str, Any]) -> Any:
    try:
        code = compile(ast.Expression(expression), "<snakepit arguments>", "eval")
        return eval(code, dict(names))  # noqa: S307 - it is the user's own code, in the user's own kernel
    except Exception as error:
        where = f"line {expression.lineno} of the cell's body"
        raise InvalidParameter(
            f"{where} raised {type(error).__name__}: {error}",
            hint=_source(expression, body),
            details={"key": ""},
        ) from error


def _source(node: ast.AST, body: str) -> str:
    return (ast.get_source_segment(body, node) or "").partition("\n")[0]


def from_words(words: Iterable[str], names: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The arguments that `key=value` words give.

    A value is a Python literal or JSON; where `names` are given any expression; else the text as it stands. A dotted
    key fills a dict: `training_config.epochs=5`.

    Raises:
        InvalidParameter: if a word is no `key=value`.
    """
    arguments: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not all(part.isidentifier() for part in key.split(".")):
            raise InvalidParameter(
                f"{word!r} is no argument",
                hint="Write key=value, for example count=5.",
                details={"key": word},
            )
        _put(arguments, key.split("."), word_value(text, names))
    return arguments


def _put(arguments: dict[str, Any], path: list[str], value: Any) -> None:
    *parents, last = path
    for name in parents:
        inner = arguments.setdefault(name, {})
        if not isinstance(inner, dict):
            raise InvalidParameter(f"{name!r} is given twice, as a value and as a dict", details={"key": name})
        arguments = inner
    arguments[last] = value


def word_value(text: str, names: Mapping[str, Any] | None = None) -> Any:
    """The value of one word."""
    for read in (ast.literal_eval, json.loads):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    if names is not None:
        try:
            return eval(text, dict(names))  # noqa: S307 - the user's own code, in the user's own kernel
        except Exception:
            return text
    return text
