"""What is printed and displayed, with an Output and without one."""

import asyncio
import sys
import threading
import time

import ipywidgets as widgets
from gallery_pages import output_controls, output_figures, output_rich
from gallery_pages.room import Room
from IPython.display import display

from solara_ctx import get_current_context


def console() -> widgets.Widget:
    """Prints, displays and errors outside of any output."""
    print("The page function says hello.")
    line = widgets.Button(description="Print a line")
    flood = widgets.Button(description="100,000 lines")
    shown = widgets.Button(description="Display a slider")
    error = widgets.Button(description="Fail", button_style="danger")
    line.on_click(lambda _: print("A line on stderr.", file=sys.stderr))
    flood.on_click(lambda _: [print("line", number) for number in range(100_000)])
    shown.on_click(lambda _: display(widgets.IntSlider(description="in there")))

    def fail(_: widgets.Button) -> None:
        raise ZeroDivisionError("the details are for the server's log")

    error.on_click(fail)
    return widgets.VBox([widgets.HTML("<h1>The console</h1>"), widgets.HBox([line, flood, shown, error])])


def fails() -> None:
    """A page function that fails, after it has printed."""
    print("It went well until here.")
    raise LookupError("no such page")


def started() -> widgets.Widget:
    """What threads and tasks print, where they were started in an output."""
    out, start = widgets.Output(), widgets.Button(description="Start all")

    def work(name: str) -> None:
        print(f"{name} is at work")

    async def task() -> None:
        for step in range(3):
            print(f"the task is at step {step}")
            await asyncio.sleep(0.05)
        await asyncio.to_thread(work, "a thread of the task's")

    def slow_thread() -> None:
        for step in range(3):
            print(f"the thread is at step {step}")
            time.sleep(0.05)
        raise TimeoutError("and then it fails")

    def start_all(_: widgets.Button) -> None:
        with out:
            threading.Thread(target=slow_thread, name="slow").start()
            get_current_context().create_task(task())
            print("both are started")

    start.on_click(start_all)
    return widgets.VBox([widgets.HTML("<h1>Threads and tasks</h1>"), start, out])


ROOM = Room(
    "Output",
    {"/output/console": console, "/output/fails": fails, "/output/started": started}
    | output_rich.PAGES
    | output_figures.PAGES
    | output_controls.PAGES,
)
