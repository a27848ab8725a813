import decimal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from snakepit_jupyter.adapters.datasets import BUILT_IN, Dataset, load_dataset
from snakepit_jupyter.errors import InvalidParameter, SnakepitError

GOOD = "a,b,kind\n1,2,dog\n2,3,cat\n3,4.5,dog\n4,5,cat\n"


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def csv(text: str, name: str = "train.csv") -> str:
    Path(name).write_text(text)
    return name


def table(name: str = "train.parquet", **columns: Any) -> str:
    parquet.write_table(pa.table(columns), name)
    return name


def archive(**arrays: Any) -> str:
    np.savez("train.npz", **arrays)
    return "train.npz"


def refusal(path: str, target: str | None = None) -> InvalidParameter:
    with pytest.raises(InvalidParameter) as caught:
        load_dataset(path, target)
    assert "\n" not in caught.value.message
    return caught.value


def shape(dataset: Dataset) -> tuple[int, int, int]:
    return (*dataset.features.shape, len(dataset.class_names))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits", (1797, 64, 10)),
        ("iris", (150, 4, 3)),
        ("wine", (178, 13, 3)),
        ("breast_cancer", (569, 30, 2)),
    ],
)
def test_four_sets_are_built_in(name: str, expected: tuple[int, int, int]) -> None:
    dataset = load_dataset(name)
    assert shape(dataset) == expected
    assert len(dataset.feature_names) == expected[1]
    assert dataset.features.dtype == np.float64
    assert dataset.labels.dtype == np.int64


def test_a_summary_tells_the_sizes() -> None:
    assert load_dataset("digits").summary == "digits: 1,797 samples, 64 features, 10 classes"


def test_a_csv_gives_features_and_classes_with_their_names() -> None:
    dataset = load_dataset(csv(GOOD))
    assert dataset.name == "train"
    assert dataset.features.tolist() == [[1, 2], [2, 3], [3, 4.5], [4, 5]]
    assert dataset.class_names == ("cat", "dog")
    assert dataset.labels.tolist() == [1, 0, 1, 0]
    assert dataset.feature_names == ("a", "b")


@pytest.mark.parametrize("name", ["Target", "label", "CLASS", "y"])
def test_a_column_with_a_known_name_is_the_target(name: str) -> None:
    dataset = load_dataset(csv(f"a,{name},b\n1,0,5\n2,1,6\n3,0,7\n4,1,8\n"))
    assert dataset.feature_names == ("a", "b")


def test_the_argument_chooses_the_target() -> None:
    dataset = load_dataset(csv("a,b,y\n0,1,1.5\n1,2,2.5\n0,3,3.5\n1,4,4.5\n"), target="a")
    assert dataset.feature_names == ("b", "y")
    assert dataset.class_names == ("0", "1")


def test_numbers_are_sorted_as_numbers_and_written_as_whole_ones() -> None:
    dataset = load_dataset(csv("a,y\n1,10.0\n2,9.0\n3,10.0\n4,9.0\n"))
    assert dataset.class_names == ("9", "10")


def test_booleans_are_features_and_classes() -> None:
    dataset = load_dataset(csv("a,y\ntrue,false\nfalse,true\ntrue,true\nfalse,false\n"))
    assert dataset.features.tolist() == [[1], [0], [1], [0]]
    assert dataset.class_names == ("false", "true")


def test_row_numbers_of_pandas_are_left_out() -> None:
    assert load_dataset(csv(",a,y\n0,1,0\n1,2,1\n2,3,0\n3,4,1\n")).feature_names == ("a",)


def test_a_parquet_file_is_read_with_its_own_types() -> None:
    dataset = load_dataset(
        table(
            a=pa.array([1, 2, 3, 4], pa.uint8()),
            b=pa.array([decimal.Decimal("1.5")] * 4),
            c=pa.array([True, False, True, False]),
            label=pa.array(["no", "yes", "no", "yes"]).dictionary_encode(),
        )
    )
    assert dataset.features.tolist() == [[1, 1.5, 1], [2, 1.5, 0], [3, 1.5, 1], [4, 1.5, 0]]
    assert dataset.class_names == ("no", "yes")


def test_a_parquet_file_in_a_folder_named_like_a_partition_keeps_its_columns() -> None:
    Path("year=2024").mkdir()
    dataset = load_dataset(table("year=2024/part.parquet", a=[1, 2, 3, 4], y=[0, 1, 0, 1]))
    assert dataset.feature_names == ("a",)


@pytest.mark.parametrize(("x", "y"), [("X", "y"), ("x", "y"), ("data", "target"), ("x_train", "y_train")])
def test_an_archive_holds_one_of_four_pairs(x: str, y: str) -> None:
    dataset = load_dataset(archive(**{x: np.arange(8.0).reshape(4, 2), y: [0, 1, 0, 1]}))
    assert shape(dataset) == (4, 2, 2)


def test_pictures_in_an_archive_are_flattened() -> None:
    pictures = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    dataset = load_dataset(archive(X=pictures, y=np.array([["b"], ["a"], ["b"], ["a"]])))
    assert dataset.features.tolist() == pictures.reshape(4, 6).tolist()
    assert dataset.class_names == ("a", "b")


def test_an_extension_may_be_in_capitals() -> None:
    assert shape(load_dataset(csv(GOOD, "TRAIN.CSV"))) == (4, 2, 2)


# What is refused, and in which words


def test_a_missing_file_names_the_nearest_the_others_and_the_built_in_ones() -> None:
    csv(GOOD, "train.csv")
    csv(GOOD, "other.csv")
    csv("", "notes.txt")
    error = refusal("trian.csv")
    assert error.key == "dataset_path"
    assert error.message == "there is no data set 'trian.csv'. Did you mean 'train.csv'?"
    assert all(name in error.hint for name in BUILT_IN)
    assert "'other.csv', 'train.csv'" in error.hint
    assert "notes" not in error.hint


def test_a_misspelt_built_in_name_names_it() -> None:
    assert "Did you mean 'digits'?" in refusal("digit").message


def test_a_missing_directory_says_that_there_is_no_data() -> None:
    assert "No data file in" in refusal("/nowhere/train.csv").hint


def test_a_directory_lists_what_could_be_meant() -> None:
    Path("data").mkdir()
    csv(GOOD, "data/a.csv")
    error = refusal("data")
    assert "data is a directory; needed is one .csv, .npz, .parquet file" in error.message
    assert "'a.csv'" in error.hint


def test_an_unknown_extension_lists_the_known() -> None:
    assert "ends in '.xlsx'; allowed are .csv, .npz, .parquet" in refusal(csv("x", "t.xlsx")).message


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.npz"])
def test_an_empty_file_is_refused(name: str) -> None:
    assert refusal(csv("", name)).message == f"{name} is empty"


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("a,b\n", "t.csv", "has column names but no rows"),
        ("a\n1\n2\n", "t.csv", "has 1 column"),
        ("a,y\n1,2\n1,2,3\n", "t.csv", "cannot be read as CSV"),
        ("1,2,0\n3,4,1\n5,6,0\n7,8,1\n", "t.csv", "holds numbers ('1', '2', '0'), not column names"),
        ("a,a,y\n1,2,0\n3,4,1\n", "t.csv", "more than one column 'a'"),
        ("not one", "t.parquet", "cannot be read as Parquet"),
        ("not one", "t.npz", "is no NumPy archive"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(text: str, name: str, message: str) -> None:
    error = refusal(csv(text, name))
    assert message in error.message
    assert error.key == "dataset_path"


@pytest.mark.parametrize("text", ["größe,y\n1,0\n2,1\n", "a,y\n1,ä\n2,b\n"])
def test_a_csv_in_another_encoding_is_refused(text: str) -> None:
    Path("t.csv").write_bytes(text.encode("latin1"))
    assert refusal("t.csv").message == "t.csv is not written in UTF-8"


def test_a_damaged_archive_says_why() -> None:
    path = Path(archive(X=np.zeros((100, 50)), y=np.arange(100) % 2))
    whole = bytearray(path.read_bytes())
    whole[2000:2100] = b"x" * 100
    path.write_bytes(whole)
    assert "cannot be read: Bad CRC-32" in refusal(str(path)).message


def test_a_feature_that_is_not_numeric_is_named_with_its_first_such_value() -> None:
    error = refusal(csv("age,town,y\n30,Bonn,0\n?,Ulm,1\n31,Ulm,0\n32,Bonn,1\n"))
    assert "the feature column 'age' is not numeric: it holds '?' (nor are 'town')" in error.message


def test_dates_are_not_numeric() -> None:
    assert "'day' is not numeric" in refusal(csv("day,y\n2024-01-01,0\n2024-01-02,1\n")).message


def test_missing_values_name_the_column_and_how_many() -> None:
    error = refusal(csv("a,b,c,y\n1,,,0\n2,,4,1\n3,5,6,0\n4,6,7,1\n"))
    assert "the column 'b' has 2 missing value(s) (and 1 more columns have some)" in error.message


def test_missing_values_of_an_archive_name_the_column() -> None:
    values = np.array([[1, 2], [3, np.nan], [5, 6], [7, 8]])
    assert "'X[1]' has 1 missing value(s)" in refusal(archive(X=values, y=[0, 1, 0, 1])).message


def test_infinite_values_name_the_column() -> None:
    assert "'a' has 1 infinite" in refusal(csv("a,y\n1,0\ninf,1\n3,0\n4,1\n")).message


@pytest.mark.parametrize("second", ["1", "dog", "true", "1.5"])
def test_missing_classes_are_counted_for_every_type(second: str) -> None:
    error = refusal(csv(f"a,y\n1,\n2,{second}\n3,\n4,{second}\n"))
    assert "the target 'y' has 2 missing value(s)" in error.message


def test_a_missing_target_names_the_nearest_column() -> None:
    error = refusal(csv(GOOD), target="kid")
    assert error.key == "target"
    assert "no column 'kid'. Did you mean 'kind'?" in error.message
    assert "'a', 'b', 'kind'" in error.hint


@pytest.mark.parametrize("name", ["digits", "train.npz"])
def test_a_target_is_refused_where_there_are_no_columns(name: str) -> None:
    archive(X=np.ones((4, 1)), y=[0, 1, 0, 1])
    assert refusal(name, target="a").key == "target"


def test_a_target_of_dates_is_refused() -> None:
    error = refusal(csv("a,y\n1,2024-01-01\n2,2024-01-02\n"))
    assert "the target 'y' is of type date32[day]; allowed are text, integers and booleans" in error.message


def test_one_class_is_not_enough() -> None:
    assert "has one class only ('x')" in refusal(csv("a,y\n1,x\n2,x\n3,x\n4,x\n")).message


def test_a_class_with_one_sample_is_named() -> None:
    assert "only one sample of 'c'" in refusal(csv("a,y\n1,a\n2,a\n3,b\n4,b\n5,c\n6,a\n")).message


def test_three_samples_are_too_few() -> None:
    assert "has 3 samples; needed are 4 or more" in refusal(csv("a,y\n1,0\n2,1\n3,0\n")).message


@pytest.mark.parametrize("values", [np.arange(60), np.repeat(np.arange(25) + 0.5, 4)])
def test_a_continuous_target_is_refused(values: Any) -> None:
    error = refusal(table(a=np.arange(len(values)), y=values))
    assert f"{len(set(values.tolist()))} different values in {len(values)} rows" in error.message
    assert "looks continuous" in error.message


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"A": [1]}, "holds the arrays 'A'; allowed pairs are X/y, x/y, data/target, x_train/y_train"),
        ({"X": [1, 2], "y": [0, 1]}, "'X' has the shape (2,); allowed is (samples, features)"),
        ({"X": [[1], [2]], "y": [0]}, "'y' has the shape (1,)"),
        ({"X": [["a"], ["b"]], "y": [0, 1]}, "'X' is not numeric"),
        ({"X": [[1], [2]], "y": [1j, 2j]}, "'y' is of type complex128"),
        ({"X": np.ones((4, 0)), "y": [0, 1, 0, 1]}, "has no values"),
    ],
)
def test_an_archive_that_does_not_fit_says_why(arrays: dict[str, Any], message: str) -> None:
    assert message in refusal(archive(**arrays)).message


def test_an_archive_with_pickles_is_not_opened() -> None:
    assert "allow_pickle=False" in refusal(archive(X=np.array([[{}]], dtype=object), y=[0])).message


@pytest.mark.parametrize(("path", "library"), [("digits", "sklearn"), ("train.csv", "pyarrow"), ("train.csv", "numpy")])
def test_a_missing_library_says_how_to_get_it(path: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    csv(GOOD)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SnakepitError, match=f"needs {library}") as caught:
        load_dataset(path)
    assert caught.value.hint == "pip install 'snakepit-jupyter[ml]'"
