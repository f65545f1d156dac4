"""What is printed and displayed in a `with Output():` becomes state of the widget."""

import asyncio
import logging
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import ipywidgets as widgets
import pytest
from IPython import get_ipython
from IPython.display import HTML, clear_output, display, update_display
from ipywidgets import Output

from solara_ctx import current
from solara_ctx.jupyter import output_state, outputs
from tests.support.kernels import Page, StandInContext, fail, types_of


@pytest.fixture
def out(kernel: StandInContext) -> Output:
    """An Output of the kernel."""
    return kernel.run(Output)


def text(name: str, content: str) -> dict[str, str]:
    return {"output_type": "stream", "name": name, "text": content}


def test_prints_become_state(kernel: StandInContext, out: Output, capsys: pytest.CaptureFixture[str]) -> None:
    """Consecutive text to one stream is one output; the real streams see nothing of it."""

    def use() -> None:
        with out:
            print("a", 1)
            print("b")
            print("c", file=sys.stderr)
            sys.stdout.writelines(["d\n", "e\n"])

    kernel.run(use)
    assert out.outputs == (text("stdout", "a 1\nb\n"), text("stderr", "c\n"), text("stdout", "d\ne\n"))
    assert capsys.readouterr() == ("", "")


def test_outside_a_capture_the_streams_are_the_real_ones(
    kernel: StandInContext, out: Output, page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    """A print of kernel code that is in no Output goes where prints of a server go."""
    page.heard()
    kernel.run(print, "plain")
    assert capsys.readouterr().out == "plain\n"
    assert page.heard() == []
    assert out.outputs == ()


def test_every_page_and_every_reconnect_sees_the_same(kernel: StandInContext, out: Output, page: Page) -> None:
    """The outputs are in the updates to all pages and in the state that a page loads."""
    second = Page(kernel, "page-2")

    def use() -> None:
        with out:
            print("x")

    page.heard()
    kernel.run(use)
    for one in (page, second):
        (update,) = one.heard()
        assert update["content"]["data"]["state"] == {"outputs": [text("stdout", "x\n")]}
    assert page.states()[out.model_id]["state"]["outputs"] == [text("stdout", "x\n")]


@pytest.mark.parametrize(
    "nonsense",
    [
        {},
        {"output_type": "stream", "name": "stdout"},
        {"output_type": "stream", "name": "stdout", "text": 5},
        {"output_type": "error", "traceback": 5},
        {"output_type": "display_data", "data": [1], "transient": [1]},
    ],
    ids=str,
)
def test_a_page_that_sets_outputs_to_nonsense_disturbs_no_print(
    kernel: StandInContext, out: Output, page: Page, nonsense: dict[str, object]
) -> None:
    """The code that prints is not the page's fault; nor is an Output that is to keep no more than so much."""
    output_state.keep_at_most(out, output_state.Bound(characters=10, outputs=2, waiting=10, interval_s=0.0))
    page.say(out.model_id, {"method": "update", "state": {"outputs": [nonsense, nonsense, nonsense]}})

    def use() -> None:
        with out:
            print("x")
            print("y" * 20)
            update_display(HTML("z"), display_id="z")

    kernel.run(use)
    assert out.outputs[-1] == text("stdout", "yyyy\n")


def test_a_print_is_one_update(kernel: StandInContext, out: Output, page: Page) -> None:
    """A line and its end come in two writes and make one message; what ends no line waits for flush or the end."""

    def use() -> None:
        with out:
            print("line")
            print("part", end="")
            assert out.outputs == (text("stdout", "line\n"),)
            sys.stdout.flush()
            assert out.outputs == (text("stdout", "line\npart"),)
            print("rest", end="")

    page.heard()
    kernel.run(use)
    assert out.outputs == (text("stdout", "line\npartrest"),)
    assert types_of(page.heard()) == ["comm_msg"] * 3


@pytest.mark.parametrize(
    ("writes", "shown"),
    [
        (["a\r", "b"], "b"),
        (["abc\r", "x"], "xbc"),
        (["10%\r", "20%\r", "100%\n"], "100%\n"),
        (["\r 10%", "\r 20%"], " 20%"),
        (["first\n", "a\rb\nlast"], "first\nb\nlast"),
        (["a\r\n", "b\r\n"], "a\nb\n"),
        (["a\r", "\n", "b"], "a\nb"),
        (["kept\r"], "kept\r"),
    ],
)
def test_a_progress_bar_overwrites_itself(kernel: StandInContext, out: Output, writes: list[str], shown: str) -> None:
    """A carriage return starts the line anew, as in a terminal: a bar does not pile up in memory."""

    def use() -> None:
        with out:
            sys.stderr.write("")
            for write in ["", *writes]:
                sys.stderr.write(write)

    kernel.run(use)
    assert "".join(output["text"] for output in out.outputs) == shown


def test_displays_are_captured_and_updated(kernel: StandInContext, out: Output, page: Page) -> None:
    """`display`, the value of a cell, and updates by id land in the output, not on the page."""

    def use() -> None:
        with out:
            display(HTML("<b>1</b>"), display_id="d")
            display(HTML("<i>other</i>"), display_id="e")
            update_display(HTML("<b>2</b>"), display_id="d")
            update_display(HTML("<b>3</b>"), display_id="nobody")
            get_ipython().run_cell("6 * 7")

    page.heard()
    kernel.run(use)
    first, second, result = out.outputs
    assert (first["output_type"], first["data"]["text/html"]) == ("display_data", "<b>2</b>")
    assert second["data"]["text/html"] == "<i>other</i>"
    assert (result["output_type"], result["data"]) == ("execute_result", {"text/plain": "42"})
    assert set(types_of(page.heard())) == {"comm_msg"}


def test_an_output_has_the_fields_that_jupyter_gives_it(kernel: StandInContext, out: Output) -> None:
    """No empty `transient`, which is of the message and in no notebook's format."""

    def use() -> None:
        with out:
            display(HTML("<b>1</b>"))

    kernel.run(use)
    (shown,) = out.outputs
    assert shown.keys() == {"output_type", "data", "metadata"}


def test_what_was_displayed_is_updated_from_anywhere(kernel: StandInContext, out: Output) -> None:
    """By its handle, in another block or in none, wherever it was displayed; also while it waits to be shown."""

    def use() -> Output:
        other = Output()
        with out:
            handle = display(HTML("1"), display_id=True)
        with other:
            handle.display(HTML("1"))
            handle.update(HTML("2"))
        handle.update(HTML("3"))
        return other

    other = kernel.run(use)
    for one in (out, other):
        assert [output["data"]["text/html"] for output in one.outputs] == ["3"]
    output_state.append(out, {"output_type": "display_data", "transient": {"display_id": "w"}}, later=True)
    assert output_state.shows(out, "w")


def test_clear_output(kernel: StandInContext, out: Output) -> None:
    """At once, or with `wait` when the next output comes; by the function, by the method, and from outside."""

    def use() -> None:
        with out:
            print("a")
            clear_output(wait=True)
            assert out.outputs == (text("stdout", "a\n"),)
            print("b")
            assert out.outputs == (text("stdout", "b\n"),)
            clear_output()
            assert out.outputs == ()
            print("c")
        out.clear_output(wait=True)
        out.append_stdout("d")
        with out:
            print("e")
        assert out.outputs == (text("stdout", "e\n"),)
        out.clear_output()

    kernel.run(use)
    assert out.outputs == ()


def test_an_error_is_shown_and_goes_no_further(
    kernel: StandInContext, out: Output, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    """With its traceback, as the user asked for it there; logged once; not sent to the page as an error of its own."""

    def use() -> None:
        with out:
            print("before")
            raise LookupError("no such thing")

    page.heard()
    kernel.run(use)
    before, error = out.outputs
    assert before == text("stdout", "before\n")
    assert (error["output_type"], error["ename"], error["evalue"]) == ("error", "LookupError", "no such thing")
    assert "test_outputs.py" in "".join(error["traceback"])
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "error" not in types_of(page.heard())


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_what_ends_a_thread_or_task_is_not_swallowed(
    kernel: StandInContext, out: Output, kind: type[BaseException]
) -> None:
    """A cancellation is none of an Output's business."""

    def use() -> None:
        with out:
            raise kind

    with pytest.raises(kind):
        kernel.run(use)
    assert out.outputs == ()


def test_logging_to_stderr_is_captured_but_not_our_own(
    kernel: StandInContext, out: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the user logs in an Output shows there; a traceback that the server logs does not."""
    handler = logging.lastResort
    assert handler is not None  # writes to whatever sys.stderr is by then
    logging.getLogger().addHandler(handler)

    def use() -> None:
        button = widgets.Button()
        button.on_click(fail)
        with out:
            logging.getLogger("mine").warning("hello")
            kernel.living_host.reporter.page_fault("page-1", "nonsense")
            button.click()

    try:
        kernel.run(use)
    finally:
        logging.getLogger().removeHandler(handler)
    hello, *_rest, error = out.outputs
    assert hello == text("stderr", "hello\n")
    assert error["output_type"] == "error"
    assert all("Traceback" not in output.get("text", "") for output in out.outputs)


def test_nested_outputs(kernel: StandInContext, out: Output) -> None:
    """The innermost captures; blocks that end crosswise end their own capture."""

    def use() -> Output:
        inner = Output()
        with out:
            print("outer")
            with inner:
                print("inner")
            print("outer again")
        out.__enter__()
        inner.__enter__()
        out.__exit__(None, None, None)
        print("inner still")
        inner.__exit__(None, None, None)
        return inner

    inner = kernel.run(use)
    assert out.outputs == (text("stdout", "outer\nouter again\n"),)
    assert inner.outputs == (text("stdout", "inner\ninner still\n"),)
    assert kernel.run(outputs.peek) is None


def run_thread(job: Callable[[], None]) -> None:
    thread = threading.Thread(target=job)
    thread.start()
    thread.join()


def run_pool(job: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(job).result()


def run_task(job: Callable[[], None]) -> None:
    async def main() -> None:
        async def task() -> None:
            await asyncio.sleep(0)
            job()

        await asyncio.create_task(task())

    asyncio.run(main())


def run_to_thread(job: Callable[[], None]) -> None:
    asyncio.run(asyncio.to_thread(job))


def run_in_executor(job: Callable[[], None]) -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, job)

    asyncio.run(main())


def run_timer(job: Callable[[], None]) -> None:
    timer = threading.Timer(0, job)
    timer.start()
    timer.join()


def run_thread_pool(job: Callable[[], None]) -> None:
    with ThreadPool(1) as pool:
        pool.apply(job)


def run_callback(job: Callable[[], None]) -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(job)
        await asyncio.sleep(0)

    asyncio.run(main())


@pytest.mark.parametrize(
    "how",
    [run_thread, run_pool, run_task, run_to_thread, run_in_executor, run_timer, run_thread_pool, run_callback],
)
def test_what_is_started_inside_prints_there(
    kernel: StandInContext, out: Output, how: Callable[[Callable[[], None]], None]
) -> None:
    """A thread, a pool job and a task that were started in the block print into it."""

    def use() -> None:
        with out:
            how(lambda: print("from afar"))

    kernel.run(use)
    assert out.outputs == (text("stdout", "from afar\n"),)


def test_many_threads_lose_nothing(kernel: StandInContext, out: Output) -> None:
    """Each line of each thread arrives, whole."""

    def use() -> None:
        with out:
            threads = [threading.Thread(target=lambda: [print("x" * 10) for _ in range(50)]) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    kernel.run(use)
    (output,) = out.outputs
    assert output["text"].count("x" * 10) == 200
    assert output["text"].count("\n") == 200


def test_an_observer_may_print(kernel: StandInContext, out: Output) -> None:
    """An observer of the outputs that prints does not deadlock, and its text arrives."""
    seen: list[Any] = []

    def observer(change: Any) -> None:
        if not seen:
            seen.append(change.new)
            print("noticed")

    def use() -> None:
        out.observe(observer, "outputs")
        with out:
            print("x")

    kernel.run(use)
    assert out.outputs == (text("stdout", "x\nnoticed\n"),)


def test_a_dead_or_foreign_output_captures_nothing(
    kernel: StandInContext, out: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    """After its end, or where another kernel is current, prints go their usual way."""
    other = StandInContext(kernel_id="another kernel")

    def use() -> None:
        with out:
            with current.bound(other.handle()):
                print("foreign")
            out.close()
            print("closed")

    kernel.run(use)
    assert capsys.readouterr().out == "foreign\nclosed\n"
    other.close()


def display_it(x: object) -> None:
    display(x)


def test_interact_and_its_kin(kernel: StandInContext) -> None:
    """`interactive`, `interactive_output` and `capture` show what their functions print, return and raise."""

    def use() -> tuple[Any, Any, Output]:
        together = widgets.interactive(lambda x: print("x is", x), x=3)
        together.update()
        slider = widgets.IntSlider(value=1)
        apart = widgets.interactive_output(display_it, {"x": slider})
        slider.value = 2
        captured = Output()

        @captured.capture(clear_output=True)
        def function() -> str:
            print("captured")
            return "returned"

        function()
        assert function() == "returned"
        return together, apart, captured

    together, apart, captured = kernel.run(use)
    assert together.out.outputs == (text("stdout", "x is 3\n"),)
    assert [output["data"] for output in apart.outputs] == [{"text/plain": "2"}]
    assert captured.outputs == (text("stdout", "captured\n"),)


def test_append_methods_work(kernel: StandInContext, out: Output) -> None:
    """Upstream's own ways to append go on working, without a block."""

    def use() -> None:
        out.append_stdout("a")
        out.append_stderr("b")
        out.append_display_data(HTML("<b>c</b>"))

    kernel.run(use)
    assert [output["output_type"] for output in out.outputs] == ["stream", "stream", "display_data"]


# Large contents change less often


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, Callable[[], None]]]:
    """Time stands still; what is put off is collected here."""
    put_off: list[tuple[float, Callable[[], None]]] = []
    monkeypatch.setattr(output_state, "_now", lambda: 100.0)
    monkeypatch.setattr(output_state, "_call_after", lambda delay_s, function: put_off.append((delay_s, function)))
    return put_off


def test_large_contents_are_put_off(
    kernel: StandInContext, out: Output, later: list[tuple[float, Callable[[], None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 500,000 characters the next change waits for half a second, and takes everything since along."""

    def use() -> None:
        with out:
            print("x" * 499_999)
            for number in range(5):
                print(number)

    kernel.run(use)
    ((delay_s, sync),) = later
    assert delay_s == pytest.approx(0.5)
    assert len(out.outputs[0]["text"]) == 500_000
    monkeypatch.setattr(output_state, "_now", lambda: 101.0)
    kernel.run(sync)
    assert out.outputs[0]["text"].endswith("x\n0\n1\n2\n3\n4\n")
    kernel.run(sync)


def test_a_timer_that_finds_the_turn_taken_leaves_what_waits_to_who_has_it(
    kernel: StandInContext, out: Output, later: list[tuple[float, Callable[[], None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has seen that there is a timer, just before it went off, sees to another: it would be shown with the next
    output only.
    """
    wait = output_state._sync_after

    def wait_for_one_that_goes_off(*args: Any) -> None:
        wait(*args)
        if len(later) == 1:
            later[0][1]()

    def use() -> None:
        for text in ("x" * 500_000, "one"):
            output_state.append(out, {"output_type": "stream", "name": "stdout", "text": text})
        monkeypatch.setattr(output_state, "_sync_after", wait_for_one_that_goes_off)
        output_state.append(out, {"output_type": "stream", "name": "stdout", "text": "two"})

    kernel.run(use)
    assert len(later) == 2


def test_no_thread_for_a_timer_is_not_for_ever(
    kernel: StandInContext, out: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next output tries again."""

    def no_more(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(output_state, "_now", lambda: 100.0)
    monkeypatch.setattr(output_state, "_call_after", no_more)
    put_off: list[object] = []

    def use() -> None:
        output_state.append(out, {"output_type": "stream", "name": "stdout", "text": "x" * 500_000})
        with pytest.raises(RuntimeError, match="thread"):
            output_state.append(out, {"output_type": "stream", "name": "stdout", "text": "one"})
        monkeypatch.setattr(output_state, "_call_after", lambda *call: put_off.append(call))
        output_state.append(out, {"output_type": "stream", "name": "stdout", "text": "two"})

    kernel.run(use)
    assert len(put_off) == 1


def test_small_contents_are_never_put_off(
    kernel: StandInContext, out: Output, later: list[tuple[float, Callable[[], None]]]
) -> None:
    """Ten thousand characters are few; a clearing is always at once."""

    def use() -> None:
        with out:
            print("x" * 9_998)
            print()
            assert later == []
            print("one too many")
            print("put off")
            assert len(later) == 1
            clear_output()
            assert out.outputs == ()

    kernel.run(use)


def test_an_output_that_is_gone_by_then(
    kernel: StandInContext, later: list[tuple[float, Callable[[], None]]], caplog: pytest.LogCaptureFixture
) -> None:
    """What was put off for an output that has died is dropped; an observer's error on the way is logged."""

    def use() -> Output:
        out = Output()
        with out:
            print("x" * 20_000)
            print("y")
        return out

    out = kernel.run(use)
    ((_, sync),) = later
    out.observe(fail, "outputs")
    output_state._queue(out).next_sync = 0.0
    kernel.run(sync)
    (record,) = caplog.records
    assert record.exc_info is not None
    kernel.run(out.close)
    kernel.run(kernel.living_host.close_widgets)
    del out
    kernel.run(sync)


def test_the_put_off_change_comes_by_itself(kernel: StandInContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """In real time, a timer brings it."""
    arrived = threading.Event()

    def use() -> None:
        out = Output()
        out.observe(lambda change: arrived.set() if "last" in change.new[-1]["text"] else None, "outputs")
        with out:
            print("x" * 20_000)
            print("last")

    kernel.run(use)
    assert arrived.wait(10)


# Outside a kernel


def test_outside_a_kernel_an_output_is_upstreams(capsys: pytest.CaptureFixture[str], kernel: StandInContext) -> None:
    """Made and used where no kernel is current, it behaves as without the patches."""
    out = Output()
    with out:
        print("plain")
    out.clear_output()
    with pytest.raises(LookupError), out:
        raise LookupError
    assert capsys.readouterr().out.startswith("plain")
    assert out.outputs == ()
