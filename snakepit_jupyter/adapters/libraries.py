"""What to say when a library of the `ml` extra is not there."""

import importlib.util

from snakepit_jupyter.errors import SnakepitError

HINT = "pip install 'snakepit-jupyter[ml]'"


def need(*libraries: str) -> None:
    """Goes on only if all these modules can be imported here; imports none of them.

    Raises:
        SnakepitError: some are missing; the hint is the command that installs them.
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        raise SnakepitError(
            f"this tool needs {' and '.join(missing)}, which the worker cannot import",
            hint=HINT,
            details={"missing": ", ".join(missing)},
        )
