"""Failures as Snakepit's peers tell them: section 8 of the wire contract."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from snakepit_jupyter.codecs.peer_values import decode_strictly
from snakepit_jupyter.errors import BY_CODE, Failure, ToolError, error_from

# What a peer gets to know of a call that failed, if its arguments say it.
CONTEXT_ARGUMENTS = ("library", "python_module", "function", "call_type", "payload_version")
# gRPC drops what is longer than 8 KiB from a call's last headers, and the details are not alone there.
STATUS_DETAILS = 6 * 1024
# An answer is no header; but a client takes 4 MiB at most, unless it says otherwise.
ANSWER = 64 * 1024
SHORTER = (30_000, 20_000, 14_000, 10_000, 7000, 5600, 4000, 2800, 2000, 1400, 1000, 700, 500, 300, 200, 100, 50, 20)
# Of more facts than these, none is told: they would not fit.
MOST_DETAILS = 500
CUT = " … "
IN_A_HEADER = 11  # bytes of it
# The bytes that take one place in a header.
AS_THEY_ARE = bytes(set(range(ord(" "), ord("~") + 1)) - {ord("%")})


def error_payload(
    failure: Failure,
    tool_name: str,
    session_id: str,
    arguments: Mapping[str, Any] | None = None,
    limit: int = STATUS_DETAILS,
) -> str:
    """A failure as peers know it, for a status: JSON with type, message, stacktrace, traceback and context.

    Args:
        failure: what happened.
        tool_name: the tool that was called.
        session_id: in which session.
        arguments: the call's; some names of section 8 of the wire contract are repeated to the peer.
        limit: the most bytes it may have in a header, where it is percent-encoded.
    """
    context = _context_of(failure, tool_name, session_id, arguments)
    return _shortened(_texts_of(failure), context, limit, _header_size)


def error_answer(
    failure: Failure, tool_name: str, session_id: str, arguments: Mapping[str, Any] | None = None, limit: int = ANSWER
) -> str:
    """The same for an answer.

    Args:
        failure: what happened.
        tool_name: the tool that was called.
        session_id: in which session.
        arguments: the call's; some names of section 8 of the wire contract are repeated to the peer.
        limit: the most characters it may have; all are ASCII.
    """
    return _shortened(_texts_of(failure), _context_of(failure, tool_name, session_id, arguments), limit, len)


def _shortened(texts: "_Texts", context: Mapping[str, Any], limit: int, size: Callable[[str], int]) -> str:
    """The JSON, its texts as long as the limit lets them be."""
    tried = (_payload_text(texts, context, most) for most in _steps(limit))
    return next((text for text in tried if size(text) <= limit), "") or _payload_text(texts, {}, SHORTER[-1])


def _steps(limit: int) -> list[int]:
    """To how many characters a text is cut, one after the other. A longer text is never read as a whole."""
    return [limit, limit - IN_A_HEADER, *(most for most in SHORTER if most < limit - IN_A_HEADER)]


def _context_of(
    failure: Failure, tool_name: str, session_id: str, arguments: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {"tool_name": tool_name, "session_id": session_id, **_named(arguments or {}), **_ours(failure)}


class _Texts(NamedTuple):
    kind: str
    message: str
    traceback: str


def _texts_of(failure: Failure) -> _Texts:
    error = error_from(failure)
    if isinstance(error, ToolError):
        kind = error.remote_type or "ToolError"
        message = "" if failure.message == error.remote_type else error.remote_message
        return _Texts(kind, message, failure.remote_traceback)
    kind = type(error).__name__
    return _Texts(kind, str(error), f"{kind}: {error}\n")


def _named(arguments: Mapping[str, Any]) -> dict[str, Any]:
    scalar = (str, int, float, bool)
    return {name: arguments[name] for name in CONTEXT_ARGUMENTS if isinstance(arguments.get(name), scalar)}


def _ours(failure: Failure) -> dict[str, Any]:
    """What `failure_of` needs besides, to make the same failure of it again."""
    if failure.code == ToolError.code:
        return {}
    details = dict(failure.details) if len(failure.details) <= MOST_DETAILS else {}
    said = {"code": failure.code, "hint": failure.hint, "details": details}
    return {name: value for name, value in said.items() if value}


def _payload_text(texts: _Texts, context: Mapping[str, Any], most: int) -> str:
    """The JSON, each text of it cut to `most` characters."""
    traceback = _cut(texts.traceback, most)
    fields = {
        "type": _cut(texts.kind, most),
        "message": _cut(texts.message, most),
        "stacktrace": traceback.splitlines(keepends=True),
        "traceback": traceback,
        "context": _cut_all(context, most),
    }
    return json.dumps(fields)


def _cut_all(fields: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {_cut(name, most): _cut_value(value, most) for name, value in fields.items()}


def _cut_value(value: Any, most: int) -> Any:
    if isinstance(value, Mapping):
        return _cut_all(value, most)
    return _cut(value, most) if isinstance(value, str) else value


def _cut(text: str, most: int) -> str:
    """Leave out the middle of a text that is too long: its end says most, as the last lines of a traceback do."""
    if len(text) <= most:
        return text
    head = most // 4
    return text[:head] + CUT + text[head + len(CUT) - most :]


def status_details(text: str, limit: int = STATUS_DETAILS) -> str:
    """A text as details of a status, its middle left out if it would not fit.

    Args:
        text: what happened.
        limit: the most bytes it may have in a header, where it is percent-encoded.
    """
    return _cut_to_fit(text, limit, _header_size)


def answer_text(text: str, limit: int = ANSWER) -> str:
    """A text for an answer, its middle left out if it is too long.

    Args:
        text: what happened.
        limit: the most bytes it may have as UTF-8.
    """
    return _cut_to_fit(text, limit, _size)


def _cut_to_fit(text: str, limit: int, size: Callable[[str], int]) -> str:
    tried = (_cut(text, most) for most in _steps(limit))
    return next((shorter for shorter in tried if size(shorter) <= limit), "")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _header_size(text: str) -> int:
    """Bytes of a text in a gRPC header: a per cent sign takes three, as whatever is not printable ASCII."""
    data = text.encode("utf-8", "replace")
    return len(data) + 2 * len(data.translate(None, AS_THEY_ARE))


def failure_of(text: str) -> Failure:
    """A peer's failure; a text that is no such JSON is the message."""
    try:
        fields = decode_strictly(text.encode("utf-8", "replace"))
        kind, message = fields["type"], fields["message"]
    except (ValueError, TypeError, KeyError):
        return Failure(ToolError.code, text)
    context = fields.get("context")
    own = _own_failure(kind, message, context if isinstance(context, dict) else {})
    return own or _remote_failure(str(kind), str(message), fields)


def _own_failure(kind: Any, message: Any, context: Mapping[str, Any]) -> Failure | None:
    error = BY_CODE.get(str(context.get("code", "")))
    if error is None or error.__name__ != kind:
        return None
    hint = str(context.get("hint", ""))
    details = context.get("details")
    said = {str(name): str(value) for name, value in details.items()} if isinstance(details, dict) else {}
    return Failure(error.code, str(message).removesuffix(f"\n{hint}"), hint, error.retryable, details=said)


def _remote_failure(kind: str, message: str, fields: Mapping[str, Any]) -> Failure:
    traceback = fields.get("traceback") or _joined(fields.get("stacktrace"))
    return Failure(
        ToolError.code,
        f"{kind}: {message}" if message else kind,
        remote_type=kind,
        remote_traceback=traceback if isinstance(traceback, str) else "",
    )


def _joined(lines: Any) -> str:
    return "".join(map(str, lines)) if isinstance(lines, list) else ""
