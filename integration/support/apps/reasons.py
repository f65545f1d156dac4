"""A page whose kernel says why it ends."""

import os

from starlette.applications import Starlette
from starlette.routing import Mount

from solara_ctx import KernelApp, get_current_context


def says_why() -> None:
    """Nothing to see."""
    context = get_current_context()

    def say() -> None:
        # In one piece: of `print`, by many threads at a time, the ends of lines come apart from them.
        os.write(1, f"ended: {get_current_context().close_reason}\n".encode())

    context.on_close(say)


kernels = KernelApp(says_why)
app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)
