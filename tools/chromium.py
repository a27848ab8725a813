"""Find the Chromium that the browser tests drive, and install one if there is none; prints its path.

`chromium.py --find` only looks. The environment's CHROMIUM names one of your own.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-liberation")


def candidates() -> Iterator[str]:
    """Where a Chromium may be; the user's own choice is the only one if there is one."""
    if chosen := os.environ.get("CHROMIUM"):
        yield chosen
        return
    yield from (*NAMES, MAC)
    yield from playwrights_own()


def playwrights_own() -> Iterator[str]:
    """The path of Playwright's own download, whether it is there or not."""
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            yield playwright.chromium.executable_path
    except Error:
        return


def find() -> str | None:
    """The path of a Chromium that starts, or None."""
    paths = filter(None, map(shutil.which, candidates()))
    return next(filter(starts, paths), None)


def starts(path: str) -> bool:
    """Whether it can be started; Ubuntu's `chromium-browser` may be only a hint to install a snap."""
    try:
        subprocess.run([path, "--version"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def install() -> None:
    """Ask the system's package manager for one, or else Playwright; both tell the user what they do."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        commands = [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]]
    else:
        commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in commands:
        subprocess.run(command, check=False, stdout=sys.stderr, env=environment)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--find", action="store_true", help="only look")
    only_look = parser.parse_args().find or "CHROMIUM" in os.environ
    path = find()
    if path is None and not only_look:
        install()
        path = find()
    if path is None:
        chosen = os.environ.get("CHROMIUM")
        reason = f"CHROMIUM={chosen} does not start" if chosen else "there is no Chromium"
        sys.stderr.write(f"{reason}: install `chromium` (Debian, Ubuntu), or set CHROMIUM=/path/to/it\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
