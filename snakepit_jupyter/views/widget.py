"""The live view of a run in a notebook."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from snakepit_jupyter.views.publisher import Publisher
from snakepit_jupyter.views.report import report_html, report_text
from snakepit_jupyter.views.state import ViewState

STATIC = Path(__file__).parent / "static"


class RunWidget(anywidget.AnyWidget):
    """Shows one run.

    Args:
        state: what to show at first.
        on_stop: called when the user presses Stop, on whatever thread the kernel handles messages, and
            possibly more than once; it should only set something.
        clock: seconds that only rise.
    """

    _esm = STATIC / "widget.js"
    _css = STATIC / "widget.css"
    snapshot = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        state: ViewState,
        on_stop: Callable[[], object] = lambda: None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = Publisher(state, self.send, self._keep, clock)
        self._on_stop = on_stop
        super().__init__(snapshot=self._publisher.snapshot())
        self.on_msg(_hear)

    def publish(self, state: ViewState, *, last: bool = False) -> None:
        """Bring the browser up to date with the state; never raises. May be called on any thread.

        Args:
            state: what to show now.
            last: whether nothing will follow; then it is sent in any case.
        """
        self._publisher.publish(state, last=last)

    def _keep(self, snapshot: dict[str, Any]) -> None:
        self.snapshot = snapshot

    def _heard(self, kind: object) -> None:
        if kind in {"ready", "resync"}:
            self._publisher.send_all()
        elif kind == "stop":
            self._on_stop()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and beside it the report: what a saved notebook shows where no widget can be."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        state = self._publisher.state
        return {**data, "text/html": report_html(state), "text/plain": report_text(state)}, metadata


def _hear(widget: RunWidget, content: object, _buffers: object) -> None:
    # Not a bound method: the dispatcher would then hold the widget in a circle.
    if isinstance(content, dict):
        widget._heard(content.get("kind"))  # noqa: SLF001
