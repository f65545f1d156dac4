"""Twelve pages that each keep a widget in another way, and the same pages mended."""

import asyncio
import atexit
import functools
import logging
import threading
import uuid
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import ipywidgets as widgets

from solara_ctx import get_current_context

Page = Callable[[], Any]

SEEN: dict[str, widgets.Label] = {}
HANDLERS: list[Callable[[], None]] = []
ERRORS: list[BaseException] = []
GENERATORS: list[Iterator[None]] = []
LOCAL = threading.local()
LOGGER = logging.getLogger("tests.leaky")
ENOUGH = threading.Event()
RECENT: dict[int, bytearray] = {}
LATEST: list[widgets.Label] = []
PLAIN: dict[str, bytearray] = {}


class Signal:
    """Tells whoever listens."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]] = []


PRICES = Signal()
SERVICES = [Signal()]


class Background:
    """An event loop of the app's own, in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        async def cancel_all() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel_all(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


BACKGROUND: list[Background] = []


class Refresher:
    """Has a method that somebody keeps."""

    def __init__(self, label: widgets.Label) -> None:
        self.label = label

    def refresh(self) -> None:
        self.label.value = "new"


class Dashboard:
    """Knows its pages."""

    open_pages: ClassVar[list[widgets.Label]] = []


class ToLabel(logging.Handler):
    """Shows what is logged."""

    def __init__(self, label: widgets.Label) -> None:
        super().__init__()
        self.label = label

    def emit(self, record: logging.LogRecord) -> None:
        self.label.value = record.getMessage()


@functools.cache
def shout(label: widgets.Label) -> str:
    return str(label.value).upper()


def module_dict() -> widgets.Label:
    label = widgets.Label("leaky")
    SEEN[uuid.uuid4().hex] = label
    return label


def lru_cache() -> widgets.Label:
    label = widgets.Label("leaky")
    shout(label)
    return label


def closure_on_a_signal() -> widgets.Label:
    label = widgets.Label("leaky")

    def on_price() -> None:
        label.value = "new price"

    PRICES.listeners.append(on_price)
    return label


def bound_method_in_a_list() -> widgets.Label:
    label = widgets.Label("leaky")
    HANDLERS.append(Refresher(label).refresh)
    return label


def poll(label: widgets.Label) -> None:
    ENOUGH.wait()
    label.value = "polled"


def running_thread() -> widgets.Label:
    label = widgets.Label("leaky")
    threading.Thread(target=poll, args=(label,), daemon=True).start()
    return label


async def tick(label: widgets.Label) -> None:
    await asyncio.sleep(3600)
    label.value = "ticked"


def pending_task() -> widgets.Label:
    label = widgets.Label("leaky")
    asyncio.run_coroutine_threadsafe(tick(label), BACKGROUND[0].loop)
    return label


def save(label: widgets.Label) -> None:
    """Does nothing, at the end of the process."""


def at_exit() -> widgets.Label:
    label = widgets.Label("leaky")
    atexit.register(save, label)
    return label


def finalized() -> widgets.Label:
    label = widgets.Label("leaky")
    weakref.finalize(SERVICES[-1], id, label)  # holds
    return label


def root_handler() -> widgets.Label:
    label = widgets.Label("leaky")
    logging.getLogger().addHandler(ToLabel(label))  # holds
    return label


def logger_handler() -> widgets.Label:
    label = widgets.Label("leaky")
    LOGGER.addHandler(ToLabel(label))
    return label


def class_attribute() -> widgets.Label:
    label = widgets.Label("leaky")
    Dashboard.open_pages.append(label)
    return label


def thread_local() -> widgets.Label:
    label = widgets.Label("leaky")
    if not hasattr(LOCAL, "labels"):
        LOCAL.labels = []
    LOCAL.labels.append(label)
    return label


def kept_exception() -> widgets.Label:
    label = widgets.Label("leaky")
    try:
        label.value = str(1 / len(label.tooltip or ""))
    except ZeroDivisionError as error:
        ERRORS.append(error)
    return label


def numbers(label: widgets.Label) -> Iterator[None]:
    while True:
        label.value += "."
        yield


def generator() -> widgets.Label:
    label = widgets.Label("leaky")
    dots = numbers(label)
    next(dots)
    GENERATORS.append(dots)
    return label


LEAKS: tuple[Page, ...] = (
    module_dict,
    lru_cache,
    closure_on_a_signal,
    bound_method_in_a_list,
    running_thread,
    pending_task,
    at_exit,
    logger_handler,
    class_attribute,
    thread_local,
    kept_exception,
    generator,
)


# The same, mended


def mended_module_dict() -> widgets.Label:
    label, key = widgets.Label("mended"), uuid.uuid4().hex
    SEEN[key] = label
    get_current_context().on_close(lambda: SEEN.pop(key))
    return label


@functools.cache
def shout_text(text: str) -> str:
    return text.upper()


def mended_lru_cache() -> widgets.Label:
    label = widgets.Label("mended")
    shout_text(label.value)
    return label


def mended_closure_on_a_signal() -> widgets.Label:
    label = widgets.Label("mended")

    def on_price() -> None:
        label.value = "new price"

    PRICES.listeners.append(on_price)
    get_current_context().on_close(lambda: PRICES.listeners.remove(on_price))
    return label


def mended_bound_method_in_a_list() -> widgets.Label:
    label = widgets.Label("mended")
    refresh = Refresher(label).refresh
    HANDLERS.append(refresh)
    get_current_context().on_close(lambda: HANDLERS.remove(refresh))
    return label


def poll_until(stop: threading.Event, label: widgets.Label) -> None:
    stop.wait()
    label.value = "polled"


def mended_running_thread() -> widgets.Label:
    label, stop = widgets.Label("mended"), threading.Event()
    thread = threading.Thread(target=poll_until, args=(stop, label), daemon=True)
    thread.start()
    get_current_context().on_close(thread.join)
    get_current_context().on_close(stop.set)
    return label


def mended_pending_task() -> widgets.Label:
    label = widgets.Label("mended")
    get_current_context().create_task(tick(label))
    return label


def mended_at_exit() -> widgets.Label:
    label = widgets.Label("mended")
    get_current_context().on_close(functools.partial(save, label))
    return label


def mended_logger_handler() -> widgets.Label:
    label = widgets.Label("mended")
    handler = ToLabel(label)
    LOGGER.addHandler(handler)
    get_current_context().on_close(lambda: LOGGER.removeHandler(handler))
    return label


KNOWN: "weakref.WeakSet[widgets.Label]" = weakref.WeakSet()


def mended_class_attribute() -> widgets.Label:
    label = widgets.Label("mended")
    KNOWN.add(label)
    return label


def mended_thread_local() -> widgets.Label:
    label = widgets.Label("mended")
    LOCAL.label = label
    del LOCAL.label
    return label


def mended_kept_exception() -> widgets.Label:
    label = widgets.Label("mended")
    try:
        label.value = str(1 / len(label.tooltip or ""))
    except ZeroDivisionError as error:
        ERRORS[:] = [error.with_traceback(None)]
    return label


def mended_generator() -> widgets.Label:
    label = widgets.Label("mended")
    dots = numbers(label)
    next(dots)
    GENERATORS.append(dots)
    get_current_context().on_close(lambda: GENERATORS.remove(dots))
    return label


MENDED: tuple[Page, ...] = (
    mended_module_dict,
    mended_lru_cache,
    mended_closure_on_a_signal,
    mended_bound_method_in_a_list,
    mended_running_thread,
    mended_pending_task,
    mended_at_exit,
    mended_logger_handler,
    mended_class_attribute,
    mended_thread_local,
    mended_kept_exception,
    mended_generator,
)


# Others


def bounded_cache() -> widgets.Label:
    """Caches up to a bound."""
    RECENT[len(RECENT) + max(RECENT, default=0)] = bytearray(1000)
    while len(RECENT) > 3:
        del RECENT[next(iter(RECENT))]
    return widgets.Label()


def bounded_labels() -> widgets.Label:
    """Keeps the latest three."""
    label = widgets.Label("kept")
    LATEST.append(label)
    del LATEST[:-3]
    return label


def plain_values() -> None:
    """Keeps no widget, and leaks all the same."""
    PLAIN[uuid.uuid4().hex] = bytearray(100_000)


def make_way() -> None:
    """Forget everything."""
    for kept in (SEEN, HANDLERS, ERRORS, GENERATORS, RECENT, LATEST, PLAIN, Dashboard.open_pages, PRICES.listeners):
        kept.clear()
    for logger in (LOGGER, logging.getLogger()):
        for handler in list(logger.handlers):
            if isinstance(handler, ToLabel):
                logger.removeHandler(handler)
    SERVICES[:] = [Signal()]
    shout.cache_clear()
    atexit.unregister(save)
    ENOUGH.set()
