"""Events and controls on the wire, and the stream that both faces serve."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import run_async

from snakepit_jupyter.codecs._generated import snakepit_bridge_pb2 as pb
from snakepit_jupyter.codecs.telemetry import (
    Requests,
    controls_of,
    event_from_pb,
    event_to_pb,
    policy_after,
    stream,
)
from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.telemetry import Emitter, Event, Policy

int64s = st.integers(-(2**63), 2**63 - 1)
sendable = st.text(st.characters(exclude_categories=["Cs"]))
any_text = st.text()
measurements = st.dictionaries(sendable, int64s | st.floats(allow_nan=False) | sendable)
events = st.builds(
    Event,
    sendable,
    measurements,
    st.dictionaries(sendable, sendable),
    st.integers(0, 2**32).map(float),
    sendable,
)


@given(events)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    message = pb.TelemetryEvent.FromString(event_to_pb(event).SerializeToString())
    assert event_from_pb(message) == event
    assert {type(value) for value in event_from_pb(message).measurements.values()} == {
        type(value) for value in event.measurements.values()
    }


def test_an_event_on_the_wire_is_as_the_contract_has_it() -> None:
    event = Event("tool.execution.start", {"n": 5, "ms": 1.5, "kind": "x"}, {"tool": "add"}, 1700000000.5, "sp-1")
    message = event_to_pb(event)
    assert list(message.event_parts) == ["tool", "execution", "start"]
    assert message.timestamp_ns == 1_700_000_000_500_000_000
    assert message.correlation_id == "sp-1"
    assert dict(message.metadata) == {"tool": "add"}
    kinds = {name: value.WhichOneof("value") for name, value in message.measurements.items()}
    assert kinds == {"n": "int_value", "ms": "float_value", "kind": "string_value"}


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (2**63 - 1, 2**63 - 1),
        (2**63, float(2**63)),
        (-(2**63) - 1, float(-(2**63))),
        (10**400, float("inf")),
        (-(10**400), float("-inf")),
    ],
)
def test_a_whole_number_beyond_64_bits_stays_a_number(value: int, sent: float) -> None:
    assert event_from_pb(event_to_pb(Event("x", {"n": value}))).measurements == {"n": sent}


@given(
    st.builds(
        Event,
        any_text,
        st.dictionaries(any_text, st.integers() | st.floats() | any_text),
        st.dictionaries(any_text, any_text),
        st.floats(),
        any_text,
    )
)
def test_any_event_can_be_sent(event: Event) -> None:
    event_to_pb(event).SerializeToString()


@given(st.binary() | st.builds(
    lambda parts, keys, ns: pb.TelemetryEvent(
        event_parts=parts, measurements={key: pb.TelemetryValue() for key in keys}, timestamp_ns=ns
    ).SerializeToString(),
    st.lists(sendable),
    st.lists(sendable),
    int64s,
))  # fmt: skip
def test_any_message_that_can_be_read_gives_an_event_that_can_be_sent(data: bytes) -> None:
    message = pb.TelemetryEvent()
    try:
        message.ParseFromString(data)
    except Exception:
        return
    event_to_pb(event_from_pb(message))


def test_a_measurement_without_a_value_keeps_its_name() -> None:
    message = pb.TelemetryEvent(measurements={"x": pb.TelemetryValue()})
    assert event_from_pb(message) == Event("", {"x": ""}, {}, 0.0, "")


# Controls.


def test_each_control_changes_what_it_is_for_and_nothing_else() -> None:
    policy = Policy(enabled=True, sampling_rate=0.5, event_patterns=("a",), allow=("b",), deny=("c",))
    off = pb.TelemetryControl(toggle=pb.TelemetryToggle())
    share = pb.TelemetryControl(sampling=pb.TelemetrySamplingUpdate(sampling_rate=7, event_patterns=["x"]))
    wanted = pb.TelemetryControl(filter=pb.TelemetryEventFilter(allow=["y"], deny=["z"]))
    assert policy_after(policy, off) == policy.toggled(enabled=False)
    assert policy_after(policy, share) == policy.sampled(1.0, ["x"])
    assert policy_after(policy, wanted) == policy.filtered(["y"], ["z"])
    assert policy_after(policy, pb.TelemetryControl()) == policy


@given(
    st.builds(
        Policy,
        st.booleans(),
        st.floats(0, 1, exclude_max=True),
        st.lists(sendable).map(tuple),
        st.lists(sendable).map(tuple),
        st.lists(sendable).map(tuple),
    )
)
def test_the_controls_of_a_policy_lead_to_it(policy: Policy) -> None:
    reached = Policy()
    for control in controls_of(policy):
        reached = policy_after(reached, control)
    assert reached == policy


def test_a_policy_without_wishes_is_switched_on_and_nothing_more() -> None:
    assert controls_of(Policy()) == [pb.TelemetryControl(toggle=pb.TelemetryToggle(enabled=True))]


# The stream.


class Peer:
    """The reader's end of a stream."""

    def __init__(self, emitter: Emitter) -> None:
        self.said: asyncio.Queue[pb.TelemetryControl | None] = asyncio.Queue()
        self.is_open = asyncio.Event()
        self.got: list[str] = []
        self.news = asyncio.Event()
        self.reading = asyncio.create_task(self._read(emitter))

    async def _read(self, emitter: Emitter) -> None:
        async for message in stream(emitter, self._controls(), self._opened):
            self.got.append(".".join(message.event_parts))
            self.news.set()

    async def _opened(self) -> None:
        self.is_open.set()

    async def _controls(self) -> AsyncIterator[pb.TelemetryControl]:
        while (control := await self.said.get()) is not None:
            yield control
            self.said.task_done()

    async def say(self, control: pb.TelemetryControl) -> None:
        await self.said.put(control)
        await self.said.join()

    async def has(self, *names: str) -> None:
        while len(self.got) < len(names):
            self.news.clear()
            await self.news.wait()
        assert self.got == list(names)


def tell(emitter: Emitter, *names: str) -> None:
    for name in names:
        emitter.emit(name, lambda name=name: Event(name))  # type: ignore[misc]


ON = pb.TelemetryControl(toggle=pb.TelemetryToggle(enabled=True))
OFF = pb.TelemetryControl(toggle=pb.TelemetryToggle(enabled=False))


def test_a_stream_is_open_at_once_and_gives_what_was_kept_before_it() -> None:
    async def scene() -> None:
        emitter = Emitter(buffered=True)
        tell(emitter, "early.one")
        peer = Peer(emitter)
        await peer.is_open.wait()
        tell(emitter, "late.one")
        await peer.has("early.one", "late.one")

    run_async(scene())


def test_controls_are_obeyed_as_they_come_and_their_end_means_nothing() -> None:
    async def scene() -> None:
        emitter = Emitter(buffered=True)
        peer = Peer(emitter)
        await peer.is_open.wait()
        await peer.say(OFF)
        tell(emitter, "lost")
        await peer.say(ON)
        await peer.say(pb.TelemetryControl(filter=pb.TelemetryEventFilter(deny=["b*"])))
        await peer.said.put(None)
        tell(emitter, "a", "b", "c")
        await peer.has("a", "c")

    run_async(scene())


def test_a_control_that_cannot_be_read_ends_the_stream_of_who_sent_it() -> None:
    async def controls() -> AsyncIterator[pb.TelemetryControl]:
        yield ON
        await asyncio.sleep(0)
        yield pb.TelemetryControl.FromString(b"\xff")

    async def opened() -> None:
        pass

    async def scene() -> None:
        emitter = Emitter()
        other = Peer(emitter)
        await other.is_open.wait()
        with pytest.raises(InvalidParameter, match="control of telemetry cannot be read"):
            await anext(stream(emitter, controls(), opened))
        tell(emitter, "a")
        await other.has("a")
        emitter.close()
        await other.reading
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_async(scene())


def test_of_two_streams_each_gets_every_event_and_one_goes_on_when_the_other_is_closed() -> None:
    async def scene() -> None:
        emitter = Emitter(buffered=True)
        first, second = Peer(emitter), Peer(emitter)
        await asyncio.gather(first.is_open.wait(), second.is_open.wait())
        tell(emitter, "a")
        await asyncio.gather(first.has("a"), second.has("a"))
        first.reading.cancel()
        await asyncio.gather(first.reading, return_exceptions=True)
        tell(emitter, "b")
        await second.has("a", "b")
        assert emitter.listened
        second.reading.cancel()
        await asyncio.gather(second.reading, return_exceptions=True)
        assert not emitter.listened

    run_async(scene())


def test_a_stream_ends_when_the_emitter_is_closed_and_leaves_nothing_behind() -> None:
    async def scene() -> None:
        emitter = Emitter()
        peer = Peer(emitter)
        await peer.is_open.wait()
        tell(emitter, "a")
        emitter.close()
        await peer.reading
        assert peer.got == ["a"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_async(scene())


def test_the_side_that_asks_says_its_wishes_and_stays_open_until_it_is_closed() -> None:
    async def scene() -> None:
        asking = Requests([ON])
        asked = aiter(asking)
        assert await anext(asked) == ON
        sending = asyncio.ensure_future(asking.sent())
        await asyncio.sleep(0)
        assert not sending.done()
        waiting = asyncio.ensure_future(anext(asked, None))
        await sending
        asking.say(OFF)
        assert await waiting == OFF
        asking.close()
        assert await anext(asked, None) is None

    run_async(scene())
