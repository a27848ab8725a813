"""The tour, run from its first cell to its last as a scheduler or a build of documentation would run it."""

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
MEANT_TO_FAIL = "raises-exception"

Cell = Any


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cell]:
    """The cells after a run elsewhere, by their ids."""
    notebook = nbformat.read(NOTEBOOKS / "01_tour.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    folder = tmp_path_factory.mktemp("tour")
    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(folder)}}).execute()
    return {cell["id"]: cell for cell in notebook.cells}


def output_of(cell: Cell) -> str:
    """All that a cell put out, as one text."""
    return json.dumps(cell.get("outputs", []))


def test_only_the_cell_that_is_meant_to_fail_fails(tour: dict[str, Cell]) -> None:
    failed = {name for name, cell in tour.items() if '"output_type": "error"' in output_of(cell)}
    meant = {name for name, cell in tour.items() if MEANT_TO_FAIL in cell["metadata"].get("tags", [])}
    assert failed == meant == {"failure"}


def test_the_training_leaves_its_report_and_no_widget(tour: dict[str, Cell]) -> None:
    (output,) = tour["training"]["outputs"]
    assert set(output["data"]) == {"text/html", "text/plain"}
    assert 'class="snakepit-report"' in output["data"]["text/html"]
    assert 'data-status="done"' in output["data"]["text/html"]


def test_nothing_in_it_needs_a_script(tour: dict[str, Cell]) -> None:
    assert [name for name, cell in tour.items() if "<script" in output_of(cell)] == []


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("predict", "predicted [0 1 2"),
        ("meanwhile", "333332833333500000"),
        ("status", "stream_progress"),
        ("wait", "Step 16 of 16"),
        ("compute", "1267650600228229401496703205376"),
        ("stream", "Step 4 of 4 (100 %)"),
        ("cancel", "stopped: stream_progress was stopped"),
        ("own-run", "pi 3.1"),
        ("failure", "ZeroDivisionError"),
    ],
)
def test_each_cell_shows_what_its_text_promises(tour: dict[str, Cell], cell: str, text: str) -> None:
    assert text in output_of(tour[cell])


def test_the_repository_holds_no_outputs() -> None:
    saved = json.loads((NOTEBOOKS / "01_tour.ipynb").read_text())
    nbformat.validate(saved)
    code = [cell for cell in saved["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
