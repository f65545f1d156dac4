"""The IPython shell of one kernel: for `display`, magics, completions, tracebacks and `run_cell`.

IPython takes a shell for the owner of the process: it writes to `builtins`, `os.environ`, `sys.modules["__main__"]`,
`sys.displayhook` and the user's home.  This one does none of that, as hundreds of it live side by side.
"""

import contextvars
import itertools
import linecache
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

# Each of these puts another module into its place at the end of its import: a thread that waits for that gets the one
# which is thrown away, and does not find what it wants in there. Two pages that show code first are such threads.
import pygments.formatters
import pygments.lexers  # noqa: F401
from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.zmqshell import ZMQDisplayPublisher, ZMQInteractiveShell
from IPython.core.builtin_trap import BuiltinTrap
from IPython.core.compilerop import CachingCompiler
from IPython.core.display_trap import DisplayTrap
from IPython.core.error import UsageError
from IPython.core.history import HistoryManager
from IPython.core.magics.script import ScriptMagics
from IPython.core.pylabtools import print_figure
from IPython.display import display
from IPython.utils.PyColorize import theme_table
from traitlets import CaselessStrEnum, Instance, Type

from solara_ctx import current
from solara_ctx.current import Handle
from solara_ctx.jupyter.report import Reporter
from solara_ctx.jupyter.session import IOPUB, parent_header
from solara_ctx.jupyter.sever import sever_graph

if TYPE_CHECKING:
    from solara_ctx.jupyter.kernel import HostedKernel

# Upstream reads it from its file with the first shell, which may be made on the event loop, by async code.
_ = theme_table["neutral"]


class _ParentHeader:
    """`parent_header` of shell, publisher and hook: one variable for all, where upstream has one for each."""

    def __get__(self, owner: object, _: type) -> dict[str, Any]:
        return dict(parent_header.get())

    def __set__(self, owner: object, value: Mapping[str, Any]) -> None:
        parent_header.set(value)


class KernelDisplayPublisher(ZMQDisplayPublisher):
    """Publishes through the session of its kernel."""

    parent_header = _ParentHeader()


class KernelDisplayHook(ZMQShellDisplayHook):
    """Publishes the value of an expression through the session of its kernel."""

    parent_header = _ParentHeader()


class KernelCompiler(CachingCompiler):
    """Names each cell uniquely in the process, and takes its source out of `linecache` at the end."""

    _numbers = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._number = next(self._numbers)

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        """The file name of a cell in tracebacks."""
        return f"{super().get_code_name(raw_code, transformed_code, number)[:-1]}-{self._number}>"

    def forget(self) -> None:
        """Take the sources of all cells out of `linecache`, where upstream leaves them."""
        for name in self._filename_map:
            linecache.cache.pop(name, None)


class KernelHistory(HistoryManager):
    """History in memory only: no database, no thread."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, enabled=False, hist_file=":memory:")
        # Upstream has one table for all shells of the process.
        self.outputs = defaultdict(list)


class _NoBuiltins(BuiltinTrap):
    """Leaves `builtins` alone: what IPython puts there while a cell runs is in the kernel's namespace anyway."""

    def activate(self) -> None:
        pass

    def deactivate(self) -> None:
        pass


class _NoDisplayTrap(DisplayTrap):
    """Leaves `sys.displayhook` alone: the patched one finds the hook of the kernel that is current."""

    def set(self) -> None:
        pass

    def unset(self) -> None:
        pass


class KernelShell(ZMQInteractiveShell):
    """The shell of one kernel.  Not a singleton: `InteractiveShell.instance()` finds it through the patches."""

    displayhook_class = Type(KernelDisplayHook)  # type: ignore[mutable-override]
    display_pub_class = Type(KernelDisplayPublisher)  # type: ignore[mutable-override]
    parent_header = _ParentHeader()
    compiler_class = Type(KernelCompiler)  # type: ignore[mutable-override]
    # The other modes read sources through stack_data and executing, which cache what they have seen without a bound.
    xmode = CaselessStrEnum(ZMQInteractiveShell.xmode.values, default_value="Plain").tag(config=True)
    reporter = Instance(Reporter)

    @classmethod
    def make(cls, kernel: "HostedKernel", reporter: Reporter, handle: Handle) -> "KernelShell":
        """Make the shell of *kernel*.  Any thread."""
        # The constructors of shell, publisher and hook set ContextVars of their own, wherever they happen to run.
        return contextvars.Context().run(cls._make, kernel, reporter, handle)

    @classmethod
    def _make(cls, kernel: "HostedKernel", reporter: Reporter, handle: Handle) -> "KernelShell":
        shell = cls.__new__(cls, kernel=kernel, reporter=reporter)
        try:
            with current.bound(handle):
                shell.__init__(kernel=kernel, reporter=reporter)  # type: ignore[misc]
        except BaseException:
            sever_graph(shell)  # nobody else knows its parts
            raise
        return shell

    # What upstream's constructor does to the process

    def init_ipython_dir(self, _: object) -> None:
        """No directory: nothing of one page's shell is for the next."""

    def init_profile_dir(self, _: object) -> None:
        """No profile: nothing is read from or written to the user's home."""
        self.profile_dir = None
        self.db = {}

    def init_environment(self) -> None:
        """Leave `os.environ` alone."""

    def init_sys_modules(self) -> None:
        """Leave `sys.modules["__main__"]` alone."""

    def save_sys_module_state(self) -> None:
        """Keep no hold of the process's streams."""
        self._orig_sys_module_state: dict[str, object] = {}
        self._orig_sys_modules_main_name = self.user_module.__name__
        self._orig_sys_modules_main_mod = None

    def init_history(self) -> None:
        """In memory only."""
        self.history_manager = KernelHistory(shell=self, parent=self)
        self.configurables.append(self.history_manager)  # type: ignore[arg-type]  # as upstream does

    def init_builtins(self) -> None:
        """Leave `builtins` alone."""
        self.builtin_trap = _NoBuiltins(shell=self)
        self.user_ns["display"] = self.user_ns_hidden["display"] = display

    def init_prompts(self) -> None:
        """Leave the prompts in `sys` alone."""

    def init_display_formatter(self) -> None:
        """Figures of matplotlib, if that should be imported, are shown as pictures, as in a notebook."""
        super().init_display_formatter()  # type: ignore[no-untyped-call]
        formatter: Any = self.display_formatter
        picture = partial(print_figure, fmt="png", base64=True)
        formatter.formatters["image/png"].for_type_by_name("matplotlib.figure", "Figure", picture)

    def init_display_pub(self) -> None:
        """The publisher sends through the kernel's session."""
        super().init_display_pub()  # type: ignore[no-untyped-call]
        publisher = cast("KernelDisplayPublisher", self.display_pub)
        publisher.session, publisher.pub_socket = self.kernel.session, IOPUB

    def init_displayhook(self) -> None:
        """The hook sends through the kernel's session, and is not put into `sys`."""
        super().init_displayhook()  # type: ignore[no-untyped-call]
        hook = cast("KernelDisplayHook", self.displayhook)
        hook.session, hook.pub_socket = self.kernel.session, IOPUB
        self.display_trap = _NoDisplayTrap(hook=hook)  # type: ignore[no-untyped-call]

    def init_completer(self) -> None:
        """Without jedi: it keeps copies of the namespaces that it has looked at in cycles and caches of its own."""
        super().init_completer()  # type: ignore[no-untyped-call]
        self.Completer.use_jedi = False

    # What upstream does to the process later on

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        """The exception to show: the given one, the one being handled, the last one of this shell.

        Upstream keeps it in `sys.last_exc`, and with it the frames, this shell and everything, until the next one.
        """
        found = exc_tuple or sys.exc_info()
        if found[0] is None:
            found = self._last_error
        if found is None or found[0] is None:
            raise ValueError("No exception to find")
        self._last_error = tuple(found)
        return self._last_error

    _last_error: Any = None

    def _showtraceback(self, _: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        """Log the error, and publish it: with its traceback in debug mode and into an Output, else without."""
        self._last_traceback = stb
        self.reporter.shell_error(evalue, stb)

    def set_custom_exc(self, exc_tuple: tuple[type[BaseException], ...], handler: Callable[..., Any] | None) -> None:
        """Let *handler* show errors of some types.

        `run_code` has the traceback in a local variable when it calls the handler: its frame is in a cycle with itself.
        """
        super().set_custom_exc(exc_tuple, handler)  # type: ignore[no-untyped-call]
        show: Callable[..., Any] = self.CustomTB

        def show_and_note(etype: type[BaseException], value: BaseException, *more: Any, **options: Any) -> Any:
            try:
                return show(etype, value, *more, **options)
            finally:
                self.reporter.note(value)

        self.CustomTB = show_and_note  # type: ignore[assignment]  # upstream's own is a method

    @contextmanager
    def _tee(self, channel: str) -> Iterator[None]:  # noqa: ARG002 - upstream's signature
        """Leave `write` of the process's streams alone, which upstream replaces while a cell runs."""
        yield

    @property
    def excepthook(self) -> Any:
        """The process's own, which upstream replaces by this one while a cell runs.

        A method of ours would stay with each thread that is made meanwhile (`threading` keeps it for errors at exit),
        and of two cells that overlap, the second would put back the first one's.
        """
        return sys.excepthook

    def enable_gui(self, gui: Any = None) -> None:
        """Refuse: an event loop of a GUI would need the main thread.

        Raises:
            UsageError: a GUI was asked for.
        """
        if gui not in {None, "inline"}:
            raise UsageError("there is no GUI event loop in a server")

    def ask_exit(self) -> None:
        """Nothing: a page's kernel ends with its page."""

    def sever(self) -> None:
        """Take the shell and its parts apart: they refer to each other in every direction."""
        for name in ("tempfiles", "tempdirs"):
            for path in getattr(self, name, ()):
                _remove(path)
        cast("KernelCompiler", self.compile).forget()
        scripts = [magics for magics in self.magics_manager.registry.values() if isinstance(magics, ScriptMagics)]
        for magics in scripts:
            # They are killed when their kernel ends, not when the process does.
            magics.kill_bg_processes()  # type: ignore[no-untyped-call]
        self.user_ns.clear()
        sever_graph(self)
        for magics in scripts:
            magics.bg_processes = []  # its __del__ looks at it


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
