"""What the README shows works as it stands there."""

import re
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
