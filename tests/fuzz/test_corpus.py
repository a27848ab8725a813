"""What a fuzzer has found to reach the readers of the wire is read again, without the fuzzer."""

from pathlib import Path

import pytest
from readers import READERS, read

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.filterwarnings("ignore:no explicit representation of timezones:UserWarning")
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_an_input_of_the_corpus_is_a_value_or_a_documented_error(path: Path) -> None:
    read(path.read_bytes())


def test_the_corpus_has_inputs_for_every_reader() -> None:
    assert {path.read_bytes()[0] % len(READERS) for path in CORPUS} == set(range(len(READERS)))
