"""Which kernel context is current here.

A `ContextVar` holds a weak `Handle`, never the context: a task that nobody awaits, a thread that outlives its page
or a kept `contextvars.copy_context()` keeps the handle, a few hundred bytes, and nothing of the page.  Ending a
context is one assignment to its handle, and every binding in every task and thread is dead at the same moment.

Tasks inherit the variable as asyncio copies contexts; threads and pool jobs get it from the patches in
`solara_ctx.patching.threads`.
"""

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from solara_ctx.errors import ContextClosed, NoCurrentContext
from solara_ctx.weak import WeakBag

if TYPE_CHECKING:
    from solara_ctx.context import VirtualKernelContext


P = ParamSpec("P")
T = TypeVar("T")


# For O(1) work only.  Reentrant: a finalizer may come here again.
_lock = threading.RLock()


class Handle:
    """A weak, severable name for one run of a kernel context.  Safe from any thread."""

    __slots__ = ("__weakref__", "_context", "_ended", "_ending", "foreign_threads", "kernel_id", "threads")

    def __init__(self, context: "VirtualKernelContext", kernel_id: str) -> None:
        self.kernel_id = kernel_id
        self._ending: threading.Event | None = None
        self._ended = False
        self.threads: WeakBag[threading.Thread] = WeakBag()
        """Threads that kernel code has started; a gauge, nothing is looked up in it."""
        self.foreign_threads: set[int] = set()
        """Idents of threads that were not started by `threading` and made the context current by themselves."""
        self._context: weakref.ref[VirtualKernelContext] | None = weakref.ref(context)

    def __repr__(self) -> str:
        return f"<Handle {self.kernel_id[:6]}… {'severed' if self.peek() is None else 'alive'}>"

    @property
    def ending(self) -> threading.Event:
        """Set as soon as what it names is to end.  Made when it is asked for: it is larger than all the rest."""
        with _lock:
            if self._ending is None:
                self._ending = threading.Event()
                if self._ended:
                    self._ending.set()
            return self._ending

    @property
    def is_ending(self) -> bool:
        """Whether what it names is to end."""
        return self._ended

    def end(self) -> None:
        """What it names is to end."""
        with _lock:
            self._ended = True
            ending = self._ending
        if ending is not None:
            ending.set()

    def peek(self) -> "VirtualKernelContext | None":
        """The context, or `None` once it was severed or is gone."""
        reference = self._context
        return reference() if reference is not None else None

    def context(self) -> "VirtualKernelContext":
        """The context.

        Raises:
            ContextClosed: it was severed or is gone.
        """
        context = self.peek()
        if context is None:
            raise ContextClosed(self.kernel_id, doing="be the current context any more")
        return context

    def living_threads(self) -> int:
        """How many of the threads that kernel code has started are alive."""
        return sum(thread.is_alive() for thread in self.threads.living())

    def sever(self) -> None:
        """End every binding to the context at once, wherever it is held."""
        self._context = None


class _Binding(NamedTuple):
    handle: Handle | None
    outer: "_Binding | None"


# A linked list instead of reset tokens: one context is entered by many threads and tasks at once, so there is no
# single place for a token, and a token would keep the contextvars.Context in which it was made.
_binding: ContextVar[_Binding | None] = ContextVar("solara_ctx.current", default=None)


def peek_handle(variables: Context | None = None) -> Handle | None:
    """The handle that is bound here, or in *variables*, whether its context still lives or not."""
    binding = _binding.get() if variables is None else variables.get(_binding)
    return None if binding is None else binding.handle


def peek() -> "VirtualKernelContext | None":
    """The current context, `None` where there is none or it has ended.  Never raises."""
    handle = peek_handle()
    return None if handle is None else handle.peek()


def get_current_context() -> "VirtualKernelContext":
    """The kernel context of the running page function, callback, task or thread.

    Raises:
        NoCurrentContext: none is current here.
        ContextClosed: the one that was current here has ended.
    """
    handle = peek_handle()
    if handle is None:
        raise NoCurrentContext
    return handle.context()


def has_current_context() -> bool:
    """Whether a living kernel context is current here.  Never raises."""
    return peek() is not None


def set_current_context(context: "VirtualKernelContext | None") -> None:
    """Make *context* current in this task or thread until further notice; `None` for no context.

    Prefer `with context:`, which puts back what was current before.  Inside such a block it holds until the block ends.

    Raises:
        ContextClosed: the context has ended.
    """
    handle = None if context is None else context.handle()
    binding = _binding.get()
    _binding.set(_Binding(handle, None if binding is None else binding.outer))
    _note_foreign_thread(handle)


def bind(handle: Handle | None) -> None:
    """Start anew here: *handle* is current, and nothing is left to be put back."""
    _binding.set(None if handle is None else _Binding(handle, None))
    _note_foreign_thread(handle)


def push(handle: Handle | None) -> None:
    """Make *handle* current here until `pop`."""
    _binding.set(_Binding(handle, _binding.get()))
    _note_foreign_thread(handle)


def pop() -> None:
    """Put back what was current before the last `push` in this task or thread."""
    binding = _binding.get()
    _binding.set(None if binding is None else binding.outer)


@contextmanager
def bound(handle: Handle | None) -> Iterator[None]:
    """Make *handle* current in a block."""
    push(handle)
    try:
        yield
    finally:
        pop()


def without_context() -> AbstractContextManager[None]:
    """Let no kernel context be current in a `with` block.

    For work that must not belong to the page that happens to trigger it: filling a process-wide cache, starting a
    thread that serves everybody.
    """
    return bound(None)


def _note_foreign_thread(handle: Handle | None) -> None:
    # `threading.current_thread()` would make a _DummyThread out of a foreign thread, the very thing that the
    # teardown has to clean up; the table that it would be put in can be asked without that.
    if handle is None:
        return
    ident = threading.get_ident()
    thread = threading._active.get(ident)  # type: ignore[attr-defined]
    if thread is None or isinstance(thread, threading._DummyThread):
        handle.foreign_threads.add(ident)


def call_bound(handle: Handle | None, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call *function* with *handle* current."""
    with bound(handle):
        return function(*args, **kwargs)
