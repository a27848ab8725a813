"""The command `snakepit`, as a shell sees it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tools_for_tests import ALL
from waiting import all_gone, below, written

import snakepit_jupyter

TESTS = Path(__file__).parent
ADAPTERS = [word for path in ALL for word in ("--adapter", path)]


def command(*words: str) -> list[str]:
    """The command line; the console script does no more than call `main`."""
    start = "import sys; from snakepit_jupyter.cli import main; sys.exit(main())"
    return [sys.executable, "-c", start, *words]


def snakepit(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, check=False, timeout=30, cwd=TESTS)


def test_a_call_prints_its_result_as_json() -> None:
    done = snakepit("run", "compute", "operation=add", "a=1", "b=2")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"operation": "add", "a": 1, "b": 2, "result": 3}
    assert done.stderr == ""


def test_what_a_tool_prints_and_its_result_are_apart_from_errors() -> None:
    done = snakepit("run", *ADAPTERS, "say", "text=hello")
    assert (done.returncode, done.stdout) == (0, 'hello\n"HELLO"\n')
    assert done.stderr == "and a complaint\n"


def test_a_stream_prints_its_final_chunk_and_shows_its_progress_beside() -> None:
    done = snakepit("run", *ADAPTERS, "count", "count=4")
    assert done.returncode == 0
    assert json.loads(done.stdout)["number"] == 4
    assert "count" in done.stderr


def test_dotted_words_fill_dicts() -> None:
    done = snakepit("run", "echo", "a.b=1", "a.c=[1,2]", "d=text")
    assert json.loads(done.stdout) == {"a": {"b": 1, "c": [1, 2]}, "d": "text"}


def test_the_tools_are_listed() -> None:
    done = snakepit("tools", *ADAPTERS)
    assert done.returncode == 0
    assert "compute(operation: " in done.stdout
    assert "count(count: int = 3, size: int = 0, pause: float = 0.0)\n    Yield numbers" in done.stdout


def test_the_version_is_said() -> None:
    assert snakepit("--version").stdout == f"snakepit-jupyter {snakepit_jupyter.__version__}\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["run", "comput"], 2, "ToolNotFound: there is no tool 'comput'\nDid you mean 'compute'?"),
        (["run", "compute", "operation=add", "a=1"], 2, "InvalidParameter: compute needs the argument 'b'"),
        (["run", "compute", "five"], 2, "InvalidParameter: 'five' is no argument"),
        (["run", "ping", "--timeout", "0"], 2, "InvalidParameter: timeout is 0.0"),
        (["run", "ping", "--pool-size", "0"], 2, "InvalidConfig: pool_size is 0"),
        (["run", "ping", "--adapter", "nowhere:A"], 1, "WorkerStartFailed: no worker could be started"),
        (["run", *ADAPTERS, "raise_deeply"], 1, "ValueError: deep down"),
        (["run", *ADAPTERS, "raise_midway"], 1, "OSError: the disk is full"),
        (["run", *ADAPTERS, "die_at_once"], 1, "WorkerCrashed: the worker w1"),
        (["fly"], 2, "invalid choice: 'fly'"),
        ([], 2, "the following arguments are required: COMMAND"),
    ],
)
def test_a_failure_is_said_and_is_the_exit_code(words: list[str], code: int, message: str) -> None:
    done = snakepit(*words)
    assert message in done.stderr
    assert done.returncode == code
    assert done.stdout == ""


def test_what_it_says_of_a_new_adapter_can_be_given_to_a_shell(tmp_path: Path) -> None:
    place = tmp_path / "a 'place' of $mine"
    place.mkdir()
    done = snakepit("gen-adapter", "my_tools", "--directory", str(place))
    assert done.returncode == 0
    (line,) = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("cd ")]
    there = subprocess.run(["sh", "-c", f"{line} && pwd"], capture_output=True, text=True, check=False)
    assert there.stdout == f"{place / 'my_tools'}\n"


@pytest.mark.parametrize("tool", ["asleep", "nap"])
def test_ctrl_c_stops_what_runs_and_leaves_nothing(tool: str, tmp_path: Path) -> None:
    begin, end = tmp_path / "begin", tmp_path / "end"
    words = command("run", *ADAPTERS, tool, f"path={end}", f"begin={begin}")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=TESTS) as process:
        written(begin)
        pids = below(process.pid)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert end.read_text() == "woken"
    all_gone(pids)


TERMINAL = """
shell = get_ipython()
shell.run_line_magic("load_ext", "snakepit_jupyter")
shell.run_line_magic("snakepit", "start --pool-size 1 --adapter tools_for_tests:Streams")
stopped = shell.run_cell("%%snakepit_stream asleep\\npath = {end!r}\\nbegin = {begin!r}")
after = shell.run_cell("%%snakepit_stream count -o last\\n")
print(type(stopped.error_in_exec).__name__, "then", last["number"])
"""


def test_ctrl_c_in_terminal_ipython_stops_the_run_and_the_next_cell_works(tmp_path: Path) -> None:
    begin, end, script = tmp_path / "begin", tmp_path / "end", tmp_path / "script.ipy"
    script.write_text(TERMINAL.format(begin=str(begin), end=str(end)))
    words = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "IPYTHONDIR": str(tmp_path)}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as process:
        written(begin)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    # KeyboardInterrupt, if it came before the cell had its handle of the run.
    assert any(f"{error} then 3" in out for error in ("RunStopped", "KeyboardInterrupt")), out + err
    assert end.read_text() == "woken"
