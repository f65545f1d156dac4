"""The tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.pages.blocked import BLOCKED, Exhausted, Figures
from benchmarks.pages.limits import HOOK_S, Drain, Full
from benchmarks.pages.many import RATE, Memory, Size
from benchmarks.pages.neighbours import PAGES, Neighbour
from benchmarks.pages.storms import Storm
from benchmarks.support.figures import Spread, ratios
from benchmarks.support.plot import Bar, Bars, Line, Lines, Report, compared
from benchmarks.support.sides import Ours, Solara
from benchmarks.support.table import render, shown

_MS, _KB = 1000.0, 0.001
_POOL = 64
_A_FEW = 8
_MOST_KB = 60.0
_LATE_MS = 20.0
_STALL_MS = 50.0
_FLAT = 1.5
"""A heap of a gigabyte misses the processor's caches more often than one of 50 MB, whatever a server does."""
_LOSS = 1.2
_SHARE = 1.5
"""What is lost to threads that compute is measured with a few answers only."""


_MOST_MORE_MB = 100.0
"""Above `SOLARA_KERNEL_OUTBOX_LIMIT`, 64 MB, what is on its way through the server and the system."""
_DRAIN_S = 20.0
"""`SOLARA_KERNEL_DRAIN_TIMEOUT`."""
_TOLD_S = 1.0


@dataclass(frozen=True, slots=True)
class Peer:
    """One system with as many pages as Solara can take."""

    size: Size
    bare: Memory


def many(sizes: Sequence[Size], bare: Memory) -> str:
    """What the largest size keeps, and whether that is within its bound."""
    last = sizes[-1]
    rows = [
        _bounded("server threads", last.threads, _POOL + _A_FEW),
        _bounded("file descriptors per page", last.files_per_page, 1.01),
        _bounded("KB per page in use, above its widgets", (last.page.in_use - bare.in_use) * _KB, _MOST_KB),
        _bounded("KB per page of the process, above its widgets", (last.page.uss - bare.uss) * _KB, _MOST_KB),
        _free("KB in use for the widgets of a page, without a server", bare.in_use * _KB),
        _bounded(f"loop late, p99, ms, {RATE:g} clicks a second", last.late.p99 * _MS, _LATE_MS),
        _free("loop late at worst, ms", last.late.longest * _MS),
        _free("loop late at worst while the pages open, ms", max(size.late_opening.longest for size in sizes) * _MS),
        _free("click to answer, median, ms", last.answers.p50 * _MS),
        _free("click to answer, p99, ms", last.answers.p99 * _MS),
    ]
    return render([f"{last.pages} pages", "measured", "bound", ""], rows)


def cost(sizes: Sequence[Size]) -> Report:
    """What a click costs at each size; the largest in the smallest's."""
    rows, lines = [], []
    for label, figure, bound, is_drawn in _COSTS:
        figures = [figure(size) for size in sizes]
        ratio = figures[-1] / figures[0] if figures[0] else 0.0
        verdict = ["", ""] if bound is None else [f"<= {bound:g}", "met" if ratio <= bound else "missed"]
        rows.append([label, *map(_one, figures), _one(ratio), *verdict])
        if is_drawn:
            lines.append(Line(label, [(size.pages, each) for size, each in zip(sizes, figures, strict=True)]))
    table = render(["pages", *(str(size.pages) for size in sizes), "last in first's", "bound", ""], rows)
    return Report(table, Lines(f"what a click costs, {RATE:g} clicks a second", "pages in the process", lines))


def storms(found: Sequence[Storm]) -> Report:
    """How late the loop was at worst in each."""
    head = ["a storm", "pages", "loop late at worst, ms", "bound", "", "idle process, ms", "over after, s", "done"]
    rows, bars = [], []
    for storm in found:
        late_ms = storm.longest_s * _MS
        bars.append(Bar(f"{storm.pages} {storm.what}", Spread.of([late_ms]), _STALL_MS))
        rows.append(
            [
                storm.what,
                str(storm.pages),
                *_bounded("", late_ms, _STALL_MS)[1:],
                _one(storm.noise_s * _MS),
                _one(storm.seconds),
                f"{storm.done} of {storm.pages}",
            ]
        )
    axis = "loop late at worst, ms; \N{BLACK DOWN-POINTING TRIANGLE} wanted, at most"
    return Report(render(head, rows), Bars("storms: for how long everybody else waits", axis, " ms", bars))


def blocked(found: dict[str, Figures], echoes: Figures, exhausted: Exhausted) -> str:
    """What other kernels' blocking does to the answers of one page."""
    head = ["one page's answers, ms", "alone: median", "p99", "meanwhile: median", "p99", "longest", "bound", ""]
    share_ms = _lost_ms(echoes, "echo by a thread")
    rows = []
    for kind in ("sleep", "compute"):
        for side, figures in found.items():
            alone = figures[kind].alone.p50 * _MS
            most = alone * _SHARE + (1.0 if kind == "sleep" else share_ms * _SHARE)
            bound = most if side == Ours.name else None
            rows.append(_blocked_row(f"{side}, {BLOCKED} others {kind}", figures, kind, bound))
    rows += [_blocked_row(f"{name}, {BLOCKED} threads compute", echoes, name, None) for name in echoes]
    workers = ", ".join(f"{name} {count}" for name, count in exhausted.workers.items())
    return (
        f"{render(head, rows)}\n\n"
        f"{exhausted.blocked} kernels sleep at once: the answer to another page takes {exhausted.waited_s:.2f} s, of "
        f"{exhausted.left_s:.2f} s until they wake; /resourcez: {workers}"
    )


def neighbours(found: Sequence[Neighbour]) -> Report:
    """What one page that behaves badly costs the others."""
    head = [
        f"one page, and the answers to {PAGES} others, ms",
        "without: median",
        "p99",
        "with it: median",
        "p99",
        "median in that without",
        "bound",
        "",
        "its connections lost",
        "server's memory, MB more",
    ]
    rows, bars = [], []
    for each in found:
        label = f"{each.manner}, at another server" if each.elsewhere else each.manner
        times = [each.without.p50, each.without.p99, each.meanwhile.p50, each.meanwhile.p99]
        verdict = ["", ""] if each.elsewhere else _bounded("", each.p50_ratio.median, _LOSS)[2:]
        bars.append(Bar(label, each.p50_ratio, None if each.elsewhere else _LOSS))
        ends = ", ".join(f"{count} times {end}" for end, count in each.ends.items()) or "none"
        rows.append(
            [
                label,
                *(_one(time * _MS) for time in times),
                shown(each.p50_ratio),
                *verdict,
                ends,
                _one(each.longest_memory / 1e6),
            ]
        )
    axis = "median of the others' answers, in that without; \N{BLACK DOWN-POINTING TRIANGLE} wanted, at most"
    return Report(render(head, rows), Bars("one page that behaves badly", axis, "", bars))


def limits(drain: Drain, full: Full) -> str:
    """The end of all, and no room."""
    in_a_row_s = drain.pages * HOOK_S
    rows = [
        _bounded(f"SIGTERM with {drain.pages} pages: until the last was told, s", drain.last_close_s, _DRAIN_S),
        _bounded(f"until the process was gone, s; the hooks one by one: {in_a_row_s:g}", drain.exit_s, _DRAIN_S),
        [f"told `server-shutdown`, of {drain.pages}", str(drain.told), *_all_of(drain.told, drain.pages)],
        [f"hooks of {HOOK_S * _MS:g} ms run, of {drain.pages}", str(drain.hooks), *_all_of(drain.hooks, drain.pages)],
        ["told to come back in, s", shown(drain.delays), "", ""],
        _bounded(f"no room for {full.more} more: longest wait of a websocket, s", full.websocket.high, _TOLD_S),
        _bounded("longest wait of a page, s", full.page.high, _TOLD_S),
    ]
    return render(["at the limits", "measured", "bound", ""], rows)


def peers(ours: Sequence[Peer], theirs: Sequence[Peer]) -> Report:
    """Both systems with as many pages; ratios are of one round each."""
    title = f"{ours[0].size.pages} pages each, {len(ours)} rounds"
    head = [title, Ours.name, Solara.name, "ratio"]
    rows, bars = [], []
    for label, figure, floor in _PEERS:
        mine, other = ([figure(each) for each in rounds] for rounds in (ours, theirs))
        bars.append(Bar(label, ratios(other, mine, floor=floor)))
        rows.append([label, shown(Spread.of(mine)), shown(Spread.of(other)), shown(bars[-1].value)])
    return Report(render(head, rows), compared(f"beside Solara: {title}", bars))


_Cost = tuple[str, Callable[[Size], float], float | None, bool]  # the last: whether it is drawn
_COSTS: tuple[_Cost, ...] = (
    ("server's CPU per click, ms", lambda size: size.cpu_per_click_s * _MS, _FLAT, True),
    ("click to answer, median, ms", lambda size: size.answers.p50 * _MS, _FLAT, False),
    ("click to answer, p99, ms", lambda size: size.answers.p99 * _MS, None, True),
    ("loop late, p99, ms", lambda size: size.late.p99 * _MS, None, False),
    ("CPU without any clicks, %", lambda size: size.idle_cpu * 100, None, False),
    ("KB per page in use, widgets included", lambda size: size.page.in_use * _KB, None, False),
)
_PEERS: tuple[tuple[str, Callable[[Peer], float], float], ...] = (
    ("KB per page in use", lambda each: each.size.page.in_use * _KB, 1),
    ("the same above the bare widgets", lambda each: (each.size.page.in_use - each.bare.in_use) * _KB, 1),
    ("KB per page of the process", lambda each: each.size.page.uss * _KB, 1),
    ("server threads", lambda each: each.size.threads, 1),
    ("file descriptors per page", lambda each: each.size.files_per_page, 0.01),
    ("loop late, p99, ms", lambda each: each.size.late.p99 * _MS, 2),
    ("loop late at worst, ms", lambda each: each.size.late.longest * _MS, 2),
    ("click to answer, median, ms", lambda each: each.size.answers.p50 * _MS, 0.01),
    ("click to answer, p99, ms", lambda each: each.size.answers.p99 * _MS, 0.01),
    ("server's CPU per click, ms", lambda each: each.size.cpu_per_click_s * _MS, 0.01),
    ("CPU without any clicks, %", lambda each: each.size.idle_cpu * 100, 1),
)


def _bounded(label: str, figure: float, bound: float) -> list[str]:
    return [label, _one(figure), f"<= {_one(bound)}", "met" if figure <= bound else "missed"]


def _all_of(done: int, wanted: int) -> list[str]:
    return [str(wanted), "met" if done == wanted else "missed"]


def _free(label: str, figure: float) -> list[str]:
    return [label, _one(figure), "", ""]


def _blocked_row(label: str, figures: Figures, kind: str, bound_ms: float | None) -> list[str]:
    alone, meanwhile = figures[kind].alone, figures[kind].meanwhile
    times = [alone.p50, alone.p99, meanwhile.p50, meanwhile.p99, meanwhile.longest]
    verdict = ["", ""] if bound_ms is None else _bounded("", meanwhile.p50 * _MS, bound_ms)[2:]
    return [label, *(_one(each * _MS) for each in times), *verdict]


def _lost_ms(figures: Figures, kind: str) -> float:
    return (figures[kind].meanwhile.p50 - figures[kind].alone.p50) * _MS


def _one(figure: float) -> str:
    return shown(Spread(figure, figure, figure))
