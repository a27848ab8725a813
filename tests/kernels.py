"""A notebook's kernel as a front end drives it."""

import ast
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import start_new_kernel
from tools_for_tests import ALL

TESTS = Path(__file__).parent


@dataclass
class Cell:
    """What a cell has given: its outputs, as the messages' contents, and the kernel's reply."""

    outputs: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All that was printed."""
        return "".join(content["text"] for kind, content in self.outputs if kind == "stream")

    @property
    def result(self) -> str:
        """The value of its last expression, as it is shown."""
        return "".join(content["data"]["text/plain"] for kind, content in self.outputs if kind == "execute_result")

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [content for kind, content in self.outputs if kind == "error"]

    @property
    def shown(self) -> list[dict[str, Any]]:
        """What was displayed, each as it is at the end."""
        last: dict[str, dict[str, Any]] = {}
        for kind, content in self.outputs:
            if kind in {"display_data", "update_display_data"}:
                last[content["transient"].get("display_id", str(len(last)))] = content["data"]
        return list(last.values())


class Notebook:
    """A kernel of its own, with the extension loaded and the test adapters in one worker."""

    def __init__(self, directory: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(TESTS), "IPYTHONDIR": str(directory)}
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=environment)
        adapters = " ".join(f"--adapter {path}" for path in ALL)
        started = self.run(f"%load_ext snakepit_jupyter\n%snakepit start --pool-size 1 {adapters}")
        assert not started.errors, started.errors

    def run(self, code: str, within: float = 30, meanwhile: Callable[[], object] | None = None) -> Cell:
        """Run a cell to its end.

        Args:
            code: the cell.
            within: seconds that it may take.
            meanwhile: called as soon as the kernel has begun with it.
        """
        cell = Cell()
        request = self.client.execute(code)
        while True:
            message = self.client.get_iopub_msg(timeout=within)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "execute_input" and meanwhile:
                meanwhile()
            elif kind == "status" and content["execution_state"] == "idle":
                break
            elif kind in {"stream", "error", "execute_result", "display_data", "update_display_data", "comm_msg"}:
                cell.outputs.append((kind, content))
        while (reply := self.client.get_shell_msg(timeout=within))["parent_header"].get("msg_id") != request:
            pass
        cell.reply = reply["content"]
        return cell

    def value(self, expression: str) -> Any:
        """The value of an expression that is a number, a text, a list …"""
        cell = self.run(expression)
        assert not cell.errors, cell.errors
        return ast.literal_eval(cell.result)

    def pids(self) -> dict[str, int]:
        """The processes of the kernel, by who they are."""
        value: dict[str, int] = self.value(
            "import os; from snakepit_jupyter.client.default import default_client; "
            "{'kernel': os.getpid(), 'bridge': default_client().bridge_pid, "
            "**{w.worker_id: w.pid for w in default_client().status().workers}}"
        )
        return value

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
