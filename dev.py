#!/usr/bin/env python3
"""One door to all that a developer does here: `python3 dev.py --help`.

Needs Python 3.11 and nothing else. It makes `.venv`, installs the project and what the command needs into it (anew when
their inputs changed, otherwise in no time) and runs the command there. Standard library only, POSIX only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

if sys.version_info < (3, 11):  # noqa: UP036  (whoever comes with an older one shall read this, not a traceback)
    sys.exit("dev.py needs Python 3.11 or newer. Run it with such a one: python3.11 dev.py ...")

import tomllib

Command = Sequence[str | Path]

ROOT = Path(__file__).resolve().parent
FRONTEND = ROOT / "frontend"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BROWSER_VARIABLE = "SOLARA_CTX_CHROMIUM"  # integration/ and benchmarks/browser read it
DOWNLOAD_LIMIT_S = 60.0  # a good line needs 20 s; a download that hangs says nothing at all
INDEX_HINT = "read the lines above; mostly the package index could not be reached"


class Failure(Exception):
    """A step failed; the message says which, and what to do."""


def say(text: str) -> None:
    print(f"dev.py: {text}", flush=True)


def run(
    *command: str | Path,
    hint: str,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    into: IO[bytes] | None = None,
) -> None:
    """Run a program to its end, on this terminal, or with all that it prints in a file.

    Raises:
        Failure: It could not be started, or its exit status is not 0.
    """
    shown = " ".join(str(word) for word in command)
    try:
        done = subprocess.run(
            command, env={**os.environ, **(env or {})}, cwd=cwd, stdout=into, stderr=into, check=False
        )
    except OSError as exc:
        raise Failure(f"`{shown}` could not be started ({exc}): {hint}") from exc
    if done.returncode:
        raise Failure(f"`{shown}` ended with status {done.returncode}: {hint}")


def run_side_by_side(commands: Sequence[Command], hint: str, env: Mapping[str, str] | None = None) -> None:
    """Run programs, two at a time and in this order, and all to their ends; each prints when it has ended.

    Raises:
        Failure: For one of them at the least, as for `run`.
    """
    waiting, failures, printing = list(commands), list[Exception](), threading.Lock()

    def run_some() -> None:
        while waiting:
            command = waiting.pop(0)
            with tempfile.TemporaryFile() as output:
                try:
                    run(*command, hint=hint, env=env, into=output)
                except Exception as failure:  # noqa: BLE001 - raised below, where it can be seen
                    failures.append(failure)
                with printing:
                    say(" ".join(map(str, command[1:])))
                    output.seek(0)
                    shutil.copyfileobj(output, sys.stdout.buffer)
                    sys.stdout.flush()

    beside = threading.Thread(target=run_some)
    beside.start()
    try:
        run_some()
    except KeyboardInterrupt:
        waiting.clear()  # the program beside has had its Ctrl-C, too
        raise
    finally:
        beside.join()
    for failure in failures[1:]:
        say(str(failure))
    if failures:
        raise failures[0]


def ask(*command: str | Path, limit_s: float = 30.0) -> str | None:
    """What a program prints on its standard output, stripped; None where it fails, hangs or is not there."""
    try:
        asked = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=limit_s,
            cwd=ROOT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


# --- the virtual environments


class Environment:
    """A virtual environment with the project in it, and a note of what was installed from which inputs."""

    def __init__(self, path: Path, base: str = sys.executable) -> None:
        self.path = path
        self.python = path / "bin" / "python"
        if ask(self.python, "-c", "import pip") is None:
            say(f"making {path.name}")
            clear = [] if self.python.exists() else ["--clear"]
            hint = "the standard library's venv is missing or broken (Debian and Ubuntu: apt-get install python3-venv)"
            run(base, "-m", "venv", *clear, path, hint=hint)

    def install(self, *groups: str) -> Environment:
        """The project, as an editable install with its frontend built, and these dependency groups."""
        built = (ROOT / "solara_ctx/web/static/manifest.json").exists()
        with self.once("project", project_inputs(), present=built) as needed:
            if needed:
                say(f"installing the project into {self.path.name}, with its frontend; the first time takes minutes")
                self._pip("--editable", str(ROOT))
        for group in groups:
            wanted = sorted(set(requirements(group)))
            with self.once(f"group-{group}", "\n".join(wanted)) as needed:
                if needed:
                    say(f"installing the dependency group {group!r} into {self.path.name}")
                    self._pip(*wanted)
        return self

    def run(self, module: str, *arguments: str | Path, hint: str, env: Mapping[str, str] | None = None) -> None:
        run(self.python, "-m", module, *arguments, hint=hint, env=env)

    def _pip(self, *what: str) -> None:
        self.run("pip", "install", "--quiet", "--disable-pip-version-check", *what, hint=INDEX_HINT)

    @contextlib.contextmanager
    def once(self, name: str, inputs: str, *, present: bool = True) -> Iterator[bool]:
        """Whether the body has work to do: not if its result is *present* and was made from these very inputs."""
        note, digest = self.path / f".installed-{name}", hashlib.sha256(inputs.encode()).hexdigest()
        needed = not present or not note.exists() or note.read_text() != digest
        yield needed
        if needed:
            note.write_text(digest)


def project_inputs() -> str:
    """All that decides what installing the project does; the Python sources do not, the install is editable."""
    tables = [PYPROJECT["build-system"], PYPROJECT["project"], PYPROJECT["tool"]["hatch"]]
    files = [ROOT / "hatch_build.py", ROOT / "README.md"]
    for folder, subfolders, names in os.walk(FRONTEND):
        subfolders[:] = sorted(name for name in subfolders if name not in {"node_modules", "dist", "coverage"})
        files += [Path(folder, name) for name in sorted(names)]
    digests = [f"{file} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files if file.exists()]
    return "\n".join([json.dumps(tables), *digests])


def requirements(group: str) -> list[str]:
    """A dependency group of pyproject.toml, flat. The pip that comes with Python 3.11 knows no groups yet."""
    flat: list[str] = []
    for entry in PYPROJECT["dependency-groups"][group]:
        flat += [entry] if isinstance(entry, str) else requirements(entry["include-group"])
    return flat


def environment(*groups: str) -> Environment:
    return Environment(ROOT / ".venv").install(*groups)


# --- the browser


def browser(env: Environment) -> Path:
    """A Chromium that starts: the one asked for, Playwright's own, the system's, a new one of either kind."""
    chosen = os.environ.get(BROWSER_VARIABLE)
    if chosen:
        if ask(chosen, "--version") is None:
            raise Failure(f"{BROWSER_VARIABLE}={chosen} does not start: point it to a Chromium or Chrome, or unset it")
        return Path(chosen)
    for source in (playwrights_browser, system_browser, downloaded_browser, packaged_browser):
        found = source(env)
        if found is not None and ask(found, "--version") is not None:
            return found
    raise Failure(
        "no Chromium was found, and none could be installed. Install one and set "
        f"{BROWSER_VARIABLE}=/its/path, or, where that download is not blocked, run "
        f"`{env.path.name}/bin/playwright install chromium`"
    )


def playwrights_browser(env: Environment) -> Path | None:
    code = "from playwright.sync_api import sync_playwright as p\nwith p() as q: print(q.chromium.executable_path)"
    answer = ask(env.python, "-c", code)
    return Path(answer) if answer and Path(answer).exists() else None


def system_browser(_env: Environment) -> Path | None:
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    places = ["/Applications/Chromium.app/Contents/MacOS/Chromium"]
    places += ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"]
    for found in [*map(shutil.which, names), *places]:
        if found and ask(found, "--version") is not None:
            return Path(found)
    return None


def downloaded_browser(env: Environment) -> Path | None:
    say(f"downloading Playwright's Chromium, for {DOWNLOAD_LIMIT_S:.0f} s at most")
    command = [str(env.python), "-m", "playwright", "install", "--no-shell", "chromium"]
    # Its lines would only frighten: where it fails there is another way. A group of its own, since the download runs
    # in a grandchild, which a mere kill of the child would leave behind.
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True) as download:
        try:
            status = download.wait(DOWNLOAD_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(download.pid, signal.SIGKILL)
            status = None
    if status == 0:
        return playwrights_browser(env)
    say("it cannot be downloaded from here" if status else "the download takes too long: cut off")
    return None


def packaged_browser(env: Environment) -> Path | None:
    root: list[str] = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (root and ask(*root, "true") is None):
        return None
    say("installing the distribution's Chromium")
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    hint = "read apt-get's lines above, or install a Chromium yourself"
    run(*apt, "update", hint=hint)
    run(*apt, "install", "-y", "chromium", hint=hint)
    return system_browser(env)


# --- the commands; each one's docstring is its help


def demo(arguments: list[str]) -> None:
    """Show the demo in the browser: install what is needed and run `solara-ctx demo [arguments]`."""
    program = environment().path / "bin" / "solara-ctx"
    os.execv(program, [str(program), "demo", *arguments])  # Ctrl-C and SIGTERM then reach it, and only it


def test(arguments: list[str]) -> None:
    """Run all tests, a real browser included; or `pytest [arguments]` only."""
    env = environment("test")
    variables = {BROWSER_VARIABLE: str(browser(env))}
    say(f"testing with {variables[BROWSER_VARIABLE]}")
    hint = "read pytest's summary above"
    if arguments:
        env.run("pytest", *arguments, hint=hint, env=variables)
        return
    pytest: Command = [env.python, "-m", "pytest", "-q"]
    # A process for each file that has some: the leak checks look at the whole process, whatever it has loaded.
    alone = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.uncovered" in path.read_text()]
    folders = [ROOT / "integration" / name for name in ("faults", "gallery")]
    commands: list[Command] = [
        (*pytest, "-m", "not thorough", "integration", *(f"--ignore={each}" for each in folders)),
        (*pytest, "-m", "not uncovered and not thorough", "tests"),
        *((*pytest, "-m", "not thorough", folder) for folder in folders),
        *((*pytest, "-m", "uncovered and not thorough", file) for file in alone),
    ]
    run_side_by_side(commands, hint=hint, env=variables)


def coverage(_arguments: list[str]) -> None:
    """Hold the coverage of the unit tests, and of those in integration/ that reach what they do not: twice as slow."""
    env = environment("test")
    variables = {BROWSER_VARIABLE: str(browser(env))}
    env.run("coverage", "erase", hint="remove the .coverage* files by hand")
    traced: Command = [env.python, "-m", "coverage", "run", "-m", "pytest", "-q"]
    commands: list[Command] = [
        (*traced, "-m", "not uncovered and not thorough", "tests"),
        (*traced, "-m", "covered", "integration"),
    ]
    run_side_by_side(commands, hint="read pytest's summary above", env=variables)
    env.run("coverage", "combine", "--quiet", hint="the tests wrote no coverage data: read the lines above")
    env.run("coverage", "report", hint="test the lines and branches that the table names, or take them out")


def lint(arguments: list[str]) -> None:
    """Run ruff's rules; `--fix` mends what it can."""
    environment("lint").run(
        "ruff", "check", *arguments, hint="mend the findings above; `dev.py lint --fix` does some of them"
    )


def format_(arguments: list[str]) -> None:
    """Format the Python code; `--check` only says whether it is formatted."""
    environment("lint").run("ruff", "format", *arguments, hint="run `python3 dev.py format`")


def types(arguments: list[str]) -> None:
    """Check the types with mypy."""
    environment("types").run("mypy", *arguments, hint="mend the types named above")


def imports(arguments: list[str]) -> None:
    """Hold the import rules: who may import whom, and which outside packages."""
    program = environment("lint").path / "bin" / "lint-imports"
    run(program, "--no-logo", *arguments, hint="an import crosses a wall of the house; move the code, not the wall")


def frontend(arguments: list[str]) -> None:
    """Run the frontend's checks: types, lint, format, unit tests; or `npm [arguments]`."""
    env = environment("frontend")
    # Node is a Python package too: it is in the environment, and whatever the machine has is not asked for.
    programs = env.path / "bin"
    npm = programs / "npm"
    variables = {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    present = (FRONTEND / "node_modules/.bin/tsc").exists()  # the package build installs no development tools
    with env.once("frontend-tools", (FRONTEND / "package-lock.json").read_text(), present=present) as needed:
        if needed:
            say("installing the frontend's development tools")
            options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
            run(npm, "ci", *options, hint="read npm's lines above", env=variables, cwd=FRONTEND)
    hint = "mend what the lines above name"
    run(npm, *(arguments or ["run", "check"]), hint=hint, env=variables, cwd=FRONTEND)


def docs(arguments: list[str]) -> None:
    """Build the documentation into site/; a warning fails it."""
    quiet = {"NO_MKDOCS_2_WARNING": "1"}  # the theme's advertisement for its successor
    environment("docs").run("mkdocs", "build", "--strict", *arguments, hint="mend what mkdocs names above", env=quiet)


def matrix(arguments: list[str]) -> None:
    """Run the unit tests on every other CPython >= 3.11 of this machine, each in a venv of its own; or
    `pytest [arguments]` on each.
    """
    main = environment()
    here = ask(main.python, "-c", DESCRIBE)
    others = {version: path for version, path in interpreters().items() if version != here}
    say(f"other interpreters: {', '.join(f'{v} ({p})' for v, p in others.items()) or 'none, nothing to do'}")
    pythons = [Environment(ROOT / f".venv-{each}", base=path).install("unit").python for each, path in others.items()]
    elsewhere = [*LEFT_OUT, GROWTH, *BESIDE]
    usual = [
        ["-m", "not thorough", "tests", *(f"--ignore={path}" for path in elsewhere)],
        ["-m", "not thorough", *BESIDE, *(f"--ignore={path}" for path in (*LEFT_OUT, GROWTH))],
        [GROWTH],
    ]
    commands: list[Command] = [
        (python, "-m", "pytest", *words) for python in pythons for words in ([arguments] if arguments else usual)
    ]
    run_side_by_side(commands, hint="read the summaries above")


def bench(arguments: list[str]) -> None:
    """Run all benchmarks, or one of them: `bench reclaim [arguments]`; beside other systems, in a venv of its own."""
    names = sorted(path.parent.name for path in (ROOT / "benchmarks").glob("*/__main__.py"))
    if arguments and arguments[0] not in names:
        raise Failure(f"there is no such benchmark; there are: {', '.join(names)}")
    env = Environment(ROOT / ".venv-bench").install("bench")
    for name in arguments[:1] or names:
        say(f"benchmark {name}")
        variables = {BROWSER_VARIABLE: str(browser(env))} if name == "browser" else {}
        env.run(f"benchmarks.{name}", *arguments[1:], hint="read the lines above; there are no figures", env=variables)


# Looks at the whole process, many times: three times as slow in one that has loaded every test.
GROWTH = "tests/leaks/test_growth.py"
# What takes as long as all the rest, and runs beside it.
BESIDE = ["tests/leakcheck", "tests/leaks", "tests/reclaim", "tests/reload"]
# Minutes for each interpreter: they open hundreds of sessions and run pytests of their own; and what needs a browser.
LEFT_OUT = [f"tests/leakcheck/test_{name}.py" for name in ("browser", "origins", "pytest_plugin", "sessions", "use")]

DESCRIBE = """
import platform, sys, sysconfig
usual = sys.version_info.releaselevel == "final" and not sysconfig.get_config_var("Py_GIL_DISABLED")
usual and platform.python_implementation() == "CPython" and print("%d.%d" % sys.version_info[:2])
"""


def interpreters() -> dict[str, str]:
    """The released CPythons >= 3.11 of this machine, by minor version; a pyenv shim that leads nowhere is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path("~/.pyenv").expanduser()), "versions")
    found: dict[str, str] = {}
    for minor in range(11, 30):
        for path in [shutil.which(f"python3.{minor}"), *sorted(map(str, pyenv.glob(f"3.{minor}.*/bin/python")))]:
            if path and ask(path, "-c", DESCRIBE) == f"3.{minor}":
                found.setdefault(f"3.{minor}", path)
    return found


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    function.__name__.rstrip("_"): function
    for function in (demo, test, coverage, lint, format_, types, imports, frontend, docs, bench, matrix)
}


def main() -> None:
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if name not in COMMANDS:
        print(
            __doc__, "\nCommands:", *(f"  {name:9} {function.__doc__}" for name, function in COMMANDS.items()), sep="\n"
        )
        sys.exit(0 if name in {"-h", "--help"} else f"\ndev.py: there is no command {name!r}; take one of those above")
    try:
        COMMANDS[name](arguments)
    except Failure as failure:
        sys.exit(f"dev.py {name}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
