"""Calls that come while the workers are still starting."""

import os
import time
from pathlib import Path

import pytest

from snakepit_jupyter import Client, WorkerTimeout


def test_a_deadline_holds_while_no_worker_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    monkeypatch.setenv("SLOW_TO_LOAD", str(gate))
    with Client(pool_size=1, session_id="", adapters=["bridge.slow_to_load:Slow"]) as client:
        started = time.monotonic()
        with pytest.raises(WorkerTimeout, match="while the workers were still starting"):
            client.execute("answer", timeout=0.3)
        assert time.monotonic() - started < 5
        gate.write_bytes(b"")
        assert client.execute("answer") == 42
