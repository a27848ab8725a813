"""The front end's own unit tests, run where node is."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs node and npm; the bundle is committed without them")
def test_the_front_ends_unit_tests_pass() -> None:
    install = "import generate; generate.install_js()"
    subprocess.run([sys.executable, "-c", install], cwd=ROOT / "tools", check=True)
    ended = subprocess.run(["npm", "test", "--silent"], cwd=ROOT / "js", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_bundle_is_small_and_asks_no_server_for_anything() -> None:
    static = ROOT / "snakepit_jupyter" / "views" / "static"
    script, style = (static / name for name in ("widget.js", "widget.css"))
    assert script.stat().st_size + style.stat().st_size < 100_000
    assert "import(" not in script.read_text()
    assert "url(" not in style.read_text()
