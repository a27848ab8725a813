import pytest

from snakepit_jupyter.views.metrics import Best, Bests, Goal, charts_of, goal_of, is_counter, split_of
from snakepit_jupyter.views.table import Table


def table_of(**columns: list[float]) -> Table:
    table = Table()
    for values in zip(*columns.values(), strict=True):
        table.add(dict(zip(columns, values, strict=True)))
    return table


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("val_acc", Goal.UP),
        ("best_val_accuracy", Goal.UP),
        ("eval/f1", Goal.UP),
        ("train_loss", Goal.DOWN),
        ("perplexity", Goal.DOWN),
        ("memory_mb", None),
        ("glossary", None),
    ],
)
def test_the_name_tells_where_a_metric_should_go(name: str, goal: Goal | None) -> None:
    assert goal_of(name) is goal


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("val_acc", ("val", "acc")),
        ("train/loss", ("train", "loss")),
        ("loss", ("", "loss")),
        ("my_acc", ("", "my_acc")),
    ],
)
def test_the_name_tells_what_data_it_is_of(name: str, parts: tuple[str, str]) -> None:
    assert split_of(name) == parts


@pytest.mark.parametrize("name", ["step", "total_rows", "epoch", "index", "progress_percent", "processed_rows"])
def test_counters_are_known_by_name(name: str) -> None:
    assert is_counter(name)


@pytest.mark.parametrize("name", ["confidence", "memory_usage_mb", "loss", "step_loss"])
def test_measures_are_no_counters(name: str) -> None:
    assert not is_counter(name)


def test_the_splits_of_a_metric_share_a_chart_and_the_loss_comes_first() -> None:
    ones = [1.0, 0.9]
    table = table_of(epoch=[1, 2], memory=ones, val_acc=ones, train_acc=ones, val_loss=ones, loss=ones)
    charts = charts_of(table, "epoch", 50)
    assert [(chart.title, chart.lines) for chart in charts] == [
        ("loss", ("loss", "val_loss")),
        ("acc", ("train_acc", "val_acc")),
        ("memory", ("memory",)),
    ]
    assert {(chart.x, chart.x_max) for chart in charts} == {("epoch", 50)}


def test_what_never_changes_and_the_learning_rate_get_no_chart() -> None:
    table = table_of(epoch=[1, 2], batch_size=[32, 32], learning_rate=[0.1, 0.01], device_id=[1, 2])
    assert charts_of(table, "epoch") == ()


def test_there_are_at_most_six_charts() -> None:
    table = table_of(**{f"measure {i}": [1.0, 2.0] for i in range(20)})
    assert len(charts_of(table, "epoch")) == 6


@pytest.mark.parametrize(
    ("columns", "scale"),
    [
        ({"val_acc": [0.1, 0.9]}, (0.0, 1.0)),
        ({"val_acc": [0.93, 0.97]}, (0.9, 1.0)),
        ({"val_acc": [1.0, 1.0]}, (0.9, 1.0)),
        ({"val_acc": [12.0, 97.0]}, (0.0, None)),
        ({"loss": [2.3, 0.1]}, (0.0, None)),
        ({"loss": [2.3, 2.2]}, (None, None)),
        ({"loss": [-1.0, 2.2]}, (None, None)),
    ],
)
def test_a_chart_has_the_scale_its_metric_is_read_on(
    columns: dict[str, list[float]], scale: tuple[float | None, float | None]
) -> None:
    (chart,) = charts_of(table_of(**columns), "epoch")
    assert (chart.y_min, chart.y_max) == scale


def test_the_best_is_the_highest_accuracy_and_the_lowest_loss_and_where_it_was_first() -> None:
    bests = Bests()
    for epoch, acc, loss in [(1, 0.5, 2.0), (2, 0.9, 1.0), (3, 0.9, 1.5)]:
        bests.note({"epoch": epoch, "acc": acc, "loss": loss, "lr": 1.0}, "epoch")
    assert bests.get("acc") == Best(0.9, at=2)
    assert bests.get("loss") == Best(1.0, at=2)
    assert bests.get("lr") is None
