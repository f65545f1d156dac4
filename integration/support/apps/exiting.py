"""A program that ends while its pages have work in flight: `python -m integration.support.apps.exiting HOST [--plain]`.

What is in flight is the page's to say, by its path; how the program serves its pages, and ends, is the host's.
`--plain` serves an app without a kernel: what an exit is like without us.  All that a test waits for goes to stderr.
"""

import argparse
import asyncio
import contextlib
import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import ipywidgets as widgets
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from solara_ctx import ContextClosed, KernelApp, get_current_context

ASKED_FOR = 3
"""The exit code of a program that asks for one."""
IN_FLIGHT = "in flight\n"
GRACE_S = 5
FOR_EVER_S = 1000.0
MANY_ROUNDS = 1 << 30


class Planned(Exception):
    """The programs' own errors: the only ones that may be in a log."""


def in_flight() -> None:
    """The page's work has begun."""
    # In one piece, also while the interpreter ends around it: of `print`, neither is sure.
    os.write(2, IN_FLIGHT.encode())


# The pages


def idle() -> widgets.Widget:
    """A page that has nothing to do."""
    in_flight()
    return widgets.Label("idle")


def tasks() -> widgets.Widget:
    """Tasks that wait, one of them with something to put away when it is cancelled."""
    label = widgets.Label("tasks")

    async def tick() -> None:
        while True:
            label.value = str(time.monotonic())
            await asyncio.sleep(0.001)

    async def tidy() -> None:
        in_flight()
        try:
            await asyncio.sleep(FOR_EVER_S)
        finally:
            await asyncio.sleep(0.05)
            label.value = "tidied up"

    for work in (tick, asyncio.Event().wait, tidy):
        get_current_context().create_task(work())
    return label


def task_in_a_thread() -> widgets.Widget:
    """A task that waits for a thread of the event loop's own pool, until the kernel closes."""
    context, closing = get_current_context(), threading.Event()

    async def wait() -> None:
        in_flight()
        await asyncio.to_thread(closing.wait)

    context.on_close(closing.set)
    context.create_task(wait())
    return widgets.Label("a task in a thread")


def daemon_threads() -> widgets.Widget:
    """Threads that nobody ends: they change widgets, and make them until that is refused, all the time."""
    label, progress = widgets.Label(), widgets.IntProgress()

    def change() -> None:
        while True:
            label.value = str(time.monotonic())
            progress.value = (progress.value + 1) % 100

    def make() -> None:
        with contextlib.suppress(ContextClosed):
            while True:
                widgets.Label("one more").close()

    for work in (change, change, make):
        threading.Thread(target=work, daemon=True).start()
    in_flight()
    return widgets.VBox([label, progress])


def threads() -> widgets.Widget:
    """Threads that the interpreter waits for, and that end with their kernel."""
    label, closing = widgets.Label(), threading.Event()

    def work() -> None:
        while not closing.wait(0.001):
            label.value = str(time.monotonic())

    get_current_context().on_close(closing.set)
    for _ in range(3):
        threading.Thread(target=work).start()
    in_flight()
    return label


def pool() -> widgets.Widget:
    """A pool of threads with more jobs than it can do, which ends with its kernel."""
    label, closing = widgets.Label(), threading.Event()
    executor = ThreadPoolExecutor(2)

    def work(number: int) -> None:
        label.value = str(number)
        closing.wait(0.01)

    def close() -> None:
        closing.set()
        executor.shutdown(cancel_futures=True)

    get_current_context().on_close(close)
    for number in range(10_000):
        executor.submit(work, number)
    in_flight()
    return label


def printing() -> widgets.Widget:
    """A thread that prints into an output."""
    output = widgets.Output()

    def work() -> None:
        while True:
            with output, contextlib.suppress(BrokenPipeError):
                print("x" * 100)
                time.sleep(0.001)

    threading.Thread(target=work, daemon=True).start()
    in_flight()
    return output


def sending() -> widgets.Widget:
    """A thread that sends as much as it can."""
    text = widgets.HTML()

    def work() -> None:
        number = 0
        while True:
            number += 1
            text.value = f"{number}" * 1000

    threading.Thread(target=work, daemon=True).start()
    in_flight()
    return text


def clicked(work: Callable[[], object]) -> widgets.Widget:
    """A button whose callback does *work*."""
    button = widgets.Button(description="Go")

    def go(_button: widgets.Button) -> None:
        in_flight()
        work()

    button.on_click(go)
    return button


def compute() -> None:
    """Keep the interpreter busy."""
    while True:
        sum(range(1000))


def digest() -> None:
    """Be in C for minutes, without the interpreter."""
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", MANY_ROUNDS)


def lock_twice() -> None:
    """Wait for oneself."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def page_that(work: Callable[[], object]) -> None:
    """A page function that does not return."""
    in_flight()
    work()


def hook_that(work: Callable[[], object]) -> widgets.Widget:
    """A page whose hook does not return."""
    get_current_context().on_close(work)
    in_flight()
    return widgets.Label("hook")


def fail() -> None:
    """Raise an error."""
    raise Planned("as planned")


def hooks_that_fail() -> widgets.Widget:
    """Hooks that raise, and one after them that asks the interpreter to end."""
    context = get_current_context()
    context.on_close(sys.exit)
    context.on_close(fail)
    in_flight()
    return widgets.Label("hooks")


CLICKED: dict[str, Callable[[], object]] = {
    "callback-sleeps": partial(time.sleep, FOR_EVER_S),
    "callback-waits-for-a-lock": lock_twice,
    "callback-computes": compute,
    "callback-in-c": digest,
}
PAGES: dict[str, Callable[[], object]] = {
    "idle": idle,
    "tasks": tasks,
    "task-in-a-thread": task_in_a_thread,
    "daemon-threads": daemon_threads,
    "threads": threads,
    "pool": pool,
    "printing": printing,
    "sending": sending,
    **{name: partial(clicked, work) for name, work in CLICKED.items()},
    "page-sleeps": partial(page_that, partial(time.sleep, FOR_EVER_S)),
    "page-computes": partial(page_that, compute),
    "hook-sleeps": partial(hook_that, partial(time.sleep, FOR_EVER_S)),
    "hook-computes": partial(hook_that, compute),
    "hooks-fail": hooks_that_fail,
}
COMPUTING = {"daemon-threads", "pool", "sending", *(name for name in PAGES if name.endswith(("-computes", "-in-c")))}
"""Those that want all of the processor, or of the interpreter."""
kernels = KernelApp({"/": idle, **{f"/{name}": page for name, page in PAGES.items()}})


# The hosts


async def ready(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ready")


def config(*, plain: bool, wired: bool = True) -> uvicorn.Config:
    """What is served, and how."""
    if plain:
        app = Starlette(routes=[Route("/readyz", ready)])
    else:
        app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan if wired else None)
    return uvicorn.Config(app, port=0, use_colors=False, access_log=False, timeout_graceful_shutdown=GRACE_S)


def serve(*, plain: bool, wired: bool = True) -> None:
    """As uvicorn's own command does."""
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config(plain=plain, wired=wired)).run()


def run_main(leave: Callable[[], object], *, plain: bool, wired: bool = True) -> None:
    """A main coroutine that has more to do than to serve, and ends before the server does."""

    async def main() -> None:
        serving = asyncio.create_task(uvicorn.Server(config(plain=plain, wired=wired)).serve())
        asked = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, asked.set)
        await asked.wait()
        assert not serving.done()
        leave()

    asyncio.run(main())


def run_thread(leave: Callable[[], object], *, plain: bool) -> None:
    """A script that serves beside, and ends when it is through."""

    def work() -> None:
        asyncio.run(uvicorn.Server(config(plain=plain)).serve())

    threading.Thread(target=work, daemon=True).start()
    sys.stdin.readline()
    leave()


MAIN_ENDS_FIRST: dict[str, Callable[..., None]] = {
    "main-returns": partial(run_main, bool),
    "main-raises": partial(run_main, fail),
    "main-exits": partial(run_main, partial(sys.exit, ASKED_FOR)),
    "unwired-main-returns": partial(run_main, bool, wired=False),
}
HOSTS: dict[str, Callable[..., None]] = {
    "uvicorn": serve,
    "unwired": partial(serve, wired=False),
    **MAIN_ENDS_FIRST,
    "script-ends": partial(run_thread, bool),
    "script-exits": partial(run_thread, partial(sys.exit, ASKED_FOR)),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", choices=HOSTS)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    HOSTS[options.host](plain=options.plain)
