"""Measure the figures of the README: `make bench`.

Everything runs for real: fresh kernels for what happens in a notebook, the embedded bridge with two workers,
tools of this folder. Prints a table; each figure is the median of its repetitions.
"""

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import psutil
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

import snakepit_jupyter as snakepit

HERE = Path(__file__).parent
ADAPTER = "bench_tools:BenchTools"
COLD_REPEATS, WARM_REPEATS, RATE_REPEATS, BACKGROUND_ROUNDS = 5, 300, 5, 12
LOADS = ["none", "kernel", "process"]
ITEMS = 100_000


@contextmanager
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A fresh kernel of this environment, in this folder."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(HERE))
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)


def run_cell(client: BlockingKernelClient, code: str) -> None:
    reply = client.execute_interactive(code, timeout=120, output_hook=lambda _message: None)
    if reply["content"]["status"] != "ok":
        raise RuntimeError("\n".join(reply["content"]["traceback"]))


def value_of(client: BlockingKernelClient, expression: str) -> Any:
    """An expression's value in the kernel."""
    reply = client.execute("", user_expressions={"value": expression}, reply=True, timeout=60)
    return eval(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])


def cold() -> float:
    """Seconds from the first cell of a fresh kernel (%load_ext and the run) to the first chunk in the kernel."""
    with kernel() as (_manager, client):
        run_cell(client, "import time")  # the kernel is up; a user's first cell meets it so
        started = time.time()
        run_cell(
            client,
            "%load_ext snakepit_jupyter\n"
            "import snakepit_jupyter as snakepit, time\n"
            "chunk = next(iter(snakepit.execute_stream('ping_stream', {'count': 1})))\n"
            "seen = time.time()",
        )
        return float(value_of(client, "seen")) - started


def warm_first_chunk(client: snakepit.Client) -> float:
    """Seconds from `execute_stream` to the first chunk."""
    started = time.perf_counter()
    with client.execute_stream("ping_stream", {"count": 1}) as run:
        next(iter(run))
        return time.perf_counter() - started


def plain_call(client: snakepit.Client) -> float:
    """Seconds for `execute("echo", …)`."""
    started = time.perf_counter()
    client.execute("echo", {"a": 1, "b": "x"})
    return time.perf_counter() - started


def chunk_rate(client: snakepit.Client) -> float:
    """Small dicts per second, from a generator to a `for` loop."""
    started = time.perf_counter()
    count = sum(1 for _ in client.execute_stream("small_dicts", {"count": ITEMS}))
    assert count == ITEMS
    return count / (time.perf_counter() - started)


def widget_cpu() -> tuple[float, float]:
    """A kernel's share of a core while a run of 1,000 chunks a second is in its widget, and the run's real rate."""
    with kernel() as (manager, client):
        start_tools(client)
        run_cell(client, "%%snakepit_stream paced --bg -o run\nper_second = 1000\nseconds = 8")
        process = psutil.Process(manager.provisioner.pid)  # type: ignore[union-attr]
        time.sleep(1)  # the start is not what is measured
        before, began = process.cpu_times(), time.perf_counter()
        time.sleep(5)
        after, ended = process.cpu_times(), time.perf_counter()
        spent = after.user + after.system - before.user - before.system
        run_cell(client, "run.result()")
        chunks, elapsed = value_of(client, "(run.state.chunks, run.state.elapsed)")
        return spent / (ended - began), chunks / elapsed


BUSY_CELL = """
import time
end = time.time() + {seconds}
n = 0
while time.time() < end:
    n += 1
"""


def background_rates() -> dict[str, float]:
    """Steps per second of a computing background run beside nothing, a busy kernel, an unrelated busy process.

    With the last two, two processes compute on the machine, so their difference is the kernel's grip on the run alone.
    The order changes from round to round, because the speed of a shared machine drifts.
    """
    rates: dict[str, list[float]] = {name: [] for name in LOADS}
    with kernel() as (_manager, client):
        start_tools(client)
        for turn in range(BACKGROUND_ROUNDS):
            for name in LOADS[turn % len(LOADS) :] + LOADS[: turn % len(LOADS)]:
                rates[name].append(background_rate(client, name))
    return {name: statistics.median(measured) for name, measured in rates.items()}


def start_tools(client: BlockingKernelClient) -> None:
    run_cell(client, f"%load_ext snakepit_jupyter\n%snakepit start --pool-size 2 --adapter {ADAPTER}")


def background_rate(client: BlockingKernelClient, load: str) -> float:
    run_cell(client, "%%snakepit_stream computing --bg -o run\nseconds = 1.8")
    with busy_process(2.0) if load == "process" else nullcontext():
        run_cell(client, BUSY_CELL.format(seconds=2) if load == "kernel" else "import time\ntime.sleep(2)")
    return float(value_of(client, "run.result()['steps_per_second']"))


@contextmanager
def busy_process(seconds: float) -> Iterator[None]:
    """A process of no relation that computes in pure Python."""
    process = psutil.Popen([sys.executable, "-c", BUSY_CELL.format(seconds=seconds)])
    try:
        yield
    finally:
        process.wait()


def repeated(times: int, measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(times))


def measure_client() -> Iterator[tuple[str, str]]:
    """The figures that need no notebook."""
    with snakepit.Client(pool_size=2, adapters=[ADAPTER]) as client:
        client.start()
        first = repeated(WARM_REPEATS, lambda: warm_first_chunk(client))
        yield "first chunk of a run, warm (p50)", f"{first * 1000:.1f} ms"
        call = repeated(WARM_REPEATS, lambda: plain_call(client))
        yield "plain call, warm (p50)", f"{call * 1000:.1f} ms"
        rate = repeated(RATE_REPEATS, lambda: chunk_rate(client))
        yield "small dicts from a generator to a `for` loop", f"{rate:,.0f}/s"


def measure_kernels() -> Iterator[tuple[str, str]]:
    """The figures of a notebook's kernel."""
    start = repeated(COLD_REPEATS, cold)
    yield "first cell of a fresh kernel to its first chunk, 2 workers (cold)", f"{start:.2f} s"
    share, rate = widget_cpu()
    yield f"kernel's CPU while a run streams {rate:,.0f} chunks/s into a widget", f"{share:.1%} of a core"
    rates = background_rates()
    figure = f"{rates['kernel'] / rates['process']:.0%} of that while an unrelated process computes"
    detail = f"({rates['kernel']:,.0f} against {rates['process']:,.0f} steps/s; {rates['none']:,.0f} beside nothing)"
    yield "speed of a background run while a cell computes in pure Python", f"{figure} {detail}"


def main() -> None:
    sys.path.insert(0, str(HERE))
    versions = ", ".join(f"{name} {version(name)}" for name in ("grpcio", "ipykernel", "anywidget"))
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}\n\n| | |\n|---|---|")
    for name, figure in (*measure_kernels(), *measure_client()):
        print(f"| {name} | {figure} |", flush=True)


if __name__ == "__main__":
    main()
