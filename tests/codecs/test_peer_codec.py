"""What is between our words and Snakepit's messages: values, results, chunks, failures, tools."""

import contextlib
import json
import math
import sys
import time
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest
from google.protobuf import wrappers_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st
from waiting import run_async

from snakepit_jupyter import values
from snakepit_jupyter.codecs import peer
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as bridge_pb
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.errors import BY_CODE, Failure, InvalidParameter, StreamingRequired, ToolError, error_from
from snakepit_jupyter.messages import Parameter, ToolInfo
from snakepit_jupyter.values import Encoding

SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
TEXT = "type.googleapis.com/google.protobuf.StringValue"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
URLS = st.sampled_from(
    [TEXT, "type.googleapis.com/google.protobuf.Value", "", "type.googleapis.com/", "/.", "…"]
    + [f"type.googleapis.com/google.protobuf.{name}Value" for name in ("Double", "Int64", "Bool", "Bytes", "Float")]
    + [f"type.googleapis.com/snakepit.{kind}" for kind in ("float", "integer", "tensor", "map", "tensor.binary")]
)


def decoded(value: bytes, url: str = TEXT) -> Any:
    return peer.decode_parameters({"x": AnyMessage(type_url=url, value=value)})["x"]


def of_kind(kind: str, value: Any) -> Any:
    return decoded(json.dumps(value).encode(), f"type.googleapis.com/snakepit.{kind}")


# Parameters.


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=5))
def test_any_json_value_comes_back_from_parameters_as_it_was(arguments: dict[str, Any]) -> None:
    back = peer.decode_parameters(peer.encode_parameters(arguments))
    assert back == arguments
    assert json.dumps(back) == json.dumps(arguments)  # tells 1 from 1.0 and from True, and -0.0 from 0.0


@given(st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=5))
def test_what_we_send_is_json_text_under_one_url(arguments: dict[str, Any]) -> None:
    sent = peer.encode_parameters(arguments)
    assert {message.type_url for message in sent.values()} <= {TEXT}
    assert {name: json.loads(message.value) for name, message in sent.items()} == arguments


@given(st.binary(), URLS)
def test_any_bytes_under_any_url_are_a_value_or_an_invalid_parameter(value: bytes, url: str) -> None:
    with contextlib.suppress(InvalidParameter):
        decoded(value, url)


@given(JSON_VALUES, st.text(max_size=30))
def test_json_under_an_unknown_url_is_read_as_json(value: Any, url: str) -> None:
    url = f"type.googleapis.com/unknown.{url}_"
    assert decoded(json.dumps(value).encode(), url) == value


@given(st.text())
def test_a_really_packed_text_stays_the_text_it_is(text: str) -> None:
    message = AnyMessage()
    message.Pack(wrappers_pb2.StringValue(value=text))
    assert peer.decode_parameters({"x": message}) == {"x": text}


@pytest.mark.parametrize(
    "text", ["123456789", "1234567890", "1234567890123", "1" * 32, "1" * 49, "None", "[1, 2]", "{'k': 1}", ""]
)
def test_a_packed_text_that_looks_like_json_stays_a_text(text: str) -> None:
    message = AnyMessage()
    message.Pack(wrappers_pb2.StringValue(value=text))
    assert peer.decode_parameters({"x": message}) == {"x": text}


@pytest.mark.parametrize(
    ("packed", "expected"),
    [
        (wrappers_pb2.DoubleValue(value=2.5), 2.5),
        (wrappers_pb2.DoubleValue(value=-math.inf), -math.inf),
        (wrappers_pb2.DoubleValue(), 0.0),
        (wrappers_pb2.FloatValue(value=0.5), 0.5),
        (wrappers_pb2.Int64Value(value=-(2**63)), -(2**63)),
        (wrappers_pb2.UInt64Value(value=2**64 - 1), 2**64 - 1),
        (wrappers_pb2.BoolValue(value=True), True),
        (wrappers_pb2.BoolValue(value=False), False),
        (wrappers_pb2.BytesValue(value=b"\xff\x00"), b"\xff\x00"),
    ],
)
def test_other_packed_wrappers_are_understood(packed: Any, expected: Any) -> None:
    message = AnyMessage()
    message.Pack(packed)
    value = peer.decode_parameters({"x": message})["x"]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("url", "value", "expected"),
    [  # what upstream's own bridge and worker write
        (TEXT, b'"hello"', "hello"),
        (TEXT, b'{"k":[1,2.0,null,true]}', {"k": [1, 2.0, None, True]}),
        (TEXT, b"\x0a\x05hello", "hello"),
        (TEXT, b"\x0a\x06[1, 2]", "[1, 2]"),
        ("type.googleapis.com/google.protobuf.Value", b"3", 3),
        ("type.googleapis.com/google.protobuf.Value", b"true", True),
        ("", b"[1]", [1]),
        (TEXT, b"123456789012345678901234567890", 123456789012345678901234567890),
        (TEXT, b' "padded" ', "padded"),
    ],
)
def test_all_three_encodings_of_the_contract_are_read(url: str, value: bytes, expected: Any) -> None:
    assert decoded(value, url) == expected


@pytest.mark.parametrize(("text", "expected"), SPECIAL.items())
def test_special_floats_travel_as_texts_of_the_kind_float(text: str, expected: float) -> None:
    assert of_kind("float", text) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("float", 3, 3.0),
        ("float", "2.5", 2.5),
        ("integer", 3.7, 3),
        ("integer", "5", 5),
        ("integer", 2**70, 2**70),
        ("string", 5, 5),
        ("map", {"a": 1}, {"a": 1}),
    ],
)
def test_kinds_convert_as_the_contract_says(kind: str, value: Any, expected: Any) -> None:
    result = of_kind(kind, value)
    assert result == expected
    assert type(result) is type(expected)


def test_a_tensor_is_an_array_of_its_shape() -> None:
    array = of_kind("tensor", {"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6.5]})
    assert isinstance(array, np.ndarray)
    assert array.tolist() == [[1, 2, 3], [4, 5, 6.5]]


def test_without_numpy_a_tensor_is_a_nested_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert of_kind("tensor", {"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}) == [[1, 2, 3], [4, 5, 6]]
    assert of_kind("tensor", {"shape": [3, 1, 2], "data": [[1, 2], [3, 4], [5, 6]]}) == [[[1, 2]], [[3, 4]], [[5, 6]]]
    assert of_kind("tensor", {"shape": [], "data": 7}) == 7
    with pytest.raises(InvalidParameter):
        of_kind("tensor", {"shape": [2, 2], "data": [1, 2, 3]})


@pytest.mark.parametrize(
    ("url", "value"),
    [
        (TEXT, b"SECRET"),
        (TEXT, b'{"SECRET": '),
        (TEXT, b"\xff\xfeSECRET"),
        (TEXT, b"\x0a\x07SECRET"),  # one byte too few
        (TEXT, b"NaN"),
        (TEXT, b"-Infinity"),
        (TEXT, b"[" * 100_000),
        ("type.googleapis.com/snakepit.float", b'"SECRET"'),
        ("type.googleapis.com/snakepit.float", b"null"),
        ("type.googleapis.com/snakepit.integer", b'"SECRET"'),
        ("type.googleapis.com/snakepit.integer", b"1e999"),
        ("type.googleapis.com/snakepit.tensor", b'{"shape": [2], "data": ["SECRET"]}'),
        ("type.googleapis.com/snakepit.tensor", b'{"shape": ["SECRET"], "data": [1]}'),
        ("type.googleapis.com/snakepit.tensor", b'["SECRET"]'),
        ("type.googleapis.com/google.protobuf.Value", b""),
        ("", b""),
    ],
)
def test_what_cannot_be_read_is_an_invalid_parameter_that_shows_nothing_of_it(url: str, value: bytes) -> None:
    with pytest.raises(InvalidParameter, match="'blob'") as caught:
        peer.decode_parameters({"fine": AnyMessage(value=b"1"), "blob": AnyMessage(type_url=url, value=value)})
    assert caught.value.key == "blob"
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


# Results.


def response_to(value: Any) -> bridge_pb.ExecuteToolResponse:
    return peer.execute_response(*values.encode_plain(value), metadata={"m": "1"}, execution_time_ms=12)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (True, "boolean", b"true"),
        (7, "integer", b"7"),
        (2**60 + 1, "integer", b"1152921504606846977"),
        (-3, "integer", b"-3"),
        (7.0, "float", b"7.0"),
        (1e300, "float", b"1e300"),
        ("text", "string", b'"text"'),
        ({"a": 1}, "map", b'{"a":1}'),
        ([1, 2], "list", b"[1,2]"),
        (None, "null", b"null"),
    ],
)
def test_a_result_is_json_under_its_kind(value: Any, kind: str, text: bytes) -> None:
    response = response_to(value)
    assert response.success
    assert response.result.type_url == f"type.googleapis.com/snakepit.{kind}"
    assert response.result.value == text
    assert (dict(response.metadata), response.execution_time_ms) == ({"m": "1"}, 12)


def test_bytes_are_a_binary_result() -> None:
    response = response_to(b"\x00\xff")
    assert response.binary_result == b"\x00\xff"
    assert not response.HasField("result")


@given(JSON_VALUES | st.binary())
def test_a_result_comes_back_as_it_was(value: Any) -> None:
    back = values.decode(*peer.result_of(response_to(value)))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_special_float_is_a_text_of_the_kind_float(literal: bytes) -> None:
    response = peer.execute_response(literal, Encoding.JSON, {}, 0)
    assert response.result.type_url == "type.googleapis.com/snakepit.float"
    assert json.loads(response.result.value) == literal.decode()
    back = values.decode(*peer.result_of(response))
    assert back == pytest.approx(SPECIAL[literal.decode()], nan_ok=True)


def test_no_payload_at_all_is_none() -> None:
    assert peer.execute_response(b"", Encoding.JSON, {}, 0).result.value == b"null"
    assert values.decode(*peer.result_of(bridge_pb.ExecuteToolResponse(success=True))) is None
    empty = bridge_pb.ExecuteToolResponse(success=True, result=AnyMessage())
    assert values.decode(*peer.result_of(empty)) is None


def result_from(value: bytes, url: str = TEXT, binary: bytes = b"") -> Any:
    response = bridge_pb.ExecuteElixirToolResponse(
        success=True, result=AnyMessage(type_url=url, value=value), binary_result=binary
    )
    return values.decode(*peer.result_of(response))


def test_binary_results_of_peers_are_bytes_or_bytes_with_what_is_said_of_them() -> None:
    only = bridge_pb.ExecuteToolResponse(success=True, binary_result=b"\x00")
    assert values.decode(*peer.result_of(only)) == b"\x00"
    assert result_from(b"{}", binary=b"\x00") == b"\x00"
    assert result_from(b'{"w": 1}', binary=b"\x00") == {"binary": b"\x00", "metadata": {"w": 1}}


def test_results_of_peers_that_are_no_json_are_text_or_bytes() -> None:
    assert result_from(b"%Decimal{sign: 1}") == "%Decimal{sign: 1}"
    assert result_from(b"\xff\xfe") == b"\xff\xfe"
    assert result_from(b"\x0a\x05hello") == "hello"


def test_results_of_peers_are_read_by_their_kind() -> None:
    assert result_from(b'"None"', "type.googleapis.com/snakepit.string") == "None"
    assert result_from(b"7.0", "type.googleapis.com/snakepit.float") == 7.0
    assert math.isnan(result_from(b'"NaN"', "type.googleapis.com/snakepit.float"))
    assert result_from(b'"NaN"', "type.googleapis.com/snakepit.string") == "NaN"


@given(st.binary(), URLS, st.binary(max_size=3))
def test_any_reply_is_some_result(value: bytes, url: str, binary: bytes) -> None:
    result_from(value, url, binary)


# Chunks.


@given(st.binary(), st.booleans(), st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2))
def test_a_chunks_payload_crosses_untouched(data: bytes, final: bool, metadata: dict[str, str]) -> None:
    chunk = pb.Chunk(seq=5, data=data, encoding=pb.ENCODING_BYTES, is_final=final, metadata=metadata)
    message = peer.tool_chunk(chunk, "t-5")
    assert (message.chunk_id, message.data, message.is_final) == ("t-5", data, final)
    assert dict(message.metadata) == metadata
    back = peer.chunk_of(message)
    assert (back.data, back.is_final, dict(back.metadata)) == (data, final, metadata)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", pb.ENCODING_JSON),
        (b'{"a": 1}', pb.ENCODING_JSON),
        (b" [1]\n", pb.ENCODING_JSON),
        (b"7", pb.ENCODING_JSON),
        (b"plain text", pb.ENCODING_BYTES),
        (b"NaN", pb.ENCODING_BYTES),
        (b'{"loss": NaN}', pb.ENCODING_BYTES),
        (b"\xff\x00", pb.ENCODING_BYTES),
        (b"[" * 100_000, pb.ENCODING_BYTES),
    ],
)
def test_a_peers_chunk_is_json_or_bytes(data: bytes, encoding: int) -> None:
    assert peer.chunk_of(bridge_pb.ToolChunk(data=data)).encoding == encoding


# Failures.


RAISED = Failure(
    "tool_error",
    "ValueError: too many",
    remote_type="ValueError",
    remote_traceback='Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: too many\n',
)


def test_a_tools_exception_is_told_with_five_keys() -> None:
    told = json.loads(peer.error_payload(RAISED, "count", "s1", {"library": "numpy", "function": [1], "x": "SECRET"}))
    assert set(told) == {"type", "message", "stacktrace", "traceback", "context"}
    assert (told["type"], told["message"]) == ("ValueError", "too many")
    assert told["traceback"] == RAISED.remote_traceback == "".join(told["stacktrace"])
    assert told["context"] == {"tool_name": "count", "session_id": "s1", "library": "numpy"}


def test_our_own_errors_go_by_the_name_of_their_class() -> None:
    told = json.loads(peer.error_payload(StreamingRequired("it streams").failure(), "t", "s"))
    assert told["type"] == "StreamingRequired"
    assert told["message"] == "it streams\nCall it with execute_stream()."
    assert told["stacktrace"]


@pytest.mark.parametrize("code", BY_CODE)
def test_a_failure_comes_back_as_it_was(code: str) -> None:
    error = BY_CODE[code]("it went wrong", hint="do this", details={"key": "x"})
    failure = RAISED if isinstance(error, ToolError) else error.failure()
    assert peer.failure_of(peer.error_payload(failure, "t", "s")) == failure


def test_an_exception_without_a_text_has_none() -> None:
    failure = Failure("tool_error", "KeyError", remote_type="KeyError", remote_traceback="KeyError\n")
    assert json.loads(peer.error_payload(failure, "t", "s"))["message"] == ""
    assert peer.failure_of(peer.error_payload(failure, "t", "s")) == failure


def test_what_upstream_says_of_an_exception_is_a_tool_error_with_its_traceback() -> None:
    told = {"type": "KeyError", "message": "'k'", "stacktrace": ["a\n", "b"], "traceback": "a\nb", "context": {}}
    error = error_from(peer.failure_of(json.dumps(told)))
    assert isinstance(error, ToolError)
    assert (error.remote_type, error.remote_message, error.remote_traceback) == ("KeyError", "'k'", "a\nb")
    del told["traceback"]
    assert peer.failure_of(json.dumps(told)).remote_traceback == "a\nb"


@pytest.mark.parametrize("text", ["not_found", "", "[1]", '{"type": "X"}', "null", "{", '"text"'])
def test_a_text_that_is_no_payload_is_the_message(text: str) -> None:
    assert peer.failure_of(text) == Failure("tool_error", text)


@given(st.text() | JSON_VALUES.map(json.dumps))
def test_any_text_is_some_failure(text: str) -> None:
    assert peer.failure_of(text).code


@given(
    st.fixed_dictionaries(dict.fromkeys(("type", "message", "stacktrace", "traceback", "context"), JSON_VALUES)),
    st.sampled_from(["", "invalid_parameter", "tool_error", "nonsense"]),
)
def test_a_payload_of_any_contents_is_some_failure(fields: dict[str, Any], code: str) -> None:
    if isinstance(fields["context"], dict) and code:
        fields["context"]["code"] = code
    failure = peer.failure_of(json.dumps(fields))
    assert all(isinstance(text, str) for text in (failure.code, failure.message, failure.remote_traceback))


async def details_of_a_refusal(text: str) -> str:
    """A text as it arrives when a server refuses a call with it."""

    async def refuse(_request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        await context.abort(grpc.StatusCode.INTERNAL, text)

    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(refuse)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.Service", {"Refuse": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary("/a.Service/Refuse")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"")
    await server.stop(None)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    return caught.value.details() or ""


WORST = ["x", "é", "%", "\n", '"', "\\", "😀", "\x00", "\ud800"]


@pytest.mark.parametrize("letter", WORST)
def test_a_huge_failure_arrives_whole_as_status_details(letter: str) -> None:
    lines = [f"line {n} {letter * 50}\n" for n in range(5000)]
    failure = Failure(
        "tool_error",
        f"ValueError: {letter * 100_000}",
        remote_type="ValueError",
        remote_traceback="".join(lines) + "ValueError: the last line",
    )
    text = peer.error_payload(failure, letter * 5000, letter * 5000, {"library": letter * 5000})

    told = json.loads(run_async(details_of_a_refusal(text)))
    assert told["type"] == "ValueError"
    assert told["traceback"].startswith("line 0")
    assert told["traceback"].endswith("ValueError: the last line")
    assert told["context"]["tool_name"].startswith(letter)


def test_a_failure_with_countless_details_still_fits() -> None:
    failure = InvalidParameter("no", details={f"key {n}": "x" * 100 for n in range(1000)}).failure()
    text = peer.error_payload(failure, "t", "s")
    assert len(text) <= peer.STATUS_DETAILS
    assert json.loads(text)["type"] == "InvalidParameter"


def test_an_answer_has_room_for_more_but_not_for_everything() -> None:
    def answered(letters: int) -> str:
        texts = ["x" * letters, "y" * letters + "the end"]
        failure = Failure("tool_error", f"E: {texts[0]}", remote_type="E", remote_traceback=texts[1])
        return peer.error_answer(failure, "t", "s")

    told = json.loads(answered(20_000))
    assert (told["message"], told["traceback"]) == ("x" * 20_000, "y" * 20_000 + "the end")
    for letters in (50_000, 6_000_000):
        text = answered(letters)
        told = json.loads(text)
        assert peer.ANSWER // 2 < len(text) <= peer.ANSWER
        assert told["message"].startswith("xxx")
        assert told["traceback"].endswith("yyythe end")


@pytest.mark.parametrize("letter", [letter for letter in WORST if letter != "\ud800"])
def test_a_long_text_fits_into_an_answer_with_both_its_ends(letter: str) -> None:
    text = peer.answer_text(f"it began so {letter * 1_000_000} and ended so")
    assert peer.ANSWER // 2 < len(text.encode()) <= peer.ANSWER
    assert text.startswith("it began so ")
    assert text.endswith(" and ended so")
    assert peer.answer_text(letter * 10) == letter * 10


def test_a_text_of_any_length_costs_no_more_than_one_that_fits() -> None:
    text = "x%é" * 10_000_000
    failure = Failure("tool_error", f"E: {text}", remote_type="E", remote_traceback=text)
    ours = InvalidParameter(text, hint=text, details={text: text}).failure()
    before = time.process_time()
    for said in (failure, ours):
        peer.error_payload(said, "t", "s", {"library": text})
        peer.error_answer(said, text, text)
    peer.status_details(text)
    peer.answer_text(text)
    # Each of these took seconds while it looked at every letter, and the bridge stood still.
    assert time.process_time() - before < 3


# Tools.


INFO = ToolInfo(
    name="train",
    description="Train a model",
    streaming=True,
    parameters=(
        Parameter("data", "", required=True),
        Parameter("epochs", "int", required=False, default_json="10"),
        Parameter("path", "str | None", required=False, default_json="null"),
        Parameter("odd", "Any", required=False),
    ),
    adapter="tools.deep:Trainer",
    variadic=True,
    required_variables=("model", "rate"),
)


def test_a_registered_tool_is_listed_as_ours_are() -> None:
    assert peer.tool_info(peer.registration(INFO)) == INFO


def test_a_registration_says_what_upstreams_says() -> None:
    message = peer.registration(INFO)
    assert dict(message.metadata) == {
        "adapter_class": "Trainer",
        "module": "tools.deep",
        "required_variables": "model,rate",
        "variadic": "true",
    }
    assert [(p.name, p.type, p.required) for p in message.parameters][:2] == [
        ("data", "any", True),
        ("epochs", "int", False),
    ]
    assert json.loads(message.parameters[1].validation_json) == {"default": 10}
    assert message.parameters[1].default_value == AnyMessage(type_url=TEXT, value=b"10")
    assert message.supports_streaming
    assert message.parameters[3].validation_json == ""


def test_a_spec_says_the_same_as_a_registration() -> None:
    spec, message = peer.tool_spec(INFO), peer.registration(INFO)
    assert spec.SerializeToString() == message.SerializeToString()


@pytest.mark.parametrize(
    "spec",
    [
        bridge_pb.ParameterSpec(name="p", validation_json='{"default": [1, 2]}'),
        bridge_pb.ParameterSpec(name="p", default_value=AnyMessage(value=b"[1, 2]")),
    ],
)
def test_a_default_is_read_from_either_field(spec: bridge_pb.ParameterSpec) -> None:
    info = peer.tool_info(bridge_pb.ToolRegistration(name="t", parameters=[spec]))
    assert json.loads(info.parameters[0].default_json) == [1, 2]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "NaN", '{"default": NaN}'])
def test_a_default_that_cannot_be_read_is_none(text: str) -> None:
    spec = bridge_pb.ParameterSpec(name="p", validation_json=text)
    assert peer.tool_info(bridge_pb.ToolRegistration(name="t", parameters=[spec])).parameters[0].default_json == ""


@pytest.mark.parametrize(("said", "streams"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_streaming_may_be_said_in_words(said: str, streams: bool) -> None:
    message = bridge_pb.ToolRegistration(name="t", metadata={"supports_streaming": said})
    assert peer.tool_info(message).streaming is streams
