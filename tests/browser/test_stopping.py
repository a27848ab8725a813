"""The ways to stop a run, and what is left of it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .conftest import OpenNotebook
from .page import NotebookPage


def press_stop(notebook: NotebookPage) -> None:
    notebook.stop_button(1).click()


def interrupt_the_kernel(notebook: NotebookPage) -> None:
    notebook.command("notebook:interrupt-kernel")


@pytest.mark.parametrize("stop", [press_stop, interrupt_the_kernel])
def test_a_stopped_run_fails_its_cell_and_leaves_a_free_worker(
    in_lab: OpenNotebook, stop: Callable[[NotebookPage], None]
) -> None:
    notebook = in_lab("%%snakepit_stream wave", "print('still', 'here')", "%snakepit status")
    notebook.run(1)
    notebook.wait_for_points(1, more_than=3)
    stop(notebook)
    notebook.expect_finished(1)
    expect(notebook.output(1)).to_contain_text("RunStopped: wave was stopped")
    notebook.expect_report(1, "stopped")
    assert (notebook.path.parent / "cleaned-up.txt").exists()
    notebook.expect_prints(2, "still here")
    notebook.expect_prints(3, "ready")
    expect(notebook.output(3)).not_to_contain_text("busy")


def test_a_background_run_is_stopped_by_its_button_while_the_kernel_calculates(in_lab: OpenNotebook) -> None:
    notebook = in_lab("%%snakepit_stream wave --bg", "sum(i * i for i in range(10**10))")
    notebook.finish(1)
    notebook.wait_for_points(1)
    notebook.run(2)
    notebook.expect_running(2)
    notebook.stop_button(1).click()
    notebook.expect_report(1, "stopped")
    notebook.expect_running(2)
