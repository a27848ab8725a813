"""The adapters of Snakepit's streaming guide run unchanged, and give the chunks the guide promises."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import written

import snakepit_jupyter as snakepit
from snakepit_jupyter import Client

HERE = Path(__file__).parent
GUIDE = HERE.parents[1].parent / "shared" / "guide-streaming.md"
CLASSES = ("MyAdapter", "MLAdapter", "DataAdapter", "LogAdapter", "TrainingAdapter")
LOG = """\
2025-01-20 15:30:45 INFO all is well
2025-01-20 15:30:46 ERROR Database connection failed
2025-01-20 15:30:47 WARN CRITICAL OutOfMemoryError: heap space
"""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A worker with all five; one of them has a tool of the name of a built-in one."""
    with Client(pool_size=1, adapters=[f"guide_adapters:{name}" for name in CLASSES]) as shared:
        with pytest.warns(snakepit.ToolReplaced, match="'distributed_training' of guide_adapters:TrainingAdapter"):
            shared.start()
        yield shared


def streamed(client: Client, tool: str, **arguments: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All chunks but the final one, and that one, without what the bridge says of it."""
    *steps, final = client.execute_stream(tool, arguments)
    assert {chunk["is_final"] for chunk in steps} <= {False}
    assert final["is_final"] is True
    assert set(final.pop("_metadata")) == {"execution_time_ms", "tool_type", "worker_id"}
    return steps, final


@pytest.mark.skipif(not GUIDE.exists(), reason="the guide is not here")
def test_they_are_what_the_guide_prints() -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    pasted = (HERE / "guide_adapters.py").read_text()
    assert len(blocks) == len(CLASSES)
    for block, name in zip(blocks, CLASSES, strict=True):
        assert f"class {name}(BaseAdapter):" in block
        assert block in pasted


def test_they_are_listed_with_their_descriptions_and_parameters(client: Client) -> None:
    listed = {tool.name: tool for tool in client.list_tools() if not tool.builtin}
    assert {name: tool.description for name, tool in listed.items()} == {
        "progress_stream": "Stream progress updates",
        "batch_inference": "Batch inference with streaming results",
        "process_large_dataset": "Process large datasets with progress",
        "tail_and_analyze": "Tail and analyze logs in real-time",
        "distributed_training": "Train model with streaming epoch updates",
    }
    assert all(tool.streaming for tool in listed.values())
    assert str(listed["progress_stream"]) == "progress_stream(count: int = 10, delay: float = 0.5)"


def test_progress_stream(client: Client) -> None:
    steps, final = streamed(client, "progress_stream", count=4, delay=0.001)
    assert steps[0] == {
        "progress": 1,
        "total": 4,
        "percent": 25.0,
        "message": "Processing item 1 of 4",
        "is_final": False,
    }
    assert [step["percent"] for step in steps] == [25.0, 50.0, 75.0, 100.0]
    assert final == {"is_final": True, "total_processed": 4, "message": "Stream complete"}


def test_batch_inference(client: Client) -> None:
    items = ["image_001.jpg", "image_002.jpg"]
    steps, final = streamed(client, "batch_inference", items=items, model_path="/models/resnet50.pkl")
    assert [step["item"] for step in steps] == items
    assert steps[1] == {
        "item": "image_002.jpg",
        "index": 1,
        "prediction": "predicted_class",
        "confidence": 0.95,
        "progress": 2,
        "total": 2,
        "is_final": False,
    }
    assert final == {"is_final": True, "total_processed": 2, "message": "Processed 2 items successfully"}


def test_process_large_dataset(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text("product,amount\n" + "".join(f"p{number},{number}\n" for number in range(10)))
    steps, final = streamed(client, "process_large_dataset", file_path=str(path), chunk_size=4)
    assert [step["processed_rows"] for step in steps] == [4, 8, 10]
    assert [step["progress_percent"] for step in steps] == [40.0, 80.0, 100.0]
    assert {step["total_rows"] for step in steps} == {10}
    assert all(0 < step["memory_usage_mb"] < 1 for step in steps)
    assert final == {
        "is_final": True,
        "final_stats": {"total_rows": 10, "processed": 10, "errors": 0, "skipped": 0},
    }


def test_tail_and_analyze(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text(LOG)
    patterns = ["ERROR", "FATAL", "OutOfMemoryError"]
    steps, final = streamed(client, "tail_and_analyze", log_path=str(path), patterns=patterns, context_lines=3)
    # "OutOfMemoryError" is no "ERROR" to a regular expression: upper and lower case differ.
    assert [(step["line_number"], step["pattern_matched"], step["severity"]) for step in steps] == [
        (1, "ERROR", "ERROR"),
        (2, "OutOfMemoryError", "FATAL"),
    ]
    assert steps[0]["log_line"] == LOG.splitlines()[1]
    assert steps[0]["timestamp"] == "2025-01-20T15:30:45"
    assert final == {"is_final": True, "message": "Log analysis complete"}


def test_distributed_training_in_a_session(client: Client) -> None:
    arguments = {
        "model_config": {"layers": 12},
        "training_config": {"epochs": 2},
        "dataset_path": "/data/train.csv",
    }
    *steps, final = client.execute_in_session_stream("ml_session", "distributed_training", arguments)
    assert [step["epoch"] for step in steps] == [1, 2]
    assert steps[0]["train_loss"] == pytest.approx(2.48)
    assert steps[0]["val_acc"] == pytest.approx(0.157)
    assert steps[1]["learning_rate"] == pytest.approx(0.001 * 0.95**2)
    assert final["final_model_path"] == "/models/model_epoch_2.pkl"
    assert final["best_val_accuracy"] == pytest.approx(0.164)
    assert final["message"] == "Training complete"


def test_the_callback_of_the_guide_hears_every_chunk_in_order(client: Client) -> None:
    heard: list[Any] = []
    client.execute_stream("progress_stream", {"count": 3, "delay": 0.001}, heard.append)
    assert [chunk.get("progress") for chunk in heard] == [1, 2, 3, None]


def test_a_stopped_one_leaves_a_worker_that_works(client: Client) -> None:
    run = client.execute_stream("progress_stream", {"count": 10_000, "delay": 0.01})
    next(iter(run))
    run.cancel()
    with pytest.raises(snakepit.RunStopped):
        run.result()
    assert streamed(client, "progress_stream", count=1, delay=0.0)[1]["total_processed"] == 1


# What adapters written for Snakepit import besides.

IMPORTS = """
from pathlib import Path

import snakepit_bridge.telemetry
from snakepit_bridge import telemetry
from snakepit_bridge.base_adapter import BaseAdapter, StreamChunk, tool
from snakepit_bridge.session_context import SessionContext


class Upstream(BaseAdapter):
    def __init__(self):
        super().__init__()
        self.path = None

    def set_session_context(self, session_context):
        super().set_session_context(session_context)
        self.session_context = session_context
        assert isinstance(session_context, SessionContext)

    def cleanup(self):
        if self.path:
            Path(self.path).write_text(self.session_context.session_id)

    @tool(description="Use all of it", supports_streaming=True, required_variables=["model"])
    def all_of_it(self, path: str):
        assert telemetry is snakepit_bridge.telemetry
        self.path = path
        with telemetry.span("work", {"of": "the test"}):
            telemetry.emit("work.done", {"count": 1})
            yield StreamChunk(data={"correlation_id": self.session_context.request_metadata["correlation_id"]})
        yield StreamChunk(data={"session": self.session_context.session_id}, is_final=True, metadata={"own": 1})
"""


def test_all_that_adapters_of_snakepit_import_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "upstream_adapter.py").write_text(IMPORTS)
    with Client(pool_size=1, adapters=["upstream_adapter:Upstream"]) as own:
        with own.session("s1") as session:
            first, final = session.execute_stream("all_of_it", {"path": str(tmp_path / "end")})
            assert first["correlation_id"].startswith("sp-")
            assert (final["session"], final["_metadata"]["own"]) == ("s1", "1")
            assert {tool.name: tool.required_variables for tool in own.list_tools()}["all_of_it"] == ("model",)
        assert written(tmp_path / "end") == "s1"
