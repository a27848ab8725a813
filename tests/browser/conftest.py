"""One browser and one server for all tests here, a notebook with a kernel of its own for each.

The fixtures take the place of pytest-playwright's, which live until the end of the whole test session:
Playwright keeps an event loop on the main thread, and other tests want to run their own.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, sync_playwright

from .page import NotebookPage, write_notebook
from .server import JupyterServer

ROOT = Path(__file__).parents[2]
ARGUMENTS = ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
START = "%load_ext snakepit_jupyter\n%snakepit start --pool-size 2 --adapter scratch_tools:ScratchTools"

# Notebook 7.6 itself, while it starts.
NOT_OURS = "Cannot read properties of undefined (reading 'schema')"

OpenNotebook = Callable[..., NotebookPage]


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    finder = [sys.executable, str(ROOT / "tools/chromium.py"), "--find"]
    found = subprocess.run(finder, check=False, capture_output=True, text=True)
    if found.returncode:
        pytest.skip(found.stderr)
    browser = playwright.chromium.launch(executable_path=found.stdout.strip(), args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    with JupyterServer(tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("lab-state")) as server:
        yield server


@pytest.fixture(scope="package")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    root, state = tmp_path_factory.mktemp("notebook7"), tmp_path_factory.mktemp("notebook7-state")
    with JupyterServer(root, state, "notebook") as server:
        yield server


@pytest.fixture
def open_in(browser: Browser) -> Iterator[OpenNotebook]:
    """`open_in(server, *cells)`: a new notebook, in a new page, in a folder of its own, with a kernel."""
    opened: list[tuple[BrowserContext, NotebookPage]] = []

    def open_notebook(server: JupyterServer, *cells: str) -> NotebookPage:
        folder = Path(tempfile.mkdtemp(dir=server.root))
        shutil.copy(Path(__file__).with_name("scratch_tools.py"), folder)
        write_notebook(folder / "notebook.ipynb", list(cells))
        context = browser.new_context(viewport={"width": 1200, "height": 1300})
        notebook = NotebookPage(context.new_page(), server, folder / "notebook.ipynb")
        opened.append((context, notebook))
        notebook.open()
        return notebook

    yield open_notebook
    for context, notebook in opened:
        context.close()
        notebook.end_session()
    errors = [error for _, notebook in opened for error in notebook.page_errors]
    assert [error for error in errors if error != NOT_OURS] == []


@pytest.fixture
def in_lab(open_in: OpenNotebook, lab: JupyterServer) -> OpenNotebook:
    """`in_lab(*cells)`: the same in JupyterLab, the extension and the scratch tools loaded by a first cell."""

    def open_notebook(*cells: str) -> NotebookPage:
        notebook = open_in(lab, START, *cells)
        notebook.finish(0)
        return notebook

    return open_notebook
