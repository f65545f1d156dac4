"""Pages whose code misbehaves, each in another way, and a page beside them that does not.

`POST /control` with `{"release": true}` ends all waits, with `{"start": "..."}` says what the next start hook does.
"""

import asyncio
import contextlib
import gc
import logging
import os
import struct
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as widgets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from integration.faults.support.measures import MEMORY, PIXELS, SLEEP_S, UPDATES
from integration.faults.support.raising import RAISES, SECRET
from solara_ctx import KernelApp, KernelVar, get_current_context, workers
from solara_ctx.serving import redact_logs

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
redact_logs()
# Threads without a job end soon, so that a test can see that exactly those are left that were there before.
workers.WorkerPool.__init__.__kwdefaults__["idle_s"] = 0.25  # type: ignore[index]

released = threading.Event()
never = threading.Lock()
at_next_start: list[Callable[[], object]] = []
restarted = Counter[str]()


def counting() -> list[widgets.Widget]:
    """A button that counts its clicks."""
    button, label = widgets.Button(description="Click"), widgets.Label("0 clicks")
    clicks = 0

    def click(_: object) -> None:
        nonlocal clicks
        clicks += 1
        label.value = f"{clicks} clicks"

    button.on_click(click)
    return [button, label]


def on_click(**does: Callable[[], object]) -> list[widgets.Widget]:
    """A button that counts, and one for each thing that may be done."""
    buttons = []
    for name, do in does.items():
        button = widgets.Button(description=name)
        button.on_click(lambda _, do=do: do())
        buttons.append(button)
    return [*counting(), *buttons]


# What raises


def observers() -> list[widgets.Widget]:
    """A box to tick for each exception."""
    boxes = [widgets.Checkbox(description=name) for name in RAISES]
    for box in boxes:
        box.observe(lambda change: RAISES[change["owner"].description](), "value")
    return [*counting(), *boxes]


def threads() -> list[widgets.Widget]:
    """A button for each exception, which a thread raises."""

    def run(name: str) -> None:
        threading.Thread(target=RAISES[name], name=name).start()

    return on_click(**{name: partial(run, name) for name in RAISES})


def tasks() -> list[widgets.Widget]:
    """A button for each exception, which a task raises."""

    async def fail(name: str) -> None:
        await asyncio.sleep(0)
        RAISES[name]()

    return on_click(
        **{name: lambda name=name: get_current_context().create_task(fail(name), name=name) for name in RAISES}
    )


def hooks() -> list[widgets.Widget]:
    """A hook for each exception; the last that runs says so."""
    context = get_current_context()
    context.on_close(lambda: print("the last hook has run", flush=True))
    for fail in RAISES.values():
        context.on_close(fail)
    return counting()


class Grudge:
    """Does something when it goes."""

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do

    def __del__(self) -> None:
        self._do()


kept: KernelVar[Grudge | None] = KernelVar("kept", None)


def grudges() -> list[widgets.Widget]:
    """What raises when it goes: held by a callback, a hook and a variable of the kernel."""
    hold(RAISES["Exception"])
    return on_click(Grudge=partial(id, Grudge(RAISES["SystemExit"])))


def hold(do: Callable[[], object]) -> None:
    get_current_context().on_close(partial(id, Grudge(do)))
    kept.set(Grudge(do))


# What blocks


def wait() -> None:
    """Until the test says so."""
    released.wait()


def take_a_lock_that_is_taken() -> None:
    """For ever."""
    print("blocked now", flush=True)
    never.acquire()


async def refuse_for_ever() -> None:
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


def sleep() -> None:
    """Longer than a step of a close may take."""
    time.sleep(SLEEP_S)


class Clinging(widgets.Label):
    """Does not want to be closed."""

    def close(self) -> None:
        wait()
        super().close()


def blocking_page() -> list[widgets.Widget]:
    wait()
    return counting()


def blocking_click() -> list[widgets.Widget]:
    return on_click(Block=wait)


def blocking_observer() -> list[widgets.Widget]:
    box = widgets.Checkbox(description="Block")
    box.observe(lambda _: wait(), "value")
    return [*counting(), box]


def blocking_hook() -> list[widgets.Widget]:
    get_current_context().on_close(wait)
    return counting()


def sleeping_hook() -> list[widgets.Widget]:
    get_current_context().on_close(sleep)
    return counting()


def blocking_widget() -> list[widgets.Widget]:
    return [*counting(), Clinging("clinging")]


def blocking_grudge() -> list[widgets.Widget]:
    """What takes long to go: held by a callback, a hook and a variable of the kernel."""
    hold(wait)
    return on_click(Grudge=partial(id, Grudge(wait)))


def refusing_task() -> list[widgets.Widget]:
    async def refuse() -> None:
        while not released.is_set():
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                print("I will not", flush=True)

    get_current_context().create_task(refuse(), name="refusing")
    return counting()


def locked_for_ever() -> list[widgets.Widget]:
    """For a server of its own: nothing releases these."""
    never.acquire(blocking=False)
    get_current_context().on_close(take_a_lock_that_is_taken)
    get_current_context().create_task(refuse_for_ever())
    return on_click(Block=take_a_lock_that_is_taken)


# What is too much


def memory() -> list[widgets.Widget]:
    held: list[bytes] = []
    label = widgets.Label("nothing")

    def take() -> None:
        held.append(b"x" * MEMORY)
        label.value = f"{len(held[0])} bytes"

    return [*on_click(Take=take), label]


def updates() -> list[widgets.Widget]:
    label = widgets.Label("none")

    def update() -> None:
        for number in range(1, UPDATES + 1):
            label.value = f"update {number}"

    return [*on_click(Update=update), label]


def large() -> list[widgets.Widget]:
    image = widgets.Image(format="png")

    def show() -> None:
        image.value = noise(PIXELS)

    return [*on_click(Show=show), image]


def noise(size: int) -> bytes:
    """A picture that can't be compressed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    line = 1 + 3 * size
    pixels = bytearray(os.urandom(line * size))
    pixels[::line] = bytes(size)  # each line begins with its filter: none
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(pixels, 0)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# What lays hands on itself


def close() -> None:
    get_current_context().close("suicide")


def restart() -> None:
    get_current_context().restart()


def laying_hands() -> list[widgets.Widget]:
    async def close_in_task() -> None:
        close()

    def twice() -> None:
        restart()
        close()
        restart()

    return on_click(
        Close=close,
        Restart=restart,
        Thread=lambda: threading.Thread(target=close).start(),
        Task=lambda: get_current_context().create_task(close_in_task()),
        Twice=twice,
        Wait=lambda: get_current_context().close("suicide").result(timeout=0.1),
    )


def closing_page() -> list[widgets.Widget]:
    close()
    return counting()


def restarting_page() -> list[widgets.Widget]:
    """Restarts until the test says that it is enough."""
    restarted["page"] += 1
    if not released.is_set():
        restart()
    return counting()


def clinging_hook() -> list[widgets.Widget]:
    """At the end: close, restart, one more hook, one more task, one more widget."""
    context = get_current_context()

    def cling() -> None:
        context.close("again")
        context.on_close(lambda: print("the late hook has run", flush=True))
        context.on_close(restart)
        context.on_close(lambda: context.create_task(asyncio.sleep(0)))
        widgets.Label("late")

    context.on_close(cling)
    return counting()


# What does not end with its page, or reaches beyond it


def outliving_thread() -> list[widgets.Widget]:
    """Updates a widget, and makes new ones, when its page has long gone."""
    label = widgets.Label("outliving")

    def update() -> None:
        number = 0
        while not released.wait(0.01):
            number += 1
            label.value = f"update {number}"

    def make() -> None:
        while not released.wait(0.01):
            widgets.Label("new")

    for work in (update, make):
        threading.Thread(target=work, name=f"outliving {work.__name__}").start()
    return [*counting(), label]


def careless() -> list[widgets.Widget]:
    """What a program does that believes to be alone."""
    label = widgets.Label("labelled")

    def fork() -> None:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

    def context() -> None:
        from solara_ctx import set_current_context  # noqa: PLC0415 - as a callback may

        set_current_context(None)

    return [
        *on_click(
            CloseAll=widgets.Widget.close_all,
            Fork=fork,
            SelfExit=lambda: threading.Thread(target=sys.exit).start(),
            NoContext=context,
            NoComm=label.comm.close,
            NoTraits=label._trait_values.clear,
            Loop=lambda: asyncio.run(asyncio.sleep(0)),
            Rename=lambda: setattr(threading.current_thread(), "name", "mine"),
            NoCollector=gc.disable,
            Collector=gc.enable,
        ),
        label,
    ]


PAGES: dict[str, Callable[[], Any]] = {
    "/bystander": counting,
    **{f"/page/{name}": fail for name, fail in RAISES.items()},
    "/click": lambda: on_click(**RAISES),
    "/observer": observers,
    "/thread": threads,
    "/task": tasks,
    "/hook": hooks,
    "/grudges": grudges,
    "/blocking/page": blocking_page,
    "/blocking/click": blocking_click,
    "/blocking/observer": blocking_observer,
    "/blocking/hook": blocking_hook,
    "/blocking/widget": blocking_widget,
    "/blocking/grudge": blocking_grudge,
    "/sleeping/hook": sleeping_hook,
    "/refusing/task": refusing_task,
    "/locked": locked_for_ever,
    "/memory": memory,
    "/updates": updates,
    "/large": large,
    "/hands": laying_hands,
    "/hands/closing-page": closing_page,
    "/hands/restarting-page": restarting_page,
    "/hands/hook": clinging_hook,
    "/outliving/thread": outliving_thread,
    "/careless": careless,
}


def start_hook() -> None:
    if at_next_start:
        at_next_start.pop()()


async def control(request: Request) -> JSONResponse:
    """What the test wants; see above."""
    wanted = await request.json()
    (released.set if wanted.get("release") else released.clear)()
    if "start" in wanted:
        at_next_start.append({**RAISES, "wait": wait, "close": close, "restart": restart}[wanted["start"]])
    return JSONResponse({})


async def truth(_request: Request) -> JSONResponse:
    """What `/resourcez` does not tell: the threads by name, without their numbers."""
    names = Counter(thread.name.rstrip("0123456789") for thread in threading.enumerate())
    del names["AnyIO worker thread"]  # Starlette's, for files
    return JSONResponse({"threads": names, "restarted": restarted, "secret": SECRET})


kernels = KernelApp(PAGES)
kernels.on_kernel_start(start_hook)
app = Starlette(
    routes=[Route("/control", control, methods=["POST"]), Route("/truth", truth), Mount("/", kernels)],
    lifespan=kernels.lifespan,
)
