"""From the state of a view to its scene: what is said of any run, whatever kind of view shows it."""

from collections.abc import Iterator

from snakepit_jupyter.errors import BY_CODE, Failure
from snakepit_jupyter.messages import RunStatus, StopRung
from snakepit_jupyter.views import numbers
from snakepit_jupyter.views.kinds import Reading
from snakepit_jupyter.views.scene import ErrorNote, ResultLine, Scene
from snakepit_jupyter.views.state import ViewState
from snakepit_jupyter.views.wording import clean, short

# A rate over less than so many seconds says nothing.
LONG_ENOUGH = 1.0
TRACEBACK_WIDTH = 20_000
MESSAGE_WIDTH = 4_000
RUNGS = {StopRung.INTERRUPT: "interrupted", StopRung.KILL: "worker killed"}


def scene_of(state: ViewState) -> Scene:
    """Everything there is to see of a run at this moment."""
    with state.lock:
        return _scene(state, state.kind.reading(state.facts))


def _scene(state: ViewState, reading: Reading) -> Scene:
    run, summary = state.run, _summary(state, reading)
    return Scene(
        run=run.run_id,
        tool=clean(run.tool),
        session=clean(run.session_id),
        status=run.status.value,
        summary=summary,
        elapsed=round(state.elapsed(), 3),
        eta=_eta(state),
        ticking=not run.status.ended,
        progress=_progress(state),
        tiles=reading.tiles,
        charts=reading.charts,
        foot=tuple(_foot(state)),
        foot_right=f"chunk {numbers.count(state.last_seq)}" if state.last_seq else "",
        log_total=state.log_total,
        error=_error(run.failure) if run.status is RunStatus.FAILED else None,
        result=tuple(line for line in state.facts.result if not _said(line, summary)),
    )


def _said(line: ResultLine, summary: str) -> bool:
    return summary.endswith(f" · {short(line.value, 80)}")


def _summary(state: ViewState, reading: Reading) -> str:
    status = state.run.status
    if status is RunStatus.QUEUED:
        return "queued · waiting for a free worker"
    if status is RunStatus.RUNNING and not state.last_seq:
        return "starting"
    detail = _detail(state, reading)
    return f"{status.value} · {detail}" if detail else status.value


def _detail(state: ViewState, reading: Reading) -> str:
    match state.run.status:
        case RunStatus.DONE:
            return reading.done or _lines(state)
        case RunStatus.FAILED:
            return _title(state.run.failure) if state.run.failure else ""
        case RunStatus.STOPPED:
            return _stopped(state, reading)
    return reading.doing or _lines(state)


def _stopped(state: ViewState, reading: Reading) -> str:
    place = f"at {reading.place}" if reading.place else ""
    reason = short(state.run.stop_reason, 60)
    return f"{place} ({reason})" if place and reason else place or reason


def _lines(state: ViewState) -> str:
    """What is said of a run that only prints."""
    total = state.log_total
    return f"{numbers.count(total)} line{'' if total == 1 else 's'}" if total else ""


def _progress(state: ViewState) -> float | None:
    if state.run.status is RunStatus.DONE:
        return 1.0
    fraction = state.kind.standing().fraction
    return None if fraction is None else round(min(1.0, max(0.0, fraction)), 6)


def _eta(state: ViewState) -> float | None:
    if state.run.status not in {RunStatus.RUNNING, RunStatus.STOPPING}:
        return None
    eta = state.pace.eta(state.working(), state.kind.standing(), state.newest)
    return None if eta is None else round(eta, 1)


def _foot(state: ViewState) -> Iterator[str]:
    run = state.run
    if run.session_id:
        yield f"session {short(run.session_id, 40)}"
    if run.worker_id:
        yield f"worker {short(run.worker_id, 40)}"
    if rate := _rate(state):
        yield rate
    if run.rung in RUNGS:
        yield RUNGS[run.rung]
    if state.skipped:
        yield f"{numbers.count(state.skipped)} not shown"
    if state.unreadable:
        yield f"{numbers.count(state.unreadable)} unreadable"


def _rate(state: ViewState) -> str:
    standing, working = state.kind.standing(), state.working()
    if state.run.status.ended:
        per_second = (state.things() - standing.before) / working if working >= LONG_ENOUGH else None
    else:
        per_second = state.pace.rate(working, state.things())
    return numbers.rate(per_second, standing.noun) if per_second and per_second > 0 else ""


def _title(failure: Failure) -> str:
    kind = BY_CODE.get(failure.code)
    return short(failure.remote_type, 60) or (kind.__name__ if kind else short(failure.code, 60))


def _error(failure: Failure | None) -> ErrorNote | None:
    if failure is None:
        return None
    title = _title(failure)
    return ErrorNote(
        title,
        clean(failure.message.removeprefix(f"{title}: "))[:MESSAGE_WIDTH],
        clean(failure.hint)[:MESSAGE_WIDTH],
        clean(failure.remote_traceback[-TRACEBACK_WIDTH:]).rstrip(),
    )
