"""Output, FileUpload and interact in a kernel; and whether upstream still is what the patches were made for."""

import inspect
import sys
from types import SimpleNamespace
from typing import Any

import ipywidgets as widgets
import pytest
from ipywidgets import FileUpload, Output
from ipywidgets.widgets import interaction

from tests.support.kernels import StandInContext


def source_of(function: Any) -> str:
    """What upstream runs."""
    return inspect.getsource(function)


@pytest.mark.parametrize(
    ("backend", "figures", "shows"), [("agg", [1], True), ("agg", [], False), ("module://ipympl", [1], False)]
)
def test_functions_of_interact_show_what_they_draw(
    kernel: StandInContext, monkeypatch: pytest.MonkeyPatch, backend: str, figures: list[int], shows: bool
) -> None:
    """Before and after each call, where figures are pictures; a figure that is a widget is shown by itself."""
    shown: list[bool] = []
    pyplot: Any = SimpleNamespace(
        get_fignums=lambda: figures, get_backend=lambda: backend, show=lambda: shown.append(True)
    )
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", pyplot)
    kernel.run(widgets.interactive, lambda x: x, x=3)
    assert shown == [True] * (2 if shows else 0)
    shown.clear()
    interaction.show_inline_matplotlib_plots()
    assert shown == []


def test_without_pyplot_there_is_nothing_to_show(kernel: StandInContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it imported."""
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    kernel.run(interaction.show_inline_matplotlib_plots)
    assert "matplotlib.pyplot" not in sys.modules


def test_canary_output_is_entered_as_we_do() -> None:
    """The methods of Output that are replaced have the signatures that we give them."""
    assert list(inspect.signature(Output.__enter__).parameters) == ["self"]
    assert list(inspect.signature(Output.__exit__).parameters) == ["self", "etype", "evalue", "tb"]
    assert "clear_output(*pargs, **kwargs)" in source_of(Output.clear_output)
    assert "with self:" in source_of(Output.capture)


def test_canary_uploads_are_written_by_their_metadata() -> None:
    """Pages are told of a FileUpload by the `to_json` of its trait, which writes what we do and the content."""
    metadata: Any = FileUpload.value.metadata
    assert metadata["sync"]
    assert metadata["from_json"].__name__ == "_deserialize_value"
    fields = source_of(metadata["to_json"].__globals__["_serialize_single_file"])
    assert "['name', 'type', 'size', 'content']" in fields
    assert "js['last_modified'] = int(" in fields


def test_canary_interact_shows_plots_by_this_name() -> None:
    """Interactive and interactive_output look it up in their module when they run."""
    for function in (widgets.interactive.update, widgets.interactive_output):
        assert "show_inline_matplotlib_plots()" in source_of(function)
