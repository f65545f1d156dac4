"""pyplot per kernel: its figures, numbered from 1 in each, the active one, and the backend that draws them."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

from IPython.display import display

from solara_ctx.jupyter.host import living_host
from solara_ctx.patching.matplotlib_settings import BACKEND, UPSTREAM, can_show, of_no_use, refuse_windows
from solara_ctx.patching.per_kernel import belonging
from solara_ctx.patching.stack import Patch
from solara_ctx.weak import WeakBag

# Jupyter's own sends pictures at the end of a cell, of all kernels together: its list of them is the process's.
_INLINE = frozenset({"inline", "module://matplotlib_inline.backend_inline"})


class Figures:
    """One kernel's."""

    def __init__(self) -> None:
        self.managers: OrderedDict[Any, Any] = OrderedDict()
        """By number, the active one last."""
        self.made: WeakBag[Any] = WeakBag()
        """Every manager so far: one that pyplot has closed may be in a cycle with its figure."""
        self.backend: Any = None
        """What draws, once something was drawn."""

    def sever(self) -> None:
        """Take the figures away from their canvases, which may be widgets of the kernel."""
        self.managers = OrderedDict()
        for manager in self.made.living():
            _detach(manager)


def _detach(manager: Any) -> None:
    """Let a figure be a figure without a window, as whoever may still have it can go on drawing it."""
    canvas = manager.canvas
    figure = canvas.figure
    if vars(canvas).pop("renderer", None) is not None:  # a picture, of a MB or more
        canvas._lastKey = None
    # What the page's code has connected with the mouse, and with what the axes show. One by one: a registry is in a
    # cycle with what it holds.
    for registry in (figure._canvas_callbacks, *(axes.callbacks for axes in figure.axes)):
        for number in [number for numbers in registry.callbacks.values() for number in numbers]:
            registry.disconnect(number)
    sys.modules["matplotlib.backend_bases"].FigureCanvasBase(figure)
    canvas.manager = None
    manager.__dict__.clear()


class KernelFigures:
    """Stands for `Gcf.figs`: the managers of the kernel that is current; outside a kernel, the process's."""

    def __init__(self, outside: "OrderedDict[Any, Any]") -> None:
        self._outside = outside

    def _managers(self) -> Any:
        own = belonging(Figures)
        return self._outside if own is None else own.managers

    def __setitem__(self, number: Any, manager: Any) -> None:
        living_host()  # who has none any more makes no new figures
        own = belonging(Figures)
        if own is None:
            self._outside[number] = manager
        else:
            own.managers[number] = manager
            own.made.add(manager)

    def __getitem__(self, number: Any) -> Any:
        return self._managers()[number]

    def __delitem__(self, number: Any) -> None:
        del self._managers()[number]

    def __contains__(self, number: object) -> bool:
        return number in self._managers()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._managers())

    def __reversed__(self) -> Any:
        return reversed(self._managers())

    def __len__(self) -> int:
        return len(self._managers())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._managers(), name)


def registry_patches(helpers: ModuleType) -> Sequence[Patch]:
    """The patch of pyplot's table of figures."""
    return (
        Patch(
            target=helpers.Gcf,
            attribute="figs",
            make=KernelFigures,
            why="pyplot keeps one process-wide table of figures, strongly, and one active figure",
            upstream=UPSTREAM,
        ),
    )


def pyplot_patches(pyplot: ModuleType) -> Sequence[Patch]:
    """The patches of pyplot itself, in the order in which they are applied."""
    return (
        *(
            Patch(
                target=pyplot,
                attribute=attribute,
                make=make,
                why="it registers with the first shell that it finds, and later with no other",
                upstream=UPSTREAM,
            )
            for attribute, make in (
                ("install_repl_displayhook", _outside_kernels),
                ("uninstall_repl_displayhook", _outside_kernels),
            )
        ),
        Patch(
            target=pyplot,
            attribute="switch_backend",
            make=_Backends(pyplot).switcher,
            why="a page that draws with ipympl, and one that draws pictures, have a backend each",
            upstream=UPSTREAM,
        ),
        Patch(
            target=pyplot,
            attribute="_get_backend_mod",
            make=lambda original: _backend_getter(pyplot, original),
            why="pyplot asks it for the backend each time",
            upstream=UPSTREAM,
        ),
    )


def ipympl_patches(ipympl: ModuleType) -> Sequence[Patch]:
    """The patch of ipympl's backend."""
    return (
        Patch(
            target=ipympl,
            attribute="is_interactive",
            make=lambda original: lambda: belonging(Figures) is None and original(),
            why="it keeps new figures for the end of the notebook's cell, in a list of the process's",
            upstream="ipympl 0.10",
        ),
        Patch(
            target=ipympl,
            attribute="DOMWidget",
            make=_calls_of_widget,
            why="a canvas makes a figure for nobody by that, in a cycle of its own, which would keep the canvas",
            upstream="ipympl 0.10",
        ),
    )


def _calls_of_widget(original: Any) -> Any:
    """The two methods of the base class that ipympl calls by its name."""

    def init(widget: Any, *args: Any, **options: Any) -> None:
        original.__init__(widget, *args, **options)
        for_nobody = vars(widget).get("figure")
        if for_nobody is not None:
            for_nobody.canvas = None

    return SimpleNamespace(__init__=init, send_state=original.send_state)


def _outside_kernels(original: Callable[[], None]) -> Callable[[], None]:
    def outside_kernels() -> None:
        if belonging(Figures) is None:
            original()

    return outside_kernels


def _backend_getter(pyplot: Any, original: Callable[[], Any]) -> Callable[[], Any]:
    def _get_backend_mod() -> Any:
        """The backend of the current kernel, chosen on first use; outside a kernel the process's."""
        own = belonging(Figures)
        if own is None:
            return original()
        return own.backend or pyplot.switch_backend(pyplot.rcParams._get("backend"))

    return _get_backend_mod


class _Backends:
    """The backends that kernels have used, loaded once for all."""

    def __init__(self, pyplot: Any) -> None:
        self._pyplot = pyplot
        self._loaded: dict[str, Any] = {}

    def switcher(self, original: FunctionType) -> Callable[[Any], Any]:
        def switch_backend(newbackend: Any) -> Any:
            """Draw with another backend from now on; in a kernel, in that kernel.

            Raises:
                ImportError: there is none of this name, or it is of no use in a page.
            """
            own = belonging(Figures)
            if own is None:
                return original(newbackend)
            refuse_windows(newbackend)
            name = newbackend if can_show(newbackend) and newbackend not in _INLINE else BACKEND
            own.backend = self._load(name, original)
            for params in (self._pyplot.rcParams, self._pyplot.rcParamsDefault):
                params["backend"] = name
            return own.backend

        return switch_backend

    def _load(self, name: str, original: FunctionType) -> Any:
        # Without a lock: to load one is to import modules, which have locks of their own.
        backend = self._loaded.get(name)
        if backend is None:
            # Upstream's own function, in a copy of its module's globals: what it assigns there is nobody else's.
            apart = dict(vars(self._pyplot))
            FunctionType(original.__code__, apart)(name)
            backend = apart["_backend_mod"]
            framework = backend.FigureCanvas.required_interactive_framework
            if framework is not None:
                raise ImportError(of_no_use(name, framework))
            if backend.FigureCanvas.manager_class.show is self._pyplot.FigureManagerBase.show:
                # It draws, and has nowhere to show it.
                backend.show = staticmethod(self._show)
            backend = self._loaded.setdefault(name, backend)
        return backend

    def _show(self, *_: Any, **__: Any) -> None:
        """Display the open figures where output goes to, and close them, as Jupyter does at the end of a cell."""
        try:
            for number in self._pyplot.get_fignums():
                display(self._pyplot.figure(number))  # type: ignore[no-untyped-call]
        finally:
            self._pyplot.close("all")
