"""What may be said outside of a value, a text, a failure: shapes instead of contents, secrets masked.

Masking is a net, not a wall: it knows the forms that secrets usually have. What need not be said is better left
out, and so values are spoken of by `shape`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace

from snakepit_jupyter.errors import Failure
from snakepit_jupyter.redaction.secrets import MASK, is_secret_name, masked
from snakepit_jupyter.redaction.shapes import shape, shapes
from snakepit_jupyter.redaction.source import GAP, without_strings

__all__ = ["MASK", "masked", "outward", "outward_fields", "outward_text", "shape", "shapes", "without_strings"]

# The detail of a failure that holds a value itself: it is for the machine's own user.
VALUE = "value"


def outward_text(text: str) -> str:
    """A text that may leave the machine: masked, and without the path of the user's home."""
    return _without_home(masked(text))


def outward_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """The same for named texts; one with a name such as "password" is masked as a whole."""
    return {
        outward_text(name): MASK if text and is_secret_name(name) else outward_text(text)
        for name, text in fields.items()
    }


def outward(failure: Failure) -> Failure:
    """A failure that may leave the machine: no values, no strings of the source, texts masked."""
    value = failure.details.get(VALUE, "")
    return replace(
        failure,
        message=_outward_words(failure.message, value),
        hint=_outward_words(failure.hint, value),
        remote_traceback=outward_text(without_strings(failure.remote_traceback)),
        details=outward_fields({name: text for name, text in failure.details.items() if name != VALUE}),
    )


def _outward_words(text: str, value: str) -> str:
    """A message or a hint; where an adapter cannot be imported, a traceback stands in it."""
    return outward_text(without_strings(_without_value(text, value)))


def _without_value(text: str, value: str) -> str:
    """A text without the value shown in it. Without quotes it might be any number: it is found by its place."""
    text = text.replace(f"It was {value}. ", "") if value else text
    return text.replace(value, GAP) if value[:1] in {"'", '"'} else text


def _without_home(text: str) -> str:
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
    if len(home) < len("/x") or home not in text:
        return text
    return re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
