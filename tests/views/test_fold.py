import json
import math
from typing import Any

import pytest
from stages import Stage

from snakepit_jupyter.messages import Chunk, ChunkKind, RunState, RunStatus
from snakepit_jupyter.values import Encoding
from snakepit_jupyter.views.kinds import kinds, progress, training
from snakepit_jupyter.views.report import report_html
from snakepit_jupyter.views.state import ViewState, fold, fold_state

ODD: list[Any] = [
    None,
    True,
    "text",
    7,
    math.nan,
    math.inf,
    10**400,
    [],
    [[1, 2], {"a": 1}],
    {},
    {"": 1.0},
    {"epoch": "three"},
    {"epoch": math.nan, "loss": math.inf},
    {"epoch": 10**400},
    {"epoch": True, "total_epochs": 0},
    {"epoch": 5, "total_epochs": 0},
    {"epoch": 5, "total_epochs": 3, "loss": "low"},
    {"epoch": -1, "epochs": [1, 2]},
    {"progress": -3, "total": -3},
    {"progress": 7, "total": 3},
    {"step": 1, "total": None},
    {"progress": "50%", "percent": 1000},
    {"message": {"a": ["b"]}},
    {"message": "\ud800 \x1b[31m <script>alert(1)</script>"},
    {"is_final": "no", "_metadata": 3, "chunk": 9, "data": 1},
    {"x" * 10_000: 1.0, "\ud800": 2.0},
]


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("is_final", [False, True])
def test_no_value_makes_a_fold_or_a_report_raise(value: Any, is_final: bool) -> None:
    stage = Stage()
    for odd in (*ODD, value):
        stage.yields(odd)
    stage.yields(value, is_final=is_final)
    stage.turns(RunStatus.DONE)
    json.dumps(stage.scene.as_json(), allow_nan=False).encode()
    report_html(stage.state).encode()
    assert stage.state.unreadable == 0


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_chunk_that_cannot_be_decoded_is_counted(data: bytes) -> None:
    stage = Stage()
    stage.gives(data)
    assert "1 unreadable" in stage.scene.foot


def test_bytes_and_nothing_are_folded_too() -> None:
    stage = Stage()
    fold(stage.state, Chunk(1, ChunkKind.DATA, b"\x00\x01", Encoding.BYTES))
    fold(stage.state, Chunk(2, ChunkKind.DATA, b""))
    assert stage.scene.foot_right == "chunk 2"
    assert stage.scene.tiles == ()


def test_the_verbs_give_the_state_back() -> None:
    stage = Stage()
    assert fold(stage.state, Chunk(1, ChunkKind.DATA, b"{}")) is stage.state
    assert fold_state(stage.state, RunState("r-1", "demo")) is stage.state


def test_a_chunk_that_is_replayed_counts_once() -> None:
    stage = Stage()
    for seq in (1, 2, 1, 2, 3):
        stage.gives(b'{"loss": 1.5}', seq=seq)
    assert stage.state.facts.table.rows == 3


def test_gaps_between_the_numbers_are_chunks_not_shown() -> None:
    stage = Stage()
    stage.gives(b"{}", seq=1)
    stage.gives(b"{}", seq=14)
    assert "12 not shown" in stage.scene.foot


def test_an_older_state_does_not_bring_an_ended_run_back() -> None:
    stage = Stage()
    stage.turns(RunStatus.DONE)
    stage.turns(RunStatus.RUNNING)
    assert stage.scene.status == "done"


def test_what_is_no_finite_number_is_a_gap_in_the_curve() -> None:
    stage = Stage()
    for loss in (1.0, None, math.nan, True, "0.5", 0.5):
        stage.yields({"loss": loss, "lr": 1.0})
    (losses,) = stage.state.facts.table.columns(("loss",))
    assert [None if math.isnan(loss) else loss for loss in losses] == [1.0, None, None, None, None, 0.5]


def test_only_the_last_500_lines_are_kept_but_all_are_counted() -> None:
    stage = Stage()
    stage.prints("\n".join(f"line {i}" for i in range(700)) + "\n")
    stage.prints("warned", ChunkKind.STDERR)
    start, lines = stage.state.log_since(0)
    assert (start, len(lines), stage.scene.log_total) == (201, 500, 701)
    assert (lines[0].text, lines[-1].kind) == ("line 201", "stderr")


def test_a_reader_gets_the_lines_it_has_not_seen() -> None:
    stage = Stage()
    stage.prints("a\nb\nc\n")
    start, lines = stage.state.log_since(2)
    assert (start, [line.text for line in lines]) == (2, ["c"])
    assert stage.state.log_since(3) == (3, [])


def test_chunks_without_an_epoch_are_progress_and_a_training_takes_over() -> None:
    stage = Stage()
    stage.yields({"message": "loading", "total_epochs": 50, "rows": 4.0})
    kinds_seen = [type(stage.state.kind)]
    stage.trains(1)
    stage.yields({"message": "between"})
    kinds_seen.append(type(stage.state.kind))
    assert kinds_seen == [progress.View, training.View]
    assert stage.scene.progress == 0.02
    assert stage.state.facts.table.rows == 1


def test_every_kind_of_view_is_found_and_the_default_comes_last() -> None:
    assert [kind.weight for kind in kinds()] == sorted((kind.weight for kind in kinds()), reverse=True)
    assert kinds()[-1] is progress.View


def test_a_run_that_is_joined_late_does_not_count_as_having_waited() -> None:
    state = ViewState(RunState("r-1", "demo"), clock=lambda: 5.0)
    fold_state(state, RunState("r-1", "demo", status=RunStatus.RUNNING, elapsed=300.0))
    assert state.working() == 300.0
