"""The room that knows ipykernel, IPython and ipywidgets: it implements `ports.Host`."""

from solara_ctx.jupyter.host import KernelHost, PageLimits
from solara_ctx.jupyter.printing import Printed
from solara_ctx.jupyter.wire import Limits

__all__ = ["KernelHost", "Limits", "PageLimits", "Printed"]
