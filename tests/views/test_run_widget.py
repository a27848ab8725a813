from typing import Any

import pytest
from stages import Stage

from snakepit_jupyter.messages import RunStatus

pytest.importorskip("anywidget")
from snakepit_jupyter.views.widget import RunWidget

Sent = list[dict[str, Any]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What the widget sends to its browsers."""
    messages: Sent = []
    monkeypatch.setattr(RunWidget, "send", lambda _self, content, _buffers: messages.append(content))
    return messages


def hear(widget: RunWidget, content: object) -> None:
    """What ipywidgets does with a message from the browser."""
    widget._handle_custom_msg(content, [])


def test_a_new_widget_carries_what_there_is_to_see() -> None:
    stage = Stage()
    stage.trains(3)
    widget = RunWidget(stage.state)
    assert widget.snapshot["scene"]["summary"] == "running · epoch 3 of 50"
    assert len(widget.snapshot["columns"]["epoch"]) == 3 * 8


@pytest.mark.parametrize("kind", ["ready", "resync"])
def test_a_browser_that_asks_gets_everything(sent: Sent, kind: str) -> None:
    stage = Stage()
    widget = RunWidget(stage.state)
    hear(widget, {"kind": kind})
    assert [message["kind"] for message in sent] == ["full"]


def test_the_stop_button_is_passed_on(sent: Sent) -> None:
    stage = Stage()
    pressed: list[bool] = []
    widget = RunWidget(stage.state, on_stop=lambda: pressed.append(True))
    hear(widget, {"kind": "stop"})
    assert (pressed, sent) == ([True], [])


@pytest.mark.parametrize("content", [None, {}, {"kind": ["x"]}, {"kind": "dance"}, "stop"])
def test_any_other_message_is_ignored(sent: Sent, content: object) -> None:
    stage = Stage()
    hear(RunWidget(stage.state), content)
    assert sent == []


def test_publishing_sends_what_is_new_and_keeps_it_for_the_next_page(sent: Sent) -> None:
    stage = Stage()
    widget = RunWidget(stage.state, clock=lambda: stage.now)
    stage.trains(2)
    widget.publish(stage.state)
    stage.turns(RunStatus.DONE)
    widget.publish(stage.state, last=True)
    assert [message["kind"] for message in sent] == ["full", "delta"]
    assert widget.snapshot["scene"]["status"] == "done"


def test_a_closed_widget_can_still_be_published_to() -> None:
    stage = Stage()
    widget = RunWidget(stage.state)
    widget.close()
    widget.publish(stage.state, last=True)


def test_beside_the_widget_stands_the_report_for_pages_without_widgets() -> None:
    stage = Stage()
    stage.trains(2)
    data, metadata = RunWidget(stage.state)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/html"].startswith('<div class="snakepit-report"')
    assert data["text/plain"].startswith("demo: running · epoch 2 of 50")
    assert metadata == {}
