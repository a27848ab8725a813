"""The arrows between the layers: what may import what, and what an import costs."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import snakepit_jupyter

PACKAGE = Path(snakepit_jupyter.__file__).parent
VOCABULARY = {
    "messages",
    "errors",
    "config",
    "exact_json",
    "values",
    "telemetry",
    "redaction",
    "tracing",
    "lifeline",
    "notebook",
    "arguments",
}
OF_BOTH_ENDS = {"transport.address", "transport.auth", "transport.cancelled", "transport.options"}

# What a layer may import besides itself. A name stands for the module and all below it.
ALLOWED: dict[str, set[str]] = {
    "vocabulary": VOCABULARY,
    "codecs": VOCABULARY,
    "transport": {"codecs"} | VOCABULARY,
    "worker": {"codecs"} | OF_BOTH_ENDS | VOCABULARY,
    "adapters": {"worker.adapter"} | VOCABULARY,
    "pool": {"transport", "codecs"} | VOCABULARY,
    "bridge": {"pool", "transport", "codecs"} | VOCABULARY,
    "views": VOCABULARY,
    "client": {"views", "codecs"} | OF_BOTH_ENDS | VOCABULARY,
    "magics": {"client"} | VOCABULARY,
    "scaffold": VOCABULARY,
    "cli": {"client", "scaffold"} | VOCABULARY,
}
# The package's own face loads its names at their first use, from wherever they are.
FREE = {""}
# The version is the only thing that is in the package itself.
ROOT_NAMES = {"__version__"}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module by its dotted name below the package; "" is the package itself."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


MODULES = dict(modules())


def layer_of(module: str) -> str:
    top = module.partition(".")[0]
    return "vocabulary" if top in VOCABULARY else top


def imports(path: Path, *, at_once: bool = False) -> set[str]:
    """What a module imports of the package, but not what is there for type checkers only.

    Args:
        path: the module's file.
        at_once: leave out what its functions import when they run.
    """
    found: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        if at_once and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            nodes += node.orelse
            continue
        found |= set(_imported(node))
        nodes += ast.iter_child_nodes(node)
    return found


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.partition(".")[0] == PACKAGE.name:
                yield alias.name.removeprefix(PACKAGE.name).removeprefix(".")
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "the package is imported by its full name"
        module = node.module or ""
        if module.partition(".")[0] == PACKAGE.name:
            below = module.removeprefix(PACKAGE.name).removeprefix(".")
            for alias in node.names:
                full = f"{below}.{alias.name}".removeprefix(".")
                yield full if full in MODULES else below or alias.name


def allowed(importer: str, imported: str) -> bool:
    layer = layer_of(importer)
    if imported in ROOT_NAMES or layer_of(imported) == layer:
        return True
    return any(imported == name or imported.startswith(f"{name}.") for name in ALLOWED[layer])


@pytest.mark.parametrize("module", [name for name in MODULES if name not in FREE])
def test_a_module_imports_only_what_is_below_it(module: str) -> None:
    wrong = {name for name in imports(MODULES[module]) if not allowed(module, name)}
    assert not wrong, f"{module} must not import {', '.join(sorted(wrong))}"


def test_every_module_has_a_layer() -> None:
    assert {layer_of(module) for module in MODULES} - FREE == set(ALLOWED)


def test_the_three_worlds_never_meet() -> None:
    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [name for name in MODULES if layer_of(name) == start]
        while waiting:
            module = waiting.pop()
            if module not in seen and module in MODULES:
                seen.add(module)
                waiting += imports(MODULES[module])
        return {layer_of(module) for module in seen}

    assert not reached("client") & {"bridge", "pool", "worker", "adapters"}
    assert not reached("bridge") & {"client", "views", "worker", "adapters", "magics", "cli"}
    assert not reached("worker") & {"client", "views", "bridge", "pool", "magics", "cli"}
    assert not reached("views") & {"client", "bridge", "pool", "worker", "transport", "codecs"}


def test_no_modules_import_each_other() -> None:
    order = {name: imports(path, at_once=True) & set(MODULES) - {name} for name, path in MODULES.items()}
    del order[""]
    while free := [name for name, needs in order.items() if not needs & set(order)]:
        for name in free:
            del order[name]
    assert not order, f"these import each other: {sorted(order)}"


# The face.


def test_the_public_names_are_these() -> None:
    assert snakepit_jupyter.__all__ == [
        "AlreadyStarted",
        "AsyncClient",
        "BaseAdapter",
        "BridgeStartFailed",
        "ChunksLost",
        "Client",
        "Event",
        "GrpcUnavailable",
        "InvalidBinaryParameter",
        "InvalidConfig",
        "InvalidParameter",
        "PoolSaturated",
        "ProgramQuotaExceeded",
        "QuotaExceeded",
        "Run",
        "RunNotFound",
        "RunStopped",
        "Session",
        "SessionNotFound",
        "SessionQuotaExceeded",
        "SessionWorkerUnavailable",
        "SnakepitError",
        "StreamChunk",
        "StreamingNotSupported",
        "StreamingRequired",
        "ToolError",
        "ToolNotFound",
        "ToolReplaced",
        "Unavailable",
        "UnserializableValue",
        "UsageError",
        "WorkerBusy",
        "WorkerCrashed",
        "WorkerStartFailed",
        "WorkerTimeout",
        "connect",
        "execute",
        "execute_in_session",
        "execute_in_session_stream",
        "execute_stream",
        "host_tool",
        "list_tools",
        "load_ipython_extension",
        "register_host_tool",
        "session",
        "start",
        "status",
        "stop",
        "subscribe",
        "tool",
        "unload_ipython_extension",
    ]


@pytest.mark.parametrize("name", snakepit_jupyter.__all__)
def test_a_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(snakepit_jupyter, name) is not None
    assert name in dir(snakepit_jupyter)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = snakepit_jupyter.nothing


def test_every_module_can_be_imported() -> None:
    for module in MODULES:
        importlib.import_module(f"{PACKAGE.name}.{module}".rstrip("."))


def imported_by(statement: str) -> set[str]:
    """The top modules that a fresh interpreter has imported after a statement."""
    text = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_costs_next_to_nothing() -> None:
    heavy = {"grpc", "google", "IPython", "ipywidgets", "anywidget", "numpy", "msgspec", "asyncio"}
    assert not imported_by("import snakepit_jupyter") & heavy


def test_writing_an_adapter_needs_no_grpc() -> None:
    assert not imported_by("from snakepit_jupyter import BaseAdapter, tool") & {"grpc", "IPython", "numpy", "anywidget"}


def test_a_client_outside_of_a_notebook_imports_nothing_of_notebooks() -> None:
    assert not imported_by("import snakepit_jupyter; snakepit_jupyter.Client(pool_size=1)") & {
        "IPython",
        "ipywidgets",
        "anywidget",
        "ipykernel",
        "numpy",
    }
