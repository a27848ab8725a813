"""Everything that reads bytes from a wire, each as a function that takes any bytes.

A reader gives a value or raises the error it is documented to raise; whatever it gives can be written again. The
functions let nothing else escape but a finding.
"""

import contextlib
from collections.abc import Callable

from google.protobuf.message import DecodeError

from snakepit_jupyter import redaction, values
from snakepit_jupyter.codecs import peer
from snakepit_jupyter.codecs import telemetry as telemetry_codec
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import call_from_pb, chunk_from_pb, failure_from_pb
from snakepit_jupyter.errors import InvalidParameter, error_from
from snakepit_jupyter.values import Encoding


def read_typed(data: bytes) -> None:
    with contextlib.suppress(InvalidParameter):
        values.names(data, Encoding.TYPED)
    with contextlib.suppress(ValueError):
        _write_again(values.decode(data, Encoding.TYPED))


def read_json(data: bytes) -> None:
    with contextlib.suppress(InvalidParameter):
        values.names(data, Encoding.JSON)
    with contextlib.suppress(ValueError):
        _write_again(values.decode(data, Encoding.JSON))


def _write_again(value: object) -> None:
    values.decode(*values.encode_marked(value))
    values.encode_plain(value)
    redaction.shape(value)


def read_parameters(data: bytes) -> None:
    with contextlib.suppress(DecodeError, InvalidParameter):
        peer.decode_parameters(bridge_pb.ExecuteToolRequest.FromString(data).parameters)


def read_result(data: bytes) -> None:
    with contextlib.suppress(DecodeError, ValueError):
        values.decode(*peer.result_of(bridge_pb.ExecuteToolResponse.FromString(data)))


def read_tool_chunk(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        chunk_from_pb(peer.chunk_of(bridge_pb.ToolChunk.FromString(data))).envelope()


def read_registration(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        peer.tool_spec(peer.tool_info(bridge_pb.ToolRegistration.FromString(data)))


def read_failure(data: bytes) -> None:
    failure = peer.failure_of(data.decode("utf-8", "replace"))
    assert peer.failure_of(peer.error_payload(failure, "tool", "s")).code == failure.code
    error_from(redaction.outward(failure))


def read_failure_message(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        str(error_from(failure_from_pb(pb.Failure.FromString(data))))


def read_call(data: bytes) -> None:
    with contextlib.suppress(DecodeError, InvalidParameter):
        _ = call_from_pb(pb.ToolCall.FromString(data)).argument_names


def read_chunk(data: bytes) -> None:
    with contextlib.suppress(DecodeError, ValueError):
        chunk_from_pb(pb.Chunk.FromString(data)).envelope()


def read_event(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        telemetry_codec.event_to_pb(telemetry_codec.event_from_pb(bridge_pb.TelemetryEvent.FromString(data)))


def mask_text(data: bytes) -> None:
    text = redaction.masked(data.decode("utf-8", "replace"))
    assert redaction.masked(text) == text


READERS: tuple[Callable[[bytes], None], ...] = (
    read_typed,
    read_json,
    read_parameters,
    read_result,
    read_tool_chunk,
    read_registration,
    read_failure,
    read_failure_message,
    read_call,
    read_chunk,
    read_event,
    mask_text,
)


def read(data: bytes) -> None:
    """Give an input to the reader that its first byte names."""
    if data:
        READERS[data[0] % len(READERS)](data[1:])
