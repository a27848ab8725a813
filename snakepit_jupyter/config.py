"""The settings of a bridge and its pool: frozen, and checked where they come in."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from snakepit_jupyter.errors import InvalidConfig

MOST_WORKERS_BY_DEFAULT = 4
MOST_OF_ANYTHING = 1_000_000
MODULE_AND_CLASS = 2


def default_pool_size() -> int:
    """As many workers as there are cores for this process, at most four."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST_WORKERS_BY_DEFAULT, cores)


@dataclass(frozen=True, slots=True)
class Config:
    """How a bridge works.

    Args:
        pool_size: number of worker processes; by default as many as there are cores, at most 4.
        adapters: the user's adapters, each "package.module:Class".
        worker_init_timeout: seconds a worker has to become ready.
        cancel_grace: seconds a call that was asked to stop has, until KeyboardInterrupt is raised in it.
        kill_grace: seconds it has after that to clean up, until its worker is killed.
        sys_path: where workers look for adapters besides their own `sys.path`.
        worker_command: how a worker of Snakepit itself is started, for example ("python", "/path/grpc_server.py");
            it is given the flags of Snakepit, and the one adapter there must be. Empty: our own workers.
        max_sessions: how many sessions there may be at once.
        max_programs_per_session: how many tools may be registered in one session.
        session_ttl: seconds without use after which a session ends.
        max_queued: how many calls may wait for a worker.
        host_tool_timeout: seconds that a host tool has, unless its caller says otherwise.

    Raises:
        InvalidConfig: if a value cannot be; names the setting and what is allowed.
    """

    pool_size: int = field(default_factory=default_pool_size)
    adapters: tuple[str, ...] = ()
    worker_init_timeout: float = 30.0
    cancel_grace: float = 0.5
    kill_grace: float = 5.0
    sys_path: tuple[str, ...] = ()
    worker_command: tuple[str, ...] = ()
    max_sessions: int = 10_000
    max_programs_per_session: int = 1_000
    session_ttl: float = 3600.0
    max_queued: int = 1_000
    host_tool_timeout: float = 60.0

    def __post_init__(self) -> None:
        _check_integer("pool_size", self.pool_size, 1, 256)
        for name in ("max_sessions", "max_programs_per_session", "max_queued"):
            _check_integer(name, getattr(self, name), 1, MOST_OF_ANYTHING)
        for name in ("worker_init_timeout", "cancel_grace", "kill_grace", "session_ttl", "host_tool_timeout"):
            _check_seconds(name, getattr(self, name))
        object.__setattr__(self, "adapters", _names("adapters", self.adapters))
        object.__setattr__(self, "sys_path", tuple(self.sys_path))
        object.__setattr__(self, "worker_command", _command(self.worker_command))
        if self.worker_command:
            _check_peer_adapter(self.adapters)

    @property
    def peer_adapter(self) -> str:
        """The adapter of the workers that `worker_command` starts, as Snakepit writes it: "package.module.Class"."""
        return self.adapters[0].replace(":", ".")

    def as_json(self) -> dict[str, Any]:
        """The settings as they travel to the bridge's process."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Config":
        return cls(**fields)


def _check_integer(name: str, value: Any, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidConfig(f"{name} is {value!r}", hint=f"It is a whole number from {least} to {most:,}.")


def _check_seconds(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise InvalidConfig(f"{name} is {value!r}", hint="It is a number of seconds above 0.")


def _names(name: str, value: Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(item, str) for item in value):
        raise InvalidConfig(f"{name} is {value!r}", hint='It is a list such as ["package.module:Class"].')
    return tuple(value)


def _command(value: Any) -> tuple[str, ...]:
    listed = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    words = tuple(os.fspath(word) if isinstance(word, os.PathLike) else word for word in value) if listed else ()
    if not listed or not all(isinstance(word, str) and word and "\0" not in word for word in words):
        hint = 'It is a list such as ["python", "/path/grpc_server.py"].'
        raise InvalidConfig(f"worker_command is {value!r}", hint=hint)
    return words


def _check_peer_adapter(adapters: tuple[str, ...]) -> None:
    """A foreign worker has one adapter, and finds it by a dotted name."""
    words = adapters[0].replace(":", ".").split(".") if len(adapters) == 1 else []
    if len(words) < MODULE_AND_CLASS or not all(word.isidentifier() for word in words):
        raise InvalidConfig(
            f"adapters is {list(adapters)!r}",
            hint='With worker_command it is exactly one, such as ["package.module.Class"].',
        )
