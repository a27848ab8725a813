"""A run while it goes on."""

import json

from playwright.sync_api import expect

from .conftest import ROOT, OpenNotebook
from .page import NotebookPage
from .server import JupyterServer

TOUR = ROOT / "notebooks/01_tour.ipynb"


def tour_cell(cell_id: str) -> str:
    """The source of one of the tour's cells."""
    cells = json.loads(TOUR.read_text())["cells"]
    return next("".join(cell["source"]) for cell in cells if cell["id"] == cell_id)


def watch_training(notebook: NotebookPage) -> None:
    """The first run of the tour, from its first point to its report."""
    notebook.finish(0)
    notebook.run(1)
    seen = notebook.wait_for_points(1)
    assert notebook.wait_for_points(1, more_than=seen) > seen
    notebook.expect_running(1)
    notebook.expect_painted(1)
    notebook.expect_finished(1)
    notebook.expect_report(1, "done")


def test_a_training_is_seen_while_it_runs_and_leaves_a_report(open_in: OpenNotebook, lab: JupyterServer) -> None:
    watch_training(open_in(lab, tour_cell("load"), tour_cell("training")))


def test_notebook_7_shows_a_training_as_well(open_in: OpenNotebook, notebook7: JupyterServer) -> None:
    shorter = tour_cell("training").replace('"epochs": 30', '"epochs": 10')
    watch_training(open_in(notebook7, tour_cell("load"), shorter))


def test_a_reloaded_page_is_live_again_and_can_stop_the_run(in_lab: OpenNotebook) -> None:
    notebook = in_lab("%%snakepit_stream wave", "print('still', 'here')")
    notebook.run(1)
    before = notebook.wait_for_points(1, more_than=5)
    notebook.save()
    notebook.reload()
    after = notebook.wait_for_points(1, more_than=before)
    notebook.wait_for_points(1, more_than=after)
    notebook.expect_painted(1)
    notebook.stop_button(1).click()
    expect(notebook.widget(1)).to_have_attribute("data-status", "stopped")
    notebook.expect_prints(2, "still here")
    assert (notebook.path.parent / "cleaned-up.txt").exists()


def test_a_reloaded_page_is_live_again_for_a_background_run(in_lab: OpenNotebook) -> None:
    notebook = in_lab("%%snakepit_stream wave --bg")
    notebook.finish(1)
    before = notebook.wait_for_points(1, more_than=5)
    notebook.save()
    notebook.reload()
    after = notebook.wait_for_points(1, more_than=before)
    notebook.wait_for_points(1, more_than=after)
    notebook.stop_button(1).click()
    expect(notebook.widget(1)).to_have_attribute("data-status", "stopped")


def test_a_background_run_lets_the_next_cell_run_and_ends_as_a_report(in_lab: OpenNotebook) -> None:
    notebook = in_lab("%%snakepit_stream wave --bg\nsteps = 80", "print('mean', 'while')")
    notebook.finish(1)
    expect(notebook.widget(1)).to_have_attribute("data-status", "running")
    notebook.expect_prints(2, "mean while")
    seen = notebook.wait_for_points(1)
    notebook.wait_for_points(1, more_than=seen)
    notebook.expect_report(1, "done")


def test_a_long_log_and_a_kernel_that_calculates_do_not_disturb_the_view(in_lab: OpenNotebook) -> None:
    busy = "print('sum:', sum(i * i for i in range(40_000_000)))"
    notebook = in_lab("%%snakepit_stream chatter --bg", busy)
    notebook.finish(1)
    notebook.run(2)
    seen = notebook.wait_for_points(1)
    notebook.wait_for_points(1, more_than=seen)
    notebook.expect_running(2)
    notebook.expect_report(1, "done")
    notebook.expect_finished(2)
    expect(notebook.output(2)).to_contain_text("sum: 21333332533333340000000")
    expect(notebook.report(1)).to_contain_text("step 40, line 499")
