import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import alive, all_gone, below, eventually, run_async, written

from snakepit_jupyter.lifeline import TAIL_BYTES, Child, ChildFailed, Program, _object_of, describe_exit, guarded

START = """
import argparse, os, subprocess, sys, threading
from snakepit_jupyter.lifeline import Parent
parser = argparse.ArgumentParser()
parser.add_argument("what", nargs="*")
parser.add_argument("--answer-fd", type=int)
options = parser.parse_args()
parent = Parent(options.answer_fd)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that `python -m a_child` runs."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "a_child.py"


def test_a_child_gets_its_configuration_and_answers(module: Path) -> None:
    module.write_text(f"{START}\nparent.answer({{'got': parent.config, 'stdin': sys.stdin.read()}})")

    async def scene() -> None:
        child = await Child.start("a_child", [], {"secret": "s" * 100_000})
        assert await child.answer(10) == {"got": {"secret": "s" * 100_000}, "stdin": ""}
        assert await child.wait() == 0

    run_async(scene())


@pytest.mark.parametrize(
    ("text", "message", "tail"),
    [
        ("print('so long'); sys.exit(4)", "it ended with exit code 4", "so long\n"),
        ("os.kill(os.getpid(), 9)", "it ended by signal 9 (SIGKILL, out of memory?)", ""),
        ("print('hm', flush=True); threading.Event().wait(60)", "it did not answer within 0.5 s", "hm\n"),
        ("parent.answer({'failure': 'f'})", "it cannot work", ""),
        ("os.close(options.answer_fd); threading.Event().wait(60)", "it did not answer within 0.5 s", ""),
        ("os.write(options.answer_fd, b'{}'); sys.exit(5)", "it ended with exit code 5", ""),
    ],
)
def test_a_child_that_is_not_ready_says_why(module: Path, text: str, message: str, tail: str) -> None:
    module.write_text(f"{START}\n{text}")

    async def scene() -> None:
        child = await Child.start("a_child", [], {})
        with pytest.raises(ChildFailed) as caught:
            await child.answer(0.5 if "wait" in text else 10)
        assert str(caught.value) == message
        await child.wait()
        assert child.tail == tail

    run_async(scene())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (r"b'hello\n'", "Expecting value: line 1 column 1 (char 0)"),
        (r"b'\x80\n'", "'utf-8' codec can't decode byte 0x80 in position 0: invalid start byte"),
        (r"b'[1]\n'", "it is no JSON object"),
        (r"b'\n'", "Expecting value: line 2 column 1 (char 1)"),
        (r"b'[' * 1_000_000 + b'\n'", "it is nested too deeply"),
        (r"b'x' * 17 * 1024 * 1024", "it is too long"),
    ],
)
def test_a_child_that_answers_garbage_has_failed_and_is_killed(module: Path, answer: str, why: str) -> None:
    module.write_text(
        f"{START}\nwith open(options.answer_fd, 'wb', buffering=0) as pipe:\n    pipe.write({answer})\n"
        "    threading.Event().wait(60)"
    )

    async def scene() -> None:
        child = await Child.start("a_child", [], {})
        with pytest.raises(ChildFailed) as caught:
            await child.answer(10)
        assert str(caught.value) == f"its answer cannot be understood: {why}"
        assert await child.wait() == -signal.SIGKILL

    run_async(scene())


@given(st.binary().map(lambda data: data.replace(b"\n", b"") + b"\n"))
def test_any_line_is_an_object_or_one_kind_of_error(line: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(_object_of(line), dict)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (b"", "the parent went away before it had said what to do"),
        (b'{"half":', "the parent went away before it had said what to do"),
        (b"hello\n", "what the parent said cannot be understood: Expecting value: line 1 column 1 (char 0)"),
        (b'"text"\n', "what the parent said cannot be understood: it is no JSON object"),
        (b"[" * 1_000_000 + b"\n", "what the parent said cannot be understood: it is nested too deeply"),
        (b"x" * 17 * 1024 * 1024, "what the parent said cannot be understood: it is too long"),
    ],
)
def test_a_child_whose_parent_says_garbage_says_so_and_goes(module: Path, told: bytes, why: str) -> None:
    module.write_text(START)
    read, write = os.pipe()
    try:
        command = [sys.executable, str(module), "--answer-fd", str(write)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[write])
        _, said = child.communicate(told, timeout=20)
    finally:
        os.close(read)
        os.close(write)
    assert (child.returncode, said.decode().strip()) == (1, why)


def test_of_a_childs_output_the_last_is_kept(module: Path) -> None:
    module.write_text(f"{START}\nprint('first'); print('x' * 1_000_000); print('last')")

    async def scene() -> None:
        child = await Child.start("a_child", [], {})
        await child.wait()
        assert len(child.tail) <= 5 * TAIL_BYTES
        assert child.tail.endswith("x\nlast\n")

    run_async(scene())


def test_output_goes_to_a_log_where_there_is_one(module: Path, tmp_path: Path) -> None:
    module.write_text(f"{START}\nprint('into the log')")

    async def scene() -> None:
        child = await Child.start("a_child", [], {}, log=tmp_path / "log")
        await child.wait()
        assert child.tail == (tmp_path / "log").read_text() == "into the log\n"

    run_async(scene())


SPAWN = """
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=%s)
parent.answer({"grandchild": grandchild.pid})
parent.watch(lambda: None)
os._exit(7)
"""


@pytest.mark.parametrize("detached", [False, True])
def test_the_end_of_a_child_is_seen_though_its_own_child_holds_its_output(module: Path, detached: bool) -> None:
    module.write_text(START + SPAWN % detached)

    async def scene() -> None:
        child = await Child.start("a_child", [], {})
        grandchild = (await child.answer(10))["grandchild"]
        assert await asyncio.wait_for(child.wait(), 3) == 7
        assert alive(grandchild)
        if detached:
            os.kill(grandchild, signal.SIGKILL)
        else:
            child.kill()
        await asyncio.to_thread(all_gone, [grandchild])

    run_async(scene())


def test_a_child_hears_that_its_parent_lets_go(module: Path, tmp_path: Path) -> None:
    module.write_text(
        f"{START}\ngone = threading.Event(); parent.watch(gone.set); parent.answer({{}}); gone.wait(20)\n"
        f"open({str(tmp_path / 'end')!r}, 'w').write('politely')"
    )

    async def scene() -> None:
        child = await Child.start("a_child", [], {})
        await child.answer(10)
        await child.stop(grace=10)

    run_async(scene())
    assert written(tmp_path / "end", within=1) == "politely"


def test_a_child_that_does_not_hear_is_killed(module: Path) -> None:
    module.write_text(f"{START}\nparent.answer({{}}); threading.Event().wait(60)")

    async def scene() -> None:
        child = await Child.start("a_child", [], {})
        await child.answer(10)
        await child.stop(grace=0.1)
        assert await child.wait() == -signal.SIGKILL

    run_async(scene())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "for an unknown reason"),
        (0, "with exit code 0"),
        (-9, "by signal 9 (SIGKILL, out of memory?)"),
        (-11, "by signal 11 (SIGSEGV)"),
        (-100, "by signal 100"),
    ],
)
def test_an_exit_is_described(code: int | None, words: str) -> None:
    assert describe_exit(code) == words


# Programs that know nothing of us.


def test_a_program_is_run_where_and_with_what_it_is_told(tmp_path: Path) -> None:
    async def scene() -> None:
        command = ["sh", "-c", "pwd; echo $MINE; exit 3"]
        program = await Program.start(command, environment={"MINE": "m"}, directory=tmp_path)
        assert await program.wait() == program.exit_code == 3
        assert program.tail == f"{tmp_path}\nm\n"

    run_async(scene())


def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        run_async(Program.start(["no-such-program"]))


def test_a_program_is_asked_to_go_and_then_killed_with_all_it_has_started(tmp_path: Path) -> None:
    script = "trap '' TERM; (trap '' TERM; while :; do sleep 60; done) & echo $! > started; wait; wait"

    async def scene() -> None:
        program = await Program.start(["sh", "-c", script], directory=tmp_path)
        started = await asyncio.to_thread(written, tmp_path / "started")
        program.terminate()
        await program.end(0.2)
        assert program.exit_code == -signal.SIGKILL
        await asyncio.to_thread(all_gone, [int(started)])

    run_async(scene())


GUARDED = """
import asyncio, pathlib, sys
from snakepit_jupyter.lifeline import Program, guarded

async def scene():
    program = await Program.start(["sh", "-c", "sleep 600 & wait"])
    async with guarded(program.pid):
        pathlib.Path(sys.argv[1]).write_text(str(program.pid))
        await asyncio.sleep(600)

asyncio.run(scene())
"""


def test_a_guarded_program_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", GUARDED, str(tmp_path / "pid")])
    program = int(written(tmp_path / "pid"))
    family = eventually(lambda: found if len(found := below(parent.pid)) == 3 else [])
    assert program in family
    parent.kill()
    parent.wait()
    all_gone(family)


def test_a_guard_that_is_dismissed_ends_nothing() -> None:
    async def scene() -> None:
        program = await Program.start(["sleep", "600"])
        before = set(below(os.getpid()))
        async with guarded(program.pid):
            (guard,) = set(below(os.getpid())) - before
        assert not alive(guard)
        assert program.exit_code is None
        assert alive(program.pid)
        await program.end(0)

    run_async(scene())
