"""Where events are told, to any number of listeners."""

import threading
from collections.abc import Callable
from typing import Protocol

from snakepit_jupyter.telemetry.event import Event
from snakepit_jupyter.telemetry.policy import EVERYTHING, Policy
from snakepit_jupyter.telemetry.tap import Tap


class Hook(Protocol):
    """Somebody who is told of events, on the thread where they happen. Neither method may wait."""

    def wants(self, name: str) -> bool:
        """Whether an event of this name is of use now."""

    def put(self, event: Event) -> None:
        """Take an event."""


class Emitter:
    """Tells events to any number of taps and other hooks, each by its own wishes.

    Args:
        buffered: whether events are kept while there is no tap, for the first one to come.
        changed: called with whether there is anybody to tell, each time that changes.
    """

    def __init__(self, *, buffered: bool = False, changed: Callable[[bool], None] = lambda _listened: None) -> None:
        self._buffered = buffered
        self._changed = changed
        self._changing = threading.Lock()
        self._buffer = Tap() if buffered else None
        self._listeners: tuple[Hook, ...] = ()
        self._hooks = self._told()

    @property
    def listened(self) -> bool:
        """Whether there is anybody to tell; a buffer is nobody."""
        return bool(self._listeners)

    def emit(self, name: str, make: Callable[[], Event]) -> None:
        """Tell an event to all that want it. Any thread; never waits, never raises.

        Args:
            name: its name.
            make: makes it; called only if somebody wants it.
        """
        try:
            takers = [hook for hook in self._hooks if hook.wants(name)]
            if takers:
                event = make()
                for hook in takers:
                    hook.put(event)
        except Exception:  # noqa: S110 - the work that is told of goes on, whatever becomes of the telling
            pass

    def add(self, hook: Hook) -> None:
        """Tell a hook of everything from now on."""
        with self._changing:
            self._listen((*self._listeners, hook))

    def attach(self, policy: Policy = EVERYTHING) -> Tap:
        """A tap for one more reader; the first one gets what was kept until now."""
        with self._changing:
            tap, self._buffer = self._buffer or Tap(), None
            tap.policy = policy
            self._listen((*self._listeners, tap))
            return tap

    def detach(self, tap: Tap) -> None:
        """A reader has gone; the others go on."""
        tap.close()
        with self._changing:
            self._listen(tuple(hook for hook in self._listeners if hook is not tap))

    def close(self) -> None:
        """All readers get what there is and come to an end; nothing is told any more."""
        with self._changing:
            taps = [hook for hook in self._listeners if isinstance(hook, Tap)]
            self._buffered = False
            self._listen(())
        for tap in taps:
            tap.close()

    def _listen(self, listeners: tuple[Hook, ...]) -> None:
        before, self._listeners = self.listened, listeners
        if self._buffered and not listeners:
            self._buffer = Tap()
        self._hooks = self._told()
        if self.listened is not before:
            self._changed(self.listened)

    def _told(self) -> tuple[Hook, ...]:
        return (*self._listeners, self._buffer) if self._buffer else self._listeners
