import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snakepit_jupyter.adapters.datasets import load_dataset
from snakepit_jupyter.adapters.training import TrainingAdapter, load_model
from snakepit_jupyter.adapters.training_run import stratified_split
from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.worker.adapter import marked_tools

CELL: dict[str, Any] = {
    "model_config": {"architecture": "mlp", "layers": 2, "hidden_size": 64},
    "training_config": {"epochs": 20, "batch_size": 32, "learning_rate": 0.001},
    "dataset_path": "digits",
}
EPOCH_KEYS = {
    "epoch",
    "total_epochs",
    "train_loss",
    "val_loss",
    "train_acc",
    "val_acc",
    "learning_rate",
    "samples_per_second",
    "is_final",
}


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def training(
    model: dict[str, Any] | None = None, path: str = "iris", target: str | None = None, **settings: Any
) -> Generator[dict[str, Any], None, None]:
    return TrainingAdapter().distributed_training(model or {}, settings, path, target=target)


def metadata(outcome: dict[str, Any]) -> dict[str, Any]:
    text = Path(outcome["final_model_path"]).with_suffix(".json").read_text()
    return dict(json.loads(text))


def is_plain(value: Any) -> bool:
    return type(value) in {int, float, bool, str}


def test_it_is_one_streaming_tool() -> None:
    tools = list(marked_tools(TrainingAdapter))
    assert [(name, mark.supports_streaming) for name, _, mark in tools] == [("distributed_training", True)]


def test_the_cell_of_the_guide_learns_the_digits(capsys: pytest.CaptureFixture[str]) -> None:
    *epochs, outcome = TrainingAdapter().distributed_training(**CELL)
    assert [chunk["epoch"] for chunk in epochs] == list(range(1, 21))
    assert all(set(chunk) == EPOCH_KEYS and not chunk["is_final"] for chunk in epochs)
    assert all(is_plain(value) for chunk in [*epochs, outcome] for value in chunk.values())
    assert epochs[-1]["val_acc"] > 0.95
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"] / 10
    assert outcome["best_val_accuracy"] == max(chunk["val_acc"] for chunk in epochs)
    assert epochs[outcome["best_epoch"] - 1]["val_acc"] == outcome["best_val_accuracy"]
    assert (outcome["samples"], outcome["features"], outcome["classes"]) == (1797, 64, 10)
    assert outcome["total_epochs"] == outcome["epochs_trained"] == 20
    assert capsys.readouterr().out.splitlines() == [
        "digits: 1,797 samples, 64 features, 10 classes; 1,437 to train, 360 to validate",
        "mlp: 64 → 64 → 64 → 10, 8,970 parameters",
        f"saved {outcome['final_model_path']}",
    ]


def test_the_saved_model_has_the_accuracy_that_was_reported() -> None:
    *_, outcome = training(path="wine", epochs=15, seed=3)
    wine = load_dataset("wine")
    _, rows = stratified_split(wine.labels, 0.2, np.random.default_rng(3))
    model = load_model(outcome["final_model_path"])
    predicted = model.predict(wine.features[rows])
    assert (predicted == wine.labels[rows]).mean() == outcome["best_val_accuracy"]
    assert (model.probabilities(wine.features[rows]).argmax(axis=1) == predicted).all()


def test_the_metadata_tell_how_the_model_came_about() -> None:
    *epochs, outcome = training({"architecture": "linear"}, epochs=3, batch_size=16)
    told = metadata(outcome)
    assert told["model"] == Path(outcome["final_model_path"]).name
    assert told["model_config"]["architecture"] == "linear"
    assert told["training_config"]["batch_size"] == 16
    assert told["class_names"] == ["setosa", "versicolor", "virginica"]
    assert told["features"][0]["name"] == "sepal length (cm)"
    assert [entry["val_acc"] for entry in told["history"]] == [chunk["val_acc"] for chunk in epochs]
    assert told["best"]["accuracy"] == outcome["best_val_accuracy"]
    assert told["versions"]["numpy"] == np.__version__


def test_features_are_standardised_with_the_training_samples_alone() -> None:
    *_, outcome = training(epochs=1, seed=5)
    iris = load_dataset("iris")
    rows, _ = stratified_split(iris.labels, 0.2, np.random.default_rng(5))
    model = load_model(outcome["final_model_path"])
    np.testing.assert_allclose(model.mean, iris.features[rows].mean(axis=0))
    np.testing.assert_allclose(model.scale, iris.features[rows].std(axis=0))


def test_a_seed_repeats_the_training_and_another_does_not() -> None:
    def losses(seed: int) -> list[float]:
        return [chunk["val_loss"] for chunk in training(epochs=3, seed=seed) if not chunk["is_final"]]

    assert losses(1) == losses(1) != losses(2)


def test_the_learning_rate_of_the_schedule_is_reported() -> None:
    *epochs, _ = training(epochs=4, schedule="step", learning_rate=0.01)
    assert [chunk["learning_rate"] for chunk in epochs] == pytest.approx([0.01, 0.01, 0.001, 0.0001])


def test_it_stops_early_when_it_gets_no_better() -> None:
    *epochs, outcome = training(path="iris", epochs=500, patience=3, learning_rate=1.0, schedule="constant")
    assert len(epochs) == outcome["epochs_trained"] == outcome["best_epoch"] + 3 < 500
    assert outcome["total_epochs"] == 500
    assert f"stopped early after {len(epochs)} epochs" in outcome["message"]


def test_a_stopped_run_leaves_its_best_model_and_what_it_told() -> None:
    run = training(epochs=1000)
    for _ in range(3):
        next(run)
    run.close()
    files = sorted(Path("snakepit-models").iterdir())
    assert [file.suffix for file in files] == [".json", ".npz"]
    assert len(json.loads(files[0].read_text())["history"]) == 3
    assert load_model(files[1]).class_names == ("setosa", "versicolor", "virginica")


def test_each_run_has_a_file_of_its_own() -> None:
    paths = {list(training(epochs=1))[-1]["final_model_path"] for _ in range(2)}
    assert len(paths) == 2
    assert all(Path(path).is_absolute() and Path(path).name.startswith("mlp-iris-") for path in paths)


def test_text_classes_of_a_file_are_learned_and_kept() -> None:
    rng = np.random.default_rng(0)
    rows = [f"{rng.normal(side)},{7},{name}" for side, name in [(-3, "left"), (3, "right")] * 40]
    Path("my data.csv").write_text("x,constant,side\n" + "\n".join(rows))
    *_, outcome = training(path="my data.csv", target="side", epochs=30, learning_rate=0.01)
    assert outcome["best_val_accuracy"] == 1.0
    assert Path(outcome["final_model_path"]).name.startswith("mlp-my-data-")
    model = load_model(outcome["final_model_path"])
    assert [model.class_names[i] for i in model.predict([[-4, 7], [4, 7]])] == ["left", "right"]


def test_a_batch_larger_than_the_data_is_one_batch() -> None:
    *_, outcome = training(epochs=2, batch_size=100_000)
    assert outcome["epochs_trained"] == 2


def test_values_far_from_all_that_was_trained_on_stay_numbers() -> None:
    *_, outcome = training(epochs=1)
    assert np.isfinite(load_model(outcome["final_model_path"]).probabilities([[1e99, -1e99, 0, 0]])).all()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"model_config": {"architecture": "transformer"}}, "model_config.architecture"),
        ({"training_config": {"epochs": 0}}, "training_config.epochs"),
        ({"dataset_path": "digitz"}, "dataset_path"),
        ({"target": "y"}, "target"),
        ({"output_dir": "taken/below"}, "output_dir"),
        ({"output_dir": "taken"}, "output_dir"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(changes: dict[str, Any], key: str) -> None:
    Path("taken").touch()
    with pytest.raises(InvalidParameter) as caught:
        next(TrainingAdapter().distributed_training(**{**CELL, **changes}))
    assert caught.value.key == key


def test_a_training_that_diverges_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_number(*_: Any) -> tuple[float, float]:
        return float("nan"), 0.1

    monkeypatch.setattr("snakepit_jupyter.adapters.training_run.evaluate", no_number)
    with pytest.raises(InvalidParameter, match="diverged in epoch 1") as caught:
        next(training(epochs=2))
    assert caught.value.key == "training_config.learning_rate"
    assert not list(Path("snakepit-models").iterdir())


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_a_split_is_stratified_and_leaves_every_class_on_both_sides(share: float) -> None:
    labels = np.repeat([0, 1, 2, 3], [2, 3, 50, 145])
    train, validation = stratified_split(labels, share, np.random.default_rng(0))
    assert sorted([*train, *validation]) == list(range(200))
    assert set(labels[train]) == set(labels[validation]) == {0, 1, 2, 3}
    assert abs((labels[validation] == 3).sum() - 145 * share) < 3


def test_a_split_takes_the_share_exactly() -> None:
    digits, iris = load_dataset("digits").labels, load_dataset("iris").labels
    rng = np.random.default_rng(0)
    assert [len(side) for side in stratified_split(digits, 0.2, rng)] == [1437, 360]
    assert [len(side) for side in stratified_split(iris, 0.2, rng)] == [120, 30]


def test_the_adapters_are_light_to_import() -> None:
    code = (
        "import sys, snakepit_jupyter.adapters.training, snakepit_jupyter.adapters.demo;"
        "print({'numpy', 'sklearn', 'pyarrow', 'IPython'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


ROOT = Path(__file__).parents[2]
