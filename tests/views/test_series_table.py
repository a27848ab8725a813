import math
from itertools import pairwise

from snakepit_jupyter.views.table import COLUMNS, Table


def filled(rows: int, limit: int = 8) -> Table:
    table = Table(limit)
    for i in range(rows):
        table.add({"x": float(i), "y": float(-i)})
    return table


def test_a_column_that_comes_late_is_nan_before() -> None:
    table = filled(2)
    table.add({"x": 2.0, "late": 5.0})
    late, y = table.columns(("late", "y"))
    assert list(map(math.isnan, late)) == [True, True, False]
    assert list(map(math.isnan, y)) == [False, False, True]


def test_a_thinned_table_keeps_first_and_last_row() -> None:
    for rows in range(8, 200):
        (xs,) = filled(rows).columns(("x",))
        assert xs[0] == 0
        assert xs[-1] == rows - 1


def test_a_table_stays_small_and_even_however_many_rows_come() -> None:
    (xs,) = filled(100_003, limit=100).columns(("x",))
    assert len(xs) <= 101
    steps = {b - a for a, b in pairwise(xs[:-1])}
    assert len(steps) == 1


def test_thinning_is_told_by_a_new_generation() -> None:
    assert filled(7).generation == 0
    assert filled(8).generation == 1


def test_new_rows_can_be_had_alone() -> None:
    table = filled(5)
    assert [list(column) for column in table.columns(("x", "y"), 3)] == [[3, 4], [-3, -4]]
    assert [list(column) for column in table.columns(("x",), 5)] == [[]]


def test_the_newest_row_is_left_out_of_what_stays_for_good() -> None:
    table = filled(8)
    assert list(table.columns(("x",), tail=False)[0]) == [0, 2, 4, 6]
    assert list(table.columns(("x",))[0]) == [0, 2, 4, 6, 7]


def test_extremes_survive_the_thinning() -> None:
    table = Table(4)
    for value in (0.0, 9.0, 1.0, 1.0, 1.0, 1.0):
        table.add({"y": value})
    assert table["y"].high == 9.0
    assert 9.0 not in table.columns(("y",))[0]


def test_endless_new_names_do_not_make_endless_columns() -> None:
    table = Table()
    for i in range(1000):
        table.add({f"name {i}": 1.0})
    table.add({"n" * 500: 1.0, "half \ud800": 1.0})
    assert len(table.names) == COLUMNS


def test_a_column_knows_whether_it_rises() -> None:
    table = filled(3)
    assert table["x"].rising
    assert not table["y"].rising
