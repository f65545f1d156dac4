"""An async page function whose widgets come and go before it has returned, once the page has asked for them."""

import asyncio

import ipywidgets as widgets
from starlette.applications import Starlette
from starlette.routing import Mount

from solara_ctx import KernelApp, get_current_context

_POLL_S = 0.01
# A page that is connected asks at once for the states of all widgets: an answer would be there by then.
_ASKED_S = 0.5


async def page() -> widgets.Widget:
    """One is gone by then, one stays."""
    gone, stays = widgets.IntSlider(description="gone"), widgets.IntSlider(description="stays")
    while not get_current_context().page_status:  # noqa: ASYNC110 - no event tells
        await asyncio.sleep(_POLL_S)
    await asyncio.sleep(_ASKED_S)
    gone.close()
    stays.value = 7
    return stays


kernels = KernelApp(page)
app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)
