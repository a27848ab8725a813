"""Chunks that carry what is no JSON: seen as numbers, texts or shapes, never as their content."""

# Shapes are written with a multiplication sign.
# ruff: noqa: RUF001

import datetime as dt
import json
import math
import pathlib
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from stages import Stage

from snakepit_jupyter.messages import RunStatus
from snakepit_jupyter.views.glance import glance, outline
from snakepit_jupyter.views.publisher import Publisher
from snakepit_jupyter.views.report import report_html, report_text

pd: Any = pytest.importorskip("pandas")

SECRET = 424_242
FRAME = pd.DataFrame(np.full((100, 3), SECRET), columns=["shape", "dtype", "type"])
BIG = np.full((30, 40), float(SECRET))

SHOWN = [
    (np.float64(0.5), 0.5),
    (np.float16(0.5), 0.5),
    (np.int8(-3), -3),
    (np.bool_(True), True),
    (np.array(7), 7),
    (np.longdouble(0.5), 0.5),
    (np.str_("text"), "text"),
    (np.datetime64("2024-01-02"), "2024-01-02"),
    (np.timedelta64(3, "s"), "3 seconds"),
    (np.complex64(1j), "1j"),
    (Decimal("0.25"), 0.25),
    (Decimal("1e9999"), math.inf),
    (BIG, "ndarray 30×40 float64"),
    (np.zeros((3, 4), np.int8), "ndarray 3×4 int8"),
    (np.zeros(0), "ndarray 0 float64"),
    (np.array([[1], None], object), "ndarray 2 object"),
    (FRAME, "DataFrame 100×3"),
    (pd.Series(np.zeros(1234)), "Series 1,234 float64"),
    (pd.Index([1, 2]), "Index 2 int64"),
    (pd.Categorical(["a"]), "Categorical 1 category"),
    (pd.Timestamp("2024-01-02 03:04"), "2024-01-02 03:04:00"),
    (pd.NaT, "NaT"),
    (pa.table({"a": [1, 2], "type": [3, 4]}), "Table 2×2"),
    (pa.RecordBatch.from_pydict({"a": [1, 2]}), "RecordBatch 2×1"),
    (pa.array([1, 2]), "Array 2 int64"),
    (pa.chunked_array([["a"]]), "ChunkedArray 1 string"),
    (b"x" * 4096, "4,096 bytes"),
    (bytearray(b"x"), "1 byte"),
    ((1, (2,)), [1, (2,)]),
    ({3}, [3]),
    (dt.datetime.fromisoformat("2024-01-02T03:04"), "2024-01-02 03:04:00"),
    (dt.timedelta(hours=1), "1:00:00"),
    (pathlib.PurePosixPath("a/b"), "a/b"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (1 + 2j, "(1+2j)"),
]


@pytest.mark.parametrize(("value", "shown"), SHOWN, ids=lambda value: type(value).__name__)
def test_a_value_is_a_number_a_text_or_its_shape(value: Any, shown: Any) -> None:
    assert glance(value) == shown
    assert type(glance(value)) is type(shown)


@pytest.mark.parametrize("value", [math.nan, Decimal("NaN"), Decimal("sNaN"), np.float32("nan")], ids=repr)
def test_what_is_no_number_is_nan(value: Any) -> None:
    assert math.isnan(glance(value))


def test_the_outline_counts_what_is_long_or_deep() -> None:
    deep: Any = [1]
    for _ in range(300):
        deep = [deep]
    assert outline({"a": [(1, np.int8(2))], 3: BIG, "long": [list(range(1000))]}) == {
        "a": [[1, 2]],
        "3": "ndarray 30×40 float64",
        "long": ["1,000 items"],
    }
    assert json.dumps(outline(deep)).count("[") < 12


@pytest.mark.parametrize("is_final", [False, True])
@pytest.mark.parametrize("value", [value for value, _ in SHOWN], ids=lambda value: type(value).__name__)
def test_no_value_makes_a_view_fail_or_is_shown_whole(value: Any, is_final: bool) -> None:
    stage = Stage()
    sent: list[dict[str, Any]] = []
    publisher = Publisher(stage.state, lambda content, _buffers: sent.append(content), sent.append)
    for odd in (value, {"epoch": value, "loss": 1.0}, {"step": value, "total": value, "message": value}):
        stage.yields(odd)
    stage.yields({"x": [value], "y": {"z": value}, ("a", 1): value, 2.5: {value.__class__.__name__: 1}})
    stage.yields({"result": value, "nested": {"of": [value, {("k", 1): value}]}}, is_final=is_final)
    stage.turns(RunStatus.DONE)
    publisher.publish(stage.state, last=True)
    assert stage.state.unreadable == 0
    said = [json.dumps(content, allow_nan=False, default=len) for content in sent]
    said += [report_html(stage.state), report_text(stage.state)]
    assert not any(str(SECRET) in text or "xxxx" in text or "eHh4" in text for text in said)


def test_numbers_of_other_kinds_make_curves_and_tiles() -> None:
    stage = Stage()
    for epoch in (1, 2, 3):
        stage.yields(
            {
                "epoch": np.int64(epoch),
                "total_epochs": np.int32(3),
                "loss": np.float32(1 / epoch),
                "acc": Decimal("0.5"),
            }
        )
    assert stage.scene.progress == 1.0
    assert list(stage.state.facts.table.columns(("loss",))[0]) == pytest.approx([1, 1 / 2, 1 / 3])
    assert list(stage.state.facts.table.columns(("acc",))[0]) == [0.5] * 3
    assert stage.tiles["loss"] == "0.3333"


def test_a_chunk_that_is_no_dict_is_said_by_its_shape() -> None:
    stage = Stage()
    stage.yields(BIG)
    assert stage.scene.summary == "running · ndarray 30×40 float64"
    stage.yields(b"x" * 4096)
    assert stage.scene.summary == "running · 4,096 bytes"
    assert "raw_data_base64" not in stage.state.facts.latest


def test_nothing_large_is_kept() -> None:
    stage = Stage()
    stage.yields({"image": BIG, "table": FRAME, "blob": b"x" * 4096})
    assert stage.state.facts.latest == {
        "image": "ndarray 30×40 float64",
        "table": "DataFrame 100×3",
        "blob": "4,096 bytes",
    }


def test_the_result_lines_of_a_final_chunk_are_shapes_too() -> None:
    stage = Stage()
    stage.yields({"epoch": 1})
    stage.yields({"weights": BIG, "classes": ("a", "b"), "by": {1: FRAME}, "at": dt.date(2024, 1, 2)}, is_final=True)
    assert {line.label: line.value for line in stage.scene.result} == {
        "weights": "ndarray 30×40 float64",
        "classes": '["a", "b"]',
        "by.1": "DataFrame 100×3",
        "at": "2024-01-02",
    }


def test_what_could_not_be_sent_is_told_by_its_type() -> None:
    marker = {"__ffi_unserializable__": True, "__type__": "my_models.Model"}
    assert outline(marker) == "my_models.Model, which cannot be sent"
    assert outline({"models": [marker]}) == {"models": ["my_models.Model, which cannot be sent"]}
    stage = Stage()
    stage.yields({"score": 0.5})
    stage.yields({"model": marker, "score": 0.5}, is_final=True)
    stage.turns(RunStatus.DONE)
    assert "my_models.Model, which cannot be sent" in report_text(stage.state)
    assert "__ffi" not in report_html(stage.state)
