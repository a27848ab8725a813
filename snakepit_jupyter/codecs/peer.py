"""Between the project's words and the messages of Snakepit's BridgeService (proto/snakepit_bridge.proto).

Payloads pass through as they are, wherever JSON or bytes stay JSON or bytes; a value is only read where the
contract gives its kind a meaning of its own.
"""

from collections.abc import Iterable, Mapping

from google.protobuf.any_pb2 import Any as AnyMessage

from snakepit_jupyter import exact_json, values
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.correlation import HEADER as CORRELATION_HEADER
from snakepit_jupyter.codecs.correlation import chosen
from snakepit_jupyter.codecs.peer_failures import (
    ANSWER,
    STATUS_DETAILS,
    answer_text,
    error_answer,
    error_payload,
    failure_of,
    status_details,
)
from snakepit_jupyter.codecs.peer_values import (
    CONVERSIONS,
    NOTHING,
    PREFIX,
    SPECIAL_FLOATS,
    TEXT_URL,
    decode_any,
    decode_parameters,
    decode_strictly,
    encode_parameters,
    is_json,
    kind_of,
    unpacked,
)
from snakepit_jupyter.errors import UnserializableValue
from snakepit_jupyter.messages import Parameter, ToolInfo
from snakepit_jupyter.values import Encoding, Payload

__all__ = [
    "ANSWER",
    "CORRELATION_HEADER",
    "STATUS_DETAILS",
    "answer_text",
    "chunk_of",
    "correlation_id",
    "decode_parameters",
    "encode_parameters",
    "error_answer",
    "error_payload",
    "execute_response",
    "failure_of",
    "registration",
    "result_of",
    "status_details",
    "tool_chunk",
    "tool_info",
    "tool_spec",
]

NULL = b"null"


def correlation_id(metadata: Mapping[str, str], headers: Mapping[str, str | bytes]) -> str:
    """What ties together everything that is said of a request: its own word, its header's, or a new id.

    A word that cannot be an id (see `correlation.is_id`) counts as none.

    Args:
        metadata: the request's own.
        headers: the call's gRPC metadata.
    """
    return chosen(metadata.get("correlation_id"), headers.get(CORRELATION_HEADER))


# Results.


def execute_response(
    data: bytes, encoding: Encoding, metadata: Mapping[str, str], execution_time_ms: int
) -> bridge_pb.ExecuteToolResponse:
    """The reply to a call that succeeded.

    Args:
        data: the result as a plain payload: strict JSON, nothing for None, or bytes.
        encoding: how it is written.
        metadata: what is said beside it.
        execution_time_ms: how long it took, in milliseconds.
    """
    response = bridge_pb.ExecuteToolResponse(success=True, metadata=metadata, execution_time_ms=execution_time_ms)
    if encoding is Encoding.BYTES and data:
        response.binary_result = data
    else:
        response.result.CopyFrom(_result_any(data, encoding))
    return response


def _result_any(data: bytes, encoding: Encoding) -> AnyMessage:
    if encoding is Encoding.BYTES:  # no bytes at all: an empty binary_result would be none
        return AnyMessage(type_url=f"{PREFIX}snakepit.binary")
    text = data or NULL
    if text.decode("ascii", "replace") in SPECIAL_FLOATS:
        text = b'"' + text + b'"'
        return AnyMessage(type_url=f"{PREFIX}snakepit.float", value=text)
    return AnyMessage(type_url=f"{PREFIX}snakepit.{_json_kind(text)}", value=text)


def _json_kind(text: bytes) -> str:
    """The kind of a JSON value, by its text."""
    first = text.lstrip()[:1]
    if first in FIRST_BYTES:
        return FIRST_BYTES[first]
    return "float" if set(text) & set(b".eE") else "integer"


FIRST_BYTES = {b"{": "map", b"[": "list", b'"': "string", b"t": "boolean", b"f": "boolean", b"n": "null"}


def result_of(response: bridge_pb.ExecuteToolResponse | bridge_pb.ExecuteElixirToolResponse) -> Payload:
    """The result of a reply with success=true (section 3.6 of the wire contract).

    Bytes with a description beside them give `{"binary": bytes, "metadata": description}`; what is neither JSON
    nor a packed wrapper is text if it can be, else bytes.
    """
    beside = _any_payload(response.result) if response.HasField("result") else Payload(NULL)
    if not response.binary_result:
        return beside
    said = values.decode(*beside)
    if said is None or (isinstance(said, dict) and not said):  # not `==`: an array compares its elements
        return Payload(response.binary_result, Encoding.BYTES)
    return values.encode({"binary": response.binary_result, "metadata": said})


def _any_payload(message: AnyMessage) -> Payload:
    kind = kind_of(message)
    if kind == "binary":
        return Payload(message.value, Encoding.BYTES)
    if not message.value and not kind:
        return Payload(NULL)
    try:
        if kind in CONVERSIONS or unpacked(message) is not NOTHING:
            return values.encode(decode_any(message))
        decode_strictly(message.value)
    except (ValueError, TypeError, OverflowError):
        return _raw(message.value)
    return Payload(message.value)


def _raw(data: bytes) -> Payload:
    try:
        return Payload(exact_json.encode(data.decode("utf-8")))
    except UnicodeDecodeError:
        return Payload(data, Encoding.BYTES)


# Chunks.


def tool_chunk(chunk: pb.Chunk, chunk_id: str) -> bridge_pb.ToolChunk:
    """A plain chunk of data for a peer: JSON and bytes as they are, nothing as nothing."""
    return bridge_pb.ToolChunk(
        chunk_id=chunk_id, data=chunk.data, is_final=chunk.is_final, metadata=dict(chunk.metadata)
    )


def chunk_of(message: bridge_pb.ToolChunk) -> pb.Chunk:
    """A peer's chunk: what is no strict JSON are bytes. It has no sequence number yet."""
    encoding = pb.ENCODING_JSON if not message.data or is_json(message.data) else pb.ENCODING_BYTES
    return pb.Chunk(data=message.data, encoding=encoding, is_final=message.is_final, metadata=dict(message.metadata))


# Tools.


def tool_spec(info: ToolInfo) -> bridge_pb.ToolSpec:
    """A tool as a session's list names it."""
    return bridge_pb.ToolSpec(
        name=info.name,
        description=info.description,
        parameters=_parameter_specs(info.parameters),
        metadata=_tool_metadata(info),
        supports_streaming=info.streaming,
    )


def registration(info: ToolInfo) -> bridge_pb.ToolRegistration:
    """A tool as a worker registers it for a session."""
    return bridge_pb.ToolRegistration(
        name=info.name,
        description=info.description,
        parameters=_parameter_specs(info.parameters),
        metadata=_tool_metadata(info),
        supports_streaming=info.streaming,
    )


def _tool_metadata(info: ToolInfo) -> dict[str, str]:
    module, _, name = info.adapter.replace(":", ".").rpartition(".")
    said = {
        "adapter_class": name,
        "module": module,
        "required_variables": ",".join(info.required_variables),
        "variadic": "true" if info.variadic else "",
    }
    return {key: value for key, value in said.items() if value}


def _parameter_specs(parameters: Iterable[Parameter]) -> list[bridge_pb.ParameterSpec]:
    return [_parameter_spec(parameter) for parameter in parameters]


def _parameter_spec(parameter: Parameter) -> bridge_pb.ParameterSpec:
    spec = bridge_pb.ParameterSpec(name=parameter.name, type=parameter.type or "any", required=parameter.required)
    text = parameter.default_json.encode()
    if is_json(text):
        spec.default_value.CopyFrom(AnyMessage(type_url=TEXT_URL, value=text))
        spec.validation_json = f'{{"default":{parameter.default_json}}}'
    return spec


# How peers say in words that a tool streams.
STREAMS = ("true", "1")


def tool_info(message: bridge_pb.ToolRegistration | bridge_pb.ToolSpec) -> ToolInfo:
    """A peer's tool, as ours are listed."""
    said = message.metadata
    adapter = ":".join(filter(None, [said.get("module", ""), said.get("adapter_class", "")]))
    return ToolInfo(
        name=message.name,
        description=message.description,
        streaming=message.supports_streaming or said.get("supports_streaming") in STREAMS,
        parameters=tuple(map(_parameter_of, message.parameters)),
        adapter=adapter,
        variadic=said.get("variadic") == "true",
        required_variables=tuple(filter(None, said.get("required_variables", "").split(","))),
    )


def _parameter_of(spec: bridge_pb.ParameterSpec) -> Parameter:
    kind = "" if spec.type == "any" else spec.type
    default = "" if spec.required else _default_json(spec)
    return Parameter(spec.name, kind, required=spec.required, default_json=default)


def _default_json(spec: bridge_pb.ParameterSpec) -> str:
    """The default as JSON, from the one field or the other; "" if neither says it."""
    try:
        if spec.HasField("default_value"):
            return exact_json.encode(decode_any(spec.default_value)).decode()
        return exact_json.encode(decode_strictly(spec.validation_json.encode())["default"]).decode()
    except (ValueError, TypeError, KeyError, OverflowError, UnserializableValue):
        return ""
