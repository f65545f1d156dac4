"""IPython's shell works in each kernel, and leaves the process alone."""

import atexit
import builtins
import linecache
import logging
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
from IPython import get_ipython
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import HTML, clear_output, display, update_display

from solara_ctx import ContextClosed, current
from solara_ctx.jupyter.shell import KernelShell
from tests.support.kernels import Page, StandInContext, patched, types_of

ROOT = Path(__file__).parents[2]


def test_every_kernel_has_a_shell_of_its_own(kernel: StandInContext) -> None:
    """`get_ipython()` is the shell of the kernel that is current, always the same one, and nothing outside."""
    other = StandInContext(kernel_id="another kernel")
    shell = kernel.run(get_ipython)
    assert isinstance(shell, KernelShell)
    assert kernel.run(get_ipython) is shell
    assert kernel.run(InteractiveShell.instance) is shell
    assert kernel.living_host.kernel.shell is shell
    assert other.run(get_ipython) is not shell
    assert get_ipython() is None
    other.close()


def test_what_two_pages_cannot_import_at_once_is_there_before_them() -> None:
    """Modules of pygments that replace themselves: the second page would have half of one, and its code no colours."""
    program = "import sys, solara_ctx; assert {'pygments.formatters', 'pygments.lexers'} <= sys.modules.keys()"
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own


def test_a_shell_is_made_on_first_use_only(kernel: StandInContext, page: Page) -> None:
    """Widgets, comms, prints and a print into an Output do without."""

    def without_a_shell() -> None:
        out = widgets.Output()
        with out:
            print("x")
        out.clear_output()
        widgets.Button().click()

    kernel.run(without_a_shell)
    page.states()
    assert kernel.living_host.shell_if_made is None
    kernel.run(get_ipython)
    assert kernel.living_host.shell_if_made is not None


FIRST = """
import asyncio
from blockbuster import blockbuster_ctx
from IPython import get_ipython
from tests.support.kernels import StandInContext, patched

async def main():
    context = StandInContext()
    with patched(), blockbuster_ctx("solara_ctx") as blockbuster:
        for name, function in blockbuster.functions.items():
            if not name.startswith("io."):  # it asks for the home folder, which takes no time
                function.deactivate()
        assert context.run(get_ipython) is not None
    context.close()

asyncio.run(main())
"""


def test_not_even_the_first_shell_reads_a_file() -> None:
    """Async code may be the first to ask for one, on the event loop, and upstream reads a theme then, once."""
    command = [sys.executable, "-c", FIRST]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603
    assert (ended.stderr, ended.returncode) == ("", 0)


def test_two_threads_make_one_shell(kernel: StandInContext) -> None:
    """Threads that need the shell at the same moment get the same one."""
    shells: list[Any] = []
    threads = [threading.Thread(target=lambda: shells.append(get_ipython())) for _ in range(4)]
    for thread in threads:
        kernel.run(thread.start)
    for thread in threads:
        thread.join()
    assert {id(shell) for shell in shells} == {id(kernel.living_host.shell)}


def test_there_is_no_shell_in_a_closed_kernel(kernel: StandInContext) -> None:
    """A thread that comes late is told; nothing is made for it."""
    host, handle = kernel.living_host, kernel.handle()
    kernel.run(host.close_kernel)
    assert kernel.run(get_ipython) is None
    with pytest.raises(ContextClosed):
        kernel.run(InteractiveShell.instance)
    kernel.close()
    with current.bound(handle):
        assert get_ipython() is None


def test_display_reaches_the_pages(kernel: StandInContext, page: Page) -> None:
    """`display`, its update by id, and `clear_output` are published through the kernel's session."""

    def show() -> None:
        display(HTML("<b>a</b>"), display_id="d")
        update_display(HTML("<b>b</b>"), display_id="d")
        clear_output(wait=True)

    kernel.run(show)
    shown, updated, cleared = page.heard()
    assert shown["content"]["data"]["text/html"] == "<b>a</b>"
    assert (updated["header"]["msg_type"], updated["content"]["data"]["text/html"]) == (
        "update_display_data",
        "<b>b</b>",
    )
    assert updated["content"]["transient"] == {"display_id": "d"}
    assert (cleared["header"]["msg_type"], cleared["content"]) == ("clear_output", {"wait": True})


def test_a_widget_is_displayed_by_its_model(kernel: StandInContext, page: Page) -> None:
    """A displayed widget refers to the model that the page has."""
    slider = kernel.run(widgets.IntSlider)
    page.heard()
    kernel.run(display, slider)
    (message,) = page.heard()
    assert message["content"]["data"]["application/vnd.jupyter.widget-view+json"]["model_id"] == slider.model_id


def test_a_cell_runs(kernel: StandInContext, page: Page) -> None:
    """Its value is published and kept as `_` and in `Out`; two kernels do not see each other's names."""
    other = StandInContext(kernel_id="another kernel")
    result = kernel.run(lambda: get_ipython().run_cell("x = 20\nx + 1", store_history=True))
    assert result.result == 21
    (message,) = page.heard()
    assert message["header"]["msg_type"] == "execute_result"
    assert message["content"]["data"] == {"text/plain": "21"}
    assert kernel.run(lambda: get_ipython().user_ns["_"]) == 21
    assert other.run(lambda: "x" in get_ipython().user_ns) is False
    other.close()


def test_a_cell_leaves_the_hook_for_uncaught_errors_alone(kernel: StandInContext) -> None:
    """Upstream puts the shell's own into `sys` while a cell runs, where each thread that is made meanwhile keeps it; of
    two cells that overlap, the second would put back the first one's for good.
    """
    seen = kernel.run(lambda: get_ipython().run_cell("import sys\nsys.excepthook"))
    assert seen.result == sys.excepthook
    assert not isinstance(getattr(sys.excepthook, "__self__", None), KernelShell)


def test_a_cell_that_fails_is_logged_and_published(
    kernel: StandInContext, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, with the traceback in the log; the page is told the kind of error."""
    result = kernel.run(lambda: get_ipython().run_cell("1/0"))
    assert isinstance(result.error_in_exec, ZeroDivisionError)
    (message,) = page.heard()
    assert message["content"] == {"ename": "ZeroDivisionError", "evalue": "", "traceback": []}
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert types_of([message]) == ["error"]


def test_debug_mode_publishes_ipythons_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """The coloured text that IPython makes goes to the page as it is."""
    with patched():
        context = StandInContext(debug=True)
        page = Page(context)
        context.run(lambda: get_ipython().run_cell("1/0"))
        (message,) = page.heard()
        assert "division by zero" in message["content"]["evalue"]
        assert "\x1b[" in "".join(message["content"]["traceback"])
        context.run(lambda: get_ipython().run_cell("1 +"))
        assert page.heard()[0]["content"]["ename"] == "SyntaxError"
        context.close()


def test_the_last_error_is_the_shells_not_the_processs(kernel: StandInContext) -> None:
    """`%tb` shows the last error of its kernel; `sys.last_exc` would keep its frames for all time."""
    before = [getattr(sys, name, None) for name in ("last_type", "last_value", "last_traceback", "last_exc")]
    kernel.run(lambda: get_ipython().run_cell("1/0"))
    kernel.run(lambda: get_ipython().run_line_magic("tb", ""))
    assert before == [getattr(sys, name, None) for name in ("last_type", "last_value", "last_traceback", "last_exc")]


def test_there_may_be_no_error_to_show(kernel: StandInContext, capsys: pytest.CaptureFixture[str]) -> None:
    """A shell without any error so far says so."""
    kernel.run(lambda: get_ipython().showtraceback())
    assert "No traceback available" in capsys.readouterr().err


def completions(shell: Any, text: str) -> list[str]:
    with provisionalcompleter():
        return [completion.text for completion in shell.Completer.completions(text, len(text))]


def test_magics_and_completions_work(kernel: StandInContext, tmp_path: Path) -> None:
    """A line magic, a cell magic, a script magic, history, and a completion by attribute and of a module's name."""

    def use() -> tuple[Any, ...]:
        shell = get_ipython()
        shell.run_cell("text = 'abc'", store_history=True)
        timing = shell.run_line_magic("timeit", "-n1 -r1 -q -o pass")
        shell.run_cell_magic("writefile", str(tmp_path / "x.txt"), "hello")
        shell.run_cell_magic("sh", "--out said", "echo hello")
        return (
            timing is not None,
            (tmp_path / "x.txt").read_text(),
            shell.user_ns["said"],
            completions(shell, "text.upp"),
            completions(shell, "import jso"),
            list(shell.history_manager.get_range()),
        )

    timing, written, said, attributes, modules, history = kernel.run(use)
    assert timing
    assert (written.strip(), said) == ("hello", "hello\n")
    assert "upper" in "".join(attributes)
    assert "json" in modules
    assert history == [(0, 1, "text = 'abc'")]


def test_a_gui_loop_is_refused(kernel: StandInContext, caplog: pytest.LogCaptureFixture) -> None:
    """A server has no place for one; `%exit` does not end it either."""
    kernel.run(lambda: get_ipython().run_line_magic("gui", "qt"))
    (record,) = caplog.records
    assert "no GUI event loop" in record.getMessage()
    kernel.run(lambda: get_ipython().ask_exit())
    kernel.run(lambda: get_ipython().run_cell("exit()"))
    assert kernel.run(lambda: get_ipython().run_cell("1 + 1").result) == 2


def snapshot() -> dict[str, Any]:
    return {
        "builtins": dict(vars(builtins)),
        "environ": dict(os.environ),
        "modules": {name: id(module) for name, module in sys.modules.items() if name == "__main__"},
        "sys": {name: id(getattr(sys, name, None)) for name in ("displayhook", "excepthook", "ps1", "ps2", "stdout")},
        "filters": list(warnings.filters),
        "threads": set(threading.enumerate()),
        "cwd": sorted(path.name for path in Path().iterdir()),
        "atexit": atexit._ncallbacks(),
        "path": list(sys.path),
    }


def test_the_process_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No builtins, environment, modules, hooks, filters, threads, files, paths or atexit handlers are left behind."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    with patched():
        first = StandInContext()  # the modules that IPython imports on first use
        first.run(use_everything)
        first.close()
        before = snapshot()
        for number in range(3):
            context = StandInContext(kernel_id=f"kernel-{number}")
            context.run(use_everything)
            # A script magic has a thread and two handlers of its own for as long as its kernel lives.
            during = {**snapshot(), **{name: before[name] for name in ("threads", "atexit")}}
            context.close()
            assert during == before
        assert snapshot() == before
    assert list(tmp_path.iterdir()) == []


def use_everything() -> None:
    """Use each part of the shell once."""
    shell = get_ipython()
    display("x")
    shell.run_cell("x = 1\nx", store_history=True)
    shell.run_cell("1/0")
    shell.run_cell("def f():\n    return f\nf", store_history=True)
    shell.run_cell_magic("sh", "", "true")
    shell.run_line_magic("who", "")
    completions(shell, "x.re")
    completions(shell, "import jso")
    shell.showtraceback()


def test_sources_of_cells_do_not_pile_up(kernel: StandInContext) -> None:
    """What IPython puts into `linecache` for tracebacks goes with the kernel."""
    context = StandInContext()
    before = len(linecache.cache)
    context.run(lambda: [get_ipython().run_cell(f"x = {number}") for number in range(20)])
    assert len(linecache.cache) > before
    context.close()
    assert len(linecache.cache) == before
