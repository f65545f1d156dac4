"""What others keep of a kernel keeps nothing of it: copies of variables, errors, futures, reports, handles."""

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets as widgets
import pytest
from IPython import get_ipython
from starlette.requests import HTTPConnection

from solara_ctx import CloseReport, ContextClosed, KernelVar, get_current_context, has_current_context
from tests.support.everything import everything
from tests.support.fakes import PATIENCE_S
from tests.support.reclaim import Deaths, used, watched
from tests.support.visits import serving

pytestmark = pytest.mark.uncovered

Content = Callable[[widgets.Widget], object]
kernel_value: "KernelVar[object]" = KernelVar("kernel_value")


def page_with(content: Content) -> Callable[[], widgets.Widget]:
    """A page function that makes everything and a button, and calls *content* with all of it."""

    def page() -> widgets.Widget:
        box = widgets.VBox([everything(), widgets.Button(description="do it")])
        content(box)
        return box

    return page


# Copies of the context variables


def in_the_page_function(box: widgets.Widget, keep: Callable[[], object]) -> None:
    keep()


def in_an_output(box: widgets.Widget, keep: Callable[[], object]) -> None:
    with widgets.Output():
        keep()


def in_a_callback(box: widgets.Widget, keep: Callable[[], object]) -> None:
    box.children[1].on_click(lambda _: keep())


def in_a_task(box: widgets.Widget, keep: Callable[[], object]) -> None:
    async def task() -> None:
        keep()

    get_current_context().create_task(task())


def in_a_thread(box: widgets.Widget, keep: Callable[[], object]) -> None:
    thread = threading.Thread(target=keep)
    thread.start()
    thread.join()


def in_a_hook(box: widgets.Widget, keep: Callable[[], object]) -> None:
    get_current_context().on_close(keep)


def in_the_shell(box: widgets.Widget, keep: Callable[[], object]) -> None:
    get_ipython().push({"keep": keep, "box": box})
    get_ipython().run_cell("keep()")


def in_a_block(box: widgets.Widget, keep: Callable[[], object]) -> None:
    with get_current_context():
        keep()


@pytest.mark.parametrize(
    "where",
    [
        in_the_page_function,
        in_an_output,
        in_a_callback,
        in_a_task,
        in_a_thread,
        in_a_hook,
        in_the_shell,
        in_a_block,
    ],
)
async def test_a_kept_copy_of_the_context_variables(
    where: Callable[[widgets.Widget, Callable[[], object]], object],
) -> None:
    """It holds a dead handle: no kernel is current in it any more."""
    copies: list[contextvars.Context] = []
    page = page_with(lambda box: where(box, lambda: copies.append(contextvars.copy_context())))
    async with serving(page) as site:
        visit = await site.visit()
        await visit.click("do it")
        deaths = watched(visit)
        await visit.leave()
        await deaths.at_once()
    assert len(copies) == 1
    assert copies[0].run(has_current_context) is False
    with pytest.raises(ContextClosed):
        copies[0].run(get_current_context)


# Errors


def fail(*mine: object) -> None:
    """Raise, from frames that hold everything.

    Raises:
        LookupError: always, and one that has a cause and a context.
    """
    context, box = get_current_context(), mine
    try:
        deeper(context, box)
    except KeyError as error:
        raise LookupError("of user code") from error


def deeper(*mine: object) -> None:
    try:
        assert not mine
    except AssertionError:
        raise KeyError(len(mine))  # noqa: B904 - the context is the point


async def fail_later(*mine: object) -> None:
    await asyncio.sleep(0)
    fail(*mine)


def failing_callback(box: widgets.Widget) -> None:
    box.children[1].on_click(partial(fail, box))


def failing_observer(box: widgets.Widget) -> None:
    box.children[1].observe(partial(fail, box), "tooltip")
    box.children[1].on_click(lambda clicked: setattr(clicked, "tooltip", "clicked"))


def failing_hook(box: widgets.Widget) -> None:
    get_current_context().on_close(partial(fail, box))


def failing_task(box: widgets.Widget) -> None:
    get_current_context().create_task(fail_later(box))


def failing_comm(box: widgets.Widget) -> None:
    box.children[1].on_msg(partial(fail, box))


def failing_output(box: widgets.Widget) -> None:
    with widgets.Output():
        fail(box)


def failing_cell(box: widgets.Widget) -> None:
    get_ipython().push({"box": box, "fail": fail})
    get_ipython().run_cell("fail(box)")


def failing_close(box: widgets.Widget) -> None:
    def fails_once(mine: widgets.Widget) -> None:
        del mine.children[1].close
        fail(mine)

    box.children[1].close = partial(fails_once, box)  # the kernel calls it at its end


def failing_callback_in_a_thread(box: widgets.Widget) -> None:
    def user_code(mine: widgets.Widget) -> None:
        mine.children[1].on_click(partial(fail, mine))
        mine.children[1].click()

    thread = threading.Thread(target=user_code, args=(box,))
    thread.start()
    thread.join()


def exiting_callback(box: widgets.Widget) -> None:
    def leave(mine: widgets.Widget, _clicked: object) -> None:
        raise SystemExit(len(mine.children))

    box.children[1].on_click(partial(leave, box))


class Everything(logging.Handler):
    """Keeps every record, as error trackers do."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the error."""
        if record.exc_info is not None and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


@pytest.fixture
def errors() -> Any:
    """Every error that is logged."""
    handler = Everything()
    logging.getLogger().addHandler(handler)
    yield handler.errors
    logging.getLogger().removeHandler(handler)


FAILING = [
    failing_callback,
    failing_observer,
    failing_hook,
    failing_task,
    failing_comm,
    failing_output,
    failing_cell,
    failing_close,
    failing_callback_in_a_thread,
    exiting_callback,
]


@pytest.mark.parametrize("content", FAILING)
async def test_a_kept_error(content: Content, errors: list[BaseException]) -> None:
    """A callback, hook, task or cell that failed, and whose traceback a log handler keeps."""
    async with serving(page_with(content)) as site:
        visit = await site.visit()
        before = len(errors)
        await visit.click("do it")
        await visit.states()
        deaths = watched(visit)
        await visit.leave()
        await deaths.at_once()
    assert len(errors) > (before if content not in {failing_cell, failing_output, failing_task} else 0)
    assert all(error.__traceback__ is not None for error in errors)


async def test_a_kept_error_of_the_page_function(errors: list[BaseException]) -> None:
    """Of one that took its connection, had begun a task, and raised a group of errors."""

    def page(connection: HTTPConnection) -> None:
        box = everything()
        box.connection = connection
        get_current_context().create_task(fail_later(box))
        try:
            fail(box)
        except LookupError as error:
            raise ExceptionGroup("several", [error, ValueError(connection.url.path)]) from None

    async with serving(page) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()
    assert any(isinstance(error, ExceptionGroup) for error in errors)


async def test_a_kept_error_of_a_start_hook(errors: list[BaseException]) -> None:
    """An app's hook that fails takes the page function's place."""
    deaths = Deaths()

    def hook() -> None:
        label = widgets.Label()
        deaths.watch("label", label)
        fail(label)

    async with serving(everything) as site:
        site.app.on_kernel_start(hook)
        visit, kernel = await used(site)
        await visit.leave()
        await kernel.at_once()
        deaths.end_now()
        await deaths.at_once()
    assert any("of user code" in str(error) for error in errors)


async def test_a_kept_error_keeps_what_its_function_has_closed_over(errors: list[BaseException]) -> None:
    """CPython ties a frame to its function, and that to its closure: this much stays with the error, and no more."""

    def page() -> widgets.Widget:
        box, label = everything(), widgets.Label("closed over")
        button = widgets.Button(description="do it")

        def clicked(_: object) -> None:
            label.value = str(len(label.missing))

        button.on_click(clicked)
        return widgets.VBox([box, button, label])

    async with serving(page) as site:
        visit = await site.visit()
        await visit.click("do it")
        deaths = watched(visit)
        await visit.leave()
        await deaths.ended()
        of_the_label = ("Label", "Layout", "LabelStyle")
        await deaths.at_once(*(name for name in deaths.names if not name.startswith(of_the_label)))
        assert sorted(name.split()[0] for name in deaths.alive) == sorted(of_the_label)


# Futures and reports


async def test_kept_futures_of_a_disconnect() -> None:
    """One that a reconnect has cancelled, one that the cull has ended, and one that led to nothing."""
    async with serving(everything, kernel_cull_timeout="10ms") as site:
        visit, deaths = await used(site)
        visit.context.page_connect("another")
        kept = [visit.context.page_disconnect("nobody"), visit.context.page_disconnect(visit.page_id)]
        visit.vanish()
        await visit.disconnected()
        kept.append(visit.context.page_disconnect("another"))
        visit.context.page_connect("another")
        kept.append(visit.context.page_disconnect("another"))
        assert [future.done() for future in kept] == [True, True, True, False]
        await deaths.at_once()
    assert [future.cancelled() for future in kept] == [False, False, True, False]
    assert kept[-1].done()


async def test_kept_futures_and_reports_of_a_close() -> None:
    """However many have asked for it, also when a hook has failed."""
    kept: list[concurrent.futures.Future[CloseReport]] = []
    reports: list[CloseReport] = []

    async with serving(page_with(failing_hook)) as site:
        visit, deaths = await used(site)
        kept += [visit.context.restart(), visit.context.restart()]
        reports.append(await asyncio.wrap_future(kept[0]))
        await visit.disconnected()
        await visit.connect()
        await visit.shown()
        deaths = watched(visit)
        kept += [visit.context.close(), visit.context.close("again")]
        reports.append(await asyncio.wrap_future(kept[2]))
        await deaths.at_once()
    assert [report.ok for report in reports] == [False, False]
    assert kept[2] is kept[3]


async def test_a_kept_future_of_a_close_that_is_asked_for_in_a_thread() -> None:
    """A thread that waits for the end holds the future, and not the kernel."""
    seen: list[bool] = []

    async with serving(everything) as site:
        visit, deaths = await used(site)
        closing = visit.context.close()
        thread = threading.Thread(target=lambda: seen.append(closing.result(PATIENCE_S).ok))
        thread.start()
        await deaths.at_once()
        await asyncio.to_thread(thread.join, PATIENCE_S)
    assert seen == [True]


async def test_everything_else_that_one_can_keep() -> None:
    """Handle, event, snapshots, tables, ways to unregister, a bound way to report, and futures of tasks."""
    kept: list[object] = []

    async def task() -> int:
        return 1

    def content(box: widgets.Widget) -> None:
        context = get_current_context()
        kernel_value.set(box)
        kept.extend(
            (
                context.handle(),
                context.page_status,
                context.on_close(print),
                context.create_task(task()),
                context.create_task(fail_later(box)),
                context.id,
                context.session_id,
            )
        )

    async with serving(page_with(content)) as site:
        visit, deaths = await used(site)
        context = visit.context
        kept += [context.closed_event, context.stats(), context.page_counts(), site.app.registry.stats()]
        kept += [site.app.registry.keys(), site.app.registry.kernel_stats()]
        context.when_drained(print)
        del context
        await visit.leave()
        await deaths.at_once()
    assert len(kept) == 13
