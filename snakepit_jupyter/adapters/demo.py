"""Small tools to try the machinery with: nothing to install, nothing to prepare."""

import math
import operator
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from snakepit_jupyter.errors import InvalidParameter
from snakepit_jupyter.worker.adapter import BaseAdapter, tool

Operation = Literal["add", "subtract", "multiply", "divide", "floor_divide", "mod", "power"]

_OPERATIONS: Mapping[Operation, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "mod": operator.mod,
    "power": operator.pow,
}
_MOST_BITS = 10_000
_LONGEST_DELAY_MS = 3_600_000


class DemoAdapter(BaseAdapter):
    """Answers, echoes, calculates and counts."""

    @tool(description="Answer at once: is the worker there, and which one is it?")
    def ping(self, message: str = "ping") -> dict[str, Any]:
        """Answers.

        Returns:
            `message` ("pong: " and what was sent), `pid` and `python` (the worker's process and version),
            `time` (UTC, ISO 8601).
        """
        return {
            "message": f"pong: {message}",
            "pid": os.getpid(),
            "python": platform.python_version(),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }

    @tool(description="Stream `count` pings", supports_streaming=True)
    def ping_stream(self, count: int = 5, delay_ms: float = 0.0) -> Iterator[dict[str, Any]]:
        """Pings `count` times.

        Args:
            count: how many chunks, at least 1.
            delay_ms: milliseconds between two chunks.

        Yields:
            `message`, `index` (from 1), `count`, `is_final`.

        Raises:
            InvalidParameter: `count` or `delay_ms` is out of range.
        """
        for index in _paced("count", count, delay_ms):
            yield {
                "message": f"ping {index} of {count}",
                "index": index,
                "count": count,
                "is_final": index == count,
            }

    @tool(description="Return the arguments as they arrived")
    def echo(self, /, **arguments: Any) -> dict[str, Any]:
        """Returns whatever it was called with, by name."""
        return arguments

    @tool(description="Calculate with two numbers")
    def compute(self, operation: Operation, a: int | float, b: int | float) -> dict[str, Any]:  # noqa: PYI041  as a float, 3 would come as 3.0
        """Calculates as Python does: whole numbers stay whole, except in a division.

        Returns:
            `operation`, `a`, `b` and the `result`.

        Raises:
            ZeroDivisionError: `b` is 0 in a division, or `a` is 0 and the power negative.
            OverflowError: the result does not fit in a float.
            ValueError: the power has no real value, for example (-8) ** 0.5.
            InvalidParameter: the power would have more than 10,000 binary digits.
        """
        if operation == "power":
            _check_power(a, b)
        result = _OPERATIONS[operation](a, b)
        if isinstance(result, complex):
            raise ValueError(f"({a}) ** {b} has no real value")  # noqa: TRY004  a value is wrong, not a type
        return {"operation": operation, "a": a, "b": b, "result": result}

    @tool(description="Stream progress, one chunk per step", supports_streaming=True)
    def stream_progress(self, steps: int = 5, delay_ms: float = 750.0) -> Iterator[dict[str, Any]]:
        """Counts to `steps`; the waiting in between is what this demonstration is for.

        Args:
            steps: how many chunks, at least 1.
            delay_ms: milliseconds between two chunks.

        Yields:
            `step` (from 1), `total`, `progress` (percent), `message`, `is_final`.

        Raises:
            InvalidParameter: `steps` or `delay_ms` is out of range.
        """
        for step in _paced("steps", steps, delay_ms):
            yield {
                "is_final": step == steps,
                "message": f"Step {step} of {steps}",
                "progress": 100.0 * step / steps,
                "step": step,
                "total": steps,
            }


def _paced(key: str, count: int, delay_ms: float) -> Iterator[int]:
    """1 … `count`, with a pause between two numbers but none before the first or after the last."""
    if count < 1:
        raise InvalidParameter(f"{key} is {count}; allowed is 1 or more", details={"key": key})
    if not 0 <= delay_ms <= _LONGEST_DELAY_MS:
        raise InvalidParameter(
            f"delay_ms is {delay_ms}; allowed is 0 to {_LONGEST_DELAY_MS:,} (one hour)",
            details={"key": "delay_ms"},
        )
    for number in range(1, count + 1):
        if number > 1 and delay_ms:
            time.sleep(delay_ms / 1000)
        yield number


def _check_power(a: float, b: float) -> None:
    # A whole number of a billion digits is calculated inside one C call, which no signal can interrupt.
    if not (isinstance(a, int) and isinstance(b, int)) or b <= 0 or abs(a) <= 1:
        return
    if b * math.log2(abs(a)) > _MOST_BITS:
        raise InvalidParameter(
            f"{a} ** {b} has more than {_MOST_BITS:,} binary digits",
            hint="Calculate with floats, or with a smaller power.",
            details={"key": "b"},
        )
