"""Comms belong to their kernel, whatever is current."""

import gc
import weakref
from typing import Any

import comm
import ipywidgets as widgets
import pytest

from solara_ctx import ContextClosed, current
from solara_ctx.jupyter.comms import KernelComm
from tests.support.kernels import Page, StandInContext, fail, types_of


def test_a_comm_sends_through_its_own_kernel(kernel: StandInContext, page: Page) -> None:
    """Used where another kernel is current, or none, it still reaches its own pages."""
    other = StandInContext(kernel_id="another kernel")
    other_page = Page(other)
    slider = kernel.run(widgets.IntSlider)
    page.heard()
    other.run(setattr, slider, "value", 1)
    slider.value = 2
    assert [message["content"]["data"]["state"]["value"] for message in page.heard()] == [1, 2]
    assert other_page.heard() == []
    other.run(slider.close)
    assert types_of(page.heard()) == ["comm_close"]
    assert {type(widget) for widget in kernel.living_host.widgets.values()} == {widgets.Layout, widgets.SliderStyle}
    assert kernel.living_host.comm_count == len(kernel.living_host.widgets)
    other.close()


def test_a_user_opens_a_comm_of_any_target(kernel: StandInContext, page: Page) -> None:
    """`create_comm` opens one towards the pages, with data, metadata and buffers."""
    opened = kernel.run(lambda: comm.create_comm("mine", {"a": 1}, {"m": 2}, [b"x"]))
    (message,) = page.heard()
    assert message["header"]["msg_type"] == "comm_open"
    assert message["content"] == {
        "data": {"a": 1},
        "comm_id": opened.comm_id,
        "target_name": "mine",
        "target_module": None,
    }
    assert (message["metadata"], message["buffers"]) == ({"m": 2}, [b"x"])
    opened.close({"bye": 1})
    opened.close()
    (message,) = page.heard()
    assert message["content"] == {"data": {"bye": 1}, "comm_id": opened.comm_id}


def test_what_json_does_not_know_is_not_opened(kernel: StandInContext, page: Page) -> None:
    """A comm whose opening could not be sent is not left in the table."""
    with pytest.raises(TypeError):
        kernel.run(lambda: comm.create_comm("mine", {"a": object()}))
    assert kernel.living_host.comm_count == 0


def test_nothing_is_opened_in_a_closed_kernel(kernel: StandInContext) -> None:
    """A widget or comm made in a kernel that has ended, or is just closing its widgets, is refused."""
    handle = kernel.handle()
    opened = kernel.run(lambda: comm.create_comm("mine"))
    kernel.run(kernel.living_host.close_widgets)
    with pytest.raises(ContextClosed):
        kernel.run(widgets.IntSlider)
    opened.close()
    with pytest.raises(ContextClosed):
        opened.open()
    kernel.close()
    with current.bound(handle), pytest.raises(ContextClosed):
        widgets.IntSlider()


def test_a_closed_kernel_sends_nothing(kernel: StandInContext, page: Page) -> None:
    """A thread that still uses a comm does no harm."""
    opened: Any = kernel.run(lambda: comm.create_comm("mine"))
    page.heard()
    kernel.close()
    opened.send({"a": 1})
    opened.close()
    assert page.heard() == []
    assert opened.kernel is None


def test_a_dropped_comm_says_nothing(kernel: StandInContext, page: Page) -> None:
    """Upstream sends a close message from `__del__`, whenever and wherever that runs."""
    opened = KernelComm(kernel.living_host, target_name="mine", primary=False)
    reference = weakref.ref(opened)
    del opened
    assert reference() is None
    assert page.heard() == []


def test_a_click_makes_no_shell(kernel: StandInContext, page: Page) -> None:
    """Handling messages, errors included, does without a shell; one that is there gets its events."""
    button = kernel.run(widgets.Button)
    button.on_click(fail)
    click = {"method": "custom", "content": {"event": "click"}}
    page.say(button.model_id, click)
    assert kernel.living_host.shell_if_made is None
    events: list[str] = []
    shell = kernel.living_host.shell
    shell.events.register("pre_execute", lambda: events.append("pre"))
    shell.events.register("post_execute", lambda: events.append("post"))
    page.say(button.model_id, click)
    assert events == ["pre", "post"]


def test_comm_and_kernel_do_not_keep_each_other(kernel: StandInContext) -> None:
    """A comm that user code has stored somewhere keeps nothing of its kernel."""
    gc.disable()
    try:
        opened: Any = kernel.run(lambda: comm.create_comm("mine"))
        host = weakref.ref(kernel.living_host)
        kernel.close()
        assert host() is None
        assert (opened.host, opened.kernel) == (None, None)
    finally:
        gc.enable()
