"""Text of strangers, made fit to be shown: it may be endless, coloured, or no valid Unicode."""

import re

ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def clean(text: str) -> str:
    """The text without terminal escapes and control characters.

    JSON may carry half a surrogate pair, on which the way to the browser would choke: it becomes "?".
    """
    if text.isascii() and text.isprintable():
        return text
    return CONTROLS.sub("", ESCAPES.sub("", text)).encode("utf-8", "replace").decode("utf-8")


def short(text: str, width: int) -> str:
    """The text on one line, at most `width` characters of it."""
    line = " ".join(clean(text[: 8 * width]).split())
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}…"


def lines_of(text: str, width: int) -> list[str]:
    """Printed text as its lines, each as a terminal leaves it: what a carriage return overwrote is gone."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return [_settled(line, width) for line in lines]


def _settled(line: str, width: int) -> str:
    left = line.rstrip("\r").rpartition("\r")[2]
    return clean(left) if len(left) <= width else f"{clean(left[:width])}…"
