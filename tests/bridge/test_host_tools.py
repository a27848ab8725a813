"""The bridge's list of host tools: who offers what, and what becomes of a call whose client goes."""

import asyncio
from collections.abc import AsyncIterator

from waiting import run_async

from snakepit_jupyter.bridge.host_tools import HostTools, Offer
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb


async def offering(*tools: pb.HostTool) -> AsyncIterator[pb.HostToolOffer]:
    """A client that offers these, and answers nothing."""
    yield pb.HostToolOffer(client_id="c", tools=tools)
    await asyncio.Event().wait()


def test_who_waits_for_a_function_is_told_when_its_client_goes() -> None:
    async def scene() -> None:
        tools = HostTools(timeout=20)
        calls = tools.serve(offering(pb.HostTool(name="f")))
        assert not (await anext(calls)).call_id, "the offer is confirmed"
        asked = asyncio.create_task(tools.call(pb.HostToolCall(tool="f"), client_id=""))
        assert (await anext(calls)).tool == "f"
        await calls.aclose()
        assert (await asked).failure.code == "session_worker_unavailable"
        assert not tools.offers("", "f")

    run_async(scene(), within=10)


def test_what_is_listed_is_what_is_called() -> None:
    tools, offer = HostTools(timeout=1), Offer("c")
    offer.add([pb.HostTool(name="f", session_id="s", description="the session's"), pb.HostTool(name="f")])
    tools._offers.append(offer)
    assert [tool.description for tool in tools.of_session("s")] == ["the session's"]
    assert [tool.description for tool in tools.of_session("another")] == [""]
