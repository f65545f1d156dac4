"""A script ends while it serves in a daemon thread."""

import subprocess
import sys

from tests.support.fakes import PATIENCE_S

SERVES_BESIDE = """
import asyncio, os, threading
from solara_ctx import KernelApp, Settings, get_current_context

closed, opened = threading.Event(), threading.Event()

def say(line):
    os.write(1, f"{line}\\n".encode())  # in one piece: of `print`, by two threads, the ends of lines come apart

def page():
    def work():
        closed.wait()
        say("the thread has ended")
    context = get_current_context()
    context.on_close(lambda: say(context.close_reason))
    context.on_close(closed.set)
    threading.Thread(target=work).start()
    opened.set()

kernels = KernelApp(page)

async def serve():
    async with kernels.lifespan():
        registry = kernels.registry
        registry.connect(registry.issue("session"), "session", "page", sink=None, page=page)
        await asyncio.Event().wait()

threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
opened.wait()
say("the script has ended")
"""
STOPS_BEFORE = """
import asyncio, threading
from solara_ctx import KernelApp

async def serve():
    async with KernelApp(lambda: None).lifespan():
        pass

thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
thread.start()
thread.join()
"""
SERVES_ON = """
import asyncio, threading
from solara_ctx import KernelApp

began = threading.Event()

async def serve():
    async with kernels.lifespan():
        began.set()
        while threading.main_thread().is_alive():
            await asyncio.sleep(0.01)
        print("draining:", kernels.registry.draining)

kernels = KernelApp(lambda: None)
threading.Thread(target=asyncio.run, args=(serve(),)).start()
began.wait()
"""


def run(script: str) -> list[str]:
    """What a script prints; it ends well, and says nothing else."""
    ended = subprocess.run(  # noqa: S603 - our own lines
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def test_kernels_close_when_the_script_ends() -> None:
    """Their hooks run, so that a thread which the interpreter waits for can end with its kernel."""
    said = run(SERVES_BESIDE)
    assert said[0] == "the script has ended"
    assert sorted(said[1:]) == ["server-shutdown", "the thread has ended"]


def test_a_service_that_has_stopped_before_holds_up_nobody() -> None:
    """Nothing is left to wait for."""
    assert run(STOPS_BEFORE) == []


def test_a_server_that_the_interpreter_waits_for_goes_on() -> None:
    """In a thread that is no daemon it serves for as long as it likes."""
    assert run(SERVES_ON) == ["draining: False"]
