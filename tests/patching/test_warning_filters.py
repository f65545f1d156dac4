"""`warnings`, per kernel; and whether the interpreter still is what the patches were made for."""

import io
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from types import ModuleType
from typing import Any
from warnings import warn_explicit

import ipywidgets as widgets
import pytest

from solara_ctx.patching.warning_filters import KernelWarnings
from tests.support.kernels import StandInContext


@pytest.fixture(autouse=True)
def shown_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown goes to sys.stderr, and not to pytest, which records what it can."""
    monkeypatch.setitem(warnings.__dict__, "_showwarnmsg_impl", lambda message: sys.stderr.write(str(message)))


def seen(category: type[Warning] = UserWarning, text: str = "careful") -> str:
    """What becomes of a warning."""
    err = io.StringIO()
    with redirect_stderr(err):
        try:
            warnings.warn(text, category, stacklevel=1)
        except Warning:
            return "raised"
    return "shown" if text in err.getvalue() else "ignored"


def by_the_interpreter() -> str:
    """What becomes of a warning that C code issues."""
    err = io.StringIO()
    with redirect_stderr(err):
        try:
            compile(r"'\d'", "<a text>", "eval")
        except SyntaxError:  # that is what a SyntaxWarning or DeprecationWarning of the compiler is raised as
            return "raised"
    return "shown" if "invalid escape" in err.getvalue() else "ignored"


def test_each_kernel_has_its_own_filters(kernel: StandInContext, other: StandInContext) -> None:
    """Set in one, not in the next, nor in the process."""
    before = list(warnings.filters)
    kernel.run(warnings.simplefilter, "ignore")
    other.run(warnings.simplefilter, "always")
    assert [context.run(seen) for context in (kernel, other, kernel, other)] == ["ignored", "shown"] * 2
    kernel.run(warnings.filterwarnings, "error", message="care")
    assert [context.run(seen) for context in (kernel, other)] == ["raised", "shown"]
    assert list(warnings.filters) == before
    assert seen() == "raised"  # as pytest has it


def test_the_interpreters_own_code_asks_for_the_kernels(kernel: StandInContext, other: StandInContext) -> None:
    """The canary: it asks the module `warnings` for the attribute, each time."""
    kernel.run(warnings.simplefilter, "ignore")
    other.run(warnings.simplefilter, "always")
    assert [context.run(by_the_interpreter) for context in (kernel, other, kernel)] == ["ignored", "shown", "ignored"]
    assert by_the_interpreter() == "raised"


def test_a_kernel_begins_with_the_filters_of_the_process(kernel: StandInContext) -> None:
    """As they are, until it sets its own."""
    assert kernel.run(lambda: warnings.filters) is warnings.filters
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert kernel.run(seen) == "ignored"
    assert kernel.run(seen) == "raised"
    kernel.run(warnings.resetwarnings)
    assert kernel.run(lambda: warnings.filters) == []
    assert kernel.run(seen) == "shown"
    assert warnings.filters != []


def test_catching_warnings_in_two_kernels_at_once(kernel: StandInContext, other: StandInContext) -> None:
    """Each gets its own, and the filters that it had, whatever order they end in."""

    @contextmanager
    def caught() -> Iterator[list[Any]]:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            yield found

    first, second = caught(), caught()
    mine, theirs = kernel.run(first.__enter__), other.run(second.__enter__)
    for context, text in ((kernel, "one"), (other, "two"), (kernel, "three")):
        context.run(warnings.warn, text, stacklevel=2)
    kernel.run(first.__exit__, None, None, None)
    other.run(warnings.warn, "four", stacklevel=2)
    other.run(second.__exit__, None, None, None)
    assert [str(warning.message) for warning in mine] == ["one", "three"]
    assert [str(warning.message) for warning in theirs] == ["two", "four"]
    assert kernel.run(lambda: warnings.filters) is warnings.filters
    assert "filters" not in kernel.run(lambda: kernel.living_host.belongings.of(KernelWarnings)).attributes


def test_upstream_really_has_the_filters_in_the_module() -> None:
    """The canary: where catch_warnings() saves and puts back an attribute of the module."""
    before = warnings.filters
    with warnings.catch_warnings():
        assert warnings.filters is not before
        assert type(warnings) is ModuleType
    assert warnings.filters is before


def test_filters_that_are_appended(kernel: StandInContext) -> None:
    """They count last, and only once."""
    kernel.run(warnings.resetwarnings)
    for action in ("always", "ignore", "always"):
        kernel.run(warnings.simplefilter, action, append=True)
    assert [item[0] for item in kernel.run(lambda: warnings.filters)] == ["always", "ignore"]
    kernel.run(warnings.simplefilter, "ignore")
    assert [item[0] for item in kernel.run(lambda: warnings.filters)] == ["ignore", "always"]


def test_each_kernel_is_told_once(kernel: StandInContext, other: StandInContext) -> None:
    """Which warnings were shown is noted per kernel, not in the module that they are about."""
    for action in ("default", "once"):
        for context in (kernel, other):
            context.run(warnings.simplefilter, action)
        text = f"careful, {action}"
        assert [context.run(seen, text=text) for context in (kernel, kernel, other)] == ["shown", "ignored", "shown"]


def test_who_shows_warnings(kernel: StandInContext, other: StandInContext) -> None:
    """`warnings.showwarning` of a kernel is for its warnings only."""
    shown: list[str] = []

    def show(message: Warning | str, *_: object) -> None:
        shown.append(str(message))

    for context in (kernel, other):
        context.run(warnings.simplefilter, "always")
    kernel.run(setattr, warnings, "showwarning", show)
    assert [context.run(seen) for context in (kernel, other)] == ["ignored", "shown"]
    assert shown == ["careful"]
    assert warnings.showwarning is not show


def test_a_warning_is_shown_in_the_output_where_it_was_issued(kernel: StandInContext) -> None:
    """As what is written to sys.stderr."""

    def use() -> Any:
        warnings.simplefilter("always")
        output = widgets.Output()
        with output:
            warnings.warn("careful", stacklevel=1)
        return output

    output = kernel.run(use)
    (record,) = output.outputs
    assert record["name"] == "stderr"
    assert "test_warning_filters.py" in record["text"]
    assert "UserWarning('careful')" in record["text"]


def place(context: StandInContext | None, issue: Callable[[], None]) -> tuple[str, int, type, str]:
    """What a warning is said to be about."""

    def use() -> list[Any]:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            issue()
        return list(found)

    (found,) = use() if context is None else context.run(use)
    return found.filename, found.lineno, found.category, str(found.message)


def issue(*args: Any, **options: Any) -> Callable[[], None]:
    def inner() -> None:
        warnings.warn(*args, **options)

    return lambda: inner()  # noqa: PLW0108 - for one frame more


@pytest.mark.parametrize(
    ("args", "options"),
    [
        (("careful",), {}),
        (("careful", DeprecationWarning), {}),
        ((RuntimeWarning("careful"),), {}),
        (("careful", None, 2), {}),
        (("careful", None, 3), {}),
        (("careful", None, 0), {}),
        (("careful", None, 1000), {}),
        (("careful",), {"source": object()}),
    ],
)
def test_a_warning_is_about_what_upstream_says(kernel: StandInContext, args: Any, options: Any) -> None:
    """File, line, category and text; in a kernel and outside of one."""
    theirs = place(None, issue(*args, **options))
    assert place(kernel, issue(*args, **options))[2:] == theirs[2:]
    assert place(kernel, issue(*args, **options))[:2] == theirs[:2]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="an argument that is new in 3.12")
def test_prefixes_of_files_that_warnings_are_not_about(kernel: StandInContext) -> None:
    """They are skipped, in a kernel and outside of one."""
    options = {"skip_file_prefixes": (__file__,)}
    outside, inside = place(None, issue("careful", **options)), place(kernel, issue("careful", **options))
    assert __file__ not in {outside[0], inside[0]}


def test_the_import_system_is_skipped(kernel: StandInContext) -> None:
    """As upstream does: a module that warns its importer is not answered by importlib's frames."""
    importer = "def load(run):\n    run()\n"
    spaces: list[dict[str, Any]] = [{}, {}]
    exec(compile(importer, "<frozen importlib._bootstrap>", "exec"), spaces[0])  # noqa: S102 - our own lines
    exec(compile("def issue(warn):\n    warn('careful', None, 2)\n", "<module>", "exec"), spaces[1])  # noqa: S102

    def imported() -> None:
        spaces[0]["load"](lambda: spaces[1]["issue"](warnings.warn))

    assert place(kernel, imported)[:2] == place(None, imported)[:2]
    inside = "def issue(warn):\n    warn('careful', None, 2)\n"
    exec(compile(inside, "<frozen importlib._bootstrap>", "exec"), spaces[1])  # noqa: S102
    assert place(kernel, imported)[:2] == place(None, imported)[:2]


def test_what_is_no_category_is_refused(kernel: StandInContext) -> None:
    """With the same words in and outside of a kernel."""
    for category in (int, "UserWarning"):
        wrong: Any = category
        for run in (kernel.run, lambda function, *args: function(*args)):
            with pytest.raises(TypeError, match="category must be a Warning subclass, not"):
                run(warnings.warn, "careful", wrong)


def test_attributes_that_are_not_there(kernel: StandInContext) -> None:
    """They are missing as ever."""
    own = warnings.showwarning
    del warnings.__dict__["showwarning"]
    try:
        with pytest.raises(AttributeError, match="showwarning"):
            kernel.run(lambda: warnings.showwarning)
    finally:
        warnings.showwarning = own


def test_a_thread_that_outlives_its_kernel(kernel: StandInContext) -> None:
    """It sees the process's filters, and changes nothing that somebody else sees."""
    kernel.run(warnings.simplefilter, "ignore")
    variables, before = kernel._variables, list(warnings.filters)
    kernel.close()
    assert variables.run(lambda: warnings.filters) is warnings.filters
    assert variables.run(seen) == "raised"
    variables.run(warnings.simplefilter, "ignore")
    variables.run(warnings.resetwarnings)
    variables.run(setattr, warnings, "filters", [])
    assert list(warnings.filters) == before
    assert variables.run(seen) == "raised"


def test_nothing_of_a_closed_kernel_is_kept(kernel: StandInContext) -> None:
    """Not even by the interpreter, which keeps the filters that it has looked at last."""

    class Mine(UserWarning):
        """Of the page function."""

    def use() -> Any:
        warnings.simplefilter("ignore", Mine)
        warn_explicit("careful", Mine, "a file", 1)
        return warnings.filters

    filters = kernel.run(use)
    assert filters[0][2] is Mine
    kernel.close()
    assert filters == []


def test_two_kernels_warn_at_once(kernel: StandInContext, other: StandInContext) -> None:
    """From threads of theirs: each catches its own, all of them, and nobody's filters change."""
    before, found = list(warnings.filters), {}

    def use(name: str) -> None:
        mine = []
        for number in range(300):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                warnings.warn(f"{name} {number}", stacklevel=1)
            mine += [str(warning.message) for warning in caught]
        found[name] = mine

    threads = [
        threading.Thread(target=context.run, args=(use, name)) for context, name in ((kernel, "a"), (other, "b"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: [f"{name} {number}" for number in range(300)] for name in "ab"}
    assert list(warnings.filters) == before
