"""Sessions in process, over and over, and what is left of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount

from solara_ctx import KernelApp, VirtualKernelContext, get_current_context
from solara_ctx.leakcheck.hosting import CannotCheck
from solara_ctx.leakcheck.sessions import check
from tests.leakcheck.support import leaky
from tests.support import kernels
from tests.support.kernels import every_core_widget
from tests.support.service import silent


def simple() -> widgets.Widget:
    """A page like any."""
    return widgets.Label("simple")


@pytest.fixture(autouse=True)
def nothing_is_kept_for_the_next() -> Iterator[None]:
    leaky.ENOUGH.clear()
    leaky.BACKGROUND.append(leaky.Background())
    yield
    leaky.BACKGROUND.pop().stop()
    leaky.make_way()


@pytest.mark.uncovered
@pytest.mark.parametrize(
    "page",
    # Two take half a minute each.
    [
        pytest.param(page, marks=pytest.mark.thorough if page.__name__ in {"at_exit", "running_thread"} else ())
        for page in leaky.LEAKS
    ],
    ids=lambda page: page.__name__,
)
def test_a_leak_is_found_and_its_place_named(page: leaky.Page) -> None:
    """Each of the twelve is a leak of one kernel per session, and a file and line of the page's module is named."""
    report = check(page, sessions=2, cycles=3)
    assert report.leaks
    assert report.alive == (2, 4, 6)
    culprit = report.kept[0].explanation.culprit
    assert culprit is not None
    assert culprit.file is not None
    assert Path(culprit.file).name == "leaky.py"
    assert culprit.line is not None


@pytest.mark.uncovered
@pytest.mark.thorough
def test_where_no_chain_has_a_line_of_the_app_the_one_that_made_it_is_named() -> None:
    """What C code or the standard library holds, a few traced sessions tell the line of."""
    report = check(KernelApp({"/first": leaky.finalized, "/second": leaky.root_handler}), sessions=1, cycles=3)
    assert report.leaks
    holding = {origin.line: origin.code for origin in report.origins if origin.code.endswith("# holds")}
    assert len(holding) == 2
    assert all(f"leaky.py:{line}: {code}" in report.text() for line, code in holding.items())


@pytest.mark.uncovered
@pytest.mark.parametrize("page", leaky.MENDED, ids=lambda page: page.__name__)
def test_what_was_mended_leaks_no_more(page: leaky.Page) -> None:
    """Nothing is left, and reference counting alone has freed it, though a table of the process's may have grown."""
    report = check(page, sessions=2, cycles=3)
    assert not report.leaks
    assert report.by_refcount == report.closed, report.text()
    assert set(report.alive) == {0}
    assert report.growers == ()


@pytest.mark.uncovered
def test_what_is_cached_up_to_a_bound_is_no_leak() -> None:
    """Neither plain values nor kernels: there are no more of them with further sessions."""
    assert not check(leaky.bounded_cache, sessions=2, cycles=4).leaks
    report = check(leaky.bounded_labels, sessions=2, cycles=4)
    assert not report.leaks
    assert report.alive == (2, 3, 3, 3)
    assert "LATEST" in report.kept[0].explanation.text()
    assert "no more with further sessions" in report.text()


LATE: dict[str, bytes] = {}


def filling_up() -> None:
    """Keeps the results of the last eight pages."""
    LATE[get_current_context().id] = bytes(1000)
    if len(LATE) > 8:
        LATE.pop(next(iter(LATE)))


@pytest.mark.uncovered
@pytest.mark.thorough
def test_a_bound_that_comes_late_is_waited_for() -> None:
    """A cache that has just become full is no leak: where growth is all there is, more sessions are run."""
    report = check(filling_up, sessions=2, cycles=4)
    assert report.closed > 8
    assert not report.leaks
    (first,) = report.doubted
    assert "LATE" in first.place
    assert "Ran for longer than asked" in report.text()


@pytest.mark.uncovered
def test_plain_values_leak_although_every_kernel_is_gone() -> None:
    """What grows is named with its place, its rate, and what has come in last."""
    report = check(leaky.plain_values, sessions=2, cycles=3)
    assert report.leaks
    assert report.by_refcount == report.closed == 18
    (grower,) = report.growers
    assert grower.per_step == 1.0
    assert "PLAIN" in grower.place
    assert "bytearray of 100.0 KB" in grower.newest


@pytest.mark.uncovered
@pytest.mark.thorough
def test_everything_on_a_page_is_used() -> None:
    """Buttons are clicked, values changed, tabs opened, and what appears by that is used, too; nothing fails."""
    used: list[str] = []

    def note(name: str, widget: Any, trait: str) -> Any:
        widget.observe(lambda _: used.append(name), trait)
        return widget

    def page() -> widgets.Widget:
        used.clear()
        box = widgets.VBox()
        button, inner = widgets.Button(), widgets.Button()
        inner.on_click(lambda _: used.append("inner"))

        def more(_: object) -> None:
            used.append("button")
            box.children = [*box.children, inner]

        button.on_click(more)
        box.children = [
            button,
            note("slider", widgets.IntSlider(), "value"),
            note("full", widgets.FloatSlider(value=10.0, max=10.0), "value"),
            note("range", widgets.IntRangeSlider(), "value"),
            note("text", widgets.Text(), "value"),
            note("number", widgets.FloatText(), "value"),
            note("check", widgets.Checkbox(), "value"),
            note("choice", widgets.Dropdown(options=["a", "b"]), "value"),
            note("choices", widgets.SelectMultiple(options=["a", "b"]), "value"),
            note("tabs", widgets.Tab(children=[widgets.Label(), widgets.Label()]), "selected_index"),
            note("disabled", widgets.Text(disabled=True), "value"),
        ]
        return box

    report = check(page, sessions=1, cycles=3)
    assert report.errors == ()
    everything = {"button", "inner", "slider", "full", "range", "text", "number", "check", "choice", "choices", "tabs"}
    assert set(used) == everything


@pytest.mark.uncovered
@pytest.mark.thorough
def test_every_core_widget_is_gone_by_reference_counting() -> None:
    """Used as a person would use it; none refuses what it is sent."""
    report = check(lambda: widgets.VBox(every_core_widget()), sessions=1, cycles=3)
    assert report.errors == ()
    assert report.by_refcount == report.closed, report.text()
    assert not report.leaks


@pytest.mark.uncovered
def test_callbacks_that_fail_are_told() -> None:
    """In words, with a traceback, and only the first few."""

    def page() -> widgets.Widget:
        button = widgets.Button()
        button.on_click(kernels.fail)
        return button

    with silent():
        report = check(page, sessions=2, cycles=3)
    assert len(report.errors) == 3
    assert "LookupError: list index out of range" in report.errors[0]


@pytest.mark.uncovered
def test_use_runs_in_the_kernel() -> None:
    """On a worker, with the context current; a coroutine runs as a task of the kernel."""
    seen: list[object] = []

    def use(context: VirtualKernelContext) -> None:
        assert get_current_context() is context
        seen.append(context.id)

    async def use_async(context: VirtualKernelContext) -> None:
        use(context)

    assert not check(simple, sessions=1, cycles=3, use=use).kernels_leak
    assert not check(simple, sessions=1, cycles=3, use=use_async).kernels_leak
    assert len(set(seen)) == 6


@pytest.mark.uncovered
def test_the_request_of_a_page_is_what_one_makes_it() -> None:
    """Path and mount as in a real request; a user and the state of the lifespan as they would be."""
    seen: list[tuple[object, ...]] = []

    def page(connection: HTTPConnection) -> None:
        seen.append((connection.url.path, connection.scope["root_path"], connection.user, connection.state.database))

    app = KernelApp({"/a": page})

    @asynccontextmanager
    async def lifespan(host: Starlette) -> AsyncIterator[dict[str, object]]:
        async with app.lifespan(host):
            yield {"database": "db"}

    host = Starlette(routes=[Mount("/sub", app)], lifespan=lifespan)
    check(host, sessions=1, cycles=3, scope={"user": "ann"})
    assert seen == [("/sub/a", "/sub", "ann", "db")] * 3


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (kernels.fail, "the page function failed:\n(.|\n)*LookupError: list index out of range"),
        (Starlette(), "no KernelApp mounted"),
        (3, "not a int"),
        (lambda one, two: None, "argument"),
    ],
)
def test_what_cannot_be_checked_is_refused(target: object, why: str) -> None:
    """With the reason, and nothing is left running."""
    with silent(), pytest.raises(CannotCheck, match=why):
        check(target, sessions=1, cycles=3)


def test_too_few_sessions_are_refused() -> None:
    """Two cycles can't show that something grows with each."""
    with pytest.raises(CannotCheck, match="3 cycles of 1 session or more, not in 2 of 5"):
        check(simple, cycles=2)
    with pytest.raises(CannotCheck, match="no page at /nowhere"):
        check(simple, paths=["/nowhere"])
