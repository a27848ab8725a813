import re
from html.parser import HTMLParser

from stages import Stage

from snakepit_jupyter.messages import ChunkKind, RunStatus
from snakepit_jupyter.views.report import report_html, report_text

EVIL = '<script>alert("1")</script>&\'"><img src=x onerror=1>'
VOID = {"br"}


class Outline(HTMLParser):
    """Which elements there are, whether all are closed, and the text a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def trained(stage: Stage) -> Stage:
    stage.trains(50)
    stage.yields({"final_model_path": "/models/model_epoch_31.pkl"}, is_final=True)
    stage.turns(RunStatus.DONE)
    return stage


def test_a_report_is_one_closed_element_that_says_what_run_it_is_of() -> None:
    stage = Stage()
    html = report_html(trained(stage).state)
    outline = Outline(html)
    assert html.startswith('<div class="snakepit-report" data-run="r-1" data-status="done"')
    assert outline.open == []


def test_a_report_needs_nothing_from_anywhere() -> None:
    stage = Stage()
    outline = Outline(report_html(trained(stage).state))
    assert not {"script", "style", "link", "img", "iframe"} & set(outline.tags)
    names = {name for name, _ in outline.attributes}
    assert not {"href", "src", "id"} & names
    assert not any(name.startswith("on") for name in names)
    assert not any("url(" in (value or "") for _, value in outline.attributes)


def test_a_report_of_fifty_epochs_is_small() -> None:
    stage = Stage()
    assert len(trained(stage).state.log) == 0
    assert len(report_html(stage.state)) < 30_000


def test_a_report_of_a_very_long_run_is_still_small() -> None:
    stage = Stage()
    stage.trains(20_000, total=20_000)
    assert len(report_html(stage.state)) < 60_000


def test_without_its_styles_a_report_reads_in_order() -> None:
    stage = Stage()
    text = Outline(report_html(trained(stage).state)).text
    order = ["demo", "done · 50 epochs", "2:30", "0.0400", "train_loss", "final_model_path", "session tour"]
    places = [text.index(word) for word in order]
    assert places == sorted(places)


def test_a_report_has_the_values_of_its_curves_as_a_table() -> None:
    stage = Stage()
    text = Outline(report_html(trained(stage).state)).text
    assert "val_acc 0.9560 0.9750 at 31 0.9450 0.9750" in text


def test_everything_a_stranger_wrote_is_escaped() -> None:
    stage = Stage(tool=EVIL)
    stage.yields({"epoch": 1, EVIL: 1.0, f"{EVIL}_loss": 2.0, "name": EVIL, "loss": 1.0})
    stage.prints(EVIL, ChunkKind.STDERR)
    stage.yields({"result": EVIL, EVIL + "2": EVIL}, is_final=True)
    stage.fails(code=EVIL, message=EVIL, hint=EVIL, remote_type=EVIL, remote_traceback=EVIL)
    outline = Outline(report_html(stage.state))
    assert not {"script", "img"} & set(outline.tags)
    assert outline.open == []


def test_a_failure_is_told_with_its_hint_and_its_traceback() -> None:
    stage = Stage()
    long = "\n".join(f"line {i}" for i in range(40))
    stage.fails(code="worker_crashed", message="killed", hint="use less memory", remote_traceback=long)
    html = report_html(stage.state)
    assert "WorkerCrashed killed use less memory Traceback line 0" in Outline(html).text
    assert "<details" in html
    assert " open" not in html


def test_a_short_traceback_stands_open() -> None:
    stage = Stage()
    stage.fails(code="tool_error", message="ValueError: bad", remote_type="ValueError", remote_traceback="Trace\n")
    assert re.search("<details[^>]* open", report_html(stage.state))


def test_the_last_twenty_lines_stand_open_and_the_rest_is_folded() -> None:
    stage = Stage()
    stage.prints("\n".join(f"line {i:03}" for i in range(600)))
    html = report_html(stage.state)
    assert "580 earlier lines (the first 100 are not kept)" in html
    folded, _, tail = html.partition("</details>")
    assert "line 579" in folded
    assert re.findall(r"line \d+", tail) == [f"line {i}" for i in range(580, 600)]


def test_levels_in_the_log_stand_out() -> None:
    stage = Stage()
    stage.prints("12:00 ERROR no disk\n12:01 TERRORS are words\n")
    assert len(re.findall("<b ", report_html(stage.state))) == 1


def test_a_run_that_waits_has_a_report_as_well() -> None:
    stage = Stage(status=RunStatus.QUEUED)
    assert "queued · waiting for a free worker" in Outline(report_html(stage.state)).text


def test_the_text_is_one_to_three_lines() -> None:
    stage = Stage()
    assert report_text(stage.state) == "demo: starting (0:00)"
    lines = report_text(trained(stage).state).splitlines()
    assert lines[0] == "demo: done · 50 epochs, best val_acc 0.9750 at 31 (2:30)"
    assert lines[1].startswith("train_loss 0.0400  val_loss 0.0440  val_acc 0.9560")
    assert lines[2] == "final_model_path /models/model_epoch_31.pkl"


def test_the_text_of_a_failure_names_it() -> None:
    stage = Stage()
    stage.fails(code="worker_crashed", message="killed\nby signal 9")
    assert report_text(stage.state).splitlines()[-1] == "WorkerCrashed: killed by signal 9"
