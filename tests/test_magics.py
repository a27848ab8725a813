"""The magics in a real kernel, as a front end sees them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernels import Notebook
from waiting import alive, all_gone, written


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    opened = Notebook(tmp_path_factory.mktemp("ipython"))
    yield opened
    opened.close()


TRAINING = "model_config = {}\ntraining_config = {}\ndataset_path = '/no/such/file.csv'"


@pytest.mark.parametrize(
    ("cell", "name", "message"),
    [
        ("%%snakepit_stream no_such_tool", "ToolNotFound", "there is no tool 'no_such_tool'"),
        ("%%snakepit_stream cuont", "ToolNotFound", "Did you mean 'count'?"),
        ("%%snakepit_stream", "UsageError", "%%snakepit_stream: the following arguments are required: TOOL"),
        ("%%snakepit_stream count --bgg\n", "UsageError", "has no option '--bgg'\nDid you mean --bg?"),
        ("%%snakepit_stream count --timeout soon\n", "UsageError", "invalid float value: 'soon'"),
        ("%%snakepit_stream count --timeout 0\n", "InvalidParameter", "timeout is 0.0"),
        ("%%snakepit_stream count -o 1x\n", "UsageError", "-o '1x': that is no name"),
        ("%%snakepit_stream 'count\n", "UsageError", "Close every quotation mark."),
        ("%%snakepit_stream noted_count\ncount = 1", "InvalidParameter", "needs the arguments 'size', 'note'"),
        ("%%snakepit_stream count\ncuont = 1", "InvalidParameter", "Did you mean 'count'?"),
        ("%%snakepit_stream count\ncount = 'three'", "InvalidParameter", "expected int, got str"),
        ("%%snakepit_stream count\nthis is no Python", "InvalidParameter", "line 1 of the cell's body is no Python"),
        ("%%snakepit_stream count\ncount = 1 / 0", "InvalidParameter", "raised ZeroDivisionError"),
        ("%%snakepit_stream count\ncount = object()", "UnserializableValue", "this value cannot be sent"),
        (f"%%snakepit_stream distributed_training\n{TRAINING}", "", "/no/such/file.csv"),
        ("%%snakepit_stream raise_midway", "ToolError", "OSError: the disk is full"),
        ("%%snakepit_stream die", "WorkerCrashed", "ended with exit code 7 in the middle of the call"),
        ("%%snakepit_stream ping", "StreamingNotSupported", "%snakepit_run ping"),
        ("%snakepit_run count", "StreamingRequired", "%%snakepit_stream count"),
        ("%snakepit_run no_such_tool", "ToolNotFound", "there is no tool"),
        ("%snakepit_run compute operation=add a=1", "InvalidParameter", "compute needs the argument 'b'"),
        ("%snakepit_run compute operation", "InvalidParameter", "'operation' is no argument"),
        ("%snakepit_run raise_deeply", "ToolError", "ValueError: deep down"),
        ("%snakepit_run leave", "ToolError", "SystemExit: 3"),
        ("%snakepit_run die_at_once code=9", "WorkerCrashed", "exit code 9"),
        ("%snakepit nonsense", "UsageError", "invalid choice: 'nonsense'"),
        ("%snakepit", "UsageError", "Usage: %snakepit"),
        ("%snakepit cancel", "RunNotFound", "nothing is running"),
        ("%snakepit start --pool-size 7", "AlreadyStarted", "Stop it first"),
    ],
)
def test_what_is_wrong_is_one_clear_error_and_the_next_cell_works(
    notebook: Notebook, cell: str, name: str, message: str
) -> None:
    failed = notebook.run(cell)
    (error,) = failed.errors
    assert failed.reply["status"] == "error"
    assert error["ename"] == name or not name
    assert message in "\n".join(error["traceback"])
    assert "client.py" not in "\n".join(error["traceback"]), "our own frames say nothing to the user"
    assert notebook.value("%snakepit_run compute operation=add a=5 b=3")["result"] == 8


def test_a_failed_tool_shows_its_own_traceback(notebook: Notebook) -> None:
    (error,) = notebook.run("%snakepit_run raise_deeply message='so deep'").errors
    assert error["traceback"][0] == "In the worker:"
    assert "raise ValueError(message)" in error["traceback"][1]
    assert error["traceback"][-1] == "ToolError: ValueError: so deep"


# Streams.


def test_a_stream_is_shown_and_its_cell_waits_for_the_end(notebook: Notebook) -> None:
    cell = notebook.run("%%snakepit_stream count -o last\ncount = 4")
    assert not cell.errors
    assert cell.result == ""
    (shown,) = cell.shown
    assert {"text/html", "text/plain"} <= set(shown)
    assert notebook.value("last['number']") == 4


def test_a_fast_run_sends_its_widget_at_most_twenty_messages_a_second(notebook: Notebook) -> None:
    cell = notebook.run("%%snakepit_stream count -o last\ncount = 1500\npause = 0.001")
    seconds = notebook.value("get_ipython().find_line_magic('snakepit').__self__.client.find_run().state.elapsed")
    deltas = [content for kind, content in cell.outputs if kind == "comm_msg" and content["data"]["method"] == "custom"]
    assert seconds > 1
    assert 5 < len(deltas) <= 20 * seconds + 4


def test_a_run_is_shown_again_by_its_report(notebook: Notebook) -> None:
    assert not notebook.run("%%snakepit_stream count\ncount = 4").errors
    again = notebook.run("%snakepit report")
    assert not again.errors
    (shown,) = again.shown
    assert 'data-status="done"' in shown["text/html"]


def test_its_arguments_see_the_notebooks_variables(notebook: Notebook) -> None:
    assert not notebook.run("how_many = 2\ndef twice(n): return 2 * n").errors
    assert not notebook.run("%%snakepit_stream count -o last\ncount = twice(how_many) + 1").errors
    assert notebook.value("last['number']") == 5


def test_a_dict_is_a_body_too(notebook: Notebook) -> None:
    assert not notebook.run("%%snakepit_stream count -o last\n{'count': 2}").errors
    assert notebook.value("last['number']") == 2


@pytest.mark.parametrize("cell", ["%%snakepit_stream count -o last", "%%snakepit_stream count -o last\n\n"])
def test_an_empty_body_means_no_arguments(notebook: Notebook, cell: str) -> None:
    assert not notebook.run(cell).errors
    assert notebook.value("last['number']") == 3


def test_what_follows_a_line_magic_runs_after_it(notebook: Notebook) -> None:
    cell = notebook.run("%snakepit_stream count -o last\nprint(last['number'])")
    assert not cell.errors
    assert cell.text == "3\n"


def test_a_session_keeps_state_between_cells(notebook: Notebook) -> None:
    assert not notebook.run("%snakepit_run remember key=k value=[1,2]").errors
    assert notebook.value("%snakepit_run recall key=k") == [1, 2]
    assert notebook.run("%snakepit_run recall key=k --session another").result == ""


def test_the_notebooks_functions_and_its_magics_use_the_same_workers(notebook: Notebook) -> None:
    cell = notebook.run("import snakepit_jupyter as snakepit\n[c['number'] for c in snakepit.execute_stream('count')]")
    assert cell.result == "[1, 2, 3]"
    awaited = notebook.run("run = snakepit.execute_stream('count')\n(await run)['number']")
    assert awaited.result == "3"


def test_a_run_of_the_background_goes_on_and_is_stopped_from_another_cell(notebook: Notebook, tmp_path: Path) -> None:
    end = tmp_path / "end"
    assert not notebook.run(f"%%snakepit_stream endless --bg -o run\npath = {str(end)!r}").errors
    assert notebook.value("run.status") in {"queued", "running"}
    listed = notebook.run("%snakepit status").text
    assert notebook.value("run.run_id") in listed
    assert "endless" in listed
    assert "asked to stop: r-" in notebook.run("%snakepit cancel").text
    (error,) = notebook.run("run.result()").errors
    assert error["ename"] == "RunStopped"
    assert end.exists()


def test_a_run_is_cancelled_by_its_id(notebook: Notebook, tmp_path: Path) -> None:
    notebook.run(f"%%snakepit_stream endless --bg -o run\npath = {str(tmp_path / 'end')!r}")
    (error,) = notebook.run("%snakepit cancel r-unknown").errors
    assert error["ename"] == "RunNotFound"
    assert not notebook.run(f"%snakepit cancel {notebook.value('run.run_id')}").errors
    (error,) = notebook.run("await run").errors
    assert error["ename"] == "RunStopped"


# The other magics.


def test_a_call_gives_its_result_or_keeps_it(notebook: Notebook) -> None:
    assert notebook.value("%snakepit_run compute operation=multiply a=6 b=7")["result"] == 42
    kept = notebook.run("%snakepit_run compute operation=multiply a=2 b=2 -o product")
    assert kept.result == ""
    assert notebook.value("product['result']") == 4


def test_a_calls_words_see_the_notebooks_variables(notebook: Notebook) -> None:
    notebook.run("width = 12")
    assert notebook.value("%snakepit_run echo a=width b='some text' c=[width,1] d.e=1") == {
        "a": 12,
        "b": "some text",
        "c": [12, 1],
        "d": {"e": 1},
    }


def test_what_a_tool_prints_is_in_the_cell(notebook: Notebook) -> None:
    cell = notebook.run("said = %snakepit_run say text=hello")
    assert "hello\n" in cell.text
    assert "and a complaint\n" in cell.text


def test_the_tools_are_listed_with_their_arguments(notebook: Notebook) -> None:
    text = notebook.run("%snakepit tools").text
    assert "count(count: int = 3, size: int = 0, pause: float = 0.0)\n    Yield numbers" in text


def test_help_shows_the_examples(notebook: Notebook) -> None:
    (page,) = notebook.run("%%snakepit_stream?").reply["payload"]
    assert "Examples" in page["data"]["text/plain"]
    assert "%%snakepit_stream distributed_training -o trained" in page["data"]["text/plain"]


# Interrupts and ends.


def test_an_interrupt_of_the_kernel_stops_the_run_and_fails_the_cell(notebook: Notebook, tmp_path: Path) -> None:
    begin, end = tmp_path / "begin", tmp_path / "end"

    def interrupt() -> None:
        written(begin)
        notebook.interrupt()

    cell = notebook.run(
        f"%%snakepit_stream asleep\npath = {str(end)!r}\nbegin = {str(begin)!r}", within=10, meanwhile=interrupt
    )
    assert end.read_text() == "woken"
    (error,) = cell.errors
    assert error["ename"] == "RunStopped"
    assert "asleep was stopped (kernel interrupt)" in error["traceback"][0]
    assert notebook.value("1 + 1") == 2
    assert notebook.value("%snakepit_run compute operation=add a=1 b=1")["result"] == 2


def test_an_interrupt_of_the_kernel_stops_a_call(notebook: Notebook, tmp_path: Path) -> None:
    begin, end = tmp_path / "begin", tmp_path / "end"

    def interrupt() -> None:
        written(begin)
        notebook.interrupt()

    cell = notebook.run(f"%snakepit_run nap path={end} begin={begin}", within=10, meanwhile=interrupt)
    assert [error["ename"] for error in cell.errors] == ["KeyboardInterrupt"]
    assert written(end) == "woken"
    assert notebook.value("%snakepit_run compute operation=add a=1 b=1")["result"] == 2


def test_an_interrupt_stops_a_loop_over_a_run(notebook: Notebook, tmp_path: Path) -> None:
    begin, end = tmp_path / "begin", tmp_path / "end"

    def interrupt() -> None:
        written(begin)
        notebook.interrupt()

    code = (
        "import snakepit_jupyter as snakepit\n"
        f"for _ in snakepit.execute_stream('asleep', {{'path': {str(end)!r}, 'begin': {str(begin)!r}}}): pass"
    )
    cell = notebook.run(code, within=10, meanwhile=interrupt)
    assert [error["ename"] for error in cell.errors] == ["KeyboardInterrupt"]
    assert written(end) == "woken"


def test_stopping_ends_the_workers_and_the_next_cell_starts_new_ones(notebook: Notebook) -> None:
    before = notebook.pids()
    assert notebook.run("%snakepit stop").text == "stopped\n"
    all_gone(pid for name, pid in before.items() if name != "kernel")
    assert notebook.run("%snakepit status").text == "no workers are running\n"
    assert notebook.value("%snakepit_run compute operation=add a=1 b=1")["result"] == 2


@pytest.mark.parametrize("how", ["killed", "shut down"])
def test_when_the_kernel_ends_nothing_of_it_stays(how: str, tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    try:
        child = tmp_path / "end"
        notebook.run(f"%%snakepit_stream with_child --bg -o run\npath = {str(child)!r}")
        grandchild = notebook.value("next(iter(run))['child']")
        pids = [*notebook.pids().values(), grandchild]
        assert len(pids) == 4
        assert all(alive(pid) for pid in pids)
        if how == "killed":
            notebook.kill(pids[0])
        else:
            notebook.client.shutdown()
        all_gone(pids, within=8)
        assert written(child, within=1) == "left"
    finally:
        notebook.close()
