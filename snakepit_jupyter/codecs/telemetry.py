"""Events and controls as the messages of StreamTelemetry (section 11 of the wire contract), and the stream itself."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable

from google.protobuf.message import DecodeError

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb
from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.telemetry import Emitter, Event, Measurement, Policy, Tap

NANOSECONDS = 1_000_000_000
INT64 = range(-(2**63), 2**63)


def event_to_pb(event: Event) -> pb.TelemetryEvent:
    """An event as a message. A whole number beyond 64 bits becomes a float."""
    return pb.TelemetryEvent(
        event_parts=_utf8(event.name).split("."),
        measurements={_utf8(key): _value_to_pb(value) for key, value in event.measurements.items()},
        metadata={_utf8(key): _utf8(value) for key, value in event.metadata.items()},
        timestamp_ns=_nanoseconds(event.timestamp),
        correlation_id=_utf8(event.correlation_id),
    )


def event_from_pb(message: pb.TelemetryEvent) -> Event:
    """An event from a message; a measurement without a value is ""."""
    return Event(
        ".".join(message.event_parts),
        {key: _value_from_pb(value) for key, value in message.measurements.items()},
        dict(message.metadata),
        message.timestamp_ns / NANOSECONDS,
        message.correlation_id,
    )


def _value_to_pb(value: Measurement) -> pb.TelemetryValue:
    if isinstance(value, str):
        return pb.TelemetryValue(string_value=_utf8(value))
    if isinstance(value, float):
        return pb.TelemetryValue(float_value=value)
    if value in INT64:
        return pb.TelemetryValue(int_value=value)
    try:
        return pb.TelemetryValue(float_value=float(value))
    except OverflowError:
        return pb.TelemetryValue(float_value=float("inf") if value > 0 else float("-inf"))


def _value_from_pb(value: pb.TelemetryValue) -> Measurement:
    kind = value.WhichOneof("value")
    if kind == "int_value":
        return value.int_value
    return value.float_value if kind == "float_value" else value.string_value


def _nanoseconds(seconds: float) -> int:
    """Seconds as a message has them; a time that is none is 0."""
    try:
        nanoseconds = round(seconds * NANOSECONDS)
    except (OverflowError, ValueError):
        return 0
    return nanoseconds if nanoseconds in INT64 else 0


def _utf8(text: str) -> str:
    """A text that can be sent: half a surrogate pair cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def policy_after(policy: Policy, control: pb.TelemetryControl) -> Policy:
    """The policy once a control has been obeyed; one that says nothing changes nothing."""
    match control.WhichOneof("control"):
        case "toggle":
            return policy.toggled(enabled=control.toggle.enabled)
        case "sampling":
            return policy.sampled(control.sampling.sampling_rate, control.sampling.event_patterns)
        case "filter":
            return policy.filtered(control.filter.allow, control.filter.deny)
        case _:
            return policy


def controls_of(policy: Policy) -> list[pb.TelemetryControl]:
    """The controls that make a new stream follow a policy; the toggle is always there."""
    controls = []
    if policy.allow or policy.deny:
        wanted = pb.TelemetryEventFilter(allow=policy.allow, deny=policy.deny)
        controls.append(pb.TelemetryControl(filter=wanted))
    if policy.sampling_rate < 1:
        share = pb.TelemetrySamplingUpdate(sampling_rate=policy.sampling_rate, event_patterns=policy.event_patterns)
        controls.append(pb.TelemetryControl(sampling=share))
    return [*controls, pb.TelemetryControl(toggle=pb.TelemetryToggle(enabled=policy.enabled))]


class Requests:
    """The side of a stream that asks: controls, one after another, until it is closed.

    gRPC goes on to ask for the next control when the stream has ended; so it has to be closed.

    Args:
        controls: the first ones.
    """

    def __init__(self, controls: Iterable[pb.TelemetryControl] = ()) -> None:
        self._waiting: asyncio.Queue[pb.TelemetryControl | None] = asyncio.Queue()
        for control in controls:
            self.say(control)

    def say(self, control: pb.TelemetryControl) -> None:
        """Send one more."""
        self._waiting.put_nowait(control)

    def close(self) -> None:
        """Send no more."""
        self._waiting.put_nowait(None)

    async def sent(self) -> None:
        """Wait until all that was said has been sent."""
        await self._waiting.join()

    async def __aiter__(self) -> AsyncIterator[pb.TelemetryControl]:
        while (control := await self._waiting.get()) is not None:
            yield control
            # Only when the next one is asked for has this one been sent.
            self._waiting.task_done()


async def stream(
    emitter: Emitter,
    requests: AsyncIterable[pb.TelemetryControl],
    opened: Callable[[], Awaitable[object]],
) -> AsyncGenerator[pb.TelemetryEvent, None]:
    """StreamTelemetry, as worker and bridge serve it: every event that its reader wants, until either end closes.

    A control that cannot be read ends the stream: its reader would wait in vain for what it asked for.

    Args:
        emitter: where events come from; its `close` ends the stream.
        requests: the reader's controls, obeyed as they come; that they end means nothing.
        opened: sends the initial metadata, so that the reader knows that from now on it misses nothing.

    Raises:
        InvalidParameter: if a control cannot be read; its message is for the reader.
    """
    tap = emitter.attach()
    obeying = asyncio.create_task(_obey(tap, requests))
    try:
        await opened()
        async for event in tap:
            yield event_to_pb(event)
        if obeying.done():
            obeying.result()
    finally:
        emitter.detach(tap)
        obeying.cancel()
        await asyncio.gather(obeying, return_exceptions=True)


async def _obey(tap: Tap, requests: AsyncIterable[pb.TelemetryControl]) -> None:
    """Obey each control.

    Raises:
        InvalidParameter: if one cannot be read; the events end, too.
    """
    try:
        async for control in requests:
            tap.policy = policy_after(tap.policy, control)
    except DecodeError:
        tap.close()
        message = "this control of telemetry cannot be read: it is no TelemetryControl"
        raise InvalidParameter(message, details={"key": "control"}) from None
