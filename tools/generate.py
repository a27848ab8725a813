"""Make the generated files: gRPC code from `proto/`, the front end's bundle from `js/`.

`generate.py proto` and `generate.py js` write them in place; `generate.py --check` makes both
in a scratch directory and fails if a committed file differs.
"""

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROTOS = ["snakepit_bridge.proto", "snakepit_jupyter.proto"]
PACKAGE = "snakepit_jupyter/codecs/_generated"
STATIC = "snakepit_jupyter/views/static"
JS = ROOT / "js"


def make_proto(out: Path) -> None:
    """Write messages, stubs and their types below `out`, as files of the package's own path."""
    spec = importlib.util.find_spec("grpc_tools")
    assert spec is not None
    assert spec.origin is not None
    well_known = Path(spec.origin).parent / "_proto"
    with tempfile.TemporaryDirectory() as scratch:
        # protoc derives the import lines from where a file lies: the package's path, so that they are absolute.
        source = Path(scratch, PACKAGE)
        source.mkdir(parents=True)
        for name in PROTOS:
            shutil.copy(ROOT / "proto" / name, source)
        command = [
            *(sys.executable, "-m", "grpc_tools.protoc"),
            *(f"-I{scratch}", f"-I{well_known}"),
            *(f"--python_out={out}", f"--grpc_python_out={out}"),
            *(f"--mypy_out=quiet:{out}", f"--mypy_grpc_out=quiet:{out}"),
            *(str(source / name) for name in PROTOS),
        ]
        subprocess.run(command, check=True, cwd=scratch, env=_environment())


def _environment() -> dict[str, str]:
    """The environment's own plug-ins of protoc come first."""
    import os

    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def install_js() -> None:
    """Bring what `js/package-lock.json` names, if it is not there."""
    if not (JS / "node_modules" / ".package-lock.json").exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=JS, check=True)


def make_js(out: Path) -> None:
    """Bundle `js/src` with esbuild."""
    install_js()
    target = out / STATIC
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["node", "build.mjs", str(target)], cwd=JS, check=True)


def check(make: Callable[[Path], None], below: str) -> list[str]:
    """Names of the generated files that differ from the committed ones."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        make(fresh)
        made = {p.relative_to(fresh) for p in (fresh / below).rglob("*") if p.is_file()}
        return sorted(str(p) for p in made if _text(fresh / p) != _text(ROOT / p))


def _text(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["proto", "js"])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args()
    if options.what == "proto":
        make_proto(ROOT)
    elif options.what == "js":
        make_js(ROOT)
    elif options.check:
        stale = check(make_proto, PACKAGE)
        if shutil.which("npm"):
            stale += check(make_js, STATIC)
        else:
            sys.stdout.write("npm is not here: the front end's bundle was not compared\n")
        if stale:
            sys.stdout.write("not up to date, run `make proto js`: " + ", ".join(stale) + "\n")
            return 1
    else:
        parser.error("say what to make: proto or js, or --check")
    return 0


if __name__ == "__main__":
    sys.exit(main())
