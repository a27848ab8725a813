"""Open the tour in JupyterLab and stay until Ctrl-C.

`demo.py --port 8888`; port 0 takes any free one. A browser is opened where there is a screen; the address is
printed in any case.
"""

import argparse
import contextlib
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOUR = "notebooks/01_tour.ipynb"
HOST = "127.0.0.1"
SPARE = 8899
STOP_SECONDS = 10.0


class CannotStart(Exception):
    """What the user should know, in one line."""


def free(port: int) -> int:
    """The port, if it is free; for 0 one that is.

    Raises:
        CannotStart: if it is not.
    """
    with socket.socket() as probe:
        # As the server itself does: a port that was left a minute ago is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "it is no port"
            advice = f"choose another one, for example: make demo PORT={SPARE}"
            raise CannotStart(f"port {port} cannot be used ({reason.lower()}); {advice}") from None
        bound: int = probe.getsockname()[1]
        return bound


def command(port: int, token: str) -> list[str]:
    """JupyterLab of the interpreter that runs this."""
    options: dict[str, object] = {
        "ServerApp.ip": HOST,
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": ROOT,
        "Application.log_level": "WARN",
        "IdentityProvider.token": token,
    }
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options["ServerApp.allow_root"] = True
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser"),
        *(f"--{name}={value}" for name, value in options.items()),
    ]


@contextlib.contextmanager
def server(port: int, token: str) -> Iterator[subprocess.Popen[bytes]]:
    """JupyterLab for the length of a `with` block, in a session of its own: Ctrl-C is ours to handle."""
    # This environment's kernel, not one of the same name that the user has elsewhere.
    environment = {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"}
    process = subprocess.Popen(
        command(port, token), cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    """Wait for the server's first answer.

    Raises:
        CannotStart: if it ends instead.
    """
    while not answers(port):
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise CannotStart(f"JupyterLab ended with {process.wait(0.1)}; the lines above say why")


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/api")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def has_screen() -> bool:
    if os.environ.get("SSH_CONNECTION"):
        return False
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show(port: int, *, browser: bool) -> None:
    """Open the tour and stay until the server ends or Ctrl-C."""
    token = secrets.token_hex(24)
    url = f"http://{HOST}:{port}/lab/tree/{TOUR}?token={token}"
    with server(port, token) as process:
        wait_until_ready(process, port)
        say(f"\n  The tour is here:\n\n    {url}\n\n  Ctrl-C ends it.\n")
        if browser:
            webbrowser.open(url)
        process.wait()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8888)
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    options = parser.parse_args()
    # Whoever ends this program ends the server.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        show(free(options.port), browser=has_screen() and not options.no_browser)
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        say("\nThe demo has ended.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
