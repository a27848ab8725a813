"""The messages of docs/view-protocol.md, and what a browser has after them."""

import math
from array import array
from threading import Thread
from typing import Any

from stages import Stage

from snakepit_jupyter.messages import RunStatus
from snakepit_jupyter.views.publisher import Publisher


class Comm:
    """The way to the browser: it records, and what arrives is put together as the protocol says."""

    def __init__(self, stage: Stage) -> None:
        self.messages: list[dict[str, Any]] = []
        self.snapshots: list[dict[str, Any]] = []
        self.columns: dict[str, list[float]] = {}
        self.lines: list[str] = []
        self.closed = False
        self.stage = stage
        self.publisher = Publisher(stage.state, self.send, self.snapshots.append, clock=lambda: stage.now)

    def send(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if self.closed:
            raise RuntimeError("the comm is closed")
        assert len(buffers) == len(content["columns"])
        assert content["seq"] == len(self.messages) + 1
        self.messages.append(content)
        if content["kind"] == "full":
            self.columns, self.lines = {}, []
        self._append(dict(zip(content["columns"], buffers, strict=True)))
        self.lines += [line["text"] for line in content["log"]["lines"]]

    def _append(self, buffers: dict[str, bytes]) -> None:
        if self.columns and buffers:
            assert set(buffers) == set(self.columns)
        for name, buffer in buffers.items():
            self.columns.setdefault(name, []).extend(array("d", buffer))

    def publish(self, *, last: bool = False) -> None:
        self.publisher.publish(self.stage.state, last=last)

    @property
    def kinds(self) -> list[str]:
        return [message["kind"] for message in self.messages]


def test_the_first_message_is_everything_and_then_only_what_is_new() -> None:
    stage = Stage()
    comm = Comm(stage)
    stage.trains(3)
    comm.publish()
    stage.trains(2, first=4)
    stage.prints("hello\n")
    comm.publish()
    assert comm.kinds == ["full", "delta"]
    assert comm.columns["epoch"] == [1, 2, 3, 4, 5]
    assert set(comm.columns) == {"epoch", "train_loss", "val_loss", "train_acc", "val_acc"}
    assert comm.lines == ["hello"]
    assert comm.messages[1]["log"]["start"] == 0


def test_nothing_new_sends_nothing() -> None:
    stage = Stage()
    comm = Comm(stage)
    stage.trains(3)
    comm.publish()
    stage.now += 10
    for _ in range(5):
        comm.publish()
    assert len(comm.messages) == 1
    assert len(comm.snapshots) == 1


def test_the_last_time_is_always_sent_with_a_snapshot() -> None:
    stage = Stage()
    comm = Comm(stage)
    stage.turns(RunStatus.DONE)
    comm.publish()
    comm.publish(last=True)
    assert comm.kinds == ["full", "delta"]
    assert comm.snapshots[-1]["seq"] == 2
    assert comm.snapshots[-1]["scene"]["status"] == "done"


def test_a_state_of_the_run_alone_sends_no_columns() -> None:
    stage = Stage()
    comm = Comm(stage)
    stage.trains(3)
    comm.publish()
    stage.turns(RunStatus.STOPPING)
    comm.publish()
    assert comm.messages[-1]["columns"] == []
    assert comm.messages[-1]["scene"]["status"] == "stopping"


def test_a_page_that_is_loaded_gets_everything() -> None:
    stage = Stage()
    comm = Comm(stage)
    stage.trains(3)
    stage.prints("hello\n")
    comm.publish()
    comm.publisher.send_all()
    assert comm.kinds == ["full", "full"]
    assert comm.columns["epoch"] == [1, 2, 3]
    assert comm.lines == ["hello"]


def test_a_new_chart_sends_everything_so_that_its_earlier_values_are_there() -> None:
    stage = Stage()
    comm = Comm(stage)
    stage.yields({"epoch": 1, "loss": 1.0, "memory": 5.0})
    comm.publish()
    assert "memory" not in comm.columns
    stage.yields({"epoch": 2, "loss": 1.0, "memory": 6.0})
    comm.publish()
    assert comm.kinds == ["full", "full"]
    assert comm.columns["memory"] == [5.0, 6.0]


def test_a_thinned_table_sends_everything_and_the_end_is_never_missing() -> None:
    stage = Stage()
    comm = Comm(stage)
    for epoch in range(1, 10_002):
        stage.yields({"epoch": epoch, "loss": 1.0})
        if epoch % 700 == 0:
            comm.publish()
    comm.publish(last=True)
    assert comm.kinds.count("full") == 1 + 2  # it was full at 4,000 and at 8,000 epochs
    epochs = comm.columns["epoch"]
    assert (epochs[0], epochs[-1]) == (1, 10_001)
    assert epochs == sorted(epochs)
    assert len(epochs) < 4100


def test_lines_that_were_lost_are_a_gap_in_the_numbers() -> None:
    stage = Stage()
    comm = Comm(stage)
    stage.prints("first\n")
    comm.publish()
    stage.prints("\n".join(map(str, range(700))))
    comm.publish()
    assert comm.messages[-1]["log"]["start"] == 201
    assert len(comm.messages[-1]["log"]["lines"]) == 500


def test_the_snapshot_is_refreshed_every_two_seconds_at_most() -> None:
    stage = Stage()
    comm = Comm(stage)
    for _ in range(100):
        stage.yields({"value": stage.now}, after=0.1)
        comm.publish()
    assert len(comm.snapshots) in {4, 5}
    assert len(comm.messages) == 100


def test_the_snapshot_is_small_and_keeps_the_newest() -> None:
    stage = Stage()
    comm = Comm(stage)
    for epoch in range(3999):
        stage.yields({"epoch": epoch, "loss": 1.0, "val_loss": 1.0})
    stage.prints("\n".join(map(str, range(300))))
    snapshot = comm.publisher.snapshot()
    epochs = array("d", snapshot["columns"]["epoch"])
    assert len(epochs) == 1000
    assert epochs[-1] == 3998
    assert snapshot["log"]["start"] == 200
    assert snapshot["seq"] == 0


def test_a_number_that_is_missing_travels_as_nan() -> None:
    stage = Stage()
    comm = Comm(stage)
    stage.yields({"epoch": 1, "loss": 1.0})
    stage.yields({"epoch": 2, "val_loss": 1.0})
    comm.publish()
    assert math.isnan(comm.columns["loss"][1])
    assert math.isnan(comm.columns["val_loss"][0])


def test_a_closed_comm_disturbs_nobody_and_a_new_one_gets_everything() -> None:
    stage = Stage()
    comm = Comm(stage)
    stage.trains(2)
    comm.publish()
    comm.closed = True
    stage.trains(1, first=3)
    comm.publish()
    comm.publisher.send_all()
    comm.closed = False
    stage.trains(1, first=4)
    comm.publish()
    assert comm.kinds == ["full", "full"]
    assert comm.columns["epoch"] == [1, 2, 3, 4]


def test_folding_publishing_and_a_reloading_page_may_happen_at_once() -> None:
    stage = Stage()
    comm = Comm(stage)

    def reload() -> None:
        for _ in range(30):
            comm.publisher.send_all()

    readers = [Thread(target=reload) for _ in range(3)]
    for reader in readers:
        reader.start()
    for epoch in range(300):
        stage.yields({"epoch": epoch, "loss": 1.0, f"measure {epoch % 7}": float(epoch)})
        comm.publish()
    for reader in readers:
        reader.join()
    comm.publish(last=True)
    assert [message["seq"] for message in comm.messages] == list(range(1, len(comm.messages) + 1))
    assert comm.columns["epoch"] == list(range(300))
