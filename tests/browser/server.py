"""A Jupyter server for tests, with settings of its own and nothing of the user's."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

App = Literal["lab", "notebook"]

MODULES: Mapping[App, str] = {"lab": "jupyterlab", "notebook": "notebook"}
CLASSES: Mapping[App, str] = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}
PAGES: Mapping[App, str] = {"lab": "lab/tree", "notebook": "notebooks"}
START_SECONDS = 60.0
STOP_SECONDS = 15.0

# No question whether Jupyter's news are wanted, and every cell in the page, seen or not (older JupyterLabs hide them).
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "doNotDisturbMode": True},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}


class JupyterServer:
    """JupyterLab or Notebook 7, for the length of a `with` block.

    Args:
        root: the folder whose notebooks it serves.
        state: an empty folder for its settings and its log.
        app: which front end.
    """

    def __init__(self, root: Path, state: Path, app: App = "lab") -> None:
        self.root = root
        self._app = app
        self._token = secrets.token_hex(16)
        self._port = free_port()
        self._log = state / "server.log"
        # Through no proxy, whatever the environment says.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        _write_settings(state / "settings")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=root,
                env=_environment(state),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", MODULES[self._app], "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self._port}", "--ServerApp.port_retries=0"),
            *(f"--ServerApp.root_dir={self.root}", f"--IdentityProvider.token={self._token}"),
            # Tests speak to the application itself: `window.jupyterapp`.
            f"--{CLASSES[self._app]}.expose_app_in_browser=True",
        ]

    def __enter__(self) -> Self:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise RuntimeError(f"the server ended with {self._process.wait(0.05)}:\n{self._last_lines()}")
            if time.monotonic() > deadline:
                self.stop()
                raise TimeoutError(f"the server does not answer:\n{self._last_lines()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, with its kernels."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def url_of(self, notebook: Path) -> str:
        """Where a notebook below the root is shown; JupyterLab forgets what it had open before."""
        path = quote(notebook.relative_to(self.root).as_posix())
        return f"http://127.0.0.1:{self._port}/{PAGES[self._app]}/{path}?token={self._token}&reset"

    def end_session(self, notebook: Path) -> None:
        """Shut down a notebook's kernel, as "Shut Down" in the list of kernels does."""
        for session in self._api("GET", "sessions"):
            if session["path"] == notebook.relative_to(self.root).as_posix():
                self._api("DELETE", f"sessions/{session['id']}")

    def _answers(self) -> bool:
        try:
            self._api("GET", "status")
        except OSError:
            return False
        return True

    def _api(self, method: str, path: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self._token}"},
        )
        with self._opener.open(request, timeout=20) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def _last_lines(self) -> str:
        return self._log.read_text()[-3000:]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write_settings(folder: Path) -> None:
    for name, values in SETTINGS.items():
        path = folder / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def _environment(state: Path) -> dict[str, str]:
    ours = ("JUPYTER", "SNAKEPIT", "PYTEST", "IPYTHON")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return inherited | {key: str(state / name) for key, name in folders.items()}
