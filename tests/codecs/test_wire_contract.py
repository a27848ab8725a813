"""The contract of Snakepit 0.13, written down beside our copy of it: names, numbers, types."""

from google.protobuf.descriptor import FieldDescriptor

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb

RPCS = {
    "Ping": ("PingRequest", "PingResponse"),
    "InitializeSession": ("InitializeSessionRequest", "InitializeSessionResponse"),
    "CleanupSession": ("CleanupSessionRequest", "CleanupSessionResponse"),
    "GetSession": ("GetSessionRequest", "GetSessionResponse"),
    "Heartbeat": ("HeartbeatRequest", "HeartbeatResponse"),
    "ExecuteTool": ("ExecuteToolRequest", "ExecuteToolResponse"),
    "ExecuteStreamingTool": ("ExecuteToolRequest", "stream ToolChunk"),
    "RegisterTools": ("RegisterToolsRequest", "RegisterToolsResponse"),
    "GetExposedElixirTools": ("GetExposedElixirToolsRequest", "GetExposedElixirToolsResponse"),
    "ExecuteElixirTool": ("ExecuteElixirToolRequest", "ExecuteElixirToolResponse"),
    "StreamTelemetry": ("stream TelemetryControl", "stream TelemetryEvent"),
}

MESSAGES = {
    "PingRequest": {
        "message": (1, "string"),
    },
    "PingResponse": {
        "message": (1, "string"),
        "server_time": (2, "Timestamp"),
    },
    "InitializeSessionRequest": {
        "session_id": (1, "string"),
        "metadata": (2, "map<string,string>"),
        "config": (3, "SessionConfig"),
    },
    "SessionConfig": {
        "enable_caching": (1, "bool"),
        "cache_ttl_seconds": (2, "int32"),
        "enable_telemetry": (3, "bool"),
    },
    "InitializeSessionResponse": {
        "success": (1, "bool"),
        "error_message": (2, "string"),
        "available_tools": (3, "map<string,ToolSpec>"),
    },
    "CleanupSessionRequest": {
        "session_id": (1, "string"),
        "force": (2, "bool"),
    },
    "CleanupSessionResponse": {
        "success": (1, "bool"),
        "resources_cleaned": (2, "int32"),
    },
    "ToolSpec": {
        "name": (1, "string"),
        "description": (2, "string"),
        "parameters": (3, "repeated ParameterSpec"),
        "metadata": (4, "map<string,string>"),
        "supports_streaming": (5, "bool"),
    },
    "ParameterSpec": {
        "name": (1, "string"),
        "type": (2, "string"),
        "description": (3, "string"),
        "required": (4, "bool"),
        "default_value": (5, "Any"),
        "validation_json": (6, "string"),
    },
    "ExecuteToolRequest": {
        "session_id": (1, "string"),
        "tool_name": (2, "string"),
        "parameters": (3, "map<string,Any>"),
        "metadata": (4, "map<string,string>"),
        "stream": (5, "bool"),
        "binary_parameters": (6, "map<string,bytes>"),
    },
    "ExecuteToolResponse": {
        "success": (1, "bool"),
        "result": (2, "Any"),
        "error_message": (3, "string"),
        "metadata": (4, "map<string,string>"),
        "execution_time_ms": (5, "int64"),
        "binary_result": (6, "bytes"),
    },
    "ToolChunk": {
        "chunk_id": (1, "string"),
        "data": (2, "bytes"),
        "is_final": (3, "bool"),
        "metadata": (4, "map<string,string>"),
    },
    "GetSessionRequest": {
        "session_id": (1, "string"),
    },
    "GetSessionResponse": {
        "session_id": (1, "string"),
        "metadata": (2, "map<string,string>"),
        "created_at": (3, "Timestamp"),
        "tool_count": (4, "int32"),
    },
    "HeartbeatRequest": {
        "session_id": (1, "string"),
        "client_time": (2, "Timestamp"),
    },
    "HeartbeatResponse": {
        "server_time": (1, "Timestamp"),
        "session_valid": (2, "bool"),
    },
    "RegisterToolsRequest": {
        "session_id": (1, "string"),
        "tools": (2, "repeated ToolRegistration"),
        "worker_id": (3, "string"),
    },
    "ToolRegistration": {
        "name": (1, "string"),
        "description": (2, "string"),
        "parameters": (3, "repeated ParameterSpec"),
        "metadata": (4, "map<string,string>"),
        "supports_streaming": (5, "bool"),
    },
    "RegisterToolsResponse": {
        "success": (1, "bool"),
        "tool_ids": (2, "map<string,string>"),
        "error_message": (3, "string"),
    },
    "GetExposedElixirToolsRequest": {
        "session_id": (1, "string"),
    },
    "GetExposedElixirToolsResponse": {
        "tools": (1, "repeated ToolSpec"),
    },
    "ExecuteElixirToolRequest": {
        "session_id": (1, "string"),
        "tool_name": (2, "string"),
        "parameters": (3, "map<string,Any>"),
        "metadata": (4, "map<string,string>"),
    },
    "ExecuteElixirToolResponse": {
        "success": (1, "bool"),
        "result": (2, "Any"),
        "error_message": (3, "string"),
        "metadata": (4, "map<string,string>"),
        "execution_time_ms": (5, "int64"),
        "binary_result": (6, "bytes"),
    },
    "TelemetryEvent": {
        "event_parts": (1, "repeated string"),
        "measurements": (2, "map<string,TelemetryValue>"),
        "metadata": (3, "map<string,string>"),
        "timestamp_ns": (4, "int64"),
        "correlation_id": (5, "string"),
    },
    "TelemetryValue": {
        "int_value": (1, "int64"),
        "float_value": (2, "double"),
        "string_value": (3, "string"),
    },
    "TelemetryControl": {
        "toggle": (1, "TelemetryToggle"),
        "sampling": (2, "TelemetrySamplingUpdate"),
        "filter": (3, "TelemetryEventFilter"),
    },
    "TelemetryToggle": {
        "enabled": (1, "bool"),
    },
    "TelemetrySamplingUpdate": {
        "sampling_rate": (1, "double"),
        "event_patterns": (2, "repeated string"),
    },
    "TelemetryEventFilter": {
        "allow": (1, "repeated string"),
        "deny": (2, "repeated string"),
    },
}

SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_DOUBLE: "double",
}


def type_of(field: FieldDescriptor) -> str:
    message = field.message_type
    if message is None:
        name = SCALARS[field.type]
    elif message.GetOptions().map_entry:
        return f"map<{type_of(message.fields_by_name['key'])},{type_of(message.fields_by_name['value'])}>"
    else:
        name = message.name
    return f"repeated {name}" if field.is_repeated else name


def test_every_rpc_has_upstreams_name_and_messages() -> None:
    service = pb.DESCRIPTOR.services_by_name["BridgeService"]
    ours = {
        method.name: (
            ("stream " if method.client_streaming else "") + method.input_type.name,
            ("stream " if method.server_streaming else "") + method.output_type.name,
        )
        for method in service.methods
    }
    assert service.full_name == "snakepit.bridge.BridgeService"
    assert ours == RPCS


def test_every_message_has_upstreams_fields_numbers_and_types() -> None:
    ours = {
        name: {field.name: (field.number, type_of(field)) for field in message.fields}
        for name, message in pb.DESCRIPTOR.message_types_by_name.items()
    }
    assert ours == MESSAGES
