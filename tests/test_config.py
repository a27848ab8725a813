import json
from pathlib import Path

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


@pytest.mark.parametrize("name", ["max_sessions", "max_programs_per_session", "max_queued"])
@pytest.mark.parametrize("value", [0, -1, 1_000_001, 2.0, "3", True, None])
def test_a_limit_that_cannot_be_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidConfig, match=f"{name} is .*\nIt is a whole number from 1 to 1,000,000"):
        Config(**{name: value})  # type: ignore[arg-type]


SECONDS = ["worker_init_timeout", "cancel_grace", "kill_grace", "session_ttl", "host_tool_timeout"]


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [0, -1.0, float("inf"), float("nan"), "1", None, False])
def test_seconds_that_cannot_be_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidConfig, match=f"{name} is .*\nIt is a number of seconds above 0"):
        Config(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("adapters", ["a:B", [1], ["a:B", None]])
def test_adapters_that_are_no_list_of_texts_are_refused(adapters: object) -> None:
    with pytest.raises(InvalidConfig, match="It is a list such as"):
        Config(adapters=adapters)  # type: ignore[arg-type]


# Workers that are not ours.


@pytest.mark.parametrize("adapter", ["pkg.mod.Class", "pkg.mod:Class"])
def test_the_adapter_of_a_foreign_worker_is_named_as_snakepit_names_it(adapter: str) -> None:
    assert Config(worker_command=("python", "x.py"), adapters=(adapter,)).peer_adapter == "pkg.mod.Class"


def test_a_worker_command_may_be_a_list_with_a_path_and_travels_as_json() -> None:
    config = Config(worker_command=["python", Path("/x/grpc_server.py")], adapters=("a.B",))  # type: ignore[arg-type]
    assert config.worker_command == ("python", "/x/grpc_server.py")
    assert Config.from_json(json.loads(json.dumps(config.as_json()))) == config


@pytest.mark.parametrize("command", ["python x.py", b"python", None, 1, [1], ["python", ""], ["a\0b"], Path("x")])
def test_a_worker_command_that_cannot_be_is_refused(command: object) -> None:
    with pytest.raises(InvalidConfig, match=r"worker_command is .*\nIt is a list such as"):
        Config(worker_command=command, adapters=("a.B",))  # type: ignore[arg-type]


@pytest.mark.parametrize("adapters", [(), ("a.B", "c.D"), ("Class",), ("a..B",), ("a b.C",), ("",), ("a:b:C d",)])
def test_a_foreign_worker_has_exactly_one_adapter(adapters: tuple[str, ...]) -> None:
    with pytest.raises(InvalidConfig, match="With worker_command it is exactly one"):
        Config(worker_command=("python", "x.py"), adapters=adapters)
