"""What is left when the kernel is gone."""

from playwright.sync_api import expect

from .conftest import OpenNotebook


def test_a_saved_notebook_shows_the_report_without_its_kernel(in_lab: OpenNotebook) -> None:
    notebook = in_lab("%%snakepit_stream wave\nsteps = 20")
    notebook.finish(1)
    notebook.expect_report(1, "done")
    notebook.save()
    (output,) = notebook.saved_outputs(1)
    assert "snakepit-report" in "".join(output["data"]["text/html"])
    assert set(output["data"]) == {"text/html", "text/plain"}
    notebook.end_session()
    notebook.reload()
    notebook.expect_report(1, "done")
    expect(notebook.page.get_by_text("model not found")).to_have_count(0)
