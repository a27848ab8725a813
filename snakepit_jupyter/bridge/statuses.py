"""How a failure is told to Snakepit's peers: as the status of a stream, or as the text of an answer."""

from collections.abc import Mapping

import grpc

from snakepit_jupyter.codecs import peer
from snakepit_jupyter.errors import Failure

# The guide's table of errors; what is not here is INTERNAL.
STATUSES: Mapping[str, grpc.StatusCode] = {
    "session_not_found": grpc.StatusCode.NOT_FOUND,
    "tool_not_found": grpc.StatusCode.NOT_FOUND,
    "streaming_not_supported": grpc.StatusCode.UNIMPLEMENTED,
    "invalid_parameter": grpc.StatusCode.INVALID_ARGUMENT,
    "invalid_binary_parameter": grpc.StatusCode.INVALID_ARGUMENT,
    "session_worker_unavailable": grpc.StatusCode.UNAVAILABLE,
    "worker_crashed": grpc.StatusCode.UNAVAILABLE,
    "worker_start_failed": grpc.StatusCode.UNAVAILABLE,
    "worker_busy": grpc.StatusCode.UNAVAILABLE,
    "pool_saturated": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "session_quota_exceeded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "worker_timeout": grpc.StatusCode.DEADLINE_EXCEEDED,
    "stopped": grpc.StatusCode.CANCELLED,
}
NOT_ENABLED = (
    "Streaming execution is not enabled for tool {}. Enable streaming support on the adapter "
    "(supports_streaming: true) or use ExecuteTool instead."
)


def status_of(failure: Failure, tool: str, session_id: str) -> tuple[grpc.StatusCode, str]:
    """The status and its details; of what the guide's table does not name, the five-key payload."""
    status = STATUSES.get(failure.code, grpc.StatusCode.INTERNAL)
    if status is grpc.StatusCode.INTERNAL:
        return status, peer.error_payload(failure, tool, session_id)
    if status is grpc.StatusCode.UNIMPLEMENTED:
        return status, peer.status_details(NOT_ENABLED.format(tool))
    return status, peer.status_details(sentence(failure))


def sentence(failure: Failure) -> str:
    """What happened, in the contract's words."""
    if STATUSES.get(failure.code) is grpc.StatusCode.INVALID_ARGUMENT and failure.details.get("key"):
        return f"Invalid parameter {failure.details['key']}: {failure.message}"
    return failure.message
