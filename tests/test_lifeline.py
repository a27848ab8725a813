import asyncio
import os
import signal
from pathlib import Path

import pytest
from waiting import alive, all_gone, run_async, written

from snakepit_jupyter.lifeline import TAIL_BYTES, Child, ChildFailed, describe_exit

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
