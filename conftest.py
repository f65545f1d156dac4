"""What holds for every test, wherever it lies."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

# No deadline per example: it would measure the machine, and coverage's tracing on it. In CI the same examples every
# time: a run there judges the change, and what a new random example finds is a bug report of its own.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

ROOT = Path(__file__).parent
# Folders of what tests use, and of the apps that leakcheck is tried on.
HELPERS = {"support", "planted", "mended", "bounded"}


@pytest.fixture(scope="session", autouse=True)
def event_loop_never_blocked() -> Iterator[BlockBuster]:
    """Code of the package that sleeps, reads a file or waits for a lock on an event loop fails the test that ran it."""
    with blockbuster_ctx("solara_ctx") as blockbuster:
        blockbuster.functions["os.getcwd"].deactivate()  # a system call that touches no disk; IPython's shell makes it
        for function in blockbuster.functions.values():
            # An app that is made on a loop, as uvicorn does with a factory, looks for its frontend there, once.
            function.can_block_in("solara_ctx/web/app.py", {"__init__"})
            # psutil reads /proc, which is memory and no disk.
            function.can_block_in("solara_ctx/web/resourcez.py", {"take_snapshot", "machine"})
            function.can_block_in("solara_ctx/memory.py", {"resident_bytes"})
            # A test notes there when something died, wherever that was.
            function.can_block_in("tests/support/reclaim.py", {"now"})
            # coverage's own lock, which its tracer takes wherever a line runs for the first time.
            function.can_block_in("coverage/collector.py", {"lock_data"})
            # Starlette's first answer with a file reads the system's table of media types, once.
            function.can_block_in("/mimetypes.py", {"init"})
        yield blockbuster


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A file that nobody collects tests nothing, and looks as if it did."""
    for folder in ("tests", "integration"):
        files = {path.name for path in (ROOT / folder).rglob("*.py") if not HELPERS & set(path.parts)}
        strange = {name for name in files if not name.startswith("test_")} - {"conftest.py", "__init__.py"}
        if strange:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
            print(f"\n{folder}/: neither test_*.py nor below {sorted(HELPERS)}: {sorted(strange)}")  # noqa: T201
