"""The one room where other people's code is patched: ipykernel, IPython, ipywidgets, comm, `threading`, `sys`,
`warnings`, uvicorn, hypercorn; and, where somebody imports them, matplotlib, pandas, plotly, altair, bqplot, anywidget,
ipyvue and ipyvuetify.

Nothing is patched at import.  The first service that starts applies the patches, the last one that stops reverts
them; what they replace behaves as before wherever no kernel is current.
"""

from solara_ctx.patching import (
    anywidgets,
    connections,
    libraries,
    matplotlib_figures,
    matplotlib_settings,
    output_widgets,
    pandas_options,
    plotting,
    stops,
    streams,
    threads,
    vue,
    warning_filters,
)
from solara_ctx.patching.stack import Patch, PatchStack
from solara_ctx.patching.stops import on_server_stop
from solara_ctx.patching.threads import scrub_dummy_threads

__all__ = ["Patch", "PatchStack", "acquire", "on_server_stop", "release", "scrub_dummy_threads", "stack"]

stack = PatchStack(
    lambda: (
        *libraries.patches(),
        *output_widgets.patches(),
        *threads.patches(),
        *streams.patches(),
        *warning_filters.patches(),
        *connections.patches(),
        *stops.patches(),
    ),
    late={
        "matplotlib": matplotlib_settings.patches,
        "matplotlib._pylab_helpers": matplotlib_figures.registry_patches,
        "matplotlib.pyplot": matplotlib_figures.pyplot_patches,
        "ipympl.backend_nbagg": matplotlib_figures.ipympl_patches,
        "pandas._config.config": pandas_options.patches,
        "plotly.io._templates": plotting.plotly_template_patches,
        "plotly.io._renderers": plotting.plotly_renderer_patches,
        "plotly.basewidget": plotting.plotly_widget_patches,
        "altair.jupyter.jupyter_chart": plotting.altair_widget_patches,
        "altair.utils.schemapi": plotting.altair_schema_patches,
        "altair.utils.plugin_registry": plotting.altair_patches,
        "bqplot.pyplot": plotting.bqplot_patches,
        "anywidget.widget": anywidgets.patches,
        "ipyvue.Template": vue.template_patches,
        "ipyvue.VueComponentRegistry": vue.component_patches,
        "ipyvue.VueTemplateWidget": vue.vue_template_patches,
        "ipyvue.VueWidget": vue.widget_patches,
        "ipyvue.esm": vue.esm_patches,
        "ipyvuetify.Themes": vue.theme_patches,
    },
)
"""The patches of this process."""

acquire = stack.acquire
release = stack.release
