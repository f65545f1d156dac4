"""The fixture `leak_check`, as users run it: in a pytest of their own, with whatever plugins they have."""

from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).parents[2]
pytest_plugins = ["pytester"]
pytestmark = pytest.mark.uncovered

# A few small sessions show everything, and take no time.
INI = """
[pytest]
leak_check_sessions = 2
leak_check_cycles = 3
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""
HEAD = """
import logging, sys
import ipywidgets as w
import pytest
KEPT = []
def good():
    label, button = w.Label(), w.Button()
    button.on_click(lambda _: setattr(label, "value", "clicked"))
    return w.VBox([label, button])
def leaky():
    label = w.Label()
    KEPT.append(label)
    return label
def raising():
    label, button = w.Label(), w.Button()
    def fail(_):
        text = label
        raise LookupError("of the page's own")
    button.on_click(fail)
    return w.VBox([label, button])
"""


class Run(Protocol):
    def __call__(self, source: str, *options: str) -> pytest.RunResult:
        """Run pytest on HEAD and *source* in a process of its own."""
        ...


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    # As installed in a project: found by path, loaded by name.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    # Where pytest sees one of these, its summary repeats each message in full, and what is counted is there twice.
    for name in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini(INI)

    def run_pytest(source: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_app=HEAD + source)
        return pytester.runpytest_subprocess("-p", "pytest_solara_ctx", "-p", "no:cacheprovider", *options)

    return run_pytest


def test_what_leaks_fails_with_its_place_and_nothing_else(run: Run) -> None:
    """The message names file and line, how many are kept, and how fast it grows; there is no traceback of ours."""
    result = run("def test_it(leak_check):\n    leak_check(leaky)\n")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "6 of 6 closed kernels are kept, 1.0 more with each session" in text
    assert "test_app.py:4 module variable KEPT -> list[" in text
    assert "list grows by 1.0 per session; newest Label" in text
    assert "leak_check(leaky)" not in text, "a traceback would show the line"
    assert "pytest_plugin.py" not in text


def test_what_does_not_leak_passes(run: Run) -> None:
    """A page whose button was clicked is gone; what was found is returned."""
    result = run("""
def test_it(leak_check):
    report = leak_check(good)
    assert report.closed == report.by_refcount >= 6
""")
    result.assert_outcomes(passed=1)


@pytest.mark.thorough
def test_plain_values_leak_too(run: Run) -> None:
    """No widget is kept, and the test fails all the same."""
    result = run("""
CACHE = {}
def page():
    CACHE[str(len(CACHE))] = bytearray(100_000)
def test_it(leak_check):
    leak_check(page)
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*module variable CACHE*dict grows by 1.0 per session; newest*bytearray*"])


@pytest.mark.thorough
def test_an_app_is_checked_with_its_lifespan_and_all_its_pages(run: Run) -> None:
    """Starlette and FastAPI: the mounted KernelApp is found, and what its pages need was started."""
    result = run("""
import contextlib
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from solara_ctx import KernelApp

STARTED = []

def needs_start():
    assert STARTED
    return w.Label()

@pytest.fixture
def kernels():
    return KernelApp({"/": needs_start, "/second": lambda connection: w.Label(connection.url.path)})

@pytest.fixture
def lifespan(kernels):
    @contextlib.asynccontextmanager
    async def lifespan(app):
        STARTED.append(app.__class__)
        async with kernels.lifespan(app):
            yield
        STARTED.clear()
    return lifespan

def test_starlette(leak_check, kernels, lifespan):
    assert leak_check(Starlette(routes=[Mount("/sub", kernels)], lifespan=lifespan)).per_cycle == 4
    assert STARTED == []

def test_fastapi(leak_check, kernels, lifespan):
    app = FastAPI(lifespan=lifespan)
    app.mount("/kernels", kernels)
    assert leak_check(app).per_cycle == 4

def test_one_page_of_it(leak_check, kernels, lifespan):
    assert leak_check(Starlette(routes=[Mount("/", kernels)], lifespan=lifespan), paths=["/second"]).per_cycle == 2

def test_without_its_own_lifespan(leak_check):
    assert leak_check(Starlette(routes=[Mount("/", KernelApp(good))])).per_cycle == 2

def test_alone(leak_check):
    assert leak_check(KernelApp(good)).per_cycle == 2
""")
    result.assert_outcomes(passed=5)


@pytest.mark.thorough
def test_use_says_what_is_done_with_a_page(run: Run) -> None:
    """It is called in the kernel, with the context, and what it does can leak."""
    result = run("""
def page():
    button, label = w.Button(description="Keep"), w.Label()
    button.on_click(lambda _: KEPT.append(label))
    return w.VBox([button, w.Button(description="Other"), label])

def click(context):
    from solara_ctx import get_current_context
    assert get_current_context() is context
    for widget in context.widgets.values():
        if isinstance(widget, w.Button) and widget.description == "Keep":
            widget.click()

def test_used(leak_check):
    leak_check(page, use=click)

def test_not_used(leak_check):
    leak_check(page, use=lambda context: None)

def test_async_use(leak_check):
    async def use(context):
        KEPT.append(next(iter(context.widgets.values())))
    leak_check(page, use=use)

def test_failing_use(leak_check):
    leak_check(page, use=lambda context: 1 / 0)
""")
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(["FAILED*::test_used*", "FAILED*::test_async_use*", "FAILED*::test_failing_use*"])
    assert "`use` failed" in result.stdout.str()
    assert "ZeroDivisionError" in result.stdout.str()


def test_what_cannot_be_checked_says_why(run: Run) -> None:
    """A page that fails, an app without kernels, and what is no app."""
    result = run("""
from starlette.applications import Starlette

def broken():
    raise LookupError("no such thing")

@pytest.mark.parametrize("target", [broken, Starlette(), 3, lambda one, two: None])
def test_it(leak_check, target):
    leak_check(target)

def test_too_few(leak_check):
    leak_check(good, cycles=2)
""")
    result.assert_outcomes(failed=5)
    text = result.stdout.str()
    for reason in (
        "the page function failed",
        "LookupError: no such thing",
        "has no KernelApp mounted in it",
        "not a int",
        "a leak shows in 3 cycles",
    ):
        assert reason in text
    assert "sessions.py" not in text


@pytest.mark.thorough
def test_cycles_are_warned_of_or_fail_as_one_likes(run: Run) -> None:
    """What only the garbage collector frees is a warning; with allow_gc=False a failure."""
    result = run(
        """
class Own:
    pass

def cyclic():
    label, own = w.Label(), Own()
    own.own, own.label = own, label
    return label

def test_default(leak_check):
    assert leak_check(cyclic).by_gc == 6

def test_strict(leak_check):
    leak_check(cyclic, allow_gc=False)

@pytest.mark.leak_check(allow_gc=False)
def test_marked(leak_check):
    leak_check(cyclic)

@pytest.mark.leak_check(allow_gc=False)
def test_the_call_has_the_last_word(leak_check):
    leak_check(cyclic, allow_gc=True)

@pytest.mark.leak_check(alow_gc=False)
def test_mistyped(leak_check):
    leak_check(cyclic)
""",
        "-W",
        "default",
    )
    result.assert_outcomes(passed=2, failed=3, warnings=2)
    result.stdout.fnmatch_lines(["*6 of 6 closed kernels were freed by the garbage collector only*"])
    result.stdout.fnmatch_lines(["*the marker leak_check takes sessions, cycles, allow_gc, allow_bounded, by name*"])


@pytest.mark.thorough
def test_kernels_that_are_kept_up_to_a_bound_are_no_leak(run: Run) -> None:
    """Three are kept however many there are: a warning, or a failure on request; plain values are not even that."""
    result = run(
        """
import functools
RECENT = {}
def keeps_three():
    label = w.Label()
    KEPT.append(label)
    del KEPT[:-3]
    return label
def caches_three():
    RECENT[object()] = bytearray(10)
    while len(RECENT) > 3:
        del RECENT[next(iter(RECENT))]
@functools.lru_cache(maxsize=100)
def squared(number):
    return number * number
def uses_an_lru_cache():
    squared(id(object()))

def test_default(leak_check):
    assert leak_check(keeps_three, cycles=5).never == 3
def test_strict(leak_check):
    leak_check(keeps_three, cycles=5, allow_bounded=False)
def test_plain(leak_check):
    leak_check(caches_three, cycles=5, allow_bounded=False)
def test_lru_cache(leak_check):
    leak_check(uses_an_lru_cache)
""",
        "-W",
        "default",
    )
    result.assert_outcomes(passed=3, failed=1, warnings=1)
    result.stdout.fnmatch_lines(["*3 of 10 closed kernels are kept, no more with further sessions*"])


@pytest.mark.thorough
def test_callbacks_that_fail_are_told(run: Run) -> None:
    """A button of the page raises: nothing leaks, and the failure is not hidden."""
    result = run("def test_it(leak_check):\n    leak_check(raising)\n", "-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    assert "of the page's own" in result.stdout.str()


LOGS = """
def logs_widgets():
    label = w.Label()
    logging.getLogger("app").warning("made %s", label)
    return label
"""


@pytest.mark.thorough
def test_log_records_that_pytest_keeps_are_not_the_apps(run: Run) -> None:
    """A record holds what was logged, and pytest holds the record."""
    result = run(LOGS + "def test_it(leak_check):\n    assert leak_check(logs_widgets).never == 6\n")
    result.assert_outcomes(passed=1)


@pytest.mark.thorough
def test_a_leak_beside_the_log_records_is_found(run: Run) -> None:
    """The shortest way to the widget leads over the record, and the other one is named."""
    result = run(
        LOGS
        + """
class Deep:
    def __init__(self, below):
        self.below = below
def logs_and_keeps():
    label = logs_widgets()
    KEPT.append(Deep(Deep(Deep(Deep(label)))))
    return label
def test_it(leak_check):
    leak_check(logs_and_keeps)
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*test_app.py:4 module variable KEPT*Deep*Label*"])


@pytest.mark.parametrize("option", ["--tb=short", "-pno:logging"])
@pytest.mark.thorough
def test_records_without_pytests_logging_are_no_trouble(run: Run, option: str) -> None:
    """There is nobody who keeps them."""
    result = run(LOGS + "def test_it(leak_check):\n    leak_check(logs_widgets)\n", option)
    result.assert_outcomes(passed=1)


@pytest.mark.thorough
def test_what_the_test_keeps_is_told_apart(run: Run) -> None:
    """A local variable of the test holds the widgets: by itself, or by a function of its own, or with `use`."""
    result = run("""
def test_closure(leak_check):
    kept = []
    def page():
        kept.append(w.Label())
        return kept[-1]
    leak_check(page)

def test_use(leak_check):
    seen = []
    leak_check(good, use=lambda context: seen.extend(context.widgets.values()))
""")
    result.assert_outcomes(failed=2)
    text = result.stdout.str()
    assert text.count("your test itself keeps what the sessions have made") == 2
    assert "'kept'" in text or "variable kept" in text
    assert "variable seen" in text
    assert "this leaks" not in text


@pytest.mark.thorough
def test_a_leak_beside_what_the_test_keeps_is_found(run: Run) -> None:
    """Both hold the same widgets; the app's own hold is the one that is named."""
    result = run("""
def test_it(leak_check):
    seen = []
    leak_check(leaky, use=lambda context: seen.extend(context.widgets.values()))
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*this leaks*", "*module variable KEPT*"])


@pytest.mark.thorough
def test_a_failure_before_keeps_nothing(run: Run) -> None:
    """What an earlier test has left in sys.last_value, and pytest in its reports, is not the app's."""
    result = run("""
def test_fails():
    label = []
    KEPT.append(label)
    raise RuntimeError
def test_it(leak_check):
    (label,) = KEPT
    KEPT.clear()
    def page():
        label.append(w.Label())
        return label[-1]
    leak_check(page)
def test_good(leak_check):
    leak_check(good)
""")
    result.assert_outcomes(passed=1, failed=2)
    assert "this leaks" not in result.stdout.str()


ASYNC = """
async def test_in_passing(leak_check):
    leak_check(good)
async def test_awaited(leak_check):
    await leak_check.acheck(good)
async def test_leaky(leak_check):
    leak_check(leaky)
async def test_leaky_awaited(leak_check):
    await leak_check.acheck(leaky)
async def test_own(leak_check):
    seen = []
    await leak_check.acheck(good, use=lambda context: seen.extend(context.widgets.values()))
"""


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        pytest.param("", ["-o", "asyncio_mode=auto"], id="asyncio auto", marks=pytest.mark.thorough),
        pytest.param("pytestmark = pytest.mark.asyncio", ["-o", "asyncio_mode=strict"], id="asyncio strict"),
        pytest.param(
            "pytestmark = pytest.mark.anyio",
            ["-p", "no:asyncio", "-o", "addopts="],
            id="anyio",
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_async_tests_use_the_same_fixture(run: Run, mark: str, options: list[str]) -> None:
    """Whoever runs them."""
    source = f"{mark}\n{ASYNC}"
    if "no:asyncio" in options:
        source += "\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
        options = [*options, "-W", "ignore::pytest.PytestConfigWarning"]
    result = run(source, *options)
    result.assert_outcomes(passed=2, failed=3)
    text = result.stdout.str()
    assert text.count("module variable KEPT -> list[") >= 2
    assert "variable seen" in text


def test_the_plugin_costs_nothing_where_nobody_asks_for_it(run: Run) -> None:
    """Neither the package nor anything it needs is imported, nor does a strict project complain."""
    result = run(
        """
def test_it():
    assert not {"solara_ctx", "starlette", "asyncio.taskgroups_"} & set(sys.modules)
""",
        "--strict-markers",
        "--strict-config",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.thorough
def test_the_collector_is_left_as_it_was(run: Run) -> None:
    """On where it was on, off where it was off."""
    result = run("""
import gc
def test_on(leak_check):
    leak_check(good)
    assert gc.isenabled()
def test_off(leak_check):
    gc.disable()
    leak_check(good)
    assert not gc.isenabled()
    gc.enable()
def test_after_a_failure(leak_check):
    with pytest.raises(pytest.fail.Exception):
        leak_check(leaky)
    assert gc.isenabled()
""")
    result.assert_outcomes(passed=3)
