"""Tracebacks without the strings that stand in their lines of source."""

import re
from collections.abc import Iterator

GAP = "…"
# Also in the tracebacks of exception groups, whose lines begin with bars.
FILE_LINE = re.compile(r'([\s|+-]*)File ".*", line \d+')
CARETS = re.compile(r"[\s|]*[~^]+\s*")
OPENING = re.compile(r"([BFRTUbfrtu]{0,2})(\"\"\"|'''|\"|')")


def without_strings(traceback: str) -> str:
    """A traceback whose lines of source hold "…" instead of their strings.

    The marks below a line go, because they would no longer point at anything.
    """
    return "\n".join(_without_strings(traceback.split("\n")))


def _without_strings(lines: list[str]) -> Iterator[str]:
    depth: int | None = None
    quote = ""
    for line in lines:
        if found := FILE_LINE.match(line):
            depth, quote = len(found[1]), ""
            yield line
        elif depth is None or line[: depth + 1].strip(" |"):  # not indented below a file's line: no source
            depth = None
            yield line
        elif quote or not CARETS.fullmatch(line):
            text, quote = source_without_strings(line, quote)
            yield text


def source_without_strings(line: str, quote: str = "") -> tuple[str, str]:
    """A line of Python with "…" for what stands in its strings.

    Args:
        line: the line.
        quote: the triple quote that an earlier line has opened, or "".

    Returns:
        The line, and the triple quote that it leaves open, or "".
    """
    parts: list[str] = []
    at = 0
    if quote:
        at = _end_of_string(line, 0, quote)
        parts.append(f"{GAP}{quote}" if at <= len(line) else GAP)
    while at < len(line) and (found := OPENING.search(line, at)):
        quote = found[2]
        end = _end_of_string(line, found.end(), quote, formatted="f" in found[1].lower() or "t" in found[1].lower())
        closed = end <= len(line)
        content = GAP if end - len(quote) > found.end() else ""
        parts += [line[at : found.end()], content, quote if closed else ""]
        at = end
    return "".join([*parts, line[at:]]), "" if at <= len(line) or len(quote) == 1 else quote


def _end_of_string(line: str, at: int, quote: str, *, formatted: bool = False) -> int:
    """Where a string ends: after its closing quote, or beyond the line's end if it has none.

    Args:
        line: the line.
        at: where its content begins.
        quote: what closes it.
        formatted: whether expressions stand in it, in braces; there quotes may stand that do not close it.
    """
    depth = 0
    while at < len(line):
        if not depth and line.startswith(quote, at):
            return at + len(quote)
        if line[at] == "\\" or (formatted and not depth and line.startswith("{{", at)):
            at += 1
        elif formatted and line[at] == "{":
            depth += 1
        elif depth and line[at] == "}":
            depth -= 1
        at += 1
    return len(line) + len(quote) + 1
