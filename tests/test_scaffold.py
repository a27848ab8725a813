"""What `snakepit gen-adapter` writes works as it stands."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from snakepit_jupyter import scaffold
from snakepit_jupyter.errors import InvalidParameter


def run(package: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=package, capture_output=True, text=True, check=False, timeout=60)


def test_the_package_it_writes_passes_its_own_tests(tmp_path: Path) -> None:
    package = scaffold.write("my_tools", tmp_path)
    assert package == tmp_path / "my_tools"
    done = run(package, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_it_has_all_files_under_its_name_and_nothing_is_left_to_fill_in(tmp_path: Path) -> None:
    package = scaffold.write("geometry2", tmp_path)
    written = {str(path.relative_to(package)): path for path in package.rglob("*") if path.is_file()}
    assert set(written) == {
        "README.md",
        "pyproject.toml",
        "src/geometry2/__init__.py",
        "src/geometry2/adapter.py",
        "tests/test_geometry2.py",
    }
    assert not any("{{" in path.read_text() for path in written.values())
    assert "class Geometry2Tools(BaseAdapter):" in written["src/geometry2/adapter.py"].read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == ["geometry2"]


def test_it_can_be_installed(tmp_path: Path) -> None:
    package = scaffold.write("my_big__tools", tmp_path)
    project = tomllib.loads((package / "pyproject.toml").read_text())
    assert project["project"]["name"] == "my-big-tools"
    (folder,) = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert (package / folder / "__init__.py").is_file()


def test_what_it_writes_is_as_tidy_as_our_own_code(tmp_path: Path) -> None:
    package = scaffold.write("my_tools", tmp_path)
    (package / "ruff.toml").write_text("line-length = 120\n")
    assert run(package, "ruff", "check", "--no-cache", ".").returncode == 0
    assert run(package, "ruff", "format", "--no-cache", "--check", ".").returncode == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "'' is no name of a package"),
        ("2fast", "'2fast' is no name of a package"),
        ("my-tools", "'my-tools' is no name of a package"),
        ("my.tools", "'my.tools' is no name of a package"),
        ("../tools", "'../tools' is no name of a package"),
        ("_tools", "'_tools' is no name of a package"),
        ("tööls", "'tööls' is no name of a package"),
        ("class", "'class' is no name of a package"),
        ("json", "there is a module 'json' already"),
        ("pytest", "there is a module 'pytest' already"),
        ("snakepit_jupyter", "there is a module 'snakepit_jupyter' already"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter) as caught:
        scaffold.write(name, tmp_path)
    assert message in caught.value.message
    assert caught.value.key == "name"
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "my_tools").write_text("precious")
    with pytest.raises(InvalidParameter, match="my_tools is there already"):
        scaffold.write("my_tools", tmp_path)
    assert (tmp_path / "my_tools").read_text() == "precious"


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="there is no directory") as caught:
        scaffold.write("my_tools", tmp_path / "nowhere")
    assert caught.value.key == "directory"
