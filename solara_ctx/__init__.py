"""A live Python kernel per browser page for Starlette apps.

Layout, top to bottom; each layer imports only from those below it:

    cli                       `solara-ctx run`, `demo`, `why`, `leakcheck`
    leakcheck/                checks an app for leaks before it is in production
    serving  asking           whose page to serve, by name; what a running server tells the command line
    web/                      Starlette in, Starlette out: pages, websockets, sessions, /resourcez; KernelApp composes
    leaks/                    closed kernels that are not gone: which, and what keeps them
    patching/                 the one room where ipykernel, IPython, ipywidgets, comm, threading, uvicorn are patched
    jupyter/                  a kernel: wire format, messages, comms, widgets, shell, outputs
    registry                  which kernels there are, and for how long
    context                   one kernel of one page: pages, states, restart, close
    owner  claims             what it needs of its registry; who has asked for its end
    run                       what one run of the page function owns
    kernel_var                variables with one value per kernel
    interrupts                the code of one kernel, on a thread that all share
    page_code  loop_hooks     what page code calls, wherever it runs; what it starts on the event loop by itself
    look                      what a page looks like around its widgets
    mailbox  tasks  hooks  teardown  pages  files  cull_timer  ended  current  stats
    culling
    lifecycle  clock  settings  ports  workers  memory
    errors  frames  weak
"""

from solara_ctx.context import VirtualKernelContext
from solara_ctx.current import get_current_context, has_current_context, set_current_context, without_context
from solara_ctx.errors import (
    ContextClosed,
    InvalidKernelId,
    KernelContextError,
    KernelLimitReached,
    NoCurrentContext,
    SessionMismatch,
    UserMismatch,
    WrongThread,
)
from solara_ctx.kernel_var import KernelVar
from solara_ctx.lifecycle import CloseReason, PageStatus, State
from solara_ctx.look import set_favicon, set_theme, set_title
from solara_ctx.page_code import navigate, sleep
from solara_ctx.registry import KernelRegistry
from solara_ctx.settings import InvalidSettings, Settings
from solara_ctx.teardown import CloseReport, StepResult
from solara_ctx.web.app import KernelApp
from solara_ctx.web.pages import Page

__all__ = [
    "CloseReason",
    "CloseReport",
    "ContextClosed",
    "InvalidKernelId",
    "InvalidSettings",
    "KernelApp",
    "KernelContextError",
    "KernelLimitReached",
    "KernelRegistry",
    "KernelVar",
    "NoCurrentContext",
    "Page",
    "PageStatus",
    "SessionMismatch",
    "Settings",
    "State",
    "StepResult",
    "UserMismatch",
    "VirtualKernelContext",
    "WrongThread",
    "get_current_context",
    "has_current_context",
    "navigate",
    "set_current_context",
    "set_favicon",
    "set_theme",
    "set_title",
    "sleep",
    "without_context",
]
