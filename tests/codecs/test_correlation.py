"""The id that ties together everything that is said of a call: whose word counts, and what travels in a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakepit_jupyter.codecs import correlation, peer
from snakepit_jupyter.codecs._generated import snakepit_jupyter_pb2 as pb
from snakepit_jupyter.codecs.protobuf import call_from_pb

IDS = ["sp-1", "x", "two words", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "~" * 128]
NONE = [
    "",
    " ",
    "x\ny",
    "x\r\ny",
    "ü",
    "a\x00b",
    "a\tb",
    "\x7f",
    " lead",
    "trail ",
    "z" * 129,
    "z" * 20_000,
    "a\u2028b",
]


@pytest.mark.parametrize("text", IDS)
def test_who_gives_an_id_gets_it_back(text: str) -> None:
    assert peer.correlation_id({"correlation_id": text}, {}) == text
    assert peer.correlation_id({}, {correlation.HEADER: text}) == text
    assert call_from_pb(pb.ToolCall(correlation_id=text)).correlation_id == text
    assert correlation.headers(text) == ((correlation.HEADER, text),)


@pytest.mark.parametrize("text", NONE)
def test_who_gives_what_is_none_gets_a_new_one(text: str) -> None:
    made = {
        peer.correlation_id({"correlation_id": text}, {}),
        peer.correlation_id({}, {correlation.HEADER: text}),
        call_from_pb(pb.ToolCall(correlation_id=text)).correlation_id,
    }
    assert len(made) == 3
    assert all(one.startswith("sp-") and len(one) == 27 for one in made)
    assert correlation.headers(text) == ()


def test_the_requests_own_word_comes_first_but_only_if_it_is_an_id() -> None:
    header = {correlation.HEADER: "of-the-header"}
    assert peer.correlation_id({"correlation_id": "mine"}, header) == "mine"
    assert peer.correlation_id({"correlation_id": "mi\nne"}, header) == "of-the-header"
    assert peer.correlation_id({}, {correlation.HEADER: b"bytes"}).startswith("sp-")


@given(st.text())
def test_whatever_is_said_the_id_fits_into_a_header_and_a_line(text: str) -> None:
    found = peer.correlation_id({"correlation_id": text}, {})
    assert correlation.headers(found) == ((correlation.HEADER, found),)
    assert found.splitlines() == [found]
