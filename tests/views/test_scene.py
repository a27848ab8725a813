import pytest
from stages import Stage

from snakepit_jupyter.messages import RunStatus, StopRung


def test_the_scene_has_the_names_of_the_protocol() -> None:
    stage = Stage()
    stage.trains(2)
    scene = stage.scene.as_json()
    assert list(scene) == [
        *("run", "tool", "session", "status", "summary", "elapsed", "eta", "ticking", "progress"),
        *("tiles", "charts", "foot", "foot_right", "log_total", "error", "result"),
    ]
    assert list(scene["tiles"][0]) == ["label", "value", "note"]
    assert set(scene["charts"][0]) == {"title", "x", "x_max", "lines", "y_min", "y_max"}
    assert scene["foot_right"] == "chunk 2"


def test_a_waiting_run_says_what_it_waits_for() -> None:
    scene = Stage(status=RunStatus.QUEUED).scene
    assert (scene.summary, scene.ticking, scene.progress) == (
        "queued · waiting for a free worker",
        True,
        None,
    )


def test_a_run_without_chunks_is_starting() -> None:
    stage = Stage()
    assert stage.scene.summary == "starting"


def test_a_run_that_only_prints_counts_its_lines() -> None:
    stage = Stage()
    stage.prints("a\nb\n")
    assert stage.scene.summary == "running · 2 lines"


def test_a_run_asked_to_stop_says_where_it_is() -> None:
    stage = Stage()
    stage.trains(12)
    stage.turns(RunStatus.STOPPING)
    assert stage.scene.summary == "stopping · epoch 12 of 50"


def test_a_stopped_run_says_where_and_by_whom_and_how() -> None:
    stage = Stage()
    stage.trains(12)
    stage.is_stopped("Stop button", StopRung.KILL)
    scene = stage.scene
    assert scene.summary == "stopped · at epoch 12 of 50 (Stop button)"
    assert (scene.error, scene.ticking, scene.progress) == (None, False, 0.24)
    assert "worker killed" in scene.foot


def test_a_run_stopped_before_it_began_only_says_by_whom() -> None:
    stage = Stage()
    stage.is_stopped("interrupt")
    assert stage.scene.summary == "stopped · interrupt"


def test_a_failed_tool_is_named_by_its_own_exception() -> None:
    stage = Stage()
    stage.fails(code="tool_error", message="ValueError: bad", remote_type="ValueError", remote_traceback="Trace\n")
    error = stage.scene.error
    assert stage.scene.summary == "failed · ValueError"
    assert error is not None
    assert error.as_json() == {"title": "ValueError", "message": "bad", "hint": "", "traceback": "Trace"}


@pytest.mark.parametrize(("code", "title"), [("worker_crashed", "WorkerCrashed"), ("some_new_code", "some_new_code")])
def test_a_failure_of_the_machinery_is_named_by_our_exception(code: str, title: str) -> None:
    stage = Stage()
    stage.fails(code=code, message="killed (signal 9)", hint="try again")
    assert stage.scene.summary == f"failed · {title}"


def test_elapsed_goes_on_between_the_states_and_stands_at_the_end() -> None:
    stage = Stage()
    stage.turns(RunStatus.RUNNING, elapsed=10.0)
    stage.now += 2.5
    assert stage.scene.elapsed == 12.5
    stage.turns(RunStatus.DONE, elapsed=12.4)
    stage.now += 99
    assert stage.scene.elapsed == 12.4


def test_waiting_for_a_worker_does_not_count_as_work() -> None:
    stage = Stage(status=RunStatus.QUEUED)
    stage.now = 100.0
    stage.turns(RunStatus.RUNNING)
    stage.trains(10, total=20, seconds=1.0)
    assert stage.scene.eta == 10.0


@pytest.mark.parametrize("status", [RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED])
def test_an_ended_run_has_no_time_left(status: RunStatus) -> None:
    stage = Stage()
    stage.trains(10)
    stage.turns(status)
    assert stage.scene.eta is None


def test_the_first_two_percent_say_nothing_of_the_rest() -> None:
    stage = Stage()
    stage.trains(1, total=100)
    assert stage.scene.eta is None
    stage.trains(1, total=100, first=2)
    assert stage.scene.eta is not None


def test_a_run_that_is_overdue_makes_no_promise() -> None:
    stage = Stage()
    stage.trains(49)
    stage.now += 60
    assert stage.scene.eta is None


def test_replayed_chunks_do_not_promise_an_instant_end() -> None:
    stage = Stage()
    stage.turns(RunStatus.RUNNING, elapsed=300.0)
    stage.trains(25, seconds=0.001)
    eta = stage.scene.eta
    assert eta is not None
    assert 250 <= eta <= 350


def test_the_rate_falls_when_nothing_comes() -> None:
    stage = Stage()
    for _ in range(20):
        stage.yields({"value": 1}, after=0.1)
    assert "10.0 chunks/s" in stage.scene.foot
    stage.now += 30
    assert "1.7 s/chunk" in stage.scene.foot
