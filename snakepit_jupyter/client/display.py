"""A run on the user's screen: the chunks are folded as they come, and drawn at most twenty times a second.

In a notebook the screen is a live widget, which the static report replaces at the end: the report is what a
saved notebook keeps. Elsewhere it is a line in the terminal; `SNAKEPIT_RENDER=text` asks for lines in a notebook too.
"""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import itertools
import os
import sys
import weakref
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, TextIO

from snakepit_jupyter import notebook
from snakepit_jupyter.client.connection import Connection
from snakepit_jupyter.client.portal import portal
from snakepit_jupyter.client.run import Run
from snakepit_jupyter.errors import SnakepitError
from snakepit_jupyter.messages import RunStatus, Update
from snakepit_jupyter.views.report import report_html, report_text
from snakepit_jupyter.views.state import ViewState, fold, fold_state
from snakepit_jupyter.views.terminal import TerminalView

# A Jupyter server drops a kernel's messages past 1,000 a second, for good: all live widgets together stay far below.
INTERVAL = 0.05
MOST_MESSAGES = 200.0

_numbers = itertools.count(1)
_live: "weakref.WeakSet[NotebookScreen]" = weakref.WeakSet()


class Screen(Protocol):
    """Where a run is drawn."""

    def update(self, state: ViewState) -> None:
        """Draw what is new."""

    def close(self, state: ViewState) -> None:
        """Draw the end; nothing comes after it."""


class NotebookScreen:
    """A widget in a cell's output, and at last the report in its place.

    Args:
        run: what is shown.
        state: what is known of it so far.
    """

    def __init__(self, run: Run, state: ViewState) -> None:
        from snakepit_jupyter.views.widget import RunWidget

        connection, run_id = run.connection, run.run_id
        self._display_id = f"snakepit-{run_id}-{next(_numbers)}"
        self._widget = RunWidget(state, lambda: stop_from_button(connection, run_id))
        _hear_at_once(self._widget.comm)
        data, metadata = self._widget._repr_mimebundle_()
        _publish(data, metadata, display_id=self._display_id)
        _live.add(self)

    def update(self, state: ViewState) -> None:
        self._widget.publish(state)

    def close(self, state: ViewState) -> None:
        _live.discard(self)
        self._widget.publish(state, last=True)
        _publish(_report(state), {}, display_id=self._display_id, update=True)


def _hear_at_once(comm: Any) -> None:
    """Let the Stop button of a background run be heard while a cell calculates.

    ipykernel 7.4 sends what a widget says to where the widget last spoke: to the thread of the cell, which is busy.
    The front end's own choice, a thread beside it, is right for us. The hook is private; without it, as in other
    versions, nothing changes.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001 - as said


def stop_from_button(connection: Connection, run_id: str) -> None:
    """The Stop button; it may be pressed on any of the kernel's threads, and again."""

    async def ask() -> None:
        with contextlib.suppress(SnakepitError):
            await connection.cancel(run_id, "Stop button")

    portal().spawn(ask())


def show(run: Run) -> "concurrent.futures.Future[None]":
    """Show a run where the user is: done when its end is on the screen.

    What has ended already is shown as it is; what goes on is drawn live, from the client's own thread.
    """
    state = ViewState(run.state)
    if run.state.status.ended:
        portal().call(_fold_all(run.connection, run.run_id, state))
        show_report(state)
        done: concurrent.futures.Future[None] = concurrent.futures.Future()
        done.set_result(None)
        return done
    run.release()
    screen = _screen(run, state)
    # The copied context keeps what is published in this cell's output, and ipykernel 7.0 needs it to publish at all.
    return portal().spawn(_draw(run.connection, run.run_id, state, screen), contextvars.copy_context())


def show_until_end(run: Run) -> dict[str, Any]:
    """Show a run and wait for its result, where Ctrl-C is its only Stop button; it cleans up before this ends."""
    try:
        return run.show().result()
    except KeyboardInterrupt:
        run.cancel("Ctrl-C")
        return run.result()


def show_report(state: ViewState) -> None:
    """The static report of a run in the current output."""
    if _in_widgets():
        _publish(_report(state), {})
    else:
        _text_stream().write(report_text(state) + "\n")


def _screen(run: Run, state: ViewState) -> Screen:
    if _in_widgets():
        return NotebookScreen(run, state)
    return TerminalView(_text_stream())


def _text_stream() -> TextIO:
    """Where text goes; in a shell beside the result, also if the run had ended before it was shown."""
    return sys.stdout if notebook.in_kernel() else sys.stderr


def _in_widgets() -> bool:
    return notebook.in_kernel() and os.environ.get("SNAKEPIT_RENDER") != "text"


async def _draw(connection: Connection, run_id: str, state: ViewState, screen: Screen) -> None:
    try:
        async for update in connection.subscribe(run_id, min_interval=INTERVAL):
            _fold_update(state, update)
            screen.update(state)
            await asyncio.sleep(max(0.0, len(_live) / MOST_MESSAGES - INTERVAL))
    except SnakepitError as error:
        fold_state(state, replace(state.run, status=RunStatus.FAILED, failure=error.failure()))
    finally:
        screen.close(state)


async def _fold_all(connection: Connection, run_id: str, state: ViewState) -> None:
    async for update in connection.subscribe(run_id):
        _fold_update(state, update)


def _fold_update(state: ViewState, update: Update) -> None:
    for chunk in update.chunks:
        fold(state, chunk)
    if update.state:
        fold_state(state, update.state)


def _report(state: ViewState) -> dict[str, str]:
    return {"text/html": report_html(state), "text/plain": report_text(state)}


def _publish(
    data: Mapping[str, Any], metadata: Mapping[str, Any], *, display_id: str = "", update: bool = False
) -> None:
    from IPython.display import publish_display_data

    publish_display_data(  # type: ignore[no-untyped-call]
        dict(data),
        dict(metadata),
        transient={"display_id": display_id} if display_id else {},
        update=update,
    )
