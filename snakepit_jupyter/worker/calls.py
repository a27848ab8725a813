"""One call in this worker, as whoever asked for it reads it."""

import asyncio
from collections.abc import AsyncGenerator

from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.messages import Call, StopRung
from snakepit_jupyter.worker.outbox import Outbox
from snakepit_jupyter.worker.runtime import Job, Runtime


async def updates_of(
    runtime: Runtime, call: Call, *, interrupt_after: float | None = None
) -> AsyncGenerator[pb.CallUpdate, None]:
    """Run a call: its chunks in groups, its end last. Who stops reading before the end stops the call.

    Args:
        runtime: what runs it.
        call: the call.
        interrupt_after: seconds after which a call that was stopped so is interrupted, and again after each time
            as many; None if somebody else sees to that.
    """
    loop = asyncio.get_running_loop()
    outbox = Outbox(loop)
    runtime.submit(Job(call, outbox))
    ended = False
    try:
        while not ended:
            update = await outbox.take()
            ended = update.HasField("end")
            yield update
    finally:
        if not ended:
            runtime.cancel(call.call_id, StopRung.COOPERATIVE)
            if interrupt_after is not None:
                loop.call_later(interrupt_after, _insist, runtime, call.call_id, interrupt_after)


def _insist(runtime: Runtime, call_id: str, interval: float) -> None:
    """Interrupt a call until it has ended: a signal may be missed that comes just before a tool falls asleep."""
    if runtime.cancel(call_id, StopRung.INTERRUPT):
        asyncio.get_running_loop().call_later(interval, _insist, runtime, call_id, interval)
