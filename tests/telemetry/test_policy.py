"""Who wants which event: plain decisions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snakepit_jupyter.telemetry import Policy

chances = st.floats(0, 1, exclude_max=True)
names = st.lists(st.sampled_from(["tool", "execution", "start", "snakepit", "python", "x"]), min_size=1).map(".".join)
patterns = st.lists(st.sampled_from(["*", "tool.*", "*.start", "x", "[", "[!a-", "?", ""]) | st.text(), max_size=4)


@given(names, chances)
def test_without_wishes_every_event_is_wanted(name: str, chance: float) -> None:
    assert Policy().admits(name, chance)


@given(names, chances)
def test_switched_off_none_is_wanted_and_switched_on_again_all_are(name: str, chance: float) -> None:
    off = Policy().toggled(enabled=False)
    assert not off.admits(name, chance)
    assert off.toggled(enabled=True).admits(name, chance)


@given(names, chances, st.floats(0, 1))
def test_the_rate_is_the_share_of_chances_that_admit_an_event(name: str, chance: float, rate: float) -> None:
    assert Policy().sampled(rate).admits(name, chance) is (chance < rate)


@given(st.floats())
def test_a_rate_is_brought_between_0_and_1(rate: float) -> None:
    assert Policy(sampling_rate=rate).sampling_rate == (0 if math.isnan(rate) else min(1, max(0, rate)))


def test_the_rate_counts_for_events_that_match_and_others_are_told_in_full() -> None:
    policy = Policy().sampled(0.1, ["python.memory.*", "tool.*"])
    assert not policy.admits("tool.execution.start", 0.5)
    assert policy.admits("tool.execution.start", 0.05)
    assert policy.admits("python.gc.completed", 0.99)


def test_a_rate_of_nothing_silences_what_matches_and_nothing_else() -> None:
    policy = Policy().sampled(0, ["tool.*"])
    assert not policy.admits("tool.x", 0)
    assert policy.admits("other", 0)


@pytest.mark.parametrize(
    ("allow", "deny", "wanted"),
    [
        ((), (), True),
        (("tool.*",), (), True),
        (("tool.execution.st?rt",), (), True),
        (("other.*",), (), False),
        ((), ("*.start",), False),
        (("tool.*",), ("tool.execution.start",), False),
        (("tool",), (), False),
        (("TOOL.*",), (), False),
    ],
)
def test_deny_wins_over_allow_and_an_empty_allow_is_all(
    allow: tuple[str, ...], deny: tuple[str, ...], *, wanted: bool
) -> None:
    assert Policy().filtered(allow, deny).admits("tool.execution.start", 0.5) is wanted


@pytest.mark.parametrize("pattern", ["tool.*", "snakepit.python.tool.*", "snakepit.*", "*.start"])
def test_an_event_of_a_worker_is_known_by_its_full_name_and_by_the_one_it_has_there(pattern: str) -> None:
    name = "snakepit.python.tool.execution.start"
    assert Policy(allow=(pattern,)).admits(name, 0)
    assert not Policy(deny=(pattern,)).admits(name, 0)
    assert not Policy().sampled(0, [pattern]).admits(name, 0)


def test_an_event_of_the_bridge_is_known_by_its_full_name_only() -> None:
    assert not Policy(allow=("call.*",)).admits("snakepit.call.started", 0)


@given(names, chances, patterns, patterns, st.floats(), patterns)
def test_any_patterns_give_an_answer(
    name: str, chance: float, allow: list[str], deny: list[str], rate: float, sampled: list[str]
) -> None:
    policy = Policy().filtered(allow, deny).sampled(rate, sampled)
    assert policy.admits(name, chance) in {True, False}
    assert policy.filtered().sampled(1) == Policy()
