"""Who is asking: the notebook, its kernel, its cell."""

import os
import re
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_process_session = f"python-{uuid.uuid4().hex[:8]}"


def shell() -> Any:
    """IPython's shell, if this is one; without importing IPython."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def in_kernel() -> bool:
    """Whether this process is a notebook's kernel."""
    return getattr(shell(), "kernel", None) is not None


def session_id() -> str:
    """The session of calls that name none: the notebook's own.

    It comes from `SNAKEPIT_SESSION`, else from the kernel's id, so that it survives reloads of the page and, under a
    Jupyter server, restarts of the kernel; a plain Python process has one of its own.
    """
    given = os.environ.get("SNAKEPIT_SESSION")
    kernel = kernel_id()
    if given:
        return given
    if not kernel:
        return _process_session
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(notebook_path()).stem) or "notebook"
    return f"{name[:40]}-{kernel[:8]}"


def kernel_id() -> str:
    """The kernel's id as its server knows it; "" outside of a kernel."""
    if not in_kernel():
        return ""
    from ipykernel.connect import get_connection_file

    try:
        name = Path(get_connection_file()).stem
    except (RuntimeError, OSError):
        return ""
    return name.removeprefix("kernel-").removeprefix("tmp").replace("_", "-")


def notebook_path() -> str:
    """The notebook's path, where the front end says it; "" elsewhere."""
    names: Mapping[str, Any] = getattr(shell(), "user_ns", {})
    return str(names.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME") or "")


def cell_id() -> str:
    """The id of the cell that is running, where the front end sends it."""
    kernel = getattr(shell(), "kernel", None)
    try:
        return str(kernel.get_parent()["metadata"].get("cellId", "")) if kernel else ""
    except (AttributeError, KeyError, LookupError, TypeError):
        return ""


def labels() -> dict[str, str]:
    """Who asks, for lists and logs."""
    known = {"notebook": notebook_path(), "kernel": kernel_id(), "cell": cell_id(), "pid": str(os.getpid())}
    return {key: value for key, value in known.items() if value}
