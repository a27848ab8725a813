import math
from xml.etree import ElementTree as ET

import pytest

from snakepit_jupyter.views.plot import POINTS, chart_svg, labels, points_of, thinned, ticks
from snakepit_jupyter.views.scene import Chart

LOSS = Chart("loss", "epoch", ("train_loss", "val_loss"), x_max=50, y_min=0.0)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 2.3, ["0", "1", "2"]),
        (0.9, 1.0, ["0.90", "0.95", "1.00"]),
        (-1, 1, ["-1.0", "-0.5", "0", "0.5", "1.0"]),
        (0, 1_000_000, ["0", "500k", "1M"]),
        (3.0, 3.0, []),
    ],
)
def test_ticks_are_round_and_alike(low: float, high: float, texts: list[str]) -> None:
    assert labels(ticks(low, high, 4)) == texts


@pytest.mark.parametrize("low", [-1e300, -1.0, 0.0, 1e-300, 1e15])
@pytest.mark.parametrize("span", [1e-12, 1e-3, 7.0, 1e9, 1e300])
def test_there_are_never_many_ticks(low: float, span: float) -> None:
    assert len(ticks(low, low + span, 4)) <= 9


def test_a_gap_in_the_data_is_bridged() -> None:
    nan = math.nan
    assert points_of([1, 2, 3, nan], [5.0, nan, 7.0, 8.0]) == [(1, 5.0), (3, 7.0)]


def test_thinning_keeps_the_ends_and_the_spikes() -> None:
    points = [(float(i), 0.0) for i in range(10_000)]
    points[4321] = (4321.0, 9.0)
    few = thinned(points)
    assert len(few) <= POINTS
    assert (few[0], few[-1]) == (points[0], points[-1])
    assert (4321.0, 9.0) in few
    assert few == sorted(few)


def test_a_chart_is_an_image_with_a_title_that_tells_its_ends() -> None:
    svg = ET.fromstring(chart_svg(LOSS, {"train_loss": [(1, 2.0), (34, 0.0841)], "val_loss": [(34, 0.1127)]}))
    assert svg.get("role") == "img"
    assert svg.findtext("title") == "loss at epoch 34: train_loss 0.0841, val_loss 0.1127"
    assert len(svg.findall("polyline")) == 1
    assert len(svg.findall("circle")) == 1


def test_a_chart_without_data_is_still_a_chart() -> None:
    svg = ET.fromstring(chart_svg(LOSS, {"train_loss": []}))
    assert svg.findtext("title") == "loss: no data"


@pytest.mark.parametrize("y", [0.0, -5.0, 1e308, 1e-308])
def test_a_flat_line_at_any_height_can_be_drawn(y: float) -> None:
    chart_svg(Chart("y", "x", ("y",)), {"y": [(1, y), (2, y)]})


def test_between_whole_numbers_there_is_nothing_to_label() -> None:
    assert ticks(4, 8, 12, least_step=1.0) == [4, 5, 6, 7, 8]
