"""A notebook that is open in the browser."""

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import ElementHandle, Locator, Page, expect

from .server import JupyterServer

WAIT_MS = 30_000
FINISHED = re.compile(r"^\[\d+\]:$")
RUNNING = "[*]:"

# The toolbar's indicator says "idle" for a moment before there is a session, so the application itself is asked.
# A page that is loaded while a cell is awaited knows its kernel's status only when the cell ends: "unknown".
READY = """statuses => {
  const context = window.jupyterapp?.shell.currentWidget?.context;
  const kernel = context?.sessionContext?.session?.kernel;
  return !!kernel && context.isReady && context.sessionContext.isReady
    && kernel.connectionStatus === 'connected' && statuses.includes(kernel.status);
}"""
# A command's promise may never resolve, and `evaluate` waits for ever.
COMMAND = """([name, args, ms]) => Promise.race([
  window.jupyterapp.commands.execute(name, args).then(() => null),
  new Promise((_, fail) => setTimeout(() => fail(new Error(`${name} takes too long`)), ms)),
])"""
START = "([name, args]) => { window.jupyterapp.commands.execute(name, args) }"
SELECT = """i => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = i;
  notebook.deselectAll();
}"""
MORE_POINTS = "([run, n]) => Number(run.dataset.points) > n"
# The grid and the axes are grey, the curves are not.
PAINTED = """canvas => {
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < data.length; i += 4) {
    const [red, green, blue, alpha] = data.subarray(i, i + 4);
    if (alpha > 200 && Math.max(red, green, blue) - Math.min(red, green, blue) > 80) return true;
  }
  return false;
}"""


class NotebookPage:
    """A notebook in a page of its own, with a kernel of its own.

    Args:
        page: an empty page.
        server: who serves it.
        path: the notebook's file, below the server's root.
    """

    def __init__(self, page: Page, server: JupyterServer, path: Path) -> None:
        self.page = page
        self.path = path
        self.page_errors: list[str] = []
        self._server = server
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        # "Leave the page?", when a notebook is not saved.
        page.on("dialog", lambda dialog: dialog.accept())

    # The page.

    def open(self) -> None:
        """Load the notebook and wait for its kernel."""
        self.page.goto(self._server.url_of(self.path), wait_until="domcontentloaded")
        self._wait_until_kernel_is("idle")

    def reload(self) -> None:
        """Load it anew, also while the kernel is at work."""
        self.page.reload(wait_until="domcontentloaded")
        self._wait_until_kernel_is("idle", "busy", "unknown")

    def _wait_until_kernel_is(self, *statuses: str) -> None:
        self.page.wait_for_function(READY, arg=statuses)
        expect(self._cells.first).to_be_visible()

    def command(self, name: str, **args: Any) -> None:
        """Execute one of the application's commands and wait until it is done."""
        self.page.evaluate(COMMAND, [name, args, WAIT_MS])

    def save(self) -> None:
        self.command("docmanager:save")

    def end_session(self) -> None:
        self._server.end_session(self.path)

    # Its cells, counted from 0.

    @property
    def _cells(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell")

    def cell(self, cell: int) -> Locator:
        return self._cells.nth(cell)

    def output(self, cell: int) -> Locator:
        return self.cell(cell).locator(".jp-Cell-outputArea")

    def prompt(self, cell: int) -> Locator:
        return self.cell(cell).locator(".jp-InputArea-prompt")

    def select(self, cell: int) -> None:
        self.page.evaluate(SELECT, cell)

    def run(self, cell: int) -> None:
        """Start a cell, as Ctrl-Enter does."""
        self.select(cell)
        self.page.evaluate(START, ["notebook:run-cell", {}])

    def finish(self, cell: int) -> None:
        """Run a cell to its end, whichever it is."""
        self.run(cell)
        self.expect_finished(cell)

    def expect_running(self, cell: int) -> None:
        expect(self.prompt(cell)).to_have_text(RUNNING)

    def expect_finished(self, cell: int) -> None:
        expect(self.prompt(cell)).to_have_text(FINISHED, timeout=WAIT_MS)

    def expect_prints(self, cell: int, text: str) -> None:
        """Run a cell to its end and see what it printed."""
        self.finish(cell)
        expect(self.output(cell)).to_contain_text(text)

    # Its runs.

    def widget(self, cell: int) -> Locator:
        """The live view."""
        return self.output(cell).locator(".snakepit-run")

    def report(self, cell: int) -> Locator:
        """The static report."""
        return self.output(cell).locator(".snakepit-report")

    def stop_button(self, cell: int) -> Locator:
        return self.widget(cell).get_by_role("button", name="Stop")

    def wait_for_points(self, cell: int, *, more_than: int = 0) -> int:
        """Wait until the live view has more points than that; how many it has."""
        expect(self.widget(cell)).to_be_visible(timeout=WAIT_MS)
        run = self.widget(cell).element_handle()
        self.page.wait_for_function(MORE_POINTS, arg=[run, more_than])
        return points(run)

    def expect_painted(self, cell: int) -> None:
        """A curve is really there, in its colour."""
        canvas = self.widget(cell).locator("canvas").first.element_handle()
        self.page.wait_for_function(PAINTED, arg=canvas)

    def expect_report(self, cell: int, status: str) -> None:
        """The static report of such an end has taken the live view's place."""
        expect(self.report(cell)).to_have_attribute("data-status", status, timeout=WAIT_MS)
        expect(self.widget(cell)).to_have_count(0)

    # Its file.

    def saved_outputs(self, cell: int) -> list[Any]:
        """A cell's outputs as the file holds them."""
        saved = json.loads(self.path.read_text())
        outputs: list[Any] = saved["cells"][cell]["outputs"]
        return outputs


def points(run: ElementHandle) -> int:
    return int(run.get_attribute("data-points") or 0)


def write_notebook(path: Path, cells: list[str]) -> None:
    """A notebook of code cells, without outputs."""
    code: dict[str, Any] = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "cells": [{**code, "id": f"cell-{i}", "source": source} for i, source in enumerate(cells)],
    }
    path.write_text(json.dumps(notebook))
