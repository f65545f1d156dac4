"""The room that knows ipykernel, IPython and ipywidgets: it implements `ports.Host`."""

from solara_ctx.jupyter.host import KernelHost

__all__ = ["KernelHost"]
