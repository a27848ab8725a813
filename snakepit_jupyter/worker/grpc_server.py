"""A worker by itself, with the command line of Snakepit's own, for a bridge that we have not written.

    python …/snakepit_jupyter/worker/grpc_server.py --adapter package.module.Class --port 0
        --elixir-address 127.0.0.1:50051 --snakepit-run-id abc1234

It listens on 127.0.0.1 only, where Snakepit's listens on all interfaces: no peer of its needs more, and it wants no
password. The name of this file is part of the contract: Snakepit finds its orphans by it.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def mend_path() -> None:
    """Python puts a script's directory first, where our modules would hide others of their names.

    The package itself is found where this file lies, even if another one is installed.
    """
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]
    root = str(HERE.parent.parent)
    if root not in sys.path:
        sys.path.insert(0, root)


if __name__ == "__main__":
    mend_path()
    from snakepit_jupyter.worker.standalone import main

    main()
