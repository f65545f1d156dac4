"""How to set each thing that docs/isolation.md speaks of, and how to look at it, by its name there."""

import asyncio
import builtins
import decimal
import functools
import gc
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import altair as alt
import ipyvue
import ipyvuetify
import ipywidgets as widgets
import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.io as pio
import pytest
from comm import get_comm_manager
from IPython import get_ipython
from ipyvue import VueComponentRegistry
from matplotlib import colors
from matplotlib import pyplot as plt

from solara_ctx import KernelVar, has_current_context

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its traits are declared as they were long ago
    import bqplot.pyplot

_local = threading.local()
_variable: ContextVar[int] = ContextVar("variable", default=0)
_kernel_var: KernelVar[int] = KernelVar("kernel var", 0)
_globals: dict[str, int] = {}
_loops: list[asyncio.AbstractEventLoop] = []
_library: dict[str, Any] = mpl.style.library


def _in_turn(*steps: Callable[[int], object]) -> Callable[[int], None]:
    def put(number: int) -> None:
        for step in steps:
            step(number)

    return put


class Probe(NamedTuple):
    """How to set something and to look at it."""

    put: Callable[[int], object]
    """Set it to 1 or 2."""
    look: Callable[[], object]
    """What it is set to; anything else where it was not set."""
    reset: Callable[[], object] = lambda: None
    """Put back what the process had, where the process has only one."""


@functools.cache
def _held() -> dict[str, int]:
    return {}


def _named(name: str) -> Any:
    """What has that name in the kernel's shell."""
    shell = get_ipython()
    return shell and shell.user_ns.get(name)


def _print(number: int) -> None:
    output = widgets.Output()
    with output:
        print(number)
    get_ipython().user_ns["output"] = output


def _printed() -> object:
    output = _named("output")
    return output and int(output.outputs[0]["text"])


def _signals(number: int) -> None:
    with pytest.raises(ValueError, match="main thread"):
        signal.signal(signal.SIGUSR1, lambda *_: number)
    _globals["signal"] = number


def _set_loop(number: int) -> None:
    loop = asyncio.new_event_loop()
    loop.set_debug(number == 2)
    _loops.append(loop)
    asyncio.set_event_loop(loop)


def _loop() -> int:
    try:
        return 1 + asyncio.get_event_loop().get_debug()
    except RuntimeError:  # this thread has none
        return 0


def _close_loops() -> None:
    while _loops:
        _loops.pop().close()


def _color(number: int) -> None:
    colors.colorConverter.colors["b"] = (number / 2, 0, 0)


class _Policy(asyncio.DefaultEventLoopPolicy):
    number = 0


def _policy(number: int) -> None:
    policy = _Policy()
    policy.number = number
    asyncio.set_event_loop_policy(policy)


def _issue_warnings(texts: list[str]) -> None:
    told = get_ipython().user_ns.setdefault("told", [])
    warnings.showwarning = lambda message, *_: told.append(str(message))
    for text in texts:
        warnings.warn(text, stacklevel=1)


def _bqplot_number() -> int:
    figures = bqplot.pyplot.get_context()["figure_registry"]
    return int(figures["a key"].title) if figures else 0


PROBES: dict[str, Probe] = {
    "widgets, comms, `get_ipython()` and its namespace": Probe(
        _in_turn(
            lambda number: [widgets.Label() for _ in range(number)],
            lambda number: get_comm_manager().register_target(f"target {number}", print),
            lambda number: get_ipython().push({"number": number}),
        ),
        lambda: _named("number"),
    ),
    "`KernelVar`": Probe(_kernel_var.set, lambda: has_current_context() and _kernel_var.get()),
    "what is printed and displayed": Probe(_print, _printed),
    "context variables": Probe(_variable.set, _variable.get),
    "`numpy.printoptions`, `numpy.errstate`, `decimal.getcontext()`": Probe(
        _in_turn(
            lambda number: np.set_printoptions(precision=number),
            lambda number: setattr(decimal.getcontext(), "prec", number),
        ),
        lambda: decimal.getcontext().prec if decimal.getcontext().prec == np.get_printoptions()["precision"] else 0,
    ),
    "`matplotlib.rcParams`, `plt.style.use`, `rc_context`": Probe(
        lambda number: mpl.rcParams.update({"lines.linewidth": number}), lambda: mpl.rcParams["lines.linewidth"]
    ),
    """pyplot's figures, `plt.gcf()`, `plt.close("all")`""": Probe(
        lambda number: [plt.figure() for _ in range(number)], lambda: len(plt.get_fignums())
    ),
    "matplotlib's backend": Probe(
        lambda number: mpl.use(["svg", "pdf"][number - 1]),
        lambda: {"svg": 1, "pdf": 2}.get(mpl.get_backend()),
    ),
    "`warnings` filters, `catch_warnings`, `showwarning`": Probe(
        lambda number: warnings.simplefilter("ignore", lineno=number),
        lambda: warnings.filters[0][-1],
    ),
    "which warnings were shown already": Probe(
        lambda number: _issue_warnings([f"careful {turn}" for turn in range(number) for _ in ("told", "not again")]),
        lambda: len(_named("told") or ()),
    ),
    "`pandas.options` of `display`, `plotting`, `styler`": Probe(
        _in_turn(
            lambda number: pd.set_option("display.max_rows", number),
            lambda number: setattr(pd.options.styler.format, "precision", number),
        ),
        lambda: pd.options.display.max_rows if pd.get_option("display.max_rows") == pd.options.display.max_rows else 0,
    ),
    "`plotly.io.templates.default`, `plotly.io.renderers.default`": Probe(
        _in_turn(
            lambda number: setattr(pio.templates, "default", ["ggplot2", "seaborn"][number - 1]),
            lambda number: setattr(pio.renderers, "default", ["png", "svg"][number - 1]),
        ),
        lambda: {("ggplot2", "png"): 1, ("seaborn", "svg"): 2}.get((pio.templates.default, pio.renderers.default)),
    ),
    "ipyvuetify's `theme`; templates, components and modules of ipyvue": Probe(
        _in_turn(
            lambda number: setattr(ipyvuetify.theme, "dark", number == 2),
            lambda number: setattr(ipyvuetify.theme.themes.light, "primary", f"color {number}"),
            lambda number: ipyvue.register_component_from_string("probe", str(number)),
        ),
        lambda: (
            {("color 1", False): 1, ("color 2", True): 2}.get(
                (ipyvuetify.theme.themes.light.primary, ipyvuetify.theme.dark)
            )
            if "probe" in VueComponentRegistry.vue_component_registry
            else None
        ),
    ),
    "altair's enabled theme, renderer, data transformer": Probe(
        _in_turn(
            lambda number: alt.theme.enable(["dark", "ggplot2"][number - 1]),
            lambda number: alt.renderers.enable("html", embed_options={"number": number}),
            lambda number: alt.data_transformers.enable("default", max_rows=number),
        ),
        lambda: (
            alt.data_transformers.options.get("max_rows")
            if {"dark": 1, "ggplot2": 2}.get(alt.theme.active) == alt.data_transformers.options.get("max_rows")
            else 0
        ),
    ),
    "`bqplot.pyplot`'s current figure, and those with a key": Probe(
        _in_turn(
            lambda number: bqplot.pyplot.figure(title=str(number)),
            lambda _: bqplot.pyplot.plot([1, 2], [3, 4]),
            lambda number: bqplot.pyplot.figure("a key", title=str(number)),
        ),
        _bqplot_number,
    ),
    "`threading.local`": Probe(lambda number: setattr(_local, "number", number), lambda: getattr(_local, "number", 0)),
    "the running asyncio event loop": Probe(_set_loop, _loop, _close_loops),
    "global variables, attributes of classes, caches such as `functools.cache`": Probe(
        lambda number: _held().update(number=number), lambda: _held().get("number"), _held.cache_clear
    ),
    "`builtins`, `sys.modules`": Probe(
        lambda number: setattr(builtins, "_number", number),
        lambda: getattr(builtins, "_number", 0),
        lambda: delattr(builtins, "_number"),
    ),
    "`os.environ`": Probe(
        lambda number: os.environ.update(NUMBER=str(number)),
        lambda: int(os.environ.get("NUMBER", "0")),
        lambda: os.environ.pop("NUMBER"),
    ),
    "the working directory": Probe(
        lambda number: os.chdir(["/", "/tmp"][number - 1]),  # noqa: S108 - a folder that there is
        lambda: {"/": 1, "/tmp": 2}.get(str(Path.cwd())),  # noqa: S108 - same
        functools.partial(os.chdir, Path.cwd()),
    ),
    "the locale": Probe(
        lambda number: locale.setlocale(locale.LC_TIME, ["C", "C.UTF-8"][number - 1]),
        lambda: {"C": 1, "C.UTF-8": 2}.get(locale.setlocale(locale.LC_TIME)),
        lambda: locale.setlocale(locale.LC_TIME, "C"),
    ),
    "`random`, `numpy.random`": Probe(
        random.seed,
        lambda: next((number for number in (1, 2) if random.Random(number).getstate() == random.getstate()), 0),  # noqa: S311 - nothing secret
    ),
    "`sys.path`, `sys.argv`": Probe(
        lambda number: sys.argv.append(str(number)),
        lambda: sys.argv[-1].isdigit() and int(sys.argv[-1]),
        sys.argv.pop,
    ),
    "`sys.stdout`, `sys.stderr` as objects": Probe(
        lambda number: setattr(sys.stdout, "number", number),
        lambda: getattr(sys.stdout, "number", 0),
        lambda: delattr(sys.stdout, "number"),
    ),
    "`sys.excepthook`, `threading.excepthook`": Probe(
        lambda number: setattr(sys, "excepthook", [print, repr][number - 1]),
        lambda: {print: 1, repr: 2}.get(sys.excepthook),
        lambda: setattr(sys, "excepthook", sys.__excepthook__),
    ),
    "`logging`: handlers, levels, `captureWarnings`": Probe(
        lambda number: logging.getLogger("probe").setLevel(number), lambda: logging.getLogger("probe").level
    ),
    "signal handlers": Probe(_signals, lambda: _globals.get("signal")),
    "the asyncio event loop policy": Probe(
        _policy,
        lambda: getattr(asyncio.get_event_loop_policy(), "number", 0),
        lambda: asyncio.set_event_loop_policy(None),
    ),
    "interpreter settings: `sys.setrecursionlimit`, `socket.setdefaulttimeout`, `gc`": Probe(
        _in_turn(socket.setdefaulttimeout, lambda _: gc.set_threshold(*gc.get_threshold())),
        socket.getdefaulttimeout,
        lambda: socket.setdefaulttimeout(None),
    ),
    "`pandas.options` about computing: `compute`, `mode`, `future`, `io`": Probe(
        lambda number: pd.set_option("mode.performance_warnings", number == 2),
        lambda: 1 + pd.get_option("mode.performance_warnings"),
        lambda: pd.reset_option("mode.performance_warnings"),
    ),
    "names that are registered: styles, colour maps, fonts, plotly templates, altair themes": Probe(
        lambda number: _library.update(mine={"lines.linewidth": number}),
        lambda: _library.get("mine", {}).get("lines.linewidth"),
        lambda: _library.pop("mine"),
    ),
    "seaborn's `set_color_codes`": Probe(
        _color,
        lambda: colors.to_rgb("b")[0] * 2,
        functools.partial(colors.colorConverter.colors.__setitem__, "b", colors.colorConverter.colors["b"]),
    ),
}
