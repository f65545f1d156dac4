"""What becomes of living kernels when an app's code was imported anew: some begin afresh, all hear of a mistake."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping

from solara_ctx.context import VirtualKernelContext
from solara_ctx.errors import ContextClosed
from solara_ctx.jupyter import KernelHost
from solara_ctx.lifecycle import CloseReason
from solara_ctx.teardown import CloseReport
from solara_ctx.web.pages import BoundPage, Replaced


def renew(contexts: Iterable[VirtualKernelContext], replaced: Replaced) -> "list[asyncio.Future[CloseReport]]":
    """Restart the kernels whose page has another function, and close those whose page is gone.  Loop only.

    Returns:
        What tells when that is done, for each of them.
    """
    ends: list[asyncio.Future[CloseReport]] = []
    for context in contexts:
        page = context.page_function
        path = page.path if isinstance(page, BoundPage) else None
        with contextlib.suppress(ContextClosed):
            if path in replaced.changed:
                ends.append(asyncio.wrap_future(context.restart()))
            elif path in replaced.gone:
                ends.append(asyncio.wrap_future(context.close(CloseReason.NO_SUCH_PAGE)))
    return ends


def show_code_error(contexts: Iterable[VirtualKernelContext], content: Mapping[str, object] | None) -> None:
    """Show the pages of those kernels that changed code could not be loaded, or no more (`None`).  Loop only."""
    for context in contexts:
        if isinstance(context.host, KernelHost):
            context.host.show_code_error(content)
