"""Patches of comm, ipywidgets, IPython and ipykernel: what is one per process there becomes one per kernel.

Outside a kernel everything is as upstream made it.
"""

from collections.abc import Callable, Iterator, MutableMapping, Sequence
from types import MethodType
from typing import Any, TypeVar, cast

import comm

# Imported before anything is patched: the import itself replaces comm.create_comm and comm.get_comm_manager.
import ipykernel.ipkernel  # noqa: F401
from comm.base_comm import BaseComm, CommManager
from ipykernel.kernelbase import Kernel
from IPython.core import interactiveshell
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magics import script
from ipywidgets import CallbackDispatcher, Widget
from ipywidgets.widgets import widget as widget_module

from solara_ctx import current
from solara_ctx.jupyter.comms import KernelComm
from solara_ctx.jupyter.host import KernelHost, current_host, living_host
from solara_ctx.jupyter.shell import KernelShell
from solara_ctx.patching.async_callbacks import register_async
from solara_ctx.patching.stack import Patch
from solara_ctx.patching.weak_methods import observe_weakly, on_msg_weakly

T = TypeVar("T")

_IPYWIDGETS = "ipywidgets 8.1"
_IPYTHON = "ipython 9"
_IPYKERNEL = "ipykernel 7"


def patches() -> Sequence[Patch]:
    """The patches of libraries, in the order in which they are applied."""
    return (
        Patch(
            target=comm,
            attribute="create_comm",
            make=_create_comm,
            why="a widget's comm goes to the pages of the kernel that is current; meant to be replaced",
            upstream="comm 0.2",
        ),
        Patch(
            target=comm,
            attribute="get_comm_manager",
            make=_get_comm_manager,
            why="targets and comms are per kernel; meant to be replaced",
            upstream="comm 0.2",
        ),
        Patch(
            target=widget_module,
            attribute="_instances",
            make=WidgetTable,
            why="ipywidgets keeps one process-wide table of widgets, strongly",
            upstream=_IPYWIDGETS,
        ),
        Patch(
            target=widget_module,
            attribute="get_ipython",
            make=_get_reporter,
            why="a callback that raises is reported on what this returns; a shell is not made for that",
            upstream=_IPYWIDGETS,
        ),
        Patch(
            target=Widget,
            attribute="on_msg",
            make=on_msg_weakly,
            why="Button and Text register bound methods of themselves with themselves: a cycle per widget",
            upstream=_IPYWIDGETS,
        ),
        Patch(
            target=Widget,
            attribute="observe",
            make=observe_weakly,
            why="AppLayout and its kin observe themselves with a method of themselves: the same cycle",
            upstream=_IPYWIDGETS,
        ),
        Patch(
            target=CallbackDispatcher,
            attribute="register_callback",
            make=register_async,
            why="an async function as a callback would never be awaited",
            upstream=_IPYWIDGETS,
        ),
        Patch(
            target=Widget,
            attribute="_send",
            make=_send,
            why="it looks for its comm anew with each step, and a kernel that closes takes that away in between",
            upstream=_IPYWIDGETS,
        ),
        Patch(
            target=InteractiveShell,
            attribute="initialized",
            make=_shell_initialized,
            why="get_ipython() asks it, wherever it was imported to",
            upstream=_IPYTHON,
        ),
        Patch(
            target=InteractiveShell,
            attribute="instance",
            make=_shell_instance,
            why="get_ipython() and display() ask it for the shell",
            upstream=_IPYTHON,
        ),
        *(
            Patch(
                target=module,
                attribute="atexit",
                make=KernelAtexit,
                why="each shell registers a handler that holds it; unregistered, it would still leave its slot behind",
                upstream=_IPYTHON,
            )
            for module in (interactiveshell, script)
        ),
        Patch(
            target=Kernel,
            attribute="initialized",
            make=_kernel_initialized,
            why="libraries ask it whether they run in a kernel",
            upstream=_IPYKERNEL,
        ),
        Patch(
            target=Kernel,
            attribute="instance",
            make=_kernel_instance,
            why="libraries ask it for the kernel, to send through it",
            upstream=_IPYKERNEL,
        ),
    )


# comm


def _create_comm(original: Callable[..., BaseComm]) -> Callable[..., BaseComm]:
    def create_comm(*args: Any, **options: Any) -> BaseComm:
        """A comm of the current kernel; outside a kernel, what it was before.

        Raises:
            ContextClosed: the kernel that is current here has ended.
        """
        host = living_host()
        if host is None:
            return original(*args, **options)
        # BaseComm's own order of positional arguments, of which the first is the only one in use.
        return KernelComm(
            host, **dict(zip(("target_name", "data", "metadata", "buffers", "comm_id"), args, strict=False)), **options
        )

    return create_comm


def _get_comm_manager(original: Callable[[], CommManager]) -> Callable[[], CommManager]:
    def get_comm_manager() -> CommManager:
        """The comm manager of the current kernel; outside a kernel, what it was before.

        Raises:
            ContextClosed: the kernel that is current here has ended.
        """
        host = living_host()
        return original() if host is None else host.comm_manager

    return get_comm_manager


# ipywidgets


class WidgetTable(MutableMapping[str, Widget]):
    """Stands for the widgets of whichever kernel is current; outside a kernel, for upstream's own table."""

    def __init__(self, outside: MutableMapping[str, Widget]) -> None:
        self._outside = outside

    def _table(self) -> Any:
        host = current_host()
        if host is not None:
            return host.widgets
        return {} if _has_ended() else self._outside

    def __getitem__(self, model_id: str) -> Widget:
        return self._table()[model_id]

    def __iter__(self) -> Iterator[str]:
        # A snapshot: ipywidgets iterates, and other threads make widgets meanwhile.
        return iter(list(self._table()))

    def __len__(self) -> int:
        return len(self._table())

    def __setitem__(self, model_id: str, widget: Widget) -> None:
        host = _host_of(widget)
        if host is None:
            self._outside[model_id] = widget
        else:
            host.adopt(widget)

    def __delitem__(self, model_id: str) -> None:
        # Who closes a widget of another kernel closes its comm, which knows its own.
        host = current_host()
        if host is not None:
            if host.forget_widget(model_id) is None:
                raise KeyError(model_id)
        else:
            del self._table()[model_id]


def _has_ended() -> bool:
    """Whether the kernel that is current here has ended: that is not the same as no kernel."""
    return current.peek_handle() is not None and current_host() is None


def _host_of(widget: Widget) -> KernelHost | None:
    """The kernel that a widget belongs to, which need not be the one that is current."""
    return widget.comm.host if isinstance(widget.comm, KernelComm) else None


def _get_reporter(original: Callable[[], Any]) -> Callable[[], Any]:
    def get_ipython() -> Any:
        """Who shows the traceback of a callback: the reporter of the current kernel, else IPython's shell."""
        host = current_host()
        return original() if host is None else host.reporter

    return get_ipython


def _send(_original: Callable[..., None]) -> Callable[..., None]:
    def _send(self: Widget, msg: Any, buffers: Any = None) -> None:
        # As upstream's, but for the one look: a thread that is in there may go on for as long as it likes after another
        # one has closed the widget. A comm that is closed sends nothing.
        its_comm = self.comm
        if its_comm is not None and getattr(its_comm, "kernel", its_comm) is not None:
            its_comm.send(data=msg, buffers=buffers)

    return _send


# IPython and ipykernel


def _shell_initialized(original: Callable[[], bool]) -> Any:
    def initialized(cls: type[InteractiveShell]) -> bool:
        """Whether there is a shell: in a living kernel there is one, made when `instance` is called."""
        host = current_host()
        if host is not None:
            return host.has_shell and issubclass(KernelShell, cls)
        return not _has_ended() and _in_original(original, cls)

    return classmethod(initialized)


def _shell_instance(original: Callable[..., InteractiveShell]) -> Any:
    def instance(cls: type[InteractiveShell], *args: Any, **options: Any) -> InteractiveShell:
        """The shell of the current kernel, made on first use; outside a kernel the process's own.

        Raises:
            ContextClosed: the kernel that is current here has ended.
        """
        host = living_host()
        return _in_original(original, cls, *args, **options) if host is None else host.shell

    return classmethod(instance)


class KernelAtexit:
    """The `atexit` module, except that a kernel registers nothing: its end comes before that of the process."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def register(self, function: Callable[..., T], /, *args: Any, **options: Any) -> Callable[..., T]:
        """Call *function* at the end of the process, unless it is of a kernel."""
        if current_host() is None:
            self._module.register(function, *args, **options)
        return function

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _kernel_initialized(original: Callable[[], bool]) -> Any:
    def initialized(cls: type[Kernel]) -> bool:
        """Whether there is a kernel."""
        return current_host() is not None or (not _has_ended() and _in_original(original, cls))

    return classmethod(initialized)


def _kernel_instance(original: Callable[..., Kernel]) -> Any:
    def instance(cls: type[Kernel], *args: Any, **options: Any) -> Kernel:
        """The current kernel; outside a kernel the process's own.

        Raises:
            ContextClosed: the kernel that is current here has ended.
        """
        host = living_host()
        return _in_original(original, cls, *args, **options) if host is None else host.kernel

    return classmethod(instance)


def _in_original(original: Callable[..., T], cls: type, *args: Any, **options: Any) -> T:
    """Call a class method on the class it was called on: a subclass keeps an `_instance` of its own."""
    rebound: Callable[..., T] = MethodType(cast("MethodType", original).__func__, cls)
    return rebound(*args, **options)
