"""What the README shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import snakepit_jupyter as snakepit

BLOCKS: list[str] = re.findall(
    r"^```python\n(.*?)^```", (Path(__file__).parents[1] / "README.md").read_text(), re.DOTALL | re.MULTILINE
)


def block(holding: str) -> str:
    (found,) = (text for text in BLOCKS if holding in text)
    return found


def test_the_adapter_of_ones_own_has_ten_lines_and_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = block("class MyTools")
    assert len([line for line in source.splitlines() if line.strip()]) <= 10
    (tmp_path / "my_tools.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    with snakepit.Client(pool_size=1, adapters=["my_tools:MyTools"]) as client:
        *chunks, final = client.execute_stream("darts", {"throws": 40_000, "batch": 10_000})
    assert [chunk["progress"] for chunk in chunks] == [10_000, 20_000, 30_000, 40_000]
    assert final["is_final"]
    assert final["pi"] == pytest.approx(3.14, abs=0.1)


def test_the_calls_from_python_run(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        exec(block("snakepit.execute_stream"), {})
    finally:
        snakepit.stop()
    assert "100.0 Step 3 of 3" in capsys.readouterr().out


def test_values_arrive_as_what_they_were_and_a_function_is_registered(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        exec(block("snakepit.host_tool"), {})
        printed = capsys.readouterr().out.splitlines()
    finally:
        snakepit.stop()
    assert printed == [
        "{'when': datetime.date(2026, 1, 2), 'pair': (1, None), 'raw': b'\\x00\\x00\\x00', 'nan': nan}",
        "{'value': b'as it is'}",
    ]


def test_a_stranger_drives_a_served_bridge_as_the_guide_to_peers_shows(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "peers.md").read_text()
    (example,) = re.findall(r"^```python\n(import grpc\n.*?)^```", guide, re.DOTALL | re.MULTILINE)
    program = [str(Path(sys.executable).with_name("snakepit")), "serve", "--listen", "127.0.0.1:0", "--pool-size", "1"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        address = served.stdout.readline().removeprefix("listening on ").strip()
        token_file = served.stdout.readline().split()[2]
        try:
            exec(example, {"address": address, "token_file": token_file})
        finally:
            served.terminate()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [f"ping_stream-{n}" for n in range(1, 6)]
    assert "True {" in lines[-1]
    assert "'tool_type': 'remote'" in lines[-1]
