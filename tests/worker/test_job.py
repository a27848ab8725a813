"""How a call ends that something was raised in."""

import asyncio
from typing import Any

import pytest
from waiting import run_async

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import failure_from_pb
from snakepit_jupyter.errors import Failure, InvalidParameter, RunStopped
from snakepit_jupyter.messages import Call, StopRung
from snakepit_jupyter.worker.job import Job, ending
from snakepit_jupyter.worker.outbox import Abandoned, Outbox


def end_of(error: BaseException, *rungs: StopRung) -> pb.CallEnd:
    """The end of a call in which an error was raised, after it was asked to stop so."""

    async def scene() -> pb.CallEnd:
        job = Job(Call("tool"), Outbox(asyncio.get_running_loop()))
        for rung in rungs:
            job.stop(rung)
        return ending(job, error)

    return run_async(scene())


def failure_of(error: BaseException) -> Failure:
    end = end_of(error)
    assert end.outcome == pb.OUTCOME_FAILED
    return failure_from_pb(end.failure)


STOPS = [
    KeyboardInterrupt(),
    asyncio.CancelledError(),
    GeneratorExit(),
    RunStopped("while it waited for a host tool"),
    BaseExceptionGroup("several", [KeyboardInterrupt(), ExceptionGroup("in it", [RunStopped("one")])]),
]


@pytest.mark.parametrize("error", STOPS, ids=lambda error: type(error).__name__)
def test_what_a_stop_raises_is_a_stop(error: BaseException) -> None:
    assert end_of(error, StopRung.COOPERATIVE).outcome == pb.OUTCOME_STOPPED


@pytest.mark.parametrize("error", STOPS, ids=lambda error: type(error).__name__)
def test_the_same_is_a_failure_if_nobody_asked(error: BaseException) -> None:
    assert end_of(error).outcome == pb.OUTCOME_FAILED


@pytest.mark.parametrize(
    "error", [ValueError("in the clean-up"), ExceptionGroup("two", [RunStopped("one"), ValueError("other")])]
)
def test_an_error_of_the_clean_up_is_not_lost(error: BaseException) -> None:
    assert "ValueError" in end_of(error, StopRung.INTERRUPT).failure.remote_traceback


def test_a_chunk_that_nobody_wants_any_more_ends_a_call_quietly() -> None:
    assert end_of(Abandoned()).outcome == pb.OUTCOME_STOPPED


def test_a_text_that_cannot_travel_is_written_out() -> None:
    failure = failure_of(ValueError("half a \ud83d face"))
    assert failure.message == "ValueError: half a \\ud83d face"
    assert "half a \\ud83d face" in failure.remote_traceback


def test_so_are_the_facts_of_our_own_errors() -> None:
    failure = failure_of(InvalidParameter("wrong", details={"key": "a\ud800"}))
    assert failure.details == {"key": "a\\ud800"}


def test_an_exception_that_cannot_say_what_it_is_still_is_told() -> None:
    class Speechless(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert failure_of(Speechless()).remote_type == "Speechless"


def test_no_exception_can_end_more_than_its_call() -> None:
    class Wordless(BaseException):
        def __str__(self) -> str:
            raise SystemExit(9)

        __repr__ = __str__

    class Faceless(Exception):
        @property  # type: ignore[misc]
        def __class__(self) -> type:
            raise SystemExit(9)

    assert failure_of(Wordless()).remote_type == "Wordless"
    assert failure_of(Faceless()).message


def stopped_after(final: Any, *rungs: StopRung) -> Job:
    async def scene() -> Job:
        job = Job(Call("tool"), Outbox(asyncio.get_running_loop()))
        job.put(final)
        for rung in rungs:
            job.stop(rung)
        return job

    return run_async(scene())


def test_a_tool_that_only_cleans_up_is_wanted_until_it_is_interrupted() -> None:
    assert stopped_after({"is_final": True}, StopRung.COOPERATIVE).wanted
    assert not stopped_after({"is_final": True}, StopRung.COOPERATIVE, StopRung.INTERRUPT).wanted
    assert not stopped_after({"is_final": False}, StopRung.COOPERATIVE).wanted
