from pathlib import Path

import numpy as np
import pytest

from snakepit_jupyter.adapters.mlp import new_network
from snakepit_jupyter.adapters.trained_model import TrainedModel, load, save, write_whole
from snakepit_jupyter.errors import InvalidParameter

MODEL = TrainedModel(
    new_network((3, 5, 2), "tanh", np.random.default_rng(0)),
    mean=np.array([1.0, 2.0, 3.0]),
    scale=np.array([1.0, 0.5, 2.0]),
    feature_names=("a", "b", "ç"),
    class_names=("no", "yes"),
)
SAMPLES = np.random.default_rng(1).normal(size=(7, 3))


def test_a_model_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    save(MODEL, tmp_path / "m.npz")
    model = load(tmp_path / "m.npz")
    assert model.feature_names == MODEL.feature_names
    assert model.class_names == MODEL.class_names
    assert model.network.activation == "tanh"
    np.testing.assert_array_equal(model.probabilities(SAMPLES), MODEL.probabilities(SAMPLES))


def test_samples_of_another_shape_are_refused() -> None:
    for samples in ([1.0, 2.0, 3.0], [[1.0, 2.0]]):
        with pytest.raises(InvalidParameter, match=r"allowed is \(samples, 3\)"):
            MODEL.predict(samples)


def test_saving_again_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    save(MODEL, tmp_path / "m.npz")
    save(MODEL, tmp_path / "m.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["m.npz"]


def test_an_interrupted_save_leaves_the_earlier_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(b"earlier")

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, interrupted)
    assert path.read_bytes() == b"earlier"
    assert [file.name for file in tmp_path.iterdir()] == ["m.npz"]


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    text, archive = tmp_path / "t.npz", tmp_path / "a.npz"
    text.write_text("hello")
    np.savez(archive, x=[1])
    for path in (text, archive):
        with pytest.raises(InvalidParameter, match="is not a model"):
            load(path)


def test_a_missing_file_is_pythons_own_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")
