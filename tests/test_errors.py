import inspect

import pytest

from snakepit_jupyter import errors
from snakepit_jupyter.errors import BY_CODE, Failure, SnakepitError, ToolError, error_from

KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, SnakepitError)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_travels_and_arrives_as_what_it_was(kind: type[SnakepitError]) -> None:
    sent = kind("what happened", hint="what to do", details={"key": "epochs"})
    arrived = error_from(sent.failure())
    assert type(arrived) is kind
    assert (arrived.message, arrived.hint, arrived.details) == (sent.message, sent.hint, sent.details)
    assert str(arrived) == str(sent)


def test_every_error_has_a_code_of_its_own_and_stands_on_the_page() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS) == len(BY_CODE)
    assert errors.__doc__ is not None
    assert [kind.__name__ for kind in KINDS if kind.__name__ not in errors.__doc__] == []


def test_a_tools_own_error_keeps_type_and_traceback() -> None:
    failure = Failure("tool_error", "ValueError: no", remote_type="ValueError", remote_traceback="Traceback …")
    error = error_from(failure)
    assert isinstance(error, ToolError)
    assert (error.remote_type, error.remote_message) == ("ValueError", "no")
    assert error_from(error.failure()).failure() == failure
    assert error._render_traceback_() == ["In the worker:", "Traceback …", "ToolError: ValueError: no"]


def test_an_unknown_code_is_still_one_of_our_errors() -> None:
    assert type(error_from(Failure("of_a_later_version", "m"))) is SnakepitError


def test_ipython_prints_the_error_and_its_hint_without_our_frames() -> None:
    assert SnakepitError("m", hint="h")._render_traceback_() == ["SnakepitError: m", "h"]
