"""Patches of ipywidgets' Output, FileUpload and interact: what they show is state of the kernel's.

Outside a kernel everything is as upstream made it.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from ipywidgets import FileUpload, Output, Widget
from ipywidgets.widgets import interaction

from solara_ctx.jupyter import output_state, outputs
from solara_ctx.jupyter.comms import KernelComm
from solara_ctx.jupyter.host import current_host
from solara_ctx.jupyter.upload import state_without_content
from solara_ctx.patching import streams
from solara_ctx.patching.matplotlib_settings import BACKEND
from solara_ctx.patching.stack import Patch

_IPYWIDGETS = "ipywidgets 8.1"


def patches() -> Sequence[Patch]:
    """The patches, in the order in which they are applied."""
    return (
        Patch(
            target=interaction,
            attribute="show_inline_matplotlib_plots",
            make=_show_plots,
            why="a function of interact's that draws is not asked for plt.show(); it knows Jupyter's own backend only",
            upstream=_IPYWIDGETS,
        ),
        Patch(
            target=FileUpload.value,
            attribute="metadata",
            make=_upload_metadata,
            why="a page that connects would be sent all files, and a large one would cost it the connection each time",
            upstream=_IPYWIDGETS,
        ),
        Patch(
            target=Output,
            attribute="__enter__",
            make=_output_enter,
            why="outputs are captured here and become state; upstream has the browser collect them",
            upstream=_IPYWIDGETS,
        ),
        Patch(target=Output, attribute="__exit__", make=_output_exit, why="ends the capture", upstream=_IPYWIDGETS),
        Patch(
            target=Output,
            attribute="clear_output",
            make=_output_clear,
            why="clears the captured state, without a shell",
            upstream=_IPYWIDGETS,
        ),
    )


# interact


def _show_plots(original: Callable[[], None]) -> Callable[[], None]:
    def show_inline_matplotlib_plots() -> None:
        """Display the open figures, and close them, where they are pictures and no widgets."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if current_host() is None or pyplot is None:
            original()
        elif pyplot.get_fignums() and pyplot.get_backend() == BACKEND:
            pyplot.show()

    return show_inline_matplotlib_plots


# FileUpload


def _upload_metadata(original: dict[str, Any]) -> dict[str, Any]:
    def to_json(value: Any, widget: Widget) -> Any:
        """What pages are told of the files: everything but the content."""
        write = state_without_content if isinstance(widget.comm, KernelComm) else original["to_json"]
        return write(value, widget)

    return {**original, "to_json": to_json}


# Output


def _output_enter(original: Callable[[Output], None]) -> Callable[[Output], None]:
    def __enter__(self: Output) -> None:  # noqa: N807 - replaces it
        """Capture what is printed and displayed here from now on."""
        if isinstance(self.comm, KernelComm):
            streams.capture_current_streams()
            outputs.enter(self)
        else:
            original(self)

    return __enter__


def _output_exit(original: Callable[..., bool | None]) -> Callable[..., bool | None]:
    def __exit__(self: Output, kind: Any, error: Any, trace: Any) -> bool | None:  # noqa: N807 - replaces it
        """End the capture; an error is shown in the output, and goes no further."""
        if not outputs.is_open(self):
            return original(self, kind, error, trace)
        host = self.comm.host if isinstance(self.comm, KernelComm) else None
        try:
            if error is None or host is None or not isinstance(error, Exception):
                return None
            host.reporter.user_error(error, "code in an Output")
            return True
        finally:
            outputs.leave(self)

    return __exit__


def _output_clear(original: Callable[..., None]) -> Callable[..., None]:
    def clear_output(self: Output, wait: bool = False) -> None:  # noqa: FBT001, FBT002 - upstream's signature
        """Clear the output; with *wait* only when there is something new to show."""
        if isinstance(self.comm, KernelComm):
            output_state.clear(self, wait=wait)
        else:
            original(self, wait)

    return clear_output
