"""The magics: parse, make a call, show the run. No logic of their own."""

import argparse
import ast
import asyncio
import difflib
import shlex
import sys
from collections.abc import Generator, Sequence
from typing import Any, NoReturn

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from snakepit_jupyter import arguments, notebook
from snakepit_jupyter.client.calls import CALL_TIMEOUT
from snakepit_jupyter.client.default import default_client
from snakepit_jupyter.client.display import show_until_end
from snakepit_jupyter.client.run import Run
from snakepit_jupyter.client.sync import Client
from snakepit_jupyter.errors import RunNotFound, SnakepitError, UsageError
from snakepit_jupyter.messages import Status

AWAITED = "snakepit_stream"


class Options(argparse.ArgumentParser):
    """A magic's options; a mistake is one line that names the nearest right one."""

    def __init__(self, name: str) -> None:
        super().__init__(prog=name, add_help=False, allow_abbrev=False)

    def read(self, line: str) -> argparse.Namespace:
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"{self.prog}: {error}", hint="Close every quotation mark.") from None
        known, unknown = self.parse_known_args(words)
        wrong = next((word for word in unknown if word.startswith("-")), unknown[0] if unknown else None)
        if wrong is not None:
            raise UsageError(f"{self.prog} has no option {wrong!r}", hint=self._nearest(wrong))
        return known

    def _nearest(self, word: str) -> str:
        every = [option for action in self._actions for option in action.option_strings]
        near = difflib.get_close_matches(word.split("=", 1)[0], every, n=1)
        start = f"Did you mean {near[0]}? " if near else ""
        usage = " ".join(self.format_usage().split()).replace("usage: ", "Usage: ", 1)
        return start + usage

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", hint=self._nearest(message.rsplit(maxsplit=1)[-1]))


def _call_options(name: str, timeout: float | None) -> Options:
    """What streams and plain calls have in common."""
    options = Options(name)
    options.add_argument("tool", metavar="TOOL")
    options.add_argument("-o", "--out", metavar="NAME")
    options.add_argument("--session", metavar="ID")
    options.add_argument("--timeout", type=float, default=timeout, metavar="SECONDS")
    return options


def _stream_options() -> Options:
    options = _call_options("%%snakepit_stream", timeout=None)
    options.add_argument("--bg", action="store_true")
    return options


def _run_options() -> Options:
    options = _call_options("%snakepit_run", timeout=CALL_TIMEOUT)
    options.add_argument("words", nargs="*", metavar="key=value")
    return options


def _control_options() -> Options:
    options = Options("%snakepit")
    options.add_argument("what", choices=["status", "tools", "start", "stop", "cancel", "report"])
    options.add_argument("run", nargs="?", metavar="RUN")
    options.add_argument("--pool-size", type=int, metavar="N")
    options.add_argument("--adapter", action="append", metavar="MODULE:CLASS")
    return options


class CellRun:
    """A run that a cell has started and shows. Awaiting it waits until its end is on the screen.

    Args:
        run: the run, which is shown already.
        keep: where its result goes; called once it has one.
    """

    def __init__(self, run: Run, keep: "Keep") -> None:
        self.run = run
        self._keep = keep

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        try:
            self._keep(await self._result())
        except SnakepitError as error:
            error.is_reported = True
            raise

    async def _result(self) -> dict[str, Any]:
        try:
            return await self.run
        except asyncio.CancelledError:
            # The kernel's interrupt. The run is stopped as by its button, and the cell says so when it has ended.
            self.run.cancel("kernel interrupt")
            return await self.run

    def __repr__(self) -> str:
        return f"{self.run!r}: await it, or its .run.result()"

    def _ipython_display_(self) -> None:
        """It is shown already."""


class BackgroundRun(CellRun):
    """A run that the cell does not wait for: what it keeps, and at once, is the run itself."""

    def __init__(self, run: Run, keep: "Keep") -> None:
        super().__init__(run, keep)
        keep(run)

    async def _wait(self) -> None:
        """There is nothing to wait for."""


class Keep:
    """Where a result goes: to a name of the notebook, or nowhere.

    Args:
        names: the notebook's names.
        name: the name, or None.
    """

    def __init__(self, names: dict[str, Any], name: str | None) -> None:
        if name is not None and not name.isidentifier():
            raise UsageError(f"-o {name!r}: that is no name", hint="Give a Python name, for example -o result.")
        self._names = names
        self._name = name

    def __call__(self, value: Any) -> None:
        if self._name is not None:
            self._names[self._name] = value

    @property
    def wanted(self) -> bool:
        return self._name is not None


@magics_class
class SnakepitMagics(Magics):
    """`%%snakepit_stream`, `%snakepit_run` and `%snakepit`."""

    @property
    def names(self) -> dict[str, Any]:
        """The notebook's names."""
        assert self.shell is not None
        names: dict[str, Any] = self.shell.user_ns
        return names

    @property
    def client(self) -> Client:
        return default_client()

    @no_var_expand
    @line_cell_magic
    def snakepit_stream(self, line: str, cell: str = "") -> object:
        """Run a streaming tool on a worker and see it live.

        ::

          %%snakepit_stream TOOL [--bg] [-o NAME] [--session ID] [--timeout SECONDS]

        The body gives the arguments, as Python assignments whose expressions see the notebook's
        variables, or as one dict. An empty body means no arguments.

          --bg               return at once; the run goes on and shows itself. With -o NAME the name is the run
          -o NAME            keep the result (the final chunk, a dict) under this name
          --session ID       the session whose state it uses; by default the notebook's own
          --timeout SECONDS  stop it after so long; by default there is no limit

        The cell waits for the end without blocking the kernel: the Stop button works, a reloaded page is
        live again, and an interrupt of the kernel stops the run. A run that fails or is stopped fails the cell.

        Examples
        --------
        ::

          %%snakepit_stream distributed_training -o trained
          model_config = {"architecture": "mlp", "layers": 2, "hidden_size": 64}
          training_config = {"epochs": 20, "batch_size": 32, "learning_rate": 0.001}
          dataset_path = "digits"

          %%snakepit_stream stream_progress --bg
          {"steps": 10, "delay_ms": 500}

        `%snakepit tools` lists the tools, `%snakepit cancel` stops a run.
        """
        options = _stream_options().read(line)
        keep = Keep(self.names, options.out)
        run = self.client.start_run(
            options.session,
            options.tool,
            arguments.from_cell(cell, self.names),
            timeout=options.timeout,
            background=True,
        )
        if options.bg:
            return BackgroundRun(run.show(), keep)
        if notebook.in_kernel():
            return CellRun(_shown(run), keep)
        keep(show_until_end(run))
        return None

    @no_var_expand
    @line_magic
    def snakepit_run(self, line: str) -> object:
        """Call a tool and wait for its result.

        ::

          %snakepit_run TOOL key=value ... [-o NAME] [--session ID] [--timeout SECONDS]

        A value is a Python expression that sees the notebook's variables, or else plain text. With -o
        the result goes to that name instead of the output. The timeout is 30 seconds unless given.

        Examples
        --------
        ::

          %snakepit_run ping
          %snakepit_run compute operation=add a=5 b=3 -o total
        """
        options = _run_options().read(line)
        keep = Keep(self.names, options.out)
        given = arguments.from_words(options.words, self.names)
        session = notebook.session_id() if options.session is None else options.session
        result = self.client.execute_in_session(session, options.tool, given, options.timeout)
        keep(result)
        return None if keep.wanted else result

    @no_var_expand
    @line_magic
    def snakepit(self, line: str) -> None:
        """Look after the workers.

        ::

          %snakepit status                                     workers and runs
          %snakepit tools                                      the tools and their arguments
          %snakepit start [--pool-size N] [--adapter M:CLASS]  start with settings of one's own; repeat --adapter
          %snakepit stop                                       stop the workers
          %snakepit cancel [RUN]                               stop a run, or all that are going on
          %snakepit report [RUN]                               show a run again, by default the last
        """
        options = _control_options().read(line)
        getattr(self, f"_{options.what}")(options)

    def _status(self, _options: argparse.Namespace) -> None:
        _say(describe(self.client.status()) if self.client.running else "no workers are running")

    def _tools(self, _options: argparse.Namespace) -> None:
        _say("\n".join(f"{tool}\n    {tool.description}" for tool in self.client.list_tools()))

    def _start(self, options: argparse.Namespace) -> None:
        status = self.client.start(options.pool_size, options.adapter)
        workers = len(status.workers)
        _say(f"{workers} worker{'s' * (workers != 1)}, {len(status.tools)} tools")

    def _stop(self, _options: argparse.Namespace) -> None:
        self.client.stop()
        _say("stopped")

    def _report(self, options: argparse.Namespace) -> None:
        if not self.client.running:
            raise RunNotFound("there is no run yet")
        self.client.find_run(options.run).show()

    def _cancel(self, options: argparse.Namespace) -> None:
        if not self.client.running:
            raise RunNotFound("nothing is running")
        going_on = [run.run_id for run in self.client.status().runs if not run.status.ended]
        chosen = [run_id for run_id in going_on if options.run in {None, run_id}]
        if not chosen:
            hint = f"Going on: {', '.join(going_on)}." if going_on else ""
            raise RunNotFound("there is no such run that goes on" if options.run else "nothing is running", hint=hint)
        for run_id in chosen:
            self.client.cancel(run_id, "%snakepit cancel")
        _say(f"asked to stop: {', '.join(chosen)}")


def _shown(run: Run) -> Run:
    """Show a run; an interrupt that comes before there is anything to await stops it too."""
    try:
        return run.show()
    except KeyboardInterrupt:
        run.cancel("kernel interrupt")
        raise


def describe(status: Status) -> str:
    """Workers and runs as lines of text."""
    workers = (
        f"{w.worker_id}  {w.status:8}  pid {w.pid}  {w.calls} calls{f'  {w.tool}' if w.tool else ''}"
        for w in status.workers
    )
    runs = (f"{r.run_id}  {r.status:8}  {r.tool}  {r.chunks:,} chunks" for r in status.runs)
    waiting = [f"{status.queued} calls wait for a worker"] if status.queued else []
    return "\n".join([*workers, *waiting, *runs])


def _say(text: str) -> None:
    """Into the cell's output."""
    sys.stdout.write(text + "\n")


def await_streams(lines: Sequence[str]) -> list[str]:
    """Let a cell that starts with the streaming magic await it: IPython itself has no asynchronous magics."""
    return _rewritten(lines, "await ")


def allow_empty_bodies(lines: Sequence[str]) -> list[str]:
    """Let a cell consist of the streaming magic's first line alone, in a shell that cannot await."""
    return _rewritten(lines, "")


def _rewritten(lines: Sequence[str], prefix: str) -> list[str]:
    """What IPython made of the cell, once more rewritten.

    A cell magic without a body, which IPython refuses, becomes the line magic, which needs none.
    """
    text = "".join(lines)
    if AWAITED not in text:
        return list(lines)
    try:
        module = ast.parse(text)
    except SyntaxError:
        return list(lines)
    if not module.body or not _is_stream(module.body[0]):
        return list(lines)
    call = module.body[0].value  # type: ignore[attr-defined]
    rest = "".join(text.splitlines(keepends=True)[call.end_lineno :])
    return f"{prefix}get_ipython().{_call_text(call)}\n{rest}".splitlines(keepends=True)


def _is_stream(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    call = statement.value
    return (
        ast.unparse(call.func) in {"get_ipython().run_cell_magic", "get_ipython().run_line_magic"}
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value == AWAITED
    )


def _call_text(call: ast.Call) -> str:
    name, line, *body = (ast.literal_eval(argument) for argument in call.args)
    if body and body[0].strip():
        return f"run_cell_magic({name!r}, {line!r}, {body[0]!r})"
    return f"run_line_magic({name!r}, {line!r})"


def load(ipython: Any) -> None:
    """Register the magics; in a kernel, cells that stream are awaited."""
    unload(ipython)
    ipython.register_magics(SnakepitMagics)
    ipython.input_transformers_post.append(await_streams if notebook.in_kernel() else allow_empty_bodies)


def unload(ipython: Any) -> None:
    """Take the transformer away again; IPython cannot unregister magics."""
    for transform in (await_streams, allow_empty_bodies):
        if transform in ipython.input_transformers_post:
            ipython.input_transformers_post.remove(transform)
