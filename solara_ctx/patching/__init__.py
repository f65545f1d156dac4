"""The one room where ipykernel, IPython, ipywidgets, comm, `threading`, `sys` and uvicorn are patched.

Nothing is patched at import.  The first service that starts applies the patches, the last one that stops reverts
them; what they replace behaves as before wherever no kernel is current.
"""

from solara_ctx.patching import connections, libraries, streams, threads
from solara_ctx.patching.stack import Patch, PatchStack
from solara_ctx.patching.threads import scrub_dummy_threads

__all__ = ["Patch", "PatchStack", "acquire", "release", "scrub_dummy_threads", "stack"]

stack = PatchStack(lambda: (*libraries.patches(), *threads.patches(), *streams.patches(), *connections.patches()))
"""The patches of this process."""

acquire = stack.acquire
release = stack.release
