"""A page whose kernel says why it ends."""

from starlette.applications import Starlette
from starlette.routing import Mount

from solara_ctx import KernelApp, get_current_context


def says_why() -> None:
    """Nothing to see."""
    context = get_current_context()

    def say() -> None:
        print(f"ended: {get_current_context().close_reason}", flush=True)

    context.on_close(say)


kernels = KernelApp(says_why)
app = Starlette(routes=[Mount("/", kernels)], lifespan=kernels.lifespan)
