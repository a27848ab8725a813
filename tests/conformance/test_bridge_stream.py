"""The bridge's ExecuteStreamingTool, driven with raw stubs: the customer's guide, row by row."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from waiting import came_to_rest, eventually, run_async, written

from conformance.bridge import Stranger, a_request, as_any, stranger_of
from snakepit_jupyter import Client, Event
from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb

Refusal = tuple[grpc.StatusCode, str]


def with_stranger(client: Client, scene: Any, session_id: str = "s") -> None:
    async def play() -> None:
        async with stranger_of(client) as stranger:
            await stranger.open(session_id)
            await scene(stranger)

    run_async(play())


async def registered(stranger: Stranger, name: str, *, worker: str, streaming: bool = False, **metadata: str) -> None:
    tool = pb.ToolRegistration(name=name, supports_streaming=streaming, metadata=metadata)
    request = pb.RegisterToolsRequest(session_id="s", tools=[tool], worker_id=worker)
    reply = await stranger.ask("RegisterTools", request)
    assert reply.success or "duplicate_tool" in reply.error_message


async def read_to_the_end(calling: Any) -> int:
    """How many chunks come, by the same way of reading as before: gRPC allows one for a call."""
    number = 0
    while await calling.read() is not grpc.aio.EOF:
        number += 1
    return number


def test_chunks_come_in_order_and_the_final_one_is_decorated(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        chunks = await stranger.chunks("s", "count", count=4)
        assert [json.loads(chunk.data)["number"] for chunk in chunks] == [1, 2, 3, 4]
        assert [chunk.is_final for chunk in chunks] == [False, False, False, True]
        assert [chunk.chunk_id for chunk in chunks] == [f"count-{n}" for n in range(1, 5)]
        assert [dict(chunk.metadata) for chunk in chunks[:-1]] == [{}, {}, {}]
        said = chunks[-1].metadata
        assert set(said) == {"execution_time_ms", "tool_type", "worker_id"}
        assert int(said["execution_time_ms"]) >= 0
        assert said["tool_type"] == "remote"
        assert said["worker_id"] in {worker.worker_id for worker in client.status().workers}

    with_stranger(client, scene)


def test_what_the_tool_said_in_its_final_chunk_stays(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        *_, final = await stranger.chunks("s", "own_final")
        assert json.loads(final.data) == {"answer": 42}
        assert final.is_final
        assert (final.metadata["worker_id"], final.metadata["note"]) == ("mine", "kept")
        assert final.metadata["tool_type"] == "remote"

    with_stranger(client, scene)


def test_nothing_comes_after_a_final_chunk(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        chunks = await stranger.chunks("s", "talk_on")
        assert [(json.loads(chunk.data), chunk.is_final) for chunk in chunks] == [
            ({"answer": 42, "is_final": True}, True)
        ]

    with_stranger(client, scene)


def test_each_kind_of_item_is_json_or_bytes_and_one_final_chunk_ends_them(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        request = a_request("s", "kinds", {}, binary_parameters={"blob": b"\x00\xff"})
        chunks = [chunk async for chunk in stranger.stream(request)]
        assert [chunk.data for chunk in chunks] == [b'{"a":1}', b"[1,2]", b"4.5", b'"text"', b"", b"\x00\xff", b""]
        assert [chunk.is_final for chunk in chunks] == [False] * 6 + [True]

    with_stranger(client, scene)


def test_what_a_tool_prints_is_no_chunk_of_the_contract(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        assert [json.loads(c.data)["step"] for c in await stranger.chunks("s", "chat")] == [1, 2]

    with_stranger(client, scene)


# The table of errors.


async def session_not_found(stranger: Stranger) -> Refusal:
    return await stranger.refusal(a_request("s-unknown", "count", {}))


async def tool_not_found(stranger: Stranger) -> Refusal:
    return await stranger.refusal(a_request("s", "cuont", {}))


async def local_tool(stranger: Stranger) -> Refusal:
    return await stranger.refusal(a_request("s", "host_side", {}))


async def remote_without_streaming(stranger: Stranger) -> Refusal:
    return await stranger.refusal(a_request("s", "ping", {}))


async def registered_without_streaming(stranger: Stranger) -> Refusal:
    await registered(stranger, "plain_peer", worker="ghost", supports_streaming="false")
    return await stranger.refusal(a_request("s", "plain_peer", {}))


async def worker_not_found(stranger: Stranger) -> Refusal:
    await registered(stranger, "ghostly", worker="ghost", streaming=True)
    return await stranger.refusal(a_request("s", "ghostly", {}))


async def bad_json(stranger: Stranger) -> Refusal:
    wrong = AnyMessage(type_url=as_any(0).type_url, value=b"{not json")
    return await stranger.refusal(pb.ExecuteToolRequest(session_id="s", tool_name="count", parameters={"count": wrong}))


async def unknown_parameter(stranger: Stranger) -> Refusal:
    return await stranger.refusal(a_request("s", "count", {"cuont": 3}))


async def wrong_type(stranger: Stranger) -> Refusal:
    return await stranger.refusal(a_request("s", "count", {"count": "three"}))


async def tool_raised(stranger: Stranger) -> Refusal:
    return await stranger.refusal(a_request("s", "raise_midway", {}))


async def deadline_of_the_request(stranger: Stranger) -> Refusal:
    return await stranger.refusal(a_request("s", "asleep", {"path": "/dev/null"}, metadata={"timeout_ms": "200"}))


TABLE = [
    (session_not_found, grpc.StatusCode.NOT_FOUND, "Session not found: s-unknown"),
    (tool_not_found, grpc.StatusCode.NOT_FOUND, "Tool cuont not found for session s"),
    (local_tool, grpc.StatusCode.UNIMPLEMENTED, "Streaming execution is not enabled for tool host_side. "),
    (remote_without_streaming, grpc.StatusCode.UNIMPLEMENTED, "Streaming execution is not enabled for tool ping. "),
    (registered_without_streaming, grpc.StatusCode.UNIMPLEMENTED, "Streaming execution is not enabled for tool plain"),
    (worker_not_found, grpc.StatusCode.UNAVAILABLE, "Worker not found: ghost"),
    (bad_json, grpc.StatusCode.INVALID_ARGUMENT, "Invalid parameter count: "),
    (unknown_parameter, grpc.StatusCode.INVALID_ARGUMENT, "Invalid parameter cuont: "),
    (wrong_type, grpc.StatusCode.INVALID_ARGUMENT, "Invalid parameter count: "),
    (tool_raised, grpc.StatusCode.INTERNAL, '{"type": "OSError", "message": "the disk is full"'),
    (deadline_of_the_request, grpc.StatusCode.DEADLINE_EXCEEDED, "asleep was given up after 0."),
]


@pytest.mark.parametrize(("scene", "status", "text"), TABLE, ids=[row[0].__name__ for row in TABLE])
def test_each_row_of_the_table_of_errors(client: Client, scene: Any, status: grpc.StatusCode, text: str) -> None:
    client.register_host_tool(lambda: None, name="host_side")
    seen: list[Refusal] = []

    async def play(stranger: Stranger) -> None:
        seen.append(await scene(stranger))

    with_stranger(client, play)
    assert seen[0][0] is status
    assert seen[0][1].startswith(text)


@pytest.mark.parametrize("letter", ["x", "%", "ü", "\U0001f40d", "\n"])
def test_a_status_whose_text_is_far_too_long_for_a_header_arrives_all_the_same(client: Client, letter: str) -> None:
    async def scene(stranger: Stranger) -> None:
        status, text = await stranger.refusal(a_request("s", letter * 50_000, {}))
        assert status is grpc.StatusCode.NOT_FOUND
        assert text.startswith(f"Tool {letter}")
        assert text.endswith("not found for session s")
        assert " … " in text

    with_stranger(client, scene)


@pytest.mark.parametrize("says", ["true", "1"])
def test_a_registered_tool_streams_if_its_metadata_say_so(client: Client, says: str) -> None:
    async def scene(stranger: Stranger) -> None:
        name = f"peer_{says}"
        await registered(stranger, name, worker="ghost", supports_streaming=says)
        # It gets past the check for streaming, and to the worker, which is not there.
        assert await stranger.refusal(a_request("s", name, {})) == (
            grpc.StatusCode.UNAVAILABLE,
            "Worker not found: ghost",
        )

    with_stranger(client, scene)


def test_a_tool_registered_by_the_name_of_a_worker_that_is_there_is_called(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        worker = client.status().workers[0].worker_id
        await registered(stranger, "count", worker=worker, streaming=True)
        assert len(await stranger.chunks("s", "count", count=2)) == 2

    with_stranger(client, scene)


def test_parameters_are_read_before_a_worker_is_touched(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        before = sum(worker.calls for worker in client.status().workers)
        runs = len(client.status().runs)
        assert (await bad_json(stranger))[0] is grpc.StatusCode.INVALID_ARGUMENT
        assert (await unknown_parameter(stranger))[0] is grpc.StatusCode.INVALID_ARGUMENT
        assert sum(worker.calls for worker in client.status().workers) == before
        assert len(client.status().runs) == runs

    with_stranger(client, scene)


def test_a_tool_registered_for_a_worker_that_does_not_have_it_is_not_found(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        worker = client.status().workers[0].worker_id
        await registered(stranger, "nobodys", worker=worker, streaming=True)
        await registered(stranger, "ping", worker=worker, streaming=True)
        assert await stranger.refusal(a_request("s", "nobodys", {})) == (
            grpc.StatusCode.NOT_FOUND,
            "Tool nobodys not found for session s",
        )
        status, text = await stranger.refusal(a_request("s", "ping", {}))
        assert status is grpc.StatusCode.UNIMPLEMENTED
        assert text.startswith("Streaming execution is not enabled for tool ping. ")

    with_stranger(client, scene)


def test_whoever_subscribed_is_told_of_calls_that_are_refused(client: Client) -> None:
    told: list[tuple[str, str, str]] = []

    def note(event: Event) -> None:
        told.append((event.name, event.metadata["tool"], event.metadata["code"]))

    async def scene(stranger: Stranger) -> None:
        for refused in (session_not_found, tool_not_found, remote_without_streaming, bad_json):
            await refused(stranger)
        assert not (await stranger.call("s", "cuont")).success

    with client.subscribe(note, "snakepit.*.failed"):
        with_stranger(client, scene)
        eventually(lambda: len(told) == 5)
    assert told == [
        ("snakepit.stream.failed", "count", "session_not_found"),
        ("snakepit.stream.failed", "cuont", "tool_not_found"),
        ("snakepit.stream.failed", "ping", "streaming_not_supported"),
        ("snakepit.stream.failed", "count", "invalid_parameter"),
        ("snakepit.call.failed", "cuont", "tool_not_found"),
    ]


def test_chunks_before_a_failure_stay_delivered(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        calling = stranger.stream(a_request("s", "raise_midway", {}))
        assert json.loads((await calling.read()).data) == {"step": 1}
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await calling.read()
        payload = json.loads(caught.value.details() or "")
        assert set(payload) == {"type", "message", "stacktrace", "traceback", "context"}
        assert payload["context"]["tool_name"] == "raise_midway"

    with_stranger(client, scene)


def test_a_worker_that_dies_is_unavailable_and_another_takes_its_place(client: Client) -> None:
    async def scene(stranger: Stranger) -> None:
        calling = stranger.stream(a_request("s", "endless", {"path": "/dev/null"}))
        first = json.loads((await calling.read()).data)
        os.kill(first["pid"], signal.SIGKILL)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_to_the_end(calling)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "in the middle of the call" in (caught.value.details() or "")
        assert len(await stranger.chunks("s", "count", count=2)) == 2

    with_stranger(client, scene)


@pytest.mark.parametrize("how", ["cancel", "deadline", "channel"])
def test_a_client_that_goes_away_ends_the_tools_generator(client: Client, tmp_path: Path, how: str) -> None:
    began, ended = tmp_path / "began", tmp_path / "ended"

    async def scene(stranger: Stranger) -> None:
        request = a_request("s", "noted", {"began": str(began), "ended": str(ended)})
        calling = stranger.stream(request, timeout=1.0 if how == "deadline" else None)
        await calling.read()
        while not began.exists():
            await calling.read()
        if how == "cancel":
            calling.cancel()
        elif how == "deadline":
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await read_to_the_end(calling)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        # else the channel is closed at the end of the scene

    with_stranger(client, scene)
    assert written(ended) == "ended"
    eventually(lambda: {w.status for w in client.status().workers} == {"ready"})


def test_a_client_that_does_not_read_holds_the_tool_back(client: Client, tmp_path: Path) -> None:
    note = tmp_path / "note"
    size = 64 * 1024

    async def scene(stranger: Stranger) -> None:
        calling = stranger.stream(a_request("s", "noted_count", {"count": 1000, "size": size, "note": str(note)}))
        await calling.read()
        stalled = await asyncio.to_thread(eventually, lambda: came_to_rest(lambda: int(note.read_text() or 0)))
        assert 1 < stalled * size < 24 * 1024 * 1024, "of 62.5: the bridge keeps 8, the rest is in gRPC's windows"
        assert await read_to_the_end(calling) == 1000  # 999 more, and the final one

    with_stranger(client, scene)


def test_a_worker_calls_a_host_tool_in_the_middle_of_a_stream(client: Client) -> None:
    client.register_host_tool(lambda value: {"doubled": value * 2}, name="double")

    async def scene(stranger: Stranger) -> None:
        chunks = await stranger.chunks("s", "asks_host", name="double", value=21)
        assert [json.loads(chunk.data or b"{}") for chunk in chunks] == [
            {"asking": "double"},
            {"answer": {"doubled": 42}},
            {},
        ]

    with_stranger(client, scene)


def test_a_client_that_goes_while_it_holds_the_tool_back_ends_it_too(client: Client, tmp_path: Path) -> None:
    began, ended = tmp_path / "began", tmp_path / "ended"

    async def scene(stranger: Stranger) -> None:
        given = {"began": str(began), "ended": str(ended), "size": 64 * 1024, "pause": 0}
        calling = stranger.stream(a_request("s", "noted", given))
        await calling.read()
        await asyncio.to_thread(eventually, lambda: came_to_rest(lambda: int(began.read_text() or 0)))
        calling.cancel()
        assert await asyncio.to_thread(written, ended) == "ended"

    with_stranger(client, scene)
