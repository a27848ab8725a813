"""The wheel: what is in it, and that it works where nothing else is installed."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*words: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", place, ROOT, cwd=place)
    (built,) = place.glob("*.whl")
    return built


@pytest.mark.timeout(300)
def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry_points,) = (archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"snakepit_jupyter"}
    below = {name.removeprefix("snakepit_jupyter/") for name in names}
    assert {"py.typed", "views/static/widget.js", "views/static/widget.css"} <= below
    assert "codecs/_generated/snakepit_jupyter_pb2.py" in below
    assert "codecs/_generated/snakepit_bridge_pb2_grpc.py" in below
    ours = {name for name in names if not name.endswith(".tmpl")}
    assert not [name for name in ours if "test" in name or name.endswith(".pyc")]
    assert "snakepit = snakepit_jupyter.cli:main" in entry_points


@pytest.mark.timeout(300)
def test_the_wheel_runs_in_a_fresh_environment(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "fresh"
    venv.create(place, with_pip=True)
    run(place / "bin/python", "-m", "pip", "install", "-q", "--prefer-binary", wheel, cwd=tmp_path)
    said = run(place / "bin/snakepit", "run", "compute", "operation=add", "a=1", "b=2", cwd=tmp_path)
    assert json.loads(said)["result"] == 3
    where = run(place / "bin/python", "-c", "import snakepit_jupyter as s; print(s.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(place)
