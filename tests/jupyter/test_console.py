"""What no Output captures goes to the console of its kernel, and so to its pages and no others."""

import gc
import importlib.util
import logging
import sys
import threading
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets as widgets
import pytest
from IPython.display import HTML, clear_output, display, update_display
from ipywidgets import Output

from solara_ctx.jupyter import Printed, output_state, outputs
from solara_ctx.jupyter.console import _BOUND
from tests.support.kernels import Page, StandInContext, fail, patched

Json = dict[str, Any]


@pytest.fixture
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What is put off is collected here."""
    put_off: list[Callable[[], None]] = []
    monkeypatch.setattr(output_state, "_now", lambda: 100.0)
    monkeypatch.setattr(output_state, "_call_after", lambda _, function: put_off.append(function))
    return put_off


@pytest.fixture
def kernel(time_stands_still: object) -> Iterator[StandInContext]:
    """A kernel whose prints go to page and server."""
    with patched():
        context = StandInContext(printed=Printed(to_page=True, to_server=True))
        yield context
        context.close()


def shown(kernel: StandInContext) -> list[Json]:
    """What the console shows once nothing is put off any more."""
    output = kernel.living_host.printing.console
    assert output is not None
    output_state._queue(output).next_sync = 0.0
    output_state.synced(output)
    return list(output.outputs)


def text(name: str, content: str) -> Json:
    return {"output_type": "stream", "name": name, "text": content}


def test_prints_go_to_page_and_server(kernel: StandInContext, capsys: pytest.CaptureFixture[str]) -> None:
    """Both streams, in order; an Output that is entered captures its part."""

    def use() -> Output:
        out = Output()
        print("a")
        with out:
            print("captured")
        print("b", file=sys.stderr)
        sys.stdout.writelines(["c", "d"])
        return out

    out = kernel.run(use)
    assert shown(kernel) == [text("stdout", "a\n"), text("stderr", "b\n"), text("stdout", "cd")]
    assert out.outputs == (text("stdout", "captured\n"),)
    assert capsys.readouterr() == ("a\ncd", "b\n")


@pytest.mark.parametrize(
    ("printed", "on_page", "on_server"),
    [
        (Printed(to_page=True, to_server=False), True, False),
        (Printed(to_page=False, to_server=True), False, True),
        (Printed(to_page=True, to_server=True), True, True),
    ],
)
def test_the_setting_decides(
    printed: Printed, on_page: bool, on_server: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed, what is displayed."""
    with patched():
        kernel = StandInContext(printed=printed)
        kernel.run(print, "printed")
        kernel.run(display, HTML("<b>displayed</b>"))
        kernel.run(sys.stdout.flush)
        assert (kernel.living_host.printing.console is not None) is on_page
        if on_page:
            assert [output["output_type"] for output in shown(kernel)] == ["stream", "display_data"]
        expected = "printed\n<IPython.core.display.HTML object>\n"
        assert capsys.readouterr().out == (expected if on_server else "")
        kernel.close()


def test_no_widget_of_the_user(kernel: StandInContext) -> None:
    """The console is there for pages, and not among the widgets that the user has made."""
    kernel.run(print, "x")
    page = Page(kernel)
    host = kernel.living_host
    output = host.printing.console
    assert output is not None
    assert dict(host.widgets) == {}
    assert set(host.all_widgets) == {output.model_id, output.layout.model_id}
    assert page.states()[output.model_id]["state"]["outputs"] == [text("stdout", "x\n")]
    label = kernel.run(widgets.Label)
    assert set(host.widgets) == {label.model_id, label.layout.model_id, label.style.model_id}


def answers(messages: list[Json]) -> list[Json]:
    return [m["content"]["data"] for m in messages if m["content"].get("comm_id") in {"page", "page-2"}]


def test_pages_are_told_which_widget_it_is(kernel: StandInContext) -> None:
    """With the answer of what to show where it is there by then, else as soon as it is."""
    page = Page(kernel)
    host = kernel.living_host
    page.open("solara_ctx.page", "page")
    host.show(None)
    page.heard()
    kernel.run(print, "x")
    assert host.printing.console is not None
    named = {"run": host.run_id, "console": host.printing.console.model_id}
    assert answers(page.heard()) == [named]
    second = Page(kernel, "page-2")
    assert answers(second.open("solara_ctx.page", "page-2")) == [named | {"status": "ok", "roots": [], "page": {}}]


def test_a_page_function_that_fails_shows_what_it_printed(kernel: StandInContext) -> None:
    """Also what ends no line."""
    page = Page(kernel)
    page.open("solara_ctx.page", "page")
    kernel.run(print, "before it fails", end="")
    page.heard()
    kernel.living_host.show_error(ValueError("x"))
    (answer,) = answers(page.heard())
    assert kernel.living_host.printing.console is not None
    assert answer["console"] == kernel.living_host.printing.console.model_id
    assert shown(kernel) == [text("stdout", "before it fails")]


def test_a_line_that_is_not_ended_shows_when_its_message_is_handled(kernel: StandInContext) -> None:
    """And when it is flushed."""
    button = kernel.run(widgets.Button)
    button.on_click(lambda _: print("part", end=""))
    page = Page(kernel)
    kernel.run(print, "line")
    console = kernel.living_host.printing.console
    assert console is not None
    output_state._queue(console).next_sync = 0.0
    page.say(button.model_id, {"method": "custom", "content": {"event": "click"}})
    assert console.outputs == (text("stdout", "line\npart"),)
    output_state._queue(console).next_sync = 0.0
    kernel.run(lambda: print(" and end", end="", flush=True))
    assert console.outputs == (text("stdout", "line\npart and end"),)


def test_displays_updates_and_clearing(kernel: StandInContext) -> None:
    """As in the output of a notebook's cell."""

    def use() -> None:
        update_display(HTML("nobody's"), display_id="a")
        clear_output()
        assert kernel.living_host.printing.console is None
        print("gone")
        clear_output(wait=True)
        display(HTML("1"), display_id="a")
        update_display(HTML("2"), display_id="a")

    kernel.run(use)
    (output,) = shown(kernel)
    assert (output["output_type"], output["data"]["text/html"]) == ("display_data", "2")


@pytest.mark.parametrize("debug", [False, True])
def test_errors_of_callbacks(debug: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """With the traceback in debug mode, else one line that tells nothing; in the log in any case, and once."""
    with patched():
        kernel = StandInContext(debug=debug, printed=Printed(to_page=True, to_server=True))
        button = kernel.run(widgets.Button)
        button.on_click(fail)
        kernel.run(button.click)
        (output,) = shown(kernel)
        if debug:
            assert (output["output_type"], output["ename"]) == ("error", "LookupError")
            assert "in fail" in "".join(output["traceback"])
        else:
            assert output == text("stderr", "Something failed here (LookupError). The server's log says more.\n")
        assert len(caplog.records) == 1
        assert capsys.readouterr().out == ""
        kernel.close()


@pytest.mark.parametrize("debug", [False, True])
def test_what_python_writes_to_stderr_by_itself(debug: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Warnings and tracebacks show lines and paths of the program: in debug mode only; the server has them always."""

    def use() -> None:
        unpatched.showwarning("careful", UserWarning, "page.py", 1)
        try:
            fail()
        except LookupError:
            traceback.print_exc()
        print("mine", file=sys.stderr)

    # pytest has replaced what shows warnings in the one that everybody has.
    spec = importlib.util.spec_from_file_location("warnings", warnings.__file__)
    assert spec is not None
    assert spec.loader is not None
    unpatched = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(unpatched)
    with patched():
        kernel = StandInContext(debug=debug, printed=Printed(to_page=True, to_server=True))
        kernel.run(use)
        (output,) = shown(kernel)
        assert (output["text"] == "mine\n") is not debug
        assert output["text"].endswith("mine\n")
        assert ("Traceback" in output["text"], "careful" in output["text"]) == (debug, debug)
        err = capsys.readouterr().err
        assert "Traceback" in err
        assert "careful" in err
        kernel.close()


@pytest.mark.parametrize("logger", ["solara_ctx.x", "uvicorn.error", "mine"])
def test_log_lines_are_the_servers(kernel: StandInContext, logger: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever logs, and whatever the handler writes to; to see them in a page, let them go into an Output."""
    handler = logging.lastResort
    assert handler is not None  # writes to whatever sys.stderr is by then
    root = logging.getLogger()
    root.addHandler(handler)

    def use() -> Output:
        out = Output()
        logging.getLogger(logger).warning("logged")
        with out:
            logging.getLogger(logger).warning("asked for")
        return out

    try:
        out = kernel.run(use)
        logging.getLogger(logger).warning("outside")
    finally:
        root.removeHandler(handler)
    assert kernel.living_host.printing.console is None
    assert capsys.readouterr().err == "logged\noutside\n"
    assert out.outputs == (text("stderr", "asked for\n"),)


@pytest.mark.parametrize("debug", [False, True])
def test_a_thread_that_fails(debug: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    """As a callback that fails: in its kernel's console, or in the Output that it was started in; once in the log."""

    def run(target: Callable[[], object]) -> None:
        thread = threading.Thread(target=target, name="mine")
        thread.start()
        thread.join()

    def use() -> Output:
        out = Output()
        with out:
            run(fail)
        run(fail)
        run(sys.exit)
        return out

    with patched():
        kernel = StandInContext(debug=debug, printed=Printed(to_page=True, to_server=True))
        out = kernel.run(use)
        assert [output["ename"] for output in out.outputs] == ["LookupError"]
        assert [output["output_type"] for output in shown(kernel)] == ["error" if debug else "stream"]
        assert [record.getMessage().partition(" of ")[0] for record in caplog.records] == ["thread 'mine'"] * 2
        assert capsys.readouterr().err == ""
        kernel.close()


def test_two_kernels_share_nothing(kernel: StandInContext) -> None:
    """Each console has what its own kernel prints, from whichever thread."""
    other = StandInContext(kernel_id="other", printed=Printed(to_page=True, to_server=False))
    for context, word in ((kernel, "one"), (other, "two")):
        context.run(print, word)
        thread = context.run(threading.Thread, target=print, args=(f"{word} from a thread",))
        context.run(thread.start)
        thread.join()
    assert shown(kernel) == [text("stdout", "one\none from a thread\n")]
    assert shown(other) == [text("stdout", "two\ntwo from a thread\n")]
    other.close()


def test_a_flood_is_bounded(kernel: StandInContext, time_stands_still: list[Callable[[], None]]) -> None:
    """A hundred thousand lines make two messages, keep the newest, and say that there was more."""
    page = Page(kernel)

    def use() -> None:
        for number in range(100_000):
            print("line", number)

    kernel.living_host.printing._to_server = False
    kernel.run(use)
    page.heard()
    dropped, newest = shown(kernel)
    assert dropped == output_state._DROPPED
    assert newest["text"].endswith("line 99998\nline 99999\n")
    assert newest["text"].startswith("line ")
    assert len(newest["text"]) <= _BOUND.characters
    assert len(page.heard()) == 1
    assert len(time_stands_still) == 1


def test_many_outputs_are_bounded(kernel: StandInContext) -> None:
    """In number and in size; the newest stays, whatever its size; a long line keeps its end."""

    def use() -> None:
        for number in range(101):
            display(HTML(str(number)))
        first = shown(kernel)
        assert [o["data"].get("text/html") for o in first] == [None, *map(str, range(51, 101))]
        clear_output()
        display(HTML("small"))
        display(HTML("x" * 300_000))
        assert [o["data"].get("text/html", "")[:1] for o in shown(kernel)] == ["", "x"]
        print("after it")
        assert shown(kernel)[1:] == [text("stdout", "after it\n")]
        print("y" * 300_000, end="end")
        assert shown(kernel)[1]["text"][-4:] == "yend"
        assert len(shown(kernel)[1]["text"]) == 100_000

    kernel.run(use)


def test_a_console_that_the_user_has_closed_is_made_anew(kernel: StandInContext) -> None:
    """`Widget.close_all()` leaves it alone; who closes it all the same gets a new one with the next print."""
    kernel.run(print, "a")
    first = kernel.living_host.printing.console
    assert first is not None
    kernel.run(widgets.Widget.close_all)
    kernel.run(print, "b")
    assert shown(kernel) == [text("stdout", "a\nb\n")]
    kernel.run(first.close)
    kernel.run(print, "c")
    assert kernel.living_host.printing.console is not first
    assert shown(kernel) == [text("stdout", "c\n")]


def test_prints_while_it_is_made_are_not_lost(kernel: StandInContext) -> None:
    """By whoever is told of each widget that is made, for example; nor do they make another."""

    def tell(widget: widgets.Widget) -> None:
        print("made a", type(widget).__name__)

    widgets.Widget.on_widget_constructed(tell)
    try:
        kernel.run(print, "first")
    finally:
        widgets.Widget.on_widget_constructed(None)
    assert shown(kernel) == [text("stdout", "first\n")]


def test_at_the_end_prints_are_the_servers(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a kernel that closes or has closed, and from its threads afterwards; nothing keeps it."""
    with patched():
        kernel = StandInContext(printed=Printed(to_page=True, to_server=False))
        go_on = threading.Event()
        thread = threading.Thread(target=lambda: (go_on.wait(10), print("after")))
        kernel.run(thread.start)
        kernel.run(print, "shown")
        dead = weakref.ref(kernel.living_host.printing.console)
        handle = kernel.handle()
        kernel.run(kernel.living_host.close_widgets)
        kernel.run(print, "closing")
        kernel.run(display, HTML("closing"))
        gc.disable()
        try:
            kernel.close()
            go_on.set()
            thread.join()
            assert dead() is None
        finally:
            gc.enable()
        assert handle.peek() is None
    assert capsys.readouterr().out == "closing\nafter\n"


def test_what_can_not_be_written_is_the_error_of_its_line(kernel: StandInContext) -> None:
    """And spoils nothing that is printed afterwards, nor an Output."""

    class Bad:
        def _repr_mimebundle_(self, **_: object) -> Json:
            return {"text/plain": "bad", "application/json": {"x": object()}}

    def use() -> None:
        out = Output()
        with pytest.raises(TypeError):
            display(Bad())
        print("after")
        with pytest.raises(TypeError):
            display(Bad())
        with out:
            with pytest.raises(TypeError):
                display(Bad())
            print("good")
        assert out.outputs == (text("stdout", "good\n"),)

    kernel.run(use)
    assert shown(kernel) == [text("stdout", "after\n")]


def test_a_console_that_can_not_be_made_any_more(kernel: StandInContext, capsys: pytest.CaptureFixture[str]) -> None:
    """The context has ended between the look at it and the print: that is the server's, and no error."""
    printing = kernel.living_host.printing
    kernel.handle().sever()
    assert printing.take("stdout", "x")
    assert printing.console is None


def test_what_is_displayed_while_a_record_is_handled(
    kernel: StandInContext, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is as little for the pages as what is printed then."""

    def use() -> None:
        with outputs.suspended():
            display(HTML("x"))

    kernel.run(use)
    assert kernel.living_host.printing.console is None
    assert capsys.readouterr().out == ""
