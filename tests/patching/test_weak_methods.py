"""A widget's own methods as callbacks: they work, can be taken off again, and make no cycle."""

import gc
import warnings
import weakref
from typing import Any

import ipywidgets as widgets
import pytest

from solara_ctx.patching.weak_methods import WeakMethod
from tests.support.kernels import Page, StandInContext, patched


class Panel(widgets.VBox):
    """Observes itself, as AppLayout does."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []
        self.observe(self.changed, names="box_style")
        self.observe(self.changed, names="box_style")
        self.on_msg(self.message)

    def changed(self, change: Any) -> None:
        """React."""
        self.seen.append(change.new)

    def message(self, *_: Any) -> None:
        """React."""
        self.seen.append("message")


def test_own_methods_are_called_once_and_taken_off(kernel: StandInContext) -> None:
    """Registered twice it is called once, as upstream does, and `unobserve` and `on_msg(remove=True)` find it."""
    panel = kernel.run(Panel)
    page = Page(kernel)
    custom = {"method": "custom", "content": {}}
    panel.box_style = "info"
    page.say(panel.model_id, custom)
    assert panel.seen == ["info", "message"]
    panel.unobserve(panel.changed, names="box_style")
    panel.on_msg(panel.message, remove=True)
    panel.box_style = "danger"
    page.say(panel.model_id, custom)
    assert panel.seen == ["info", "message"]


def test_other_callbacks_are_kept(kernel: StandInContext) -> None:
    """A function, a method of another object and a lambda are held strongly, as ever."""
    seen: list[Any] = []
    panel, other = kernel.run(lambda: (Panel(), Panel()))
    panel.observe(other.changed, names="box_style")
    panel.observe(lambda change: seen.append(change.new), names="box_style")
    panel.box_style = "info"
    assert (other.seen, seen) == (["info"], ["info"])


def test_a_closed_widget_is_freed(kernel: StandInContext) -> None:
    """Nothing but its own methods refers to it: reference counting frees it."""
    gc.disable()
    try:

        def use() -> "weakref.ref[Panel]":
            panel = Panel()
            panel.close()
            return weakref.ref(panel)

        assert kernel.run(use)() is None
    finally:
        gc.enable()


def test_a_weak_method_is_equal_to_its_method() -> None:
    """Lists and sets of callbacks find it under either."""

    class Thing:
        def method(self, value: int) -> int:
            return value + 1

    thing = Thing()
    weak = WeakMethod(thing.method)
    assert weak == thing.method
    assert weak == WeakMethod(thing.method)
    assert hash(weak) == hash(WeakMethod(thing.method))
    assert weak != Thing().method
    assert weak(1) == 2
    del thing
    assert weak(1) is None
    with pytest.raises(TypeError):
        WeakMethod(print)


def test_who_asks_for_help_gets_upstreams() -> None:
    """Notebooks print the text."""
    before = [widgets.Widget.observe.__doc__, widgets.Widget.on_msg.__doc__, warnings.warn.__doc__]
    with patched():
        assert [widgets.Widget.observe.__doc__, widgets.Widget.on_msg.__doc__, warnings.warn.__doc__] == before
    assert all(before)
