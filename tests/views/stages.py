"""A run as a view meets it, with time in the test's own hands."""

from typing import Any

from snakepit_jupyter import values
from snakepit_jupyter.errors import Failure
from snakepit_jupyter.messages import Chunk, ChunkKind, RunState, RunStatus, StopRung
from snakepit_jupyter.values import Encoding
from snakepit_jupyter.views.compose import scene_of
from snakepit_jupyter.views.scene import Scene
from snakepit_jupyter.views.state import ViewState, fold, fold_state


class Stage:
    """A run that does what a test says; one second is what the test calls a second."""

    def __init__(self, tool: str = "demo", status: RunStatus = RunStatus.RUNNING) -> None:
        self.now = 0.0
        self.state = ViewState(RunState("r-1", tool, "tour"), clock=lambda: self.now)
        if status is not RunStatus.QUEUED:
            self.turns(status)

    def turns(self, status: RunStatus, elapsed: float | None = None, **more: Any) -> None:
        run = RunState(
            "r-1",
            self.state.run.tool,
            "tour",
            status,
            worker_id="w2",
            elapsed=self.now if elapsed is None else elapsed,
            **more,
        )
        fold_state(self.state, run)

    def yields(self, value: Any, *, after: float = 0.0, is_final: bool = False) -> None:
        self.gives(*values.encode(value), after=after, is_final=is_final)

    def gives(
        self,
        data: bytes,
        encoding: Encoding = Encoding.JSON,
        *,
        after: float = 0.0,
        is_final: bool = False,
        seq: int = 0,
    ) -> None:
        self.now += after
        number = seq or self.state.last_seq + 1
        fold(self.state, Chunk(number, ChunkKind.DATA, data, encoding, is_final))

    def prints(self, text: str, kind: ChunkKind = ChunkKind.STDOUT) -> None:
        fold(self.state, Chunk(self.state.last_seq + 1, kind, text.encode()))

    def trains(self, epochs: int, total: int = 50, *, seconds: float = 3.0, first: int = 1) -> None:
        for epoch in range(first, first + epochs):
            self.yields(epoch_of(epoch, total), after=seconds)

    def fails(self, **failure: Any) -> None:
        self.turns(RunStatus.FAILED, failure=Failure(**failure))

    def is_stopped(self, reason: str, rung: StopRung = StopRung.NONE) -> None:
        self.turns(RunStatus.STOPPED, stop_reason=reason, rung=rung)

    @property
    def scene(self) -> Scene:
        return scene_of(self.state)

    @property
    def tiles(self) -> dict[str, str]:
        return {tile.label: tile.value for tile in self.scene.tiles}


def epoch_of(epoch: int, total: int) -> dict[str, Any]:
    """What the guide's training tool yields; the accuracy is best at 31."""
    return {
        "epoch": epoch,
        "total_epochs": total,
        "train_loss": 2.0 / epoch,
        "train_acc": 1 - 1 / (epoch + 1),
        "val_loss": 2.2 / epoch,
        "val_acc": 0.975 - 0.001 * abs(31 - epoch),
        "learning_rate": 0.001 * 0.95**epoch,
    }
