import json

import pytest

from snakepit_jupyter.config import MOST_WORKERS_BY_DEFAULT, Config
from snakepit_jupyter.errors import InvalidConfig


def test_settings_travel_as_json() -> None:
    config = Config(pool_size=3, adapters=("a.b:C",), cancel_grace=0.25, sys_path=("/x",))
    assert Config.from_json(json.loads(json.dumps(config.as_json()))) == config


def test_by_default_there_are_a_few_workers_and_never_none() -> None:
    assert 1 <= Config().pool_size <= MOST_WORKERS_BY_DEFAULT


def test_adapters_may_be_a_list() -> None:
    assert Config(adapters=["a:B"]).adapters == ("a:B",)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, -1, 257, 1.0, "2", True])
def test_a_pool_size_that_cannot_be_is_refused(size: object) -> None:
    with pytest.raises(InvalidConfig, match="It is a whole number from 1 to 256") as caught:
        Config(pool_size=size)  # type: ignore[arg-type]
    assert repr(size) in caught.value.message


@pytest.mark.parametrize("name", ["worker_init_timeout", "cancel_grace", "kill_grace"])
@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan"), "1", None, False])
def test_seconds_that_cannot_be_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidConfig, match=f"{name} is .*\nIt is a number of seconds above 0"):
        Config(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("adapters", ["a:B", [1], ["a:B", None]])
def test_adapters_that_are_no_list_of_texts_are_refused(adapters: object) -> None:
    with pytest.raises(InvalidConfig, match="It is a list such as"):
        Config(adapters=adapters)  # type: ignore[arg-type]
