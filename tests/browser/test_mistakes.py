"""What goes wrong in a cell is one readable error, and the next cell works."""

from playwright.sync_api import expect

from .conftest import OpenNotebook

MISTAKES = {
    "an unknown tool": ("%%snakepit_stream wawe", "ToolNotFound: there is no tool 'wawe'"),
    "a missing argument": (
        "%%snakepit_stream distributed_training\nmodel_config = {}",
        "InvalidParameter: distributed_training needs the arguments",
    ),
    "a tool that raises": ("%%snakepit_stream fail", "ToolError: ValueError: the scratch is too deep"),
    "a worker that dies": ("%%snakepit_stream die", "WorkerCrashed: the worker"),
}


def test_each_mistake_is_one_readable_error_and_the_next_cell_works(in_lab: OpenNotebook) -> None:
    after = "%snakepit_run ping message='still here'"
    notebook = in_lab(*(cell for mistake, _ in MISTAKES.values() for cell in (mistake, after)))
    for number, (_, error) in enumerate(MISTAKES.values()):
        cell = 1 + 2 * number
        notebook.finish(cell)
        traceback = notebook.output(cell).locator('[data-mime-type="application/vnd.jupyter.stderr"]')
        expect(traceback).to_have_count(1)
        expect(traceback).to_contain_text(error)
        expect(traceback).not_to_contain_text("site-packages")
        notebook.expect_prints(cell + 1, "pong: still here")
