"""What page functions may be and return, and what their code may do."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import ipywidgets as widgets
import reacton
import reacton.ipywidgets as rw
from gallery_pages.room import Room
from IPython.display import HTML, Markdown

from solara_ctx import KernelVar, get_current_context, sleep

visits: KernelVar[int] = KernelVar("visits", default=0)


async def awaits() -> widgets.Widget:
    """An async page function: it fetches three things at once."""

    async def fetch(number: int) -> str:
        await asyncio.sleep(0.05)
        return f"part {number}"

    async with asyncio.timeout(5):
        parts = await asyncio.gather(*(fetch(number) for number in range(3)))
    return widgets.VBox([widgets.Label(part) for part in parts])


def several() -> list[object]:
    """Several things at once: a widget, Markdown, HTML, text, a number."""
    return [
        widgets.HTML("<b>a widget</b>"),
        Markdown("**Markdown** with a formula, $e^{i\\pi} = -1$"),
        HTML("<em>HTML</em>"),
        "plain text",
        6 * 7,
    ]


@reacton.component
def todo() -> Any:
    """A Reacton component: state, and an effect with its clean-up."""
    items, set_items = reacton.use_state(["sow", "water"])
    seconds, set_seconds = reacton.use_state(0)
    text, set_text = reacton.use_state("")

    def clock() -> None:
        closing = get_current_context().closing_event

        def tick() -> None:
            number = 0
            while not closing.wait(1):
                number += 1
                set_seconds(number)

        threading.Thread(target=tick).start()

    def add() -> None:
        set_items([*items, text])
        set_text("")

    reacton.use_effect(clock, [])
    with rw.VBox() as main:
        for item in items:
            rw.Label(value=item).key(f"item {item}")
        rw.Text(value=text, on_value=set_text, placeholder="what else?", continuous_update=True)
        rw.Button(description="Add", on_click=add, disabled=not text)
        rw.Label(value=f"open for {seconds} s")
    return main


async def countdown() -> AsyncIterator[int]:
    """Numbers, down to one."""
    for number in range(3, 0, -1):
        yield number
        await asyncio.sleep(0.05)


def callbacks() -> widgets.Widget:
    """Async callbacks: a click counts down, and the page goes on answering."""
    start, label = widgets.Button(description="Start"), widgets.Label("ready")
    ping, answer = widgets.Button(description="Ping"), widgets.Label("")

    async def started(_: object) -> None:
        async for number in countdown():
            label.value = f"{number}…"
        label.value = "lift off"

    async def pinged(_: object) -> None:
        answer.value = await asyncio.to_thread(lambda: f"pong from {get_current_context().id[:3]}")

    start.on_click(started)
    ping.on_click(pinged)
    return widgets.VBox([widgets.HBox([start, label]), widgets.HBox([ping, answer])])


def long_work() -> widgets.Widget:
    """Long work: the page says so, and can stop it."""
    begin, asleep, quick = (widgets.Button(description=name) for name in ("Compute", "Sleep", "Quick"))
    label = widgets.Label("idle")

    def compute(_: object) -> None:
        label.value = "computing"
        total, number = 0.0, 0
        try:
            while True:
                number += 1
                total += 1 / number**2
        except KeyboardInterrupt:
            label.value = f"stopped at {total:.4f}"

    def rest(_: object) -> None:
        label.value = "asleep"
        try:
            sleep(3600)
        finally:
            label.value = "awake"

    begin.on_click(compute)
    asleep.on_click(rest)
    quick.on_click(lambda _: setattr(label, "value", f"quick at {time.strftime('%H')}"))
    return widgets.VBox([widgets.HBox([begin, asleep, quick]), label])


def threads() -> widgets.Widget:
    """Threads of one's own, which end with the page."""
    bar, start = widgets.IntProgress(max=1000), widgets.Button(description="Start")
    label = widgets.Label("")

    def work() -> None:
        while True:
            sleep(0.01)  # raises once the page has gone, and so ends the thread
            bar.value = bar.value % bar.max + 1
            label.value = f"step {bar.value}"

    start.on_click(lambda _: threading.Thread(target=work, daemon=True).start())
    return widgets.VBox([start, bar, label])


def variables() -> widgets.Widget:
    """Variables with a value per page."""
    button, label = widgets.Button(description="Visit"), widgets.Label("0 visits")

    def visit(_: object) -> None:
        visits.set(visits.get() + 1)
        label.value = f"{visits.get()} visits"

    button.on_click(visit)
    return widgets.VBox([button, label])


ROOM = Room(
    "Code",
    {
        "/awaits": awaits,
        "/several": several,
        "/reacton": todo,
        "/callbacks": callbacks,
        "/long-work": long_work,
        "/threads": threads,
        "/variables": variables,
    },
)
