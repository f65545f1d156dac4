"""What a page registers, calls and closes while it lives: it goes when the page says so, and at the latest with it."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import comm
import ipywidgets as widgets
import pytest
import traitlets
from ipykernel.comm import Comm
from IPython import get_ipython
from IPython.display import display

from solara_ctx import KernelVar, VirtualKernelContext, get_current_context
from tests.support.everything import Panel, everything
from tests.support.fakes import PATIENCE_S
from tests.support.kernels import every_core_widget, fail
from tests.support.reclaim import Deaths, used, watched
from tests.support.service import silent
from tests.support.visits import Visit, serving

pytestmark = pytest.mark.uncovered

Content = Callable[[widgets.Widget], object]
choice: "KernelVar[object]" = KernelVar("choice")


def page_with(content: Content) -> Callable[[], widgets.Widget]:
    """A page function that makes everything, and calls *content* with it."""

    def page() -> widgets.Widget:
        box = everything()
        content(box)
        return box

    return page


def targets(box: widgets.Widget) -> None:
    """Targets that the page may open, and comms of the kernel's own, with callbacks that refer to everything."""
    manager = get_ipython().kernel.comm_manager

    def opened(its_comm: Any, message: dict[str, Any]) -> None:
        its_comm.on_msg(lambda said: its_comm.send({"children": len(box.children), "said": len(said)}))
        its_comm.on_close(lambda said: (its_comm, box))
        its_comm.send({"opened": True})

    manager.register_target("mine", opened)
    made: list[Any] = [comm.create_comm(target_name="theirs"), Comm(target_name="theirs", data={"a": 1})]
    for one in made:
        one.on_msg(lambda said: (box, made))
        one.on_close(lambda said: (box, made))
    box.mine = made


def hooks(box: widgets.Widget) -> None:
    """Hooks that refer to everything; one registers another, one raises."""
    context = get_current_context()
    context.on_close(lambda: context.on_close(lambda: (context, box)))
    context.on_close(partial(fail, context, box))
    context.on_close(Panel().close)
    context.on_close(lambda: widgets.Label("made at the end").observe(lambda change: (box, context)))


def variables(box: widgets.Widget) -> None:
    """Values of KernelVars that refer to everything, the kernel included."""
    choice.set([box, get_current_context()])


def own_attributes(box: widgets.Widget) -> None:
    """References from widgets to the kernel and its parts, and from the shell to widgets."""
    box.context, box.shell, box.host = get_current_context(), get_ipython(), get_current_context().host
    get_ipython().box = box


def namespace(box: widgets.Widget) -> None:
    """Names in the shell, and what it keeps of cells."""
    shell = get_ipython()
    shell.push({"box": box, "context": get_current_context()})
    shell.run_cell("box", store_history=True)
    shell.run_cell("def f():\n    raise ValueError(len(box.children))\nf()", store_history=True)


@pytest.mark.parametrize("content", [targets, hooks, variables, own_attributes, namespace])
async def test_what_a_page_registers_goes_with_it(content: Content) -> None:
    """Comm targets, hooks, KernelVars, attributes and names that refer to everything."""
    async with serving(page_with(content)) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()


async def test_what_kernel_start_hooks_register() -> None:
    """An app's own hook at the start of each kernel, and the clean-up that it returns."""
    began: list[str] = []
    deaths = Deaths()

    def at_start() -> Callable[[], object]:
        label, context = widgets.Label(), get_current_context()
        deaths.watch("label", label)
        began.append(context.id)
        return lambda: (label.close(), context.close())

    async with serving(everything) as site:
        site.app.on_kernel_start(at_start)
        visit, kernel = await used(site)
        await visit.leave()
        await kernel.at_once()
        deaths.end_now()
        await deaths.at_once()
    assert len(began) == 1


async def test_comms_that_the_page_opens() -> None:
    """A comm that is closed goes at once, while its kernel lives; one that is open goes with the kernel."""
    async with serving(page_with(targets)) as site:
        visit = await site.visit()
        for comm_id in ("one", "two"):
            visit.say("comm_open", {"comm_id": comm_id, "target_name": "mine", "data": {}})
            assert await visit.answer(comm_id) == {"opened": True}
            visit.say("comm_msg", {"comm_id": comm_id, "data": {}})
            assert (await visit.answer(comm_id))["children"] > 50
        closed = Deaths()
        closed.watch("comm", comm_of(visit, "one"))
        visit.say("comm_close", {"comm_id": "one", "data": {}})
        await visit.shown()
        closed.end_now()
        await closed.at_once()
        deaths = watched(visit)
        await visit.leave()
        await deaths.at_once()


def comm_of(visit: Visit, comm_id: str) -> object:
    host: Any = visit.context.host
    return host.comm_manager.comms[comm_id]


class Listener:
    """A controller whose methods are handlers."""

    def __init__(self, box: widgets.Widget) -> None:
        self.box = box

    def react(self, *_: object) -> None:
        """React."""


def by_on_click(box: widgets.Widget, listener: Listener) -> Callable[[], object]:
    button = widgets.Button()
    button.on_click(listener.react)
    button.click()
    return lambda: button.on_click(listener.react, remove=True)


def by_observe(box: widgets.Widget, listener: Listener) -> Callable[[], object]:
    slider = widgets.IntSlider()
    slider.observe(listener.react, "value")
    slider.observe(listener.react)
    slider.value = 3
    return lambda: (slider.unobserve(listener.react, "value"), slider.unobserve(listener.react))


def by_unobserve_all(box: widgets.Widget, listener: Listener) -> Callable[[], object]:
    slider = widgets.IntSlider()
    slider.observe(listener.react, "value")
    return lambda: slider.unobserve_all()  # noqa: PLW0108 - typed


def by_on_msg(box: widgets.Widget, listener: Listener) -> Callable[[], object]:
    box.on_msg(listener.react)
    return lambda: box.on_msg(listener.react, remove=True)


def by_on_displayed(box: widgets.Widget, listener: Listener) -> Callable[[], object]:
    field = widgets.Text()
    dispatcher = widgets.CallbackDispatcher()
    field.mine = dispatcher
    dispatcher.register_callback(listener.react)
    return lambda: dispatcher.register_callback(listener.react, remove=True)


def by_link(box: widgets.Widget, listener: Listener) -> Callable[[], object]:
    left, right = widgets.IntSlider(), widgets.IntText()
    left.listener = listener
    link = traitlets.dlink((left, "value"), (right, "value"), lambda value: value + (listener.box is box))

    def unlink() -> None:
        link.unlink()
        del left.listener

    return unlink


def by_on_close(box: widgets.Widget, listener: Listener) -> Callable[[], object]:
    return get_current_context().on_close(listener.react)


def by_event_of_the_shell(box: widgets.Widget, listener: Listener) -> Callable[[], object]:
    events = get_ipython().events
    events.register("post_execute", listener.react)
    return lambda: events.unregister("post_execute", listener.react)


def by_closing(box: widgets.Widget, listener: Listener) -> Callable[[], object]:
    button = widgets.Button()
    button.on_click(listener.react)
    return lambda: button.close()  # noqa: PLW0108 - typed


@pytest.mark.parametrize(
    "register",
    [
        by_on_click,
        by_observe,
        by_unobserve_all,
        by_on_msg,
        by_on_displayed,
        by_link,
        by_on_close,
        by_event_of_the_shell,
        by_closing,
    ],
)
async def test_a_handler_that_is_unregistered_goes_at_once(
    register: Callable[[widgets.Widget, Listener], Callable[[], object]],
) -> None:
    """The kernel lives on, and keeps nothing of it."""
    deaths = Deaths()
    unregister: list[Callable[[], object]] = []

    def page() -> widgets.Widget:
        box, button = everything(), widgets.Button(description="unregister")
        listener = Listener(box)
        deaths.watch("listener", listener)
        unregister.append(register(box, listener))
        button.on_click(lambda _: unregister.pop()())
        return widgets.VBox([box, button])

    async with serving(page) as site:
        visit, kernel = await used(site)
        assert deaths.alive == ["listener #0"]
        await visit.click("unregister")
        deaths.end_now()
        await deaths.at_once()
        await visit.leave()
        await kernel.at_once()


async def test_nested_callbacks() -> None:
    """A click that clicks, that moves a slider, that makes, fills and closes widgets, prints, shows and fails."""

    def page() -> widgets.Widget:
        box, out = everything(), widgets.Output()
        outer, inner = widgets.Button(description="outer"), widgets.Button(description="inner")
        slider = widgets.IntSlider()

        def moved(change: Any) -> None:
            with out:
                made = Panel()
                made.observe(lambda _: (made, box, change))
                made.button.click()
                display(made)
                made.close()
                print(slider, change.new)
                raise LookupError("in the innermost callback")

        def clicked(button: widgets.Button) -> None:
            slider.value += 1
            if button is outer:
                inner.click()
                raise LookupError(button.description)

        outer.on_click(clicked)
        inner.on_click(clicked)
        slider.observe(moved, "value")
        return widgets.VBox([box, outer, inner, slider, out])

    async with serving(page) as site:
        visit = await site.visit()
        with silent():
            await visit.click("outer")
            await visit.click("inner")
        await visit.states()
        deaths = watched(visit)
        await visit.leave()
        await deaths.at_once()


async def test_a_callback_in_another_kernel_s_name() -> None:
    """A callback of one page that changes another page, and makes a widget there."""
    pages: list[VirtualKernelContext] = []

    def page() -> widgets.Widget:
        box, button = everything(), widgets.Button(description="to the other")

        def clicked(_: object) -> None:
            with pages[0]:
                label = widgets.Label()
                label.observe(lambda change: label, "value")
                label.value = "from there"

        button.on_click(clicked)
        pages.append(get_current_context())
        return widgets.VBox([box, button])

    async with serving(page) as site:
        first, second = await site.visit(), await site.visit()
        await second.click("to the other")
        ends = [watched(first), watched(second)]
        pages.clear()
        await first.leave()
        await ends[0].at_once()
        await second.leave()
        await ends[1].at_once()


async def test_a_widget_that_is_closed_in_a_living_kernel() -> None:
    """Each core widget goes as it is closed: it keeps nothing of itself, and its kernel nothing of it."""
    deaths = Deaths()

    def page() -> widgets.Widget:
        # `interactive` observes its children with a method of itself: a cycle, which goes with the kernel.
        made = [item for item in every_core_widget() if not isinstance(item, widgets.interactive)]
        button = widgets.Button(description="close them")

        def close(_: object) -> None:
            while made:
                item = made.pop()
                deaths.watch(type(item).__name__, item)
                item.close()

        button.on_click(close)
        return button

    async with serving(page) as site:
        visit = await site.visit()
        await visit.states()
        await visit.click("close them")
        assert len(deaths) > 60
        deaths.end_now()
        await deaths.at_once()
        kernel = watched(visit)
        await visit.leave()
        await kernel.at_once()


async def test_closed_widgets_that_refer_to_each_other() -> None:
    """A cycle of the user's own among widgets that were closed early goes with the kernel at the latest."""

    def closed_early(box: widgets.Widget) -> None:
        panel = Panel()
        panel.button.close()
        panel.slider.close()
        panel.close()
        button = widgets.Button()
        button.on_click(lambda _: (button, box))
        button.close()

    async with serving(page_with(closed_early)) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await deaths.at_once()


async def test_two_pages_of_one_kernel() -> None:
    """The kernel goes with the last of them; the first one's connection has gone before."""
    async with serving(everything) as site:
        visit = await site.visit()
        second = Visit(site.app)
        second.http.cookies = visit.http.cookies
        second.kernel_id, second.page_id = visit.kernel_id, "the-other"
        await (await second.connect()).shown()
        first = Deaths()
        first.watch_connection(visit)
        deaths = watched(second)
        visit.vanish()
        await visit.disconnected()
        first.end_now()
        await visit.leave()
        await second.leave()
        await deaths.at_once()
        await second.end()


async def test_a_page_that_comes_back_while_everything_goes() -> None:
    """Its handshake is refused, and keeps nothing."""
    async with serving(everything) as site:
        visit, deaths = await used(site)
        await visit.leave()
        await visit.connect()
        await deaths.at_once()


async def test_messages_that_wait_at_the_close() -> None:
    """They are dropped, and the callback that runs is waited for."""
    gate, inside = threading.Event(), threading.Event()

    def page() -> widgets.Widget:
        box, button = everything(), widgets.Button(description="slow")

        def clicked(_: object) -> None:
            inside.set()
            assert gate.wait(PATIENCE_S)
            box.children = ()

        button.on_click(clicked)
        return widgets.VBox([box, button])

    async with serving(page) as site:
        visit, deaths = await used(site)
        event = {"method": "custom", "content": {"event": "click"}}
        for _ in range(100):
            visit.say("comm_msg", {"comm_id": visit.model_id("slow"), "data": event})
        assert await asyncio.to_thread(inside.wait, PATIENCE_S)
        visit.context.close()
        gate.set()
        await deaths.at_once()


async def test_frames_that_wait_to_be_sent() -> None:
    """A page that reads nothing has them in its outbox; they go with the connection."""

    def page() -> widgets.Widget:
        box, button = everything(), widgets.Button(description="much")

        def change(_: object) -> None:
            for number in range(1000):
                button.tooltip = str(number) * 1000

        button.on_click(change)
        return widgets.VBox([box, button])

    async with serving(page) as site:
        visit, deaths = await used(site)
        visit.say(
            "comm_msg",
            {"comm_id": visit.model_id("much"), "data": {"method": "custom", "content": {"event": "click"}}},
        )
        await visit.leave()
        await deaths.at_once()
