"""The id that ties together everything that is said of a call, in all processes: who may choose it, how it travels."""

from typing import TypeGuard

from snakepit_jupyter.messages import new_correlation_id

HEADER = "x-snakepit-correlation-id"
# What fits into a header, and into a line of a log beside other things.
LONGEST = 128


def is_id(text: object) -> TypeGuard[str]:
    """Whether something can be an id: 1 to 128 printable ASCII characters, no blank first or last."""
    return (
        isinstance(text, str)
        and 0 < len(text) <= LONGEST
        and text.isascii()
        and text.isprintable()
        and text == text.strip()
    )


def chosen(*said: str | bytes | None) -> str:
    """The first that can be an id, as it is, or a new one: whoever asked gets its id back, or an honest other one.

    Args:
        said: what was given as an id, the most important first.
    """
    return next(filter(is_id, said), None) or new_correlation_id()


def headers(correlation_id: str) -> tuple[tuple[str, str], ...]:
    """The id as metadata of a call; nothing for what no header can hold."""
    return ((HEADER, correlation_id),) if is_id(correlation_id) else ()
