"""The command `snakepit`: tools from a shell."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from snakepit_jupyter import __version__, arguments, exact_json
from snakepit_jupyter.client.display import show_until_end
from snakepit_jupyter.client.sync import Client
from snakepit_jupyter.errors import RunStopped, SnakepitError, ToolError, UsageError

# Exit codes, after the shells' own habits.
FAILED, WRONG_USE, INTERRUPTED = 1, 2, 130


def main(words: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        words: its arguments; by default those of the process.

    Returns:
        0, or 1 if the tool failed, 2 if the command was wrong, 130 if it was interrupted.
    """
    options = _parser().parse_args(words)
    try:
        with Client(pool_size=options.pool_size, adapters=options.adapter or ()) as client:
            options.do(client, options)
    except KeyboardInterrupt:
        return INTERRUPTED
    except RunStopped as error:
        return _say(error, INTERRUPTED)
    except UsageError as error:
        return _say(error, WRONG_USE)
    except SnakepitError as error:
        return _say(error, FAILED)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="snakepit", description="Run tools on worker processes.")
    parser.add_argument("--version", action="version", version=f"snakepit-jupyter {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a tool, seen live; its result is printed as JSON")
    run.add_argument("tool", metavar="TOOL")
    run.add_argument("words", nargs="*", metavar="key=value", help="an argument; a.b=value fills a dict")
    run.add_argument("--timeout", type=float, metavar="SECONDS", help="by default there is no limit")
    run.set_defaults(do=_run)
    tools = commands.add_parser("tools", help="list the tools and their arguments")
    tools.set_defaults(do=_tools)
    for command in (run, tools):
        command.add_argument("--adapter", action="append", metavar="MODULE:CLASS", help="an adapter of your own")
        command.add_argument("--pool-size", type=int, default=1, metavar="N", help="number of workers (1)")
    return parser


def _run(client: Client, options: argparse.Namespace) -> None:
    given = arguments.from_words(options.words)
    streaming = {tool.name: tool.streaming for tool in client.list_tools()}
    if streaming.get(options.tool):
        result = _stream(client, options, given)
    else:
        result = client.execute(options.tool, given, options.timeout)
    sys.stdout.write(exact_json.encode(result).decode() + "\n")


def _stream(client: Client, options: argparse.Namespace, given: dict[str, Any]) -> dict[str, Any]:
    run = client.start_run(None, options.tool, given, timeout=options.timeout, background=True)
    return show_until_end(run)


def _tools(client: Client, options: argparse.Namespace) -> None:
    for tool in client.list_tools():
        sys.stdout.write(f"{tool}\n    {tool.description}\n")


def _say(error: SnakepitError, code: int) -> int:
    text = str(error) if not isinstance(error, ToolError) else f"{error.remote_traceback}{error.message}"
    sys.stderr.write(f"{type(error).__name__}: {text}\n")
    return code
