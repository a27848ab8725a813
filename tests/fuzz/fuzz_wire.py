"""The readers of `readers.py` under a fuzzer: `make fuzz` (atheris, which is libFuzzer for Python).

The first byte of an input chooses the reader, the rest is what it reads. `corpus/` holds inputs that reach as much of
the readers as is known; `test_corpus.py` reads them all again. A finding, once mended, belongs there too.
"""

import sys

import atheris

with atheris.instrument_imports(include=["snakepit_jupyter"]):
    from readers import read

if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
