import math

import pytest

from snakepit_jupyter.views import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.08412, "0.0841"),
        (0.975, "0.9750"),
        (0.00031, "3.1e-4"),
        (1e-3, "0.001"),
        (1e-4, "1e-4"),
        (-0.00002, "-2e-5"),
        (2.3456, "2.346"),
        (12.3456, "12.35"),
        (123.456, "123.5"),
        (20.0, "20"),
        (12345.6, "12,346"),
        (1.5e12, "1.5e12"),
        (0.0, "0"),
        (1204, "1,204"),
        (math.nan, "NaN"),
        (-math.inf, "-∞"),
    ],
)
def test_a_measure_shows_the_digits_that_say_something(value: float, text: str) -> None:
    assert numbers.number(value) == text


def test_an_endless_integer_is_only_told_by_its_size() -> None:
    assert numbers.number(10**400) == "> 1e300"
    assert numbers.number(-(10**20)) == "< -1e20"


@pytest.mark.parametrize(("seconds", "text"), [(0.9, "0:00"), (42, "0:42"), (102.3, "1:42"), (3725, "1:02:05")])
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(47.2, "48 s left"), (200, "3 min left"), (7500, "2 h 05 min left"), (3599, "1 h 00 min left")],
)
def test_what_is_left_is_no_more_exact_than_it_can_be(seconds: float, text: str) -> None:
    assert numbers.left(seconds) == text


def test_a_slow_rate_is_told_by_the_time_each_takes() -> None:
    assert numbers.rate(3.24, "chunks") == "3.2 chunks/s"
    assert numbers.rate(1284.0, "rows") == "1,284 rows/s"
    assert numbers.rate(1 / 30, "epochs") == "30 s/epoch"


def test_a_place_is_whole_if_it_can_be() -> None:
    assert numbers.position(34.0) == "34"
    assert numbers.position(0.336) == "0.34"
