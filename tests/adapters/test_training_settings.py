from typing import Any

import pytest

from snakepit_jupyter.adapters.training_settings import (
    ModelSettings,
    TrainingSettings,
    model_settings,
    training_settings,
)
from snakepit_jupyter.errors import InvalidParameter


def test_what_is_left_out_has_a_default() -> None:
    assert model_settings({}) == ModelSettings()
    assert training_settings({}) == TrainingSettings()


def test_the_defaults_are_themselves_allowed() -> None:
    from dataclasses import asdict

    assert model_settings(asdict(ModelSettings())) == ModelSettings()
    assert training_settings(asdict(TrainingSettings())) == TrainingSettings()


def test_a_whole_number_may_come_as_a_float() -> None:
    settings = training_settings({"epochs": 1e3, "learning_rate": 1})
    assert settings.epochs == 1000
    assert type(settings.epochs) is int


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 2.5}, "epochs"),
        ({"epochs": "20"}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"epochs": None}, "epochs"),
        ({"batch_size": -1}, "batch_size"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": 2}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"validation_split": 0.0}, "validation_split"),
        ({"validation_split": 1.0}, "validation_split"),
        ({"schedule": "linear"}, "schedule"),
        ({"schedule": ["cosine"]}, "schedule"),
        ({"warmup_epochs": -1}, "warmup_epochs"),
        ({"epochs": 5, "warmup_epochs": 5}, "warmup_epochs"),
        ({"l2": -0.1}, "l2"),
        ({"patience": 0}, "patience"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_wrong_training_setting_is_refused_by_its_key(given: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidParameter, match=rf"^training_config\.{key} is .*; allowed is ") as caught:
        training_settings(given)
    assert caught.value.key == f"training_config.{key}"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"architecture": "transformer"}, "is 'transformer'; allowed is 'mlp', 'linear'"),
        ({"layers": 0}, "is 0; allowed is a whole number from 1 to 64"),
        ({"hidden_size": 10**9}, "allowed is a whole number from 1 to 4,096"),
        ({"activation": "gelu"}, "is 'gelu'; allowed is 'relu', 'tanh'"),
    ],
)
def test_a_wrong_model_setting_is_refused_by_its_key(given: dict[str, Any], message: str) -> None:
    (key,) = given
    with pytest.raises(InvalidParameter, match=message) as caught:
        model_settings(given)
    assert caught.value.key == f"model_config.{key}"


def test_the_range_of_a_number_is_told() -> None:
    with pytest.raises(InvalidParameter, match=r"allowed is a number above 0 and below 1\n"):
        training_settings({"validation_split": 1})
    with pytest.raises(InvalidParameter, match=r"from 1 to 1,000,000 or None\n"):
        training_settings({"patience": "never"})


def test_an_unknown_key_names_the_nearest_and_all_others() -> None:
    with pytest.raises(InvalidParameter, match=r"no key 'epoch'\. Did you mean 'epochs'\?") as caught:
        training_settings({"epoch": 3})
    assert caught.value.key == "training_config.epoch"
    assert "learning_rate" in caught.value.hint


def test_an_unknown_key_that_is_like_none_guesses_nothing() -> None:
    with pytest.raises(InvalidParameter, match="model_config has no key 'zzz'") as caught:
        model_settings({"zzz": 1})
    assert "Did you mean" not in caught.value.message


def test_a_linear_model_has_no_hidden_layers() -> None:
    assert ModelSettings("linear", layers=3).sizes(64, 10) == (64, 10)
    assert ModelSettings("mlp", layers=2, hidden_size=8).sizes(64, 10) == (64, 8, 8, 10)


def rates(**given: Any) -> list[float]:
    settings = training_settings({"learning_rate": 1.0, **given})
    return [settings.rate(epoch) for epoch in range(1, settings.epochs + 1)]


def test_the_cosine_falls_from_the_full_rate_through_its_half_to_almost_nothing() -> None:
    told = rates(epochs=100)
    assert told[0] == 1.0
    assert told[50] == pytest.approx(0.5)
    assert 0 < told[-1] < 0.001
    assert told == sorted(told, reverse=True)


def test_the_step_falls_to_a_tenth_at_a_half_and_a_hundredth_at_three_quarters() -> None:
    assert rates(epochs=4, schedule="step") == pytest.approx([1, 1, 0.1, 0.01])


def test_the_constant_stays() -> None:
    assert rates(epochs=3, schedule="constant") == [1, 1, 1]


def test_the_warm_up_rises_to_the_full_rate() -> None:
    assert rates(epochs=6, warmup_epochs=3, schedule="constant") == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    assert rates(epochs=6, warmup_epochs=3)[3] == 1.0
