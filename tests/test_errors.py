"""Errors as values and back, and exceptions that are hard to describe."""

import inspect
from typing import Any

import pytest

from snakepit_jupyter import errors
from snakepit_jupyter.errors import (
    BY_CODE,
    Failure,
    InvalidBinaryParameter,
    ProgramQuotaExceeded,
    RunStopped,
    SnakepitError,
    ToolError,
    WorkerTimeout,
    describe,
    error_from,
)

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


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_without_a_hint_of_its_own_says_what_to_do(kind: type[SnakepitError]) -> None:
    says_it_itself = kind in {SnakepitError, ToolError, RunStopped}
    assert bool(kind("what happened").hint) is not says_it_itself


# The tagged errors of the guide and of section 6 of the wire contract.
TAGGED = {
    "worker_timeout": True,
    "grpc_unavailable": True,
    "session_quota_exceeded": True,
    "program_quota_exceeded": False,
    "invalid_parameter": False,
    "invalid_binary_parameter": False,
    "streaming_not_supported": False,
    "session_not_found": False,
    "tool_not_found": False,
    "pool_saturated": True,
    "worker_busy": True,
    "session_worker_unavailable": False,
    "worker_crashed": True,
}


@pytest.mark.parametrize(("code", "retryable"), TAGGED.items())
def test_each_tagged_error_of_the_guide_is_a_class_and_says_whether_to_retry(code: str, retryable: bool) -> None:
    kind = BY_CODE[code]
    assert kind.retryable is retryable
    assert kind("m").failure().retryable is retryable


def test_an_error_names_what_it_is_about() -> None:
    assert InvalidBinaryParameter("m", details={"key": "blob"}).key == "blob"
    assert ProgramQuotaExceeded("m", details={"session_id": "s"}).session_id == "s"


# Exceptions whose classes are against us.


class NoText(Exception):
    def __str__(self) -> str:
        raise SystemExit(9)

    __repr__ = __str__


class NamelessKind(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in {"__name__", "__qualname__", "__module__"}:
            raise KeyboardInterrupt
        return super().__getattribute__(name)


class Nameless(Exception, metaclass=NamelessKind):
    pass


class NoTraceback(Exception):
    def with_traceback(self, trace: Any) -> Any:
        raise SystemExit(9)


class NotWhatItSays(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            raise SystemExit(9)
        return super().__getattribute__(name)


class SlyText(str):
    __slots__ = ()

    def __format__(self, _: str) -> str:
        raise SystemExit(9)

    __str__ = str.__repr__


class Sly(Exception):
    def __str__(self) -> str:
        return SlyText("m")


class NoFailure(WorkerTimeout):
    def failure(self) -> Failure:
        raise SystemExit(9)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (NoText, "NoText: (its text cannot be made)"),
        (Nameless, "Nameless"),
        (NoTraceback, "NoTraceback"),
        (NotWhatItSays, "NotWhatItSays"),
        (Sly, "Sly: m"),
    ],
    ids=["text", "name", "traceback", "class", "text's class"],
)
def test_any_exception_can_be_described(kind: type[BaseException], message: str) -> None:
    with pytest.raises(kind) as caught:
        raise kind
    failure = describe(caught.value, "of nobody")
    assert (failure.code, failure.message) == ("tool_error", message)
    assert failure.remote_type == message.partition(":")[0]


def test_an_error_of_ours_that_cannot_say_what_it_is_is_described_as_any_other() -> None:
    failure = describe(NoFailure("m", hint=""), "of nobody")
    assert (failure.code, failure.remote_type) == ("tool_error", "NoFailure")


def test_an_error_of_ours_with_other_things_than_texts_in_it_is_described_in_texts() -> None:
    given: dict[Any, Any] = {"seconds": 5, 6: None}
    odd: Any = 7
    raised = ToolError(odd)
    raised.remote_type = odd
    assert describe(raised, "of nobody").remote_type == "7"
    failure = describe(WorkerTimeout(odd, details=given), "of nobody")
    assert (failure.code, failure.message, failure.details) == (
        "worker_timeout",
        "7",
        {"seconds": "5", "6": "None"},
    )
    assert str(error_from(failure)).startswith("7\n")


def test_a_traceback_through_code_without_a_module_name_is_described() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        exec("1 / 0", {"__name__": None})
    assert "ZeroDivisionError: division by zero" in describe(caught.value, __name__).remote_traceback
