"""Take the pictures of `docs/images/` anew: the tour's training in JupyterLab, while it runs and after its end."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser.page import NotebookPage, write_notebook  # noqa: E402  they lie beside the tests that use them
from browser.server import JupyterServer  # noqa: E402

IMAGES = ROOT / "docs/images"
CELLS = ("load", "training")
TRAINING = 1
EPOCH = 19
WIDTH, HEIGHT, SCALE = 1060, 1000, 1.5


def tour_cells() -> list[str]:
    """The sources of the cells that are run."""
    cells = json.loads((ROOT / "notebooks/01_tour.ipynb").read_text())["cells"]
    sources = {cell["id"]: "".join(cell["source"]) for cell in cells}
    return [sources[cell_id] for cell_id in CELLS]


def opened(browser: Browser, server: JupyterServer) -> NotebookPage:
    """The notebook, as wide as the window."""
    path = server.root / "tour.ipynb"
    write_notebook(path, tour_cells())
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE)
    notebook = NotebookPage(page, server, path)
    notebook.open()
    notebook.command("application:toggle-left-area")
    notebook.finish(0)
    return notebook


def shoot(notebook: NotebookPage, name: str) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    notebook.cell(TRAINING).screenshot(path=IMAGES / f"{name}.png")


def shoot_all(notebook: NotebookPage) -> None:
    for theme in ("light", "dark"):
        notebook.command("apputils:change-theme", theme=f"JupyterLab {theme.capitalize()}")
        notebook.run(TRAINING)
        notebook.select(0)  # else the cell would wear its toolbar
        notebook.wait_for_points(TRAINING, more_than=EPOCH)
        shoot(notebook, f"run-{theme}")
        notebook.expect_finished(TRAINING)
        notebook.expect_report(TRAINING, "done")
        if theme == "light":
            shoot(notebook, "report-light")


def main() -> None:
    chromium = subprocess.check_output([sys.executable, ROOT / "tools/chromium.py"], text=True).strip()
    with tempfile.TemporaryDirectory(prefix="tour-") as scratch, sync_playwright() as playwright:
        root, state = Path(scratch, "notebooks"), Path(scratch, "state")
        root.mkdir()
        state.mkdir()
        browser = playwright.chromium.launch(executable_path=chromium)
        with JupyterServer(root, state) as server:
            shoot_all(opened(browser, server))
        browser.close()


if __name__ == "__main__":
    main()
