"""What was printed, displayed and uploaded goes with its kernel, whoever still prints or has a handle of it."""

import asyncio
import datetime as dt
import sys
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as widgets
import pytest
from IPython.display import HTML, Markdown, clear_output, display, update_display
from traitlets import Bunch

from solara_ctx import get_current_context
from solara_ctx.patching import streams
from tests.support.everything import everything
from tests.support.fakes import PATIENCE_S
from tests.support.kernels import fail
from tests.support.reclaim import used
from tests.support.visits import serving

pytestmark = pytest.mark.uncovered

Use = Callable[[widgets.Widget], object]


def prints(box: widgets.Widget) -> None:
    print(box)
    print("on stderr", file=sys.stderr)
    print("no end", end="")


def a_flood(box: widgets.Widget) -> None:
    for number in range(20_000):
        print(number)


def displays(box: widgets.Widget) -> None:
    display(box, HTML("<b>a</b>"), {"a": 1})
    update_display(HTML("b"), display_id="nobody's")
    clear_output(wait=True)
    display(widgets.IntSlider())


def errors(box: widgets.Widget) -> None:
    # No function of its own: CPython ties its frame, which the log keeps, to what it has closed over.
    button = widgets.Button()
    button.on_click(partial(fail, box))
    button.click()
    thread = threading.Thread(target=fail, args=(box,))
    thread.start()
    thread.join()


async def fail_later(box: widgets.Widget) -> None:
    await asyncio.sleep(0)
    fail(box)


def an_error_of_a_task(box: widgets.Widget) -> None:
    get_current_context().create_task(fail_later(box))


def a_closed_console(box: widgets.Widget) -> None:
    print("a")
    host: Any = get_current_context().host
    host.printing.console.close()
    print("b")


def an_output(box: widgets.Widget) -> None:
    out = widgets.Output()
    with out:
        print(box)
        display(out, box)
        box.handle = display(Markdown("a"), display_id=True)
        threading.Thread(target=print, args=("from a thread", box)).start()
    box.handle.update(Markdown("b"))
    out.append_stdout("c")
    box.out = out


def interact(box: widgets.Widget) -> None:
    out = widgets.Output()
    with out:
        widgets.interact(lambda x: print(x, box, out), x=3)
        widgets.interact_manual(lambda x: (x, box, out), x=3)
    box.out = out


def interactive(box: widgets.Widget) -> None:
    slider = widgets.IntSlider()
    box.parts = [
        widgets.interactive(lambda x: display(box), x=3),
        widgets.interactive_output(lambda x: print(x, box), {"x": slider}),
    ]
    box.parts[0].update()
    slider.value = 5


def captured(box: widgets.Widget) -> None:
    out = widgets.Output()

    @out.capture(clear_output=True)
    def function() -> None:
        print(box, out)

    button = widgets.Button()
    button.on_click(lambda _: function())
    button.click()
    box.button = button


def an_upload(box: widgets.Widget) -> None:
    upload = widgets.FileUpload()
    now = dt.datetime.now(dt.UTC)
    content = memoryview(bytearray(1_000_000))
    upload.value = [Bunch(name="a", type="", size=1_000_000, last_modified=now, content=content)]
    upload.observe(lambda change: (box, change), "value")
    box.upload = upload


def links(box: widgets.Widget) -> None:
    play, slider, text = widgets.Play(), widgets.IntSlider(), widgets.IntText()
    widgets.dlink((play, "value"), (text, "value"), lambda value: value + len(box.children))
    box.links = [
        widgets.jslink((play, "value"), (slider, "value")),
        widgets.jsdlink((play, "value"), (text, "value")),
        widgets.link((slider, "value"), (text, "value")),
        widgets.Controller(),
    ]
    play.value = 3


USES = [
    prints,
    a_flood,
    displays,
    errors,
    an_error_of_a_task,
    a_closed_console,
    an_output,
    interact,
    interactive,
    captured,
    an_upload,
    links,
]


@pytest.mark.parametrize("use", USES)
async def test_output_goes_with_its_kernel(use: Use, caplog: pytest.LogCaptureFixture) -> None:
    """The console, its widget and what waits for it; Outputs, and what is captured there; files and links."""

    def page() -> widgets.Widget:
        # pytest has replaced the streams since the patches were applied.
        streams.capture_current_streams()
        box = everything()
        use(box)
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        assert any(name.startswith("console") for name in deaths.names)
        await visit.leave()
        await deaths.at_once()


async def test_handles_that_somebody_keeps() -> None:
    """Of displays, and of what has printed: they are names, and hold nothing."""
    kept: list[object] = []

    def page() -> widgets.Widget:
        streams.capture_current_streams()
        box = everything()
        kept.extend((display(box, display_id=True), display("a", display_id="b"), sys.stdout, sys.stdout.write))
        print(box)
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
    assert len(kept) == 4


@pytest.mark.parametrize("entered", [False, True])
async def test_a_thread_that_goes_on_printing(entered: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints on the server, once its kernel has ended, and keeps nothing of it."""
    go_on, thread_of = threading.Event(), list[threading.Thread]()

    def work() -> None:
        print("before")
        assert go_on.wait(PATIENCE_S)
        print("after")
        display("displayed after")

    def page() -> widgets.Widget:
        streams.capture_current_streams()
        box = everything()
        thread = threading.Thread(target=work)
        thread_of.append(thread)
        if entered:
            with widgets.Output():
                thread.start()
        else:
            thread.start()
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
        go_on.set()
        with warnings.catch_warnings():
            # The end of what it displays with is an error of the thread's.
            warnings.simplefilter("ignore", pytest.PytestUnhandledThreadExceptionWarning)
            await asyncio.to_thread(thread_of[0].join)
    assert "after\n" in capsys.readouterr().out
