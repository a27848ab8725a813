"""The command `snakepit`: tools from a shell."""

import argparse
import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snakepit_jupyter import __version__, arguments, scaffold, values
from snakepit_jupyter.client.calls import config_of
from snakepit_jupyter.client.display import show_until_end
from snakepit_jupyter.client.embedded import Listen
from snakepit_jupyter.client.serving import serve
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
        options.do(options)
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
    serve = commands.add_parser("serve", help="run a bridge that other programs may reach")
    serve.add_argument("--listen", required=True, metavar="unix:PATH|HOST:PORT", help="port 0 takes a free one")
    serve.add_argument("--token-file", type=Path, metavar="PATH", help="where the token is put (a private directory)")
    serve.add_argument(
        "--tls-certificate", default="", metavar="PEM", help="needed unless only this machine can reach it"
    )
    serve.add_argument("--tls-key", default="", metavar="PEM", help="the certificate's key")
    serve.set_defaults(do=_serve)
    made = commands.add_parser("gen-adapter", help="write a package with an adapter of your own, and its test")
    made.add_argument("name", metavar="NAME", help="as it is imported, for example my_tools")
    made.add_argument("--directory", type=Path, default=Path(), metavar="DIR", help="where its folder is put (here)")
    made.set_defaults(do=_gen_adapter)
    for command, workers in ((run, 1), (tools, 1), (serve, None)):
        command.add_argument("--adapter", action="append", metavar="MODULE:CLASS", help="an adapter of your own")
        default = "1" if workers else "the number of cores, at most 4"
        command.add_argument(
            "--pool-size", type=int, default=workers, metavar="N", help=f"number of workers ({default})"
        )
    return parser


def _run(options: argparse.Namespace) -> None:
    with _client(options) as client:
        given = arguments.from_words(options.words)
        streaming = {tool.name: tool.streaming for tool in client.list_tools()}
        if streaming.get(options.tool):
            result = _stream(client, options, given)
        else:
            result = client.execute(options.tool, given, options.timeout)
    sys.stdout.write(values.encode_plain(result).data.decode("utf-8", "replace") + "\n")


def _client(options: argparse.Namespace) -> Client:
    return Client(pool_size=options.pool_size, adapters=options.adapter or ())


def _stream(client: Client, options: argparse.Namespace, given: dict[str, Any]) -> dict[str, Any]:
    run = client.start_run(None, options.tool, given, timeout=options.timeout, background=True)
    return show_until_end(run)


def _tools(options: argparse.Namespace) -> None:
    with _client(options) as client:
        for tool in client.list_tools():
            sys.stdout.write(f"{tool}\n    {tool.description}\n")


def _serve(options: argparse.Namespace) -> None:
    config = config_of(options.pool_size, options.adapter, {})
    listen = Listen(options.listen, options.tls_certificate, options.tls_key)
    asyncio.run(serve(config, listen, options.token_file, _line))


def _gen_adapter(options: argparse.Namespace) -> None:
    package = scaffold.write(options.name, options.directory)
    _line(f"{package} is written. Try it:\n    cd {shlex.quote(str(package))}\n    python -m pytest")


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say(error: SnakepitError, code: int) -> int:
    text = str(error) if not isinstance(error, ToolError) else f"{error.remote_traceback}{error.message}"
    sys.stderr.write(f"{type(error).__name__}: {text}\n")
    return code
