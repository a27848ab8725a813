"""Our own workers, as far as their pool is concerned: what they are told, and what they may answer."""

import json
import os
import sys
from pathlib import Path

import pytest
from recording_doors import RecordingBridge, RecordingDoors
from waiting import below, run_async

from snakepit_jupyter.config import Config
from snakepit_jupyter.pool.doors import Doors
from snakepit_jupyter.pool.own import own_worker
from snakepit_jupyter.pool.process import WorkerStartError

CHILD = """#!{python}
import os, pathlib, sys, threading
pathlib.Path({told!r}).write_text(sys.stdin.readline())
os.write(int(sys.argv[-1]), {answer!r} + b"\\n")
threading.Event().wait(60)
"""


def a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> Path:
    """Let any child be one that answers this; the file where it writes what it was told."""
    told = tmp_path / "told"
    script = tmp_path / "python"
    script.write_text(CHILD.format(python=sys.executable, told=str(told), answer=answer))
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    return told


def start(directory: Path, doors: Doors | None = None) -> tuple[tuple[str, ...], int]:
    """The notices and the number of tools of a worker that was started and let go."""

    async def scene() -> tuple[tuple[str, ...], int]:
        async with own_worker("w1", Config(pool_size=1), directory, "secret", doors) as worker:
            return worker.notices, len(worker.tools)

    return run_async(scene())


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b'{"tools": 5, "notices": []}',
        b'{"tools": ["zz"], "notices": []}',
        b'{"tools": ["ffff"], "notices": []}',
        b'{"tools": [], "notices": null}',
        b'{"failure": "zz"}',
        b'{"failure": "ffff"}',
        b'{"failure": 1}',
        b"[]",
        b"\xff",
    ],
)
def test_an_answer_that_cannot_be_understood_is_a_failed_start_and_nothing_is_left(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    before = below(os.getpid())
    a_child(tmp_path, monkeypatch, answer)
    with pytest.raises(WorkerStartError, match="its answer cannot be understood"):
        start(directory)
    assert below(os.getpid()) == before


class OpenDoors(RecordingDoors):
    """The bridge listens for our own workers too."""

    address = "unix:/b"
    token = "for-workers"


@pytest.mark.parametrize("kind", ["none", "closed", "open"])
def test_a_worker_is_told_where_it_reaches_the_bridge(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    told = a_child(tmp_path, monkeypatch, b'{"tools": [], "notices": ["hello"]}')
    bridge = RecordingBridge()
    doors = {"none": None, "closed": RecordingDoors(directory, bridge), "open": OpenDoors(directory, bridge)}[kind]
    assert start(directory, doors) == (("hello",), 0)
    config = json.loads(told.read_text())
    assert config["bridge"] == ({"address": "unix:/b", "token": "for-workers"} if kind == "open" else {})
    assert config["token"] == "secret"


def test_a_worker_that_cannot_even_be_started_says_why(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(WorkerStartError, match="No such file or directory: '/no/such/python'"):
        start(directory)
