"""A shell that was used goes with its kernel, with each of its parts: they refer to each other in every direction."""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import pytest
from IPython import get_ipython
from IPython.core.completer import provisionalcompleter
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.display import HTML, clear_output, display, update_display

from tests.support.everything import use_shell
from tests.support.reclaim import used
from tests.support.visits import serving

pytestmark = pytest.mark.uncovered

Use = Callable[[widgets.Widget], object]


def nothing(box: widgets.Widget) -> None:
    get_ipython()


def a_display_call(box: widgets.Widget) -> None:
    display(box, HTML("<b>a</b>"), {"a": 1})
    display("x", display_id="d")
    update_display(box, display_id="d")
    clear_output(wait=True)


def a_line_magic(box: widgets.Widget) -> None:
    shell = get_ipython()
    shell.push({"box": box})
    for name, line in (
        ("who", ""),
        ("timeit", "-n1 -r1 -q box"),
        ("time", "box"),
        ("whos", ""),
        ("psearch", "bo*"),
        ("pinfo", "box"),
        ("history", ""),
        ("config", ""),
        ("reset", "-f"),
        ("env", "HOME"),
        ("alias", "mine echo"),
        ("prun", "-q len([1])"),
    ):
        shell.run_line_magic(name, line)


def a_cell_magic(box: widgets.Widget) -> None:
    shell = get_ipython()
    shell.push({"box": box})
    shell.run_cell_magic("time", "", "box")
    shell.run_cell_magic("capture", "said", "print(box)")
    shell.run_cell_magic("sh", "", "true")
    shell.run_cell_magic("sh", "--bg --out said", "echo 1")


@magics_class
class Mine(Magics):
    """As an extension brings them along."""

    @line_magic
    def mine(self, line: str) -> None:
        """Keep what there is."""
        shell: Any = self.shell
        self.seen = (shell, shell.user_ns["box"], line)


def a_magic_of_its_own(box: widgets.Widget) -> None:
    shell = get_ipython()
    shell.push({"box": box})
    shell.register_magics(Mine)
    shell.run_line_magic("mine", "a line")


def a_completion(box: widgets.Widget) -> None:
    shell = get_ipython()
    shell.push({"box": box, "shell": shell})
    with provisionalcompleter():
        for text in ("box.chil", "box.children[0].", "import jso", "%ti", "shell.user_ns['b", "open('/et"):
            list(shell.Completer.completions(text, len(text)))


def a_traceback(box: widgets.Widget) -> None:
    shell = get_ipython()
    shell.push({"box": box})
    # Not Verbose: stack_data's FrameInfo, which it is made with, is in a cycle with its lines, the values included.
    for mode in ("Plain", "Context", "Minimal"):
        shell.run_line_magic("xmode", mode)
        shell.run_cell("def f(mine):\n    return mine.missing\nf(box)")
        shell.run_cell("1 +")
        shell.showtraceback()
    shell.run_line_magic("tb", "")


def a_cell(box: widgets.Widget) -> None:
    shell = get_ipython()
    shell.push({"box": box})
    shell.run_cell("def f():\n    return f, box\nf()", store_history=True)
    shell.run_cell("class A:\n    pass\na = A()\na.a = a\na", store_history=True)
    shell.run_cell("await __import__('asyncio').sleep(0)\nbox", store_history=True)
    shell.run_cell("box?")


def an_extension(box: widgets.Widget) -> None:
    shell = get_ipython()
    shell.run_line_magic("load_ext", "autoreload")
    shell.run_line_magic("autoreload", "2")
    shell.run_cell("1 + 1")


def formatters_and_events(box: widgets.Widget) -> None:
    shell = get_ipython()
    shell.display_formatter.formatters["text/html"].for_type(widgets.VBox, lambda value: f"{shell}{box}")
    shell.display_formatter.formatters["text/plain"].for_type_by_name("decimal", "Decimal", lambda *_: str(box))
    shell.events.register("pre_run_cell", lambda info: (shell, box))
    shell.input_transformers_post.append(lambda lines: lines[: len(box.children) + len(lines)])
    shell.set_hook("editor", lambda *_: box)
    shell.set_custom_completer(lambda *_: [str(box)])
    shell.run_cell("1 + 1")
    display(box)


def everything_of_it(box: widgets.Widget) -> None:
    use_shell()


USES = [
    nothing,
    a_display_call,
    a_line_magic,
    a_cell_magic,
    a_magic_of_its_own,
    a_completion,
    a_traceback,
    a_cell,
    an_extension,
    formatters_and_events,
    everything_of_it,
]


@pytest.mark.parametrize("use", USES)
async def test_a_shell_goes_with_its_kernel(use: Use) -> None:
    """Shell, formatters, publisher, hook, magics, completer, compiler, history, and what was shown or named in it."""

    def page() -> widgets.Widget:
        box = widgets.VBox([widgets.Label(), widgets.IntSlider()])
        use(box)
        return box

    async with serving(page) as site:
        visit, deaths = await used(site)
        parts = [name for name in deaths.names if "of the shell" in name]
        assert len(parts) > 20
        await visit.leave()
        await deaths.at_once()
