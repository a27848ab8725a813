from stages import Stage, epoch_of

from snakepit_jupyter.messages import RunStatus


def test_a_training_says_which_epoch_it_is_at() -> None:
    stage = Stage()
    stage.trains(34)
    assert stage.scene.summary == "running · epoch 34 of 50"
    assert stage.scene.progress == 0.68


def test_its_tiles_are_the_losses_the_headline_and_the_learning_rate() -> None:
    stage = Stage()
    stage.trains(34)
    labels = [tile.label for tile in stage.scene.tiles]
    assert labels == ["train_loss", "val_loss", "val_acc", "learning_rate", "train_acc"]
    assert stage.tiles["val_acc"] == "0.9720"
    assert [tile.note for tile in stage.scene.tiles if tile.note] == ["best 0.9750 at 31"]


def test_its_charts_run_over_the_epochs_to_the_end() -> None:
    stage = Stage()
    stage.trains(3)
    loss, acc = stage.scene.charts
    assert (loss.title, loss.lines, loss.x, loss.x_max) == ("loss", ("train_loss", "val_loss"), "epoch", 50)
    assert (acc.title, acc.lines, acc.y_max) == ("acc", ("train_acc", "val_acc"), 1.0)


def test_a_finished_training_says_what_was_best() -> None:
    stage = Stage()
    stage.trains(50)
    stage.turns(RunStatus.DONE)
    assert stage.scene.summary == "done · 50 epochs, best val_acc 0.9750 at 31"
    assert stage.scene.progress == 1.0


def test_what_only_the_final_chunk_says_is_the_result() -> None:
    stage = Stage()
    stage.trains(50)
    path = "/models/" + "deep/" * 60 + "model.pkl"
    stage.yields({"final_model_path": path, "best_val_accuracy": 0.975, "total_epochs": 50}, is_final=True)
    result = {line.label: line.value for line in stage.scene.result}
    assert result == {"final_model_path": path, "best_val_accuracy": "0.9750"}
    assert "best_val_accuracy" not in stage.tiles
    assert stage.state.facts.table.rows == 50


def test_epochs_counted_from_zero_are_all_counted_in_the_end() -> None:
    stage = Stage()
    stage.trains(0)
    for epoch in range(5):
        stage.yields({"epoch": epoch, "epochs": 5, "loss": 1.0})
    stage.turns(RunStatus.DONE)
    assert stage.scene.summary == "done · 5 epochs, best loss 1.000 at 0"


def test_a_fraction_of_an_epoch_is_fine() -> None:
    stage = Stage()
    stage.yields({"epoch": 0.34, "max_epochs": 3, "loss": 1.0})
    assert stage.scene.summary == "running · epoch 0.34 of 3"


def test_without_a_total_there_is_no_progress() -> None:
    stage = Stage()
    stage.yields({"epoch": 3, "loss": 1.0})
    assert stage.scene.progress is None
    assert stage.scene.summary == "running · epoch 3"


def test_the_total_of_the_steps_is_not_that_of_the_epochs() -> None:
    stage = Stage()
    stage.yields({"epoch": 1, "step": 10, "total": 400, "loss": 1.0})
    assert stage.scene.progress is None


def test_epochs_that_start_over_are_drawn_over_the_chunks() -> None:
    stage = Stage()
    stage.trains(3)
    stage.trains(3)
    assert {chart.x for chart in stage.scene.charts} == {"chunk"}


def test_the_epochs_are_the_rate_and_the_time_left() -> None:
    stage = Stage()
    stage.trains(25, seconds=2.0)
    assert "2.0 s/epoch" in stage.scene.foot
    assert stage.scene.eta == 50.0
    stage.now += 1.5
    assert stage.scene.eta == 48.5


def test_a_resumed_training_is_not_taken_for_a_quick_one() -> None:
    stage = Stage()
    stage.trains(10, total=50, seconds=10.0, first=31)
    eta = stage.scene.eta
    assert eta is not None
    assert 90 <= eta <= 110
    stage.turns(RunStatus.DONE)
    assert "10 s/epoch" in stage.scene.foot


def test_a_metric_that_is_nan_says_so() -> None:
    stage = Stage()
    stage.yields(epoch_of(1, 50) | {"train_loss": float("nan")})
    assert stage.tiles["train_loss"] == "NaN"
