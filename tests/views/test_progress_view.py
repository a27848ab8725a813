from typing import Any

import pytest
from stages import Stage

from snakepit_jupyter.messages import RunStatus


@pytest.mark.parametrize(
    ("fields", "fraction"),
    [
        ({"progress": 3, "total": 12}, 0.25),
        ({"progress_percent": 12.5}, 0.125),
        ({"percent": 40}, 0.4),
        ({"step": 1, "total": 4}, 0.25),
        ({"message": "…", "progress": 2.0, "step": 1, "total": 50}, 0.02),
        ({"progress": 60.0, "step": 3, "total": 5}, 0.6),
        ({"processed_rows": 10, "total_rows": 40, "progress_percent": 25.0}, 0.25),
        ({"progress": 0.3}, 0.3),
        ({"progress": 30}, 0.3),
        ({"progress": 1}, 0.01),
        ({"progress": 60, "total": 50}, 0.6),
    ],
)
def test_progress_is_found_in_many_ways_to_say_it(fields: dict[str, Any], fraction: float) -> None:
    stage = Stage()
    stage.yields(fields)
    assert stage.scene.progress == fraction


@pytest.mark.parametrize(
    "fields",
    [{"progress": 300}, {"progress": -1}, {"step": 7, "total": 5}, {"percent": "50"}, {"value": 3.0}, {}],
)
def test_what_makes_no_sense_is_no_progress(fields: dict[str, Any]) -> None:
    stage = Stage()
    stage.yields(fields)
    assert stage.scene.progress is None


@pytest.mark.parametrize("steps", [3, 5, 50, 200])
def test_the_upstream_demo_never_goes_backwards(steps: int) -> None:
    stage = Stage()
    seen = []
    for step in range(1, steps + 1):
        percent = 100.0 * step / steps
        stage.yields({"message": f"step {step}", "progress": percent, "step": step, "total": steps})
        seen.append(stage.scene.progress)
    assert seen == [round(step / steps, 6) for step in range(1, steps + 1)]


def test_another_source_is_followed_only_forwards() -> None:
    stage = Stage()
    stage.yields({"step": 8, "total": 10})
    stage.yields({"progress": 0.1})
    assert stage.scene.progress == 0.8
    stage.yields({"progress": 0.9})
    assert stage.scene.progress == 0.9


def test_a_new_phase_of_the_same_source_is_shown_as_it_is() -> None:
    stage = Stage()
    stage.yields({"step": 5, "total": 5})
    stage.yields({"step": 1, "total": 4})
    assert stage.scene.progress == 0.25


def test_a_percentage_that_starts_below_one_is_recognised_later() -> None:
    stage = Stage()
    for percent in (0.5, 1.0, 1.5, 2.0):
        stage.yields({"progress": percent})
    assert stage.scene.progress == 0.02


def test_the_message_is_the_summary_and_not_in_the_log() -> None:
    stage = Stage()
    stage.yields({"message": "Processing item 3\nof 5", "step": 3, "total": 5})
    assert stage.scene.summary == "running · Processing item 3 of 5"
    assert stage.scene.log_total == 0


def test_without_a_message_the_step_is_the_summary() -> None:
    stage = Stage()
    stage.yields({"step": 3, "total": 5})
    assert stage.scene.summary == "running · step 3 of 5"


def test_without_anything_the_chunks_are_counted() -> None:
    stage = Stage()
    stage.yields({"value": 1.5})
    assert stage.scene.summary == "running · 1 chunk"


def test_numbers_are_tiles_then_words() -> None:
    stage = Stage()
    stage.yields({"item": "digit_0997.png", "confidence": 0.998, "index": 3, "ok": True, "message": "hi"})
    assert stage.tiles == {"confidence": "0.9980", "item": "digit_0997.png"}


def test_numbers_that_vary_are_drawn_over_the_chunks() -> None:
    stage = Stage()
    stage.yields({"confidence": 0.5, "threshold": 0.1, "progress": 1, "total": 9})
    stage.yields({"confidence": 0.7, "threshold": 0.1, "progress": 2, "total": 9})
    assert [(chart.title, chart.x) for chart in stage.scene.charts] == [("confidence", "chunk")]


def test_plain_values_are_shown_too() -> None:
    stage = Stage()
    stage.yields("hello")
    assert stage.scene.summary == "running · hello"
    stage.yields(5)
    stage.yields(7)
    assert stage.tiles == {"data": "7"}
    assert [chart.title for chart in stage.scene.charts] == ["data"]


def test_a_result_that_is_a_dict_is_shown_field_by_field() -> None:
    stage = Stage()
    stage.yields({"progress_percent": 100})
    stage.yields({"final_stats": {"rows": 1000, "deep": {"a": 1}}, "names": list(range(99))}, is_final=True)
    assert [(line.label, line.value) for line in stage.scene.result] == [
        ("final_stats.rows", "1,000"),
        ("final_stats.deep", '{"a": 1}'),
        ("names", "99 items"),
    ]


def test_the_last_message_is_said_once() -> None:
    stage = Stage()
    stage.yields({"value": 1})
    stage.yields({"message": "Stream complete"}, is_final=True)
    stage.turns(RunStatus.DONE)
    assert stage.scene.summary == "done · Stream complete"
    assert stage.scene.result == ()
