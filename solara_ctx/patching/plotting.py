"""What plotly, altair and bqplot keep for the process, per kernel: themes, renderers, the current figure."""

import copy
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from IPython.display import HTML, display

from solara_ctx import current
from solara_ctx.jupyter.sever import OF_LIBRARY, sever_observers
from solara_ctx.patching.per_kernel import KernelAttribute, KernelDict, Values, as_it_is
from solara_ctx.patching.stack import Patch

_HEIGHT_PX = 450  # plotly's own


class _BqplotContext(Values):
    """One kernel's, empty as upstream's is at first."""

    def __init__(self) -> None:
        super().__init__(
            figure=None, figure_registry={}, scales={}, scale_registry={}, last_mark=None, current_key=None
        )


def bqplot_patches(pyplot: ModuleType) -> Sequence[Patch]:
    """The patches of bqplot's pyplot."""
    if pyplot._context.keys() != _BqplotContext().keys():
        raise AttributeError(f"the context of bqplot.pyplot has the keys {sorted(pyplot._context)}")
    upstream = "bqplot 0.13"
    return (
        Patch(
            target=pyplot,
            attribute="_context",
            make=lambda outside: KernelDict(outside, _BqplotContext),
            why="it keeps the current figure, and those with a key, of the whole process, strongly",
            upstream=upstream,
        ),
        Patch(
            target=pyplot,
            attribute="set_context",
            make=lambda _: _set_context(pyplot),
            why="it replaces the dictionary, and with it what stands for each kernel's",
            upstream=upstream,
        ),
    )


def _set_context(pyplot: Any) -> Callable[[Any], None]:
    def set_context(context: Any) -> None:
        """Set what the current context dictionary holds."""
        pyplot._context.update(context)

    return set_context


def plotly_template_patches(templates: ModuleType) -> Sequence[Patch]:
    """The patch of plotly's default template."""
    return (_attribute(templates.templates, "_default", "plotly 7", "the theme of all figures, of all pages"),)


def plotly_renderer_patches(renderers: ModuleType) -> Sequence[Patch]:
    """The patches of how plotly shows figures that are no widgets."""
    browser = renderers.renderers["browser"]
    return (
        *(
            _attribute(renderers.renderers, name, "plotly 7", "how all figures are shown, on all pages", own)
            for name, own in (
                # Where there is no browser, as on most servers, plotly begins without a renderer, and shows nothing.
                ("_default_name", lambda name: name or "browser"),
                ("_default_renderers", lambda default: default or [browser]),
                ("_render_on_display", as_it_is),
                ("_to_activate", list),
            )
        ),
        Patch(
            target=type(browser),
            attribute="render",
            make=_render,
            why="it opens a browser on the server, and waits until that has asked for the figure",
            upstream="plotly 7",
        ),
    )


def _render(original: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def render(self: Any, fig_dict: Any) -> None:
        """Show a figure in a browser: the page that shows the kernel."""
        if current.peek_handle() is None:
            original(self, fig_dict)
            return
        html = sys.modules["plotly.io"].to_html(
            fig_dict,
            config=self.config,
            auto_play=self.auto_play,
            # With plotly's own program, each of them: the page that has it now may be another one later.
            include_plotlyjs=True,
            include_mathjax=False,  # it would come from a CDN
            post_script=self.post_script,
            full_html=False,
            animation_opts=self.animation_opts,
            default_height=_HEIGHT_PX,
            validate=False,
        )
        display(HTML(html))  # type: ignore[no-untyped-call]

    return render


def plotly_widget_patches(basewidget: ModuleType) -> Sequence[Patch]:
    """The patch of plotly's figures that are widgets."""
    why = "each part of a figure refers to the one that it is in, and that refers to its parts"
    return (_end_of(basewidget.BaseFigureWidget, _cut_figure, "plotly 7", why),)


def _cut_figure(figure: Any) -> None:
    parts = [*figure._data_objs, figure._layout_obj, *figure._frame_objs]
    for part in parts:  # while it grows
        part._parent = None
        parts += (inner for inner in part._compound_props.values() if inner is not None)
        parts += (inner for several in part._compound_array_props.values() for inner in several or ())
        part._change_callbacks.clear()


def altair_widget_patches(jupyter_chart: ModuleType) -> Sequence[Patch]:
    """The patch of altair's charts that are widgets."""
    why = "a chart's parameters hold the function that observes them, and that holds the chart"
    return (_end_of(jupyter_chart.JupyterChart, _cut_chart, "altair 6", why),)


def _cut_chart(chart: Any) -> None:
    sever_observers(chart.params)
    sever_observers(chart.selections)


def altair_schema_patches(schemapi: ModuleType) -> Sequence[Patch]:
    """The patch of altair's validation."""
    return (
        Patch(
            target=schemapi,
            attribute="validate_jsonschema",
            make=_validate_jsonschema,
            why="an error that it raises, and altair catches, holds itself and the frames of all callers",
            upstream="altair 6",
        ),
    )


def _validate_jsonschema(original: Callable[..., Any]) -> Callable[..., Any]:
    def validate_jsonschema(*args: Any, raise_error: bool = True, **options: Any) -> Any:
        error = original(*args, raise_error=False, **options)
        if error is None or not raise_error:
            return error
        # The original is among the errors that it lists; the copy, which gets the traceback, is not.
        error = copy.copy(error)
        try:
            raise error
        finally:
            del error

    return validate_jsonschema


def altair_patches(registry: ModuleType) -> Sequence[Patch]:
    """The patches of altair's registries: of themes, renderers and data transformers."""
    sample = registry.PluginRegistry()
    return tuple(
        _attribute(sample, name, "altair 6", "what is enabled is so for all pages", own)
        for name, own in (
            ("_active", as_it_is),
            ("_active_name", as_it_is),
            ("_options", dict),
            ("_global_settings", dict),
        )
    )


def _attribute(sample: object, name: str, upstream: str, why: str, own: Callable[[Any], Any] = as_it_is) -> Patch:
    if name not in vars(sample):
        raise AttributeError(f"a {type(sample).__name__} has no attribute {name!r}")
    return Patch(
        target=type(sample),
        attribute=name,
        make=lambda _: KernelAttribute(name, own),
        why=why,
        upstream=upstream,
        adds=True,
    )


def _end_of(widget_class: Any, cut: Callable[[Any], None], upstream: str, why: str) -> Patch:
    """What is to be cut when a widget of a class has ended, beside what every widget has."""
    return Patch(target=widget_class, attribute=OF_LIBRARY, make=lambda _: cut, why=why, upstream=upstream, adds=True)
