"""The host as a whole: what it shows, how it ends, and that nothing of it is left."""

import contextlib
import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import ipywidgets as widgets
import pytest
import traitlets
from IPython import get_ipython
from IPython.core.completer import provisionalcompleter
from IPython.display import display
from traitlets import HasTraits

from solara_ctx import ContextClosed
from solara_ctx.jupyter import KernelHost
from solara_ctx.jupyter.host import living_host
from solara_ctx.jupyter.shell import KernelShell
from solara_ctx.ports import Host
from tests.support.everything import Panel, two_panels
from tests.support.kernels import Page, StandInContext, every_core_widget, fail, patched


def test_it_is_a_host(kernel: StandInContext) -> None:
    """It has all that a context asks of one."""
    host: Host = kernel.living_host
    assert isinstance(host, KernelHost)
    assert "kernel-for-a-test" not in repr(host)


def test_runs_have_different_names() -> None:
    """Two runs of a page function are told apart."""
    with patched():
        assert StandInContext().living_host.run_id != StandInContext().living_host.run_id


# show


@pytest.mark.parametrize("result", [print, len, int, logging, (number for number in "12"), StandInContext.close])
def test_what_can_not_be_shown_is_named(kernel: StandInContext, result: object) -> None:
    """The message says what came back and what may."""
    kind = result.__name__ if isinstance(result, type) else type(result).__name__
    for returned in (result, ["fine", result]):
        with pytest.raises(TypeError, match=f"widget.*sequence.*None; this one returned (a|the class) {kind}"):
            kernel.run(kernel.living_host.show, returned)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (lambda elsewhere: widgets.HBox([widgets.VBox([elsewhere["label"]])]), "the Label in the page's VBox"),
        (
            lambda elsewhere: widgets.HBox([widgets.IntSlider(layout=elsewhere["layout"])]),
            "the Layout in the page's IntSlider",
        ),
    ],
)
def test_a_widget_from_elsewhere_deep_inside_is_refused(
    kernel: StandInContext, page: Callable[[dict[str, Any]], widgets.Widget], message: str
) -> None:
    """The browser could show nothing of the page; the message names the widget and its holder."""
    elsewhere = {"label": widgets.Label(), "layout": widgets.Layout(width="50%")}
    with pytest.raises(TypeError, match=f"{message}.*make it in the page function"):
        kernel.living_host.show(kernel.run(partial(page, elsewhere)))


def test_every_core_widget_has_only_parts_of_its_own(kernel: StandInContext) -> None:
    """No false alarm: boxes, tabs, links, interactions, and widgets that refer to each other."""
    first, second = kernel.run(widgets.IntSlider), kernel.run(widgets.IntSlider)
    link = kernel.run(lambda: widgets.jslink((first, "value"), (second, "value")))
    kernel.living_host.show([*kernel.run(every_core_widget), first, second, link])


def test_a_widget_from_elsewhere_is_refused(kernel: StandInContext) -> None:
    """One made outside any kernel, one of another page, or a closed one: the message says what to do."""
    other = StandInContext(kernel_id="another kernel")
    closed = kernel.run(widgets.Label)
    kernel.run(closed.close)
    for widget in (widgets.Label(), other.run(widgets.Label), closed):
        with pytest.raises(TypeError, match="make it in the page function"):
            kernel.living_host.show(widget)
    other.close()


def test_a_tuple_of_widgets_is_shown(kernel: StandInContext) -> None:
    """Any list or tuple of widgets will do, an empty one too."""
    kernel.living_host.show((kernel.run(widgets.Label),))
    kernel.living_host.show([])


# Close


class App:
    """What a page function may return: something with an end of its own."""

    def __init__(self, fail: bool = False) -> None:
        self.closed = 0
        self._fail = fail

    def close(self) -> None:
        """Count."""
        self.closed += 1
        if self._fail:
            raise LookupError("no")


@pytest.mark.parametrize("fail", [True, False])
def test_the_app_is_closed_once(kernel: StandInContext, fail: bool, caplog: pytest.LogCaptureFixture) -> None:
    """What the page function returned is closed if it can be, the last first; an error is logged."""
    apps = App(fail), App(fail=False)
    kernel.run(kernel.living_host.show, apps)
    kernel.close()
    assert [app.closed for app in apps] == [1, 1]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * fail


def test_a_widget_that_can_not_be_closed_does_not_stop_the_others(
    kernel: StandInContext, caplog: pytest.LogCaptureFixture
) -> None:
    """Each widget is closed by itself; even sys.exit() in one ends nothing."""

    class Stubborn(widgets.Label):
        """Does not want to."""

        def close(self) -> None:
            if self.comm is not None:
                raise SystemExit

    made = kernel.run(lambda: [widgets.Label(), Stubborn(), widgets.Label()])
    host = kernel.living_host
    kernel.close()
    assert [widget.comm for widget in made] == [None, None, None]
    assert dict(host.widgets) == {}
    assert len(caplog.records) == 1


def test_a_close_is_not_a_thousand_messages(kernel: StandInContext, page: Page) -> None:
    """The websocket's close code says it all; a page is not sent the end of each widget."""
    kernel.run(widgets.VBox, kernel.run(lambda: [widgets.Label() for _ in range(10)]))
    page.heard()
    kernel.close()
    assert page.heard() == []


def test_a_thread_may_go_on_with_closed_widgets(kernel: StandInContext) -> None:
    """What a thread that comes late does to values, layouts and styles of closed widgets is harmless."""
    bar, box = kernel.run(lambda: (widgets.IntProgress(), widgets.VBox([widgets.Label()])))
    button = kernel.run(widgets.Button)
    kernel.close()
    bar.value += 1
    bar.layout.width = "10px"
    bar.style.bar_color = "red"
    bar.description = "done"
    button.click()
    button.on_click(print)
    box.children = ()
    bar.close()
    assert bar.value == 1


def test_nothing_is_made_in_a_closed_kernel(kernel: StandInContext) -> None:
    """Nor is a closed host the current one."""
    kernel.close()
    assert living_host() is None
    kernel.run(lambda: None)
    host = StandInContext()
    handle = host.handle()
    host.close()
    with pytest.raises(ContextClosed):
        contextvars.Context().run(handle.context)


def test_closing_twice_is_harmless(kernel: StandInContext) -> None:
    """Each step may run again, or without the one before it."""
    host = kernel.living_host
    for _ in range(2):
        host.close_kernel()
        host.close_widgets()
        host.close_app()


# Reclaim: with the collector off, no help from the test


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Reference counting has to do it alone."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Watched:
    """Weak references to everything of a kernel, by name."""

    def __init__(self, context: StandInContext) -> None:
        host = context.living_host
        found: dict[str, object] = {
            "context": context,
            "host": host,
            "kernel": host.kernel,
            "session": host.session,
            "comm manager": host.comm_manager,
            "reporter": host.reporter,
            "control": host.control,
            **{f"comm {comm_id}": comm for comm_id, comm in host.comm_manager.comms.items()},
            **{f"{type(widget).__name__} {model_id}": widget for model_id, widget in host.widgets.items()},
        }
        shell = host.shell_if_made
        if shell is not None:
            found["shell"] = shell
            found["events"] = shell.events
            found["compiler"] = shell.compile
            found.update(_parts(shell))
        self._references = {name: weakref.ref(item) for name, item in found.items()}

    def __len__(self) -> int:
        return len(self._references)

    def alive(self) -> list[str]:
        """What is still there."""
        return [name for name, reference in self._references.items() if reference() is not None]


def _parts(shell: Any) -> dict[str, object]:
    """The traitlets children of a shell, at any depth."""
    parts: dict[str, object] = {}
    waiting: list[Any] = [shell]
    while waiting:
        item = waiting.pop()
        values: list[Any] = [*vars(item).values(), *item._trait_values.values()]
        for value in list(values):
            values += value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        for value in values:
            name = f"{type(value).__name__} {id(value)}"
            upstream = type(value).__module__.startswith(("IPython", "ipykernel", "solara"))
            if isinstance(value, HasTraits) and upstream and name not in parts:
                parts[name] = value
                waiting.append(value)
    return parts


def reclaimed(use: Callable[[], object]) -> None:
    """Use a fresh kernel, close it, and hold that nothing is left."""
    context = StandInContext()
    page = Page(context)
    context.run(use)
    page.open("solara_ctx.page", "page")
    page.states()
    watched = Watched(context)
    assert len(watched) > 7
    context.close()
    del context, page
    assert watched.alive() == []


def nothing() -> None:
    """A page that does nothing."""


def core_widgets() -> None:
    """All core widgets, linked, observed, and with handlers of each kind."""
    made = every_core_widget()
    box = widgets.VBox([item for item in made if isinstance(item, widgets.DOMWidget)])
    slider, text, label = widgets.IntSlider(), widgets.IntText(), widgets.Label()
    widgets.link((slider, "value"), (text, "value"))
    widgets.dlink((slider, "value"), (label, "value"), str)
    widgets.jslink((slider, "value"), (text, "value"))
    widgets.jsdlink((slider, "value"), (text, "value"))
    traitlets.link((slider, "max"), (text, "value"))
    slider.observe(lambda change: (label, box, slider), "value")
    button = widgets.Button()
    button.on_click(lambda _: (button, box))
    button.on_msg(lambda *_: button)
    field = widgets.Text()
    with pytest.warns(DeprecationWarning, match="on_submit"):
        field.on_submit(lambda _: field)
    slider.value = 7
    button.click()


def closed_early() -> None:
    """Widgets that were closed in the living kernel, with handlers that hold them."""
    panel = Panel()
    panel.button.close()
    panel.slider.close()
    panel.close()
    button = widgets.Button()
    button.on_click(lambda _: button)
    button.close()


def print_it(x: object) -> None:
    """Print."""
    print(x)


def interactive() -> None:
    """`interact` and its kin."""
    widgets.interactive(lambda x: x, x=3).update()
    widgets.interactive_output(print_it, {"x": widgets.IntSlider()})
    widgets.interact_manual(lambda x: x, x=3)


def outputs() -> None:
    """Outputs with text, objects, errors, and a thread that prints."""
    out = widgets.Output()
    with out:
        print("text")
        display("x")
        fail()
    out.append_stdout("x")
    out.clear_output()
    thread = threading.Thread(target=out.capture()(partial(print, "from a thread")))
    thread.start()
    thread.join()


def shell() -> None:
    """A display call, a cell, magics, completions and tracebacks."""
    ip = get_ipython()
    display({"a": 1})
    ip.run_cell("x = 1\ndef f():\n    return f\nx", store_history=True)
    ip.run_cell("1/0")
    ip.run_cell("%xmode Context\n1/0")
    ip.run_cell("class A:\n    pass\na = A()\na.a = a\nraise ValueError(a)")
    ip.run_line_magic("who", "")
    ip.run_line_magic("timeit", "-n1 -r1 -q pass")
    ip.run_cell_magic("sh", "", "true")
    with provisionalcompleter():
        list(ip.Completer.completions("x.re", 4))
        list(ip.Completer.completions("import jso", 10))
    ip.showtraceback()
    ip.events.register("post_execute", lambda: ip)
    ip.set_custom_exc((LookupError,), lambda *_: ip)
    ip.display_formatter.formatters["text/html"].for_type(Panel, lambda value: str(ip))


def failing() -> None:
    """Callbacks that raise, whose errors a log handler keeps."""
    button = widgets.Button()
    button.on_click(lambda clicked: fail(clicked))  # noqa: PLW0108 - a frame that holds the button
    button.click()


@pytest.mark.parametrize(
    "use",
    [nothing, core_widgets, two_panels, closed_early, interactive, outputs, shell, failing],
    ids=lambda use: use.__name__,
)
@pytest.mark.usefixtures("no_collector")
def test_nothing_is_left(use: Callable[[], object], caplog: pytest.LogCaptureFixture) -> None:
    """Context, host, kernel, session, comms, widgets, shell and its parts die as the kernel is closed."""
    with patched():
        reclaimed(use)  # the first use of IPython's parts imports modules, and fills caches
        reclaimed(use)


@pytest.mark.usefixtures("no_collector")
def test_a_shell_that_could_not_be_made_is_freed(kernel: StandInContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there was of it by then: its parts refer to each other, and to the kernel."""
    began: list[weakref.ref[KernelShell]] = []

    def fails(shell: KernelShell) -> None:
        began.append(weakref.ref(shell))
        raise OSError("too many open files")

    monkeypatch.setattr(KernelShell, "init_prompts", fails)
    with contextlib.suppress(OSError):
        kernel.run(get_ipython)
    (shell,) = began
    assert shell() is None
    monkeypatch.undo()
    assert isinstance(kernel.run(get_ipython), KernelShell)


@pytest.mark.usefixtures("no_collector")
def test_a_closed_widget_of_a_living_kernel_is_freed(kernel: StandInContext) -> None:
    """Core widgets keep nothing of themselves once they are closed: no cycle through their own handlers."""

    def made_and_closed() -> list["weakref.ref[widgets.Widget]"]:
        made = [item for item in every_core_widget() if not isinstance(item, widgets.interactive)]
        references = [weakref.ref(item) for item in made]
        for item in list(kernel.living_host.widgets.values()):
            item.close()
        return references

    alive = [reference() for reference in kernel.run(made_and_closed)]
    assert [type(item).__name__ for item in alive if item is not None] == []


@pytest.mark.usefixtures("no_collector")
def test_a_kept_traceback_keeps_no_widget(kernel: StandInContext, caplog: pytest.LogCaptureFixture) -> None:
    """The log record of a failed callback, which log handlers keep, holds nothing of the page."""
    page = Page(kernel)

    def failing_button() -> "weakref.ref[widgets.Button]":
        button = widgets.Button()

        def failing(clicked: object) -> None:
            raise LookupError(str(clicked))

        button.on_click(failing)
        return weakref.ref(button)

    button = kernel.run(failing_button)
    page.say(button().model_id, {"method": "custom", "content": {"event": "click"}})  # type: ignore[union-attr]
    (record,) = caplog.records
    assert record.exc_info is not None
    kernel.close()
    assert button() is None


@pytest.mark.usefixtures("no_collector")
def test_a_kept_error_of_a_page_function_keeps_no_widget(kernel: StandInContext) -> None:
    """The exception that a page function has raised, which the log keeps, holds none of its locals after the end."""

    def page_function() -> None:
        made = widgets.Label()
        references.append(weakref.ref(made))
        fail(made)

    references: list[weakref.ref[widgets.Label]] = []
    try:
        kernel.run(page_function)
    except LookupError as error:
        kept = error
        kernel.living_host.show_error(error)
    assert references[0]() is not None
    kernel.close()
    assert references[0]() is None
    assert kept.__traceback__ is not None


@pytest.mark.usefixtures("no_collector")
def test_a_copy_of_the_context_variables_keeps_nothing() -> None:
    """A copy made inside a page, an Output and a message included, holds the handle at most."""
    with patched():
        context = StandInContext()
        page = Page(context)
        kept: list[contextvars.Context] = []

        def use() -> None:
            button, out = widgets.Button(), widgets.Output()
            out.__enter__()
            button.on_click(lambda _: kept.append(contextvars.copy_context()))
            kept.append(contextvars.copy_context())
            get_ipython()

        context.run(use)
        (button,) = [item for item in context.living_host.widgets.values() if isinstance(item, widgets.Button)]
        page.say(button.model_id, {"method": "custom", "content": {"event": "click"}})
        assert len(kept) == 2
        watched = Watched(context)
        context.close()
        del context, page, button
        assert watched.alive() == []


@pytest.mark.usefixtures("no_collector")
def test_no_kernel_leaves_garbage() -> None:
    """A hundred kernels leave nothing for the collector either."""
    with patched():
        reclaimed(nothing)
        gc.collect()
        for _ in range(100):
            StandInContext().close()
        assert gc.collect() == 0


def test_widgets_with_a_close_of_their_own_may_wait(kernel: StandInContext) -> None:
    """It is user code; the core widgets have none."""

    class Saving(widgets.Text):
        def close(self) -> None:
            """Save first."""
            super().close()

    host = kernel.living_host
    kernel.run(every_core_widget)
    assert not host.widgets_may_wait
    kernel.run(Saving)
    assert host.widgets_may_wait
