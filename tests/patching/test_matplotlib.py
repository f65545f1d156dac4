"""matplotlib's settings, figures and backends, per kernel; and whether it still is what the patches were made for."""

import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import ipywidgets as widgets
import matplotlib as mpl
import pytest
from IPython.display import display
from matplotlib import _pylab_helpers, rcsetup
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from solara_ctx import ContextClosed, current
from solara_ctx.patching.matplotlib_figures import Figures
from solara_ctx.patching.matplotlib_settings import Settings
from tests.support.kernels import StandInContext, patched

OF_IPYMPL = pytest.mark.filterwarnings("ignore:Passing unrecognized arguments to super:DeprecationWarning")
# Asked for by name: it is a class's attribute, which stands for that of the kernel that is current.
figs: Any = _pylab_helpers.Gcf


@pytest.fixture(autouse=True)
def _nothing_of_the_process_changes() -> Iterator[None]:
    """Its settings, backend and figures are what they were."""
    mpl.use("agg")

    def seen() -> object:
        return [dict(dict.items(getattr(mpl, name))) for name in ("rcParams", "rcParamsDefault", "rcParamsOrig")]

    before, canvas = seen(), plt._get_backend_mod().FigureCanvas
    yield
    assert seen() == before
    assert plt._get_backend_mod().FigureCanvas is canvas
    assert plt.get_fignums() == []


def width() -> float:
    return float(mpl.rcParams["lines.linewidth"])


# Settings


def test_each_kernel_has_its_own_settings(kernel: StandInContext, other: StandInContext) -> None:
    """However they are set, and by whichever name they are known."""
    ours = width()

    def use() -> list[float]:
        plt.rcParams["lines.linewidth"] = 5
        found = [width()]
        with plt.rc_context({"lines.linewidth": 6}):
            found.append(width())
        plt.rc("lines", linewidth=7)
        found.append(width())
        plt.style.use("ggplot")
        found.append(plt.rcParams["axes.facecolor"])
        mpl.rcParams |= {"lines.linewidth": 8}
        found.append(width())
        plt.rcdefaults()
        return [*found, width()]

    assert kernel.run(use) == [5.0, 6.0, 7.0, "#E5E5E5", 8.0, 1.5]
    kernel.run(mpl.rcParams.update, {"lines.linewidth": 9})
    other.run(mpl.rcParams.update, {"lines.linewidth": 3})
    assert [kernel.run(width), other.run(width), width()] == [9.0, 3.0, ours]


def test_a_line_is_drawn_with_the_settings_of_its_kernel(kernel: StandInContext, other: StandInContext) -> None:
    """Matplotlib's own ways of reading them, and those of a thread of the kernel."""
    kernel.run(mpl.rcParams.update, {"lines.linewidth": 9, "axes.facecolor": "red"})

    def drawn() -> tuple[Any, ...]:
        axes = Figure().subplots()
        (line,) = axes.plot([1, 2])
        return line.get_linewidth(), axes.get_facecolor()

    def in_thread() -> tuple[Any, ...]:
        found: list[tuple[Any, ...]] = []
        thread = threading.Thread(target=lambda: found.append(drawn()))
        thread.start()
        thread.join()
        return found[0]

    red = (9.0, (1.0, 0.0, 0.0, 1.0))
    assert [kernel.run(drawn), kernel.run(in_thread)] == [red, red]
    assert drawn() == other.run(drawn) == (1.5, (1.0, 1.0, 1.0, 1.0))


def test_all_ways_of_reading(kernel: StandInContext) -> None:
    """As a mapping, copied, merged, in the order of its keys."""
    kernel.run(mpl.rcParams.update, {"lines.linewidth": 9})

    def ways() -> list[object]:
        params = mpl.rcParams
        everything: Any = (
            params["lines.linewidth"],
            params._get("lines.linewidth"),
            params.get("lines.linewidth"),
            params.copy()["lines.linewidth"],
            {**params}["lines.linewidth"],
            dict(params)["lines.linewidth"],
            dict(params.items())["lines.linewidth"],
            (params | {"other": 1})["lines.linewidth"],
            ({"other": 1} | params)["lines.linewidth"],
            (params | params)["lines.linewidth"],
            (mpl.rcParamsDefault | params)["lines.linewidth"],
            params.find_all("lines.linewidth")["lines.linewidth"],
            mpl.RcParams(params)["lines.linewidth"],
        )
        other = mpl.RcParams()
        other._update_raw(params)
        return [*everything, other["lines.linewidth"]]

    assert set(kernel.run(ways)) == {9.0}
    assert set(ways()) == {1.5}
    assert kernel.run(list, mpl.rcParams) == list(mpl.rcParams)
    assert kernel.run(len, mpl.rcParams) == len(mpl.rcParams)
    assert kernel.run(lambda: type(mpl.rcParams.copy())) is mpl.RcParams
    assert kernel.run(lambda: "lines.linewidth: 9.0" in str(mpl.rcParams))
    with pytest.raises(KeyError):
        kernel.run(mpl.rcParams.__getitem__, "no such setting")
    with pytest.raises(KeyError, match="no such setting"):
        kernel.run(mpl.rcParams.update, {"no such setting": 1})


def test_lists_are_the_kernels_own(kernel: StandInContext, other: StandInContext) -> None:
    """People put fonts into them, in place."""
    kernel.run(lambda: mpl.rcParams["font.sans-serif"].insert(0, "Mine"))
    assert kernel.run(lambda: mpl.rcParams["font.sans-serif"][0]) == "Mine"
    assert "Mine" not in other.run(lambda: mpl.rcParams["font.sans-serif"])


def test_the_defaults_are_the_kernels_own(kernel: StandInContext, other: StandInContext) -> None:
    """The two objects beside rcParams; other ones are ordinary."""
    kernel.run(mpl.rcParamsDefault.update, {"lines.linewidth": 9})
    kernel.run(plt.rcdefaults)
    assert [kernel.run(width), other.run(width)] == [9.0, 1.5]
    mine = mpl.RcParams({"lines.linewidth": 4})
    kernel.run(mine.update, {"lines.linewidth": 5})
    assert mine["lines.linewidth"] == 5.0


def test_a_kernel_begins_with_the_settings_of_the_process(kernel: StandInContext) -> None:
    """Those that the app has set where it was imported; within without_context() they can be seen, and set."""
    with mpl.rc_context({"lines.linewidth": 4}):
        assert kernel.run(width) == 4.0
        kernel.run(mpl.rcParams.update, {"lines.linewidth": 9})

        def without() -> float:
            with current.without_context():
                return width()

        assert kernel.run(without) == 4.0


def test_a_thread_that_outlives_its_kernel(kernel: StandInContext) -> None:
    """It sees the process's settings, what it changes nobody sees, and it has no figures."""
    kernel.run(mpl.rcParams.update, {"lines.linewidth": 9})
    variables = kernel._variables
    kernel.close()
    assert variables.run(width) == 1.5
    variables.run(lambda: mpl.rcParams.update({"lines.linewidth": 9}))
    variables.run(plt.switch_backend, "svg")
    assert variables.run(width) == 1.5
    with pytest.raises(ContextClosed):
        variables.run(plt.figure)
    assert variables.run(plt.get_fignums) == []
    assert variables.run(mpl.get_backend) == "agg"


# Figures


def test_figures_are_numbered_from_one_in_each_kernel(kernel: StandInContext, other: StandInContext) -> None:
    """And each has its own current one."""
    mine = [kernel.run(plt.figure) for _ in range(3)]
    theirs = other.run(plt.figure)
    assert [figure.number for figure in (*mine, theirs)] == [1, 2, 3, 1]
    assert kernel.run(plt.gcf) is mine[2]
    assert other.run(plt.gcf) is theirs
    assert kernel.run(lambda: plt.figure(1)) is mine[0] is kernel.run(plt.gcf)
    assert other.run(plt.gca).figure is theirs
    kernel.run(plt.close, 2)
    assert [kernel.run(plt.get_fignums), other.run(plt.get_fignums), plt.get_fignums()] == [[1, 3], [1], []]
    assert kernel.run(plt.fignum_exists, 3)
    assert not other.run(plt.fignum_exists, 3)
    kernel.run(plt.close, "all")
    assert [kernel.run(plt.get_fignums), other.run(plt.get_fignums)] == [[], [1]]


def test_the_table_of_figures_is_like_upstreams(kernel: StandInContext) -> None:
    """What matplotlib and ipympl do with it."""

    def use() -> None:
        table: Any = figs.figs
        plt.figure()
        plt.figure()
        assert (list(table), list(reversed(table)), len(table), 1 in table) == ([1, 2], [2, 1], 2, True)
        assert table[2].num == figs.get_active().num == 2
        assert [manager.num for manager in table.values()] == [1, 2]
        del table[1]
        table.pop(2)
        assert not table

    kernel.run(use)


def shown(context: StandInContext, page: Any) -> list[list[str]]:
    """The types in which each thing is shown in an Output, in which *page* runs."""

    def use() -> Any:
        output = widgets.Output()
        with output:
            page()
        return output

    return [sorted(record.get("data", [record["output_type"]])) for record in context.run(use).outputs]


def test_show_displays_the_open_figures_and_closes_them(kernel: StandInContext, other: StandInContext) -> None:
    """As Jupyter does: pictures, in the order of their numbers; where nothing is open, nothing."""
    other.run(plt.plot, [1, 2])

    def page() -> None:
        for number in (2, 1):
            plt.figure(number)
            plt.plot([1, 2])
        plt.show()
        assert plt.get_fignums() == []
        plt.show(block=True)

    assert shown(kernel, page) == [["image/png", "text/plain"]] * 2
    assert other.run(plt.get_fignums) == [1]


def test_show_closes_what_it_can_not_display(kernel: StandInContext) -> None:
    """Or it would fail again and again."""

    def page() -> None:
        plt.plot([1, 2])
        plt.title("$\\nonsense$")
        plt.show()

    shown(kernel, page)
    assert kernel.run(plt.get_fignums) == []


def test_a_figure_is_displayed_as_a_picture(kernel: StandInContext) -> None:
    """One of pyplot's, and one of nobody's; an empty one as text."""
    drawn = Figure()
    drawn.subplots().plot([1, 2])
    assert shown(kernel, lambda: display(drawn)) == [["image/png", "text/plain"]]
    assert shown(kernel, lambda: display(plt.subplots()[0])) == [["image/png", "text/plain"]]
    assert shown(kernel, lambda: display(Figure())) == [["text/plain"]]


# Backends


@OF_IPYMPL
def test_each_kernel_has_its_own_backend(kernel: StandInContext, other: StandInContext) -> None:
    """One draws with ipympl, another one pictures; at the same time."""
    kernel.run(mpl.use, "module://ipympl.backend_nbagg")

    def canvas() -> str:
        return type(plt.figure().canvas).__name__

    assert [kernel.run(canvas), other.run(canvas), kernel.run(canvas)] == ["Canvas", "FigureCanvasAgg", "Canvas"]
    assert [kernel.run(mpl.get_backend), other.run(mpl.get_backend)] == ["module://ipympl.backend_nbagg", "agg"]
    other.run(plt.switch_backend, "svg")
    assert [kernel.run(canvas), other.run(canvas)] == ["Canvas", "FigureCanvasSVG"]
    other.run(mpl.rcParams.update, {"backend": "pdf"})
    assert other.run(mpl.get_backend) == "pdf"


@pytest.mark.parametrize("backend", ["TkAgg", "qtagg", "MacOSX", "WebAgg", "nbAgg", "notebook", "GTK3Cairo"])
def test_a_backend_with_windows_is_refused(kernel: StandInContext, backend: str) -> None:
    """By each way of choosing it, before it is loaded; and the one before stays."""
    loaded = set(sys.modules)
    for choose in (mpl.use, plt.switch_backend, lambda name: mpl.rcParams.update({"backend": name})):
        with pytest.raises(ImportError, match=r"windows of .* on the server; use"):
            kernel.run(choose, backend)
    assert not {name for name in set(sys.modules) - loaded if "backend" in name}
    assert kernel.run(mpl.get_backend) == "agg"
    kernel.run(lambda: mpl.use(backend, force=False))


def test_a_backend_of_somebody_elses_with_windows_is_refused(
    kernel: StandInContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which shows when it is loaded."""
    from matplotlib.backends import backend_agg  # noqa: PLC0415 - loaded by name elsewhere

    canvas = type("Canvas", (backend_agg.FigureCanvasAgg,), {"required_interactive_framework": "tk"})
    monkeypatch.setitem(sys.modules, "theirs", type(sys)("theirs"))
    monkeypatch.setattr(sys.modules["theirs"], "FigureCanvas", canvas, raising=False)
    monkeypatch.setattr(mpl.cbook, "_get_running_interactive_framework", lambda: None)  # as where there are windows
    with pytest.raises(ImportError, match="windows of tk"):
        kernel.run(mpl.use, "module://theirs")


@pytest.mark.parametrize("backend", [rcsetup._auto_backend_sentinel, "TkAgg", "notebook"])
def test_the_choice_of_the_process_may_be_of_no_use(kernel: StandInContext, backend: Any) -> None:
    """It has made none, or one with windows: a kernel draws pictures, and chooses nothing for the process."""
    dict.__setitem__(mpl.rcParams, "backend", backend)
    try:
        assert kernel.run(mpl.get_backend) == "agg"
        assert type(kernel.run(plt.figure).canvas).__name__ == "FigureCanvasAgg"
        assert dict.__getitem__(mpl.rcParams, "backend") is backend
    finally:
        dict.__setitem__(mpl.rcParams, "backend", "agg")


@pytest.mark.parametrize("backend", ["inline", "module://matplotlib_inline.backend_inline"])
def test_jupyters_own_backend(kernel: StandInContext, backend: str) -> None:
    """It stands for pictures in the page; so does the magic, and to leave the choice to matplotlib."""
    kernel.run(mpl.use, backend)
    kernel.run(plt.switch_backend, rcsetup._auto_backend_sentinel)
    kernel.run(lambda: kernel.living_host.shell.run_line_magic("matplotlib", "inline"))
    assert shown(kernel, lambda: (plt.plot([1, 2]), plt.show())) == [["image/png", "text/plain"]]


@OF_IPYMPL
def test_interactive_mode_is_the_kernels(kernel: StandInContext, other: StandInContext) -> None:
    """Switched on and off without a shell, that of another kernel least of all; ipympl keeps no list of figures."""
    ipympl = pytest.importorskip("ipympl.backend_nbagg")

    def use() -> list[bool]:
        found = []
        mpl.use("ipympl")
        for switch in (plt.ion, plt.ioff, plt.ion):
            switch()
            plt.figure()
            found.append(plt.isinteractive())
        return found

    for context in (kernel, other):
        assert context.run(use) == [True, False, True]
        assert context.living_host.shell_if_made is None
    assert ipympl._Backend_ipympl._to_show == []
    assert not plt.isinteractive()


def test_the_process_goes_on_as_before(kernel: StandInContext) -> None:
    """Where no kernel is current, all is upstream's."""
    figure = plt.figure()
    plt.switch_backend("svg")
    assert mpl.get_backend() == "svg"
    plt.switch_backend("agg")
    with plt.ion():
        assert plt.isinteractive()
    assert kernel.run(plt.get_fignums) == []
    assert plt.get_fignums() == [figure.number]
    plt.close("all")
    assert (mpl.rcParams | {})["lines.linewidth"] == ({} | mpl.rcParams)["lines.linewidth"] == 1.5
    assert mpl.RcParams().__ior__({}) == {}


# The end


def test_a_closed_kernel_has_no_figures(kernel: StandInContext) -> None:
    """A figure that somebody still has is an ordinary one, which can be drawn."""

    def use() -> Any:
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        figure.canvas.draw()
        figure.canvas.mpl_connect("button_press_event", display)
        return figure

    figure = kernel.run(use)
    canvas = weakref.ref(figure.canvas)
    belongings = kernel.living_host.belongings
    assert len(belongings) == 2
    kernel.close()
    assert len(belongings) == 0
    assert canvas() is None
    assert figure.canvas.manager is None
    figure.canvas.draw()
    assert belongings.of(Figures) is not belongings.of(Figures)


@OF_IPYMPL
def test_a_canvas_of_ipympl_goes_with_its_kernel(kernel: StandInContext) -> None:
    """It is a widget; its figure, full of cycles of matplotlib's own, no longer holds it."""

    def use() -> Any:
        mpl.use("ipympl")
        figure, axes = plt.subplots()
        (line,) = axes.plot([1, 2])
        slider = widgets.IntSlider()
        figure.canvas.mpl_connect("button_press_event", lambda event: (slider, figure))
        slider.observe(lambda change: line.set_ydata([change.new, figure]), "value")
        return [weakref.ref(thing) for thing in (figure.canvas, figure.canvas.toolbar, slider, figure)]

    gc.collect()
    gc.disable()
    try:
        *parts, figure = kernel.run(use)
        kernel.close()
        assert [part() for part in parts] == [None] * 3
        # Upstream's Figure and its Axes refer to each other.
        assert figure() is not None
    finally:
        gc.enable()
    gc.collect()
    assert figure() is None


def test_settings_go_with_their_kernel(kernel: StandInContext) -> None:
    """Though a page has left a block with settings open."""
    block = mpl.rc_context({"lines.linewidth": 9})
    kernel.run(block.__enter__)
    settings = weakref.ref(kernel.run(lambda: kernel.living_host.belongings.of(Settings)))
    kernel.close()
    assert settings() is None
    assert width() == 1.5


def test_nobody_imports_matplotlib() -> None:
    """Neither the library, nor a kernel, nor its shell; a page that imports it later has it of its own."""
    script = (
        "import sys\n"
        "from tests.support.kernels import StandInContext, patched\n"
        "with patched():\n"
        "    one, two = StandInContext(kernel_id='one kernel'), StandInContext(kernel_id='two kernels')\n"
        "    one.run(lambda: one.living_host.shell)\n"
        "    assert not {'matplotlib', 'pandas', 'plotly', 'altair', 'bqplot', 'ipympl'} & set(sys.modules)\n"
        "    def figure():\n"
        "        from matplotlib import pyplot, rcParams\n"
        "        rcParams['lines.linewidth'] = 9\n"
        "        return pyplot.figure().number, pyplot.get_backend()\n"
        "    assert one.run(figure) == two.run(figure) == (1, 'agg')\n"
        "    import matplotlib.pyplot\n"
        "    assert matplotlib.rcParams['lines.linewidth'] == 1.5\n"
        "    assert matplotlib.pyplot.get_fignums() == []\n"
        "    one.close(), two.close()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)  # noqa: S603 - our own lines


def test_the_patches_come_off() -> None:
    """Where there was a kernel, there is upstream again."""
    with patched():
        assert type(figs.figs).__name__ == "KernelFigures"
    assert type(figs.figs).__name__ == "OrderedDict"
    assert type(mpl.rcParams | {}) is dict
