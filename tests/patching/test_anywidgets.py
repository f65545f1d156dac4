"""anywidget: what it kept of each widget, and whether it still is what the patches were made for."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anywidget
import pytest
import traitlets
from anywidget._file_contents import FileContents, VirtualFileContents

from tests.support.kernels import StandInContext


class Stars(anywidget.AnyWidget):
    """A widget whose program is in the class."""

    _esm = "export default {}"
    value = traitlets.Int(0).tag(sync=True)


@pytest.fixture
def program(tmp_path: Path) -> FileContents:
    """A file that nobody watches."""
    path = tmp_path / "widget.js"
    path.write_text("export default { render() {} }")
    return FileContents(path, start_thread=False)


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def test_upstream_still_keeps_the_widget(program: FileContents) -> None:
    """Else the patch can go."""

    class Plain(anywidget.AnyWidget):
        _esm = program

    widget = Plain()
    known = weakref.ref(widget)
    widget.close()
    del widget
    gc.collect()
    assert known() is not None


def test_upstream_still_makes_a_class_for_each_widget() -> None:
    """Else the other patch can go."""
    assert type(Stars()) is not type(Stars())


@pytest.mark.usefixtures("without_collector")
def test_a_widget_goes_with_its_last_reference(kernel: StandInContext, program: FileContents) -> None:
    """The file of its class, which stays, does not keep it."""

    class WithFile(anywidget.AnyWidget):
        _esm = program
        _css = VirtualFileContents(".a {}")

    widget = kernel.run(WithFile)
    known = weakref.ref(widget)
    assert len(program.changed) == 1
    kernel.run(widget.close)
    kernel.close()
    del widget
    assert known() is None
    assert len(program.changed) == 0


def test_a_widget_hears_of_a_changed_file(kernel: StandInContext) -> None:
    """And those that are made later have what is new."""
    program, style = VirtualFileContents("one"), VirtualFileContents("a")
    kept: Any = program, style

    class Changing(anywidget.AnyWidget):
        _esm, _css = kept

    first = kernel.run(Changing)
    assert (first._esm, first._css) == ("one", "a")
    program.contents, style.contents = "two", "b"
    assert (first._esm, first._css) == ("two", "b")
    second = kernel.run(Changing)
    assert (second._esm, second._css) == ("two", "b")
    assert first.get_state()["_esm"] == "two"


def test_widgets_of_a_class_are_of_one_class(kernel: StandInContext) -> None:
    """Each with its values; what is added to one of them later is its own."""
    first, second = kernel.run(Stars), kernel.run(lambda: Stars(value=3))
    assert type(first) is type(second)
    assert (first.value, second.value) == (0, 3)
    first._esm = "export default { other: 1 }"
    assert second._esm == "export default {}"
    first.add_traits(more=traitlets.Int(1))
    assert first.has_trait("more")
    assert not second.has_trait("more")
    assert first.get_state()["_anywidget_id"] == second.get_state()["_anywidget_id"] == f"{__name__}.Stars"


def test_a_class_that_is_derived_has_its_own(kernel: StandInContext) -> None:
    """Its name is that of the derived one."""

    class More(Stars):
        _esm = "export default { more: 1 }"

    kernel.run(Stars)
    assert kernel.run(More).get_state()["_esm"] == "export default { more: 1 }"
    assert kernel.run(More)._anywidget_id.endswith("More")
