"""What is attacked: the counter, served as `solara-ctx run` does, with a log that many may read; and below a path."""

import logging

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from integration.support.apps.counter import about, counter
from solara_ctx import KernelApp
from solara_ctx.serving import redact_logs

# As an operator would who wants to know more: what the library and its neighbours say, from INFO on.
logging.basicConfig(level=logging.INFO)
redact_logs()

alone = KernelApp({"/": counter, "/report": counter})

kernels = KernelApp({"/": counter, "/report": counter})
mounted = Starlette(routes=[Route("/about", about), Mount("/sub/path", kernels)], lifespan=kernels.lifespan)
