"""The page as an app of solara_ctx; with a hook that leaves a byte in a file, where one is named."""

import os
import time
from functools import partial

from benchmarks.pages.page import build
from solara_ctx import get_current_context

_HOOKS = os.environ.get("BENCHMARK_HOOKS")
_HOOK_S = float(os.environ.get("BENCHMARK_HOOK_S", "0"))
"""How long each hook takes."""


def page() -> object:
    if _HOOKS:
        get_current_context().on_close(partial(_leave_a_byte, _HOOKS))
    return build()


def _leave_a_byte(path: str) -> None:
    time.sleep(_HOOK_S)
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(file, b".")
    os.close(file)
