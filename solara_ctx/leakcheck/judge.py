"""From measures to a verdict: a plateau or a leak.

Evidence that can be counted comes first, as it has no noise: closed kernels that stay, containers and types that grow
in step, to the end of the run.  Such a leak is one however small.  Memory alone is noisy, so its slope has to be clear.
"""

import linecache
from collections.abc import Sequence

from solara_ctx.leakcheck.messages import Growth, Origin
from solara_ctx.leakcheck.places import is_user_file
from solara_ctx.leakcheck.results import Finding, Measure, Series, Verdict
from solara_ctx.leakcheck.trend import Slope, later, still_grows, theil_sen
from solara_ctx.leaks.explain import Explanation

# Bytes per session or use.  In apps that keep nothing, allocators still settle over a hundred sessions, at 2 to 11 KB
# for each: what memory alone shows has to be well above.  Whatever has Python objects is counted, without any floor.
FLOOR_BYTES = 30_000.0
_TWO = 2
_EACH = 0.9
_ABOUT = 0.34
_OPEN_KERNEL = "VirtualKernelContext."
# With fewer points, the warming up of allocators can look like a line.
_CLEAR_POINTS = 6
# Where kernels are kept, whatever they consist of grows, too, which tells nothing more; a container or a count may.
_TELLING = {"container", "count"}


def judge(series: Series) -> Verdict:
    """What a series comes to."""
    slope = _slope(series.measures)
    leaks: list[Finding] = []
    notes: list[Finding] = []
    kept = [measure.kept for measure in series.measures]
    if series.unit == "session" and kept and kept[-1] > 0:
        grows = still_grows(kept)
        for finding in _of_kernels(series, kept, grows=grows):
            (leaks if grows else notes).append(finding)
    for growth in series.growth:
        if leaks and growth.kind not in _TELLING:
            continue
        (leaks if _is_leak(growth) else notes).append(_of_growth(growth, series))
    clear = slope is not None and slope.points >= _CLEAR_POINTS and slope.low > FLOOR_BYTES
    if clear and not leaks and not any(growth.bound for growth in series.growth):
        leaks.append(_of_memory(series))
    return Verdict(series=series, slope=slope, leaks=_once_per_place(leaks), notes=_once_per_place(notes))


def _is_leak(growth: Growth) -> bool:
    """Whether it is surely one: it has no bound, and is in the app's own code, or more with each session."""
    if growth.bound is not None:
        return False
    if growth.file is not None and is_user_file(growth.file):
        return True
    # A table of a library that happens to grow in each of a few cycles is none.
    return growth.kind in _TELLING and growth.per_step >= _EACH


def _slope(measures: Sequence[Measure]) -> Slope | None:
    if len(measures) < _TWO:
        return None
    counted = measures[later([measure.uss for measure in measures]) :]
    return theil_sen([measure.done for measure in counted], [measure.uss for measure in counted])


def _of_kernels(series: Series, kept: Sequence[int], *, grows: bool) -> list[Finding]:
    rate = (kept[-1] - kept[0]) / (series.measures[-1].done - series.measures[0].done or 1)
    many = f"closed kernels are never freed, {rate:.2g} per session" if grows else ""
    some = f"{kept[-1]} closed kernels are kept, but no more of them with more sessions"
    what = many or some
    if not series.chains:
        return [_with_origin(what, "", series.origins)]
    return [
        _explained(f"{what}: {chain.count} of the last {chain.of} by this", chain.explanation, series.origins)
        for chain in series.chains
    ]


def _of_growth(growth: Growth, series: Series) -> Finding:
    unit = series.unit
    what = f"{growth.what} grows by {growth.per_step:.3g} per {unit}"
    if growth.bound is not None:
        what += f", up to a bound of {growth.bound}"
    origins = _by(growth, series) or series.origins
    if growth.explanation is None:
        return _with_origin(what, "", origins)
    return _explained(what, growth.explanation, origins)


def _by(growth: Growth, series: Series) -> list[Origin]:
    """Where that was made which it has taken while it was traced: it itself, or else what may be the same by all that
    is known of it: the inside of a cache, for example, which is another object.
    """
    known = (growth.address, growth.what)
    itself = [taken.origin for taken in series.taken if growth.address and (taken.address, taken.what) == known]
    return itself or [
        taken.origin for taken in series.taken if taken.what == growth.what and _fits(taken.count, growth, series)
    ]


def _fits(count: int, growth: Growth, series: Series) -> bool:
    """Whether something that has taken so many while it was traced may be what grows by so much at other times."""
    expected = growth.per_step * series.traced
    # Of data that the garbage collector does not know, those of the round before are counted, too.
    return min(abs(count - expected), abs(count / 2 - expected)) <= expected * _ABOUT


def _explained(what: str, explanation: Explanation, origins: Sequence[Origin]) -> Finding:
    """The line of the app's code that holds it; where the chain has none, the line that has made it."""
    culprit = explanation.culprit
    chain = _chain(explanation)
    if culprit is None or culprit.file is None or not is_user_file(culprit.file):
        return _with_origin(what, chain, origins, svg=explanation.svg())
    return Finding(
        what=what,
        file=culprit.file,
        line=culprit.line,
        code=_code(culprit.file, culprit.line),
        chain=chain,
        chain_svg=explanation.svg(),
    )


def _chain(explanation: Explanation) -> str:
    """The chain, without the way from the server to a session that is open: that it is there is no wonder."""
    texts = [link.text for link in explanation.links]
    opened = [number for number, text in enumerate(texts) if text.startswith(_OPEN_KERNEL)]
    if not opened or not texts[0].startswith("thread"):
        return explanation.text()
    return " -> ".join(["the open session", *texts[opened[0] :]])


def _of_memory(series: Series) -> Finding:
    return _with_origin(f"memory grows with each {series.unit}, and no Python object tells why", "", series.origins)


def _with_origin(what: str, chain: str, origins: Sequence[Origin], *, svg: str = "") -> Finding:
    """Where no chain names a line, the line that has made what is left does."""
    if not origins:
        return Finding(what=what, chain=chain, chain_svg=svg)
    first = origins[0]
    return Finding(what=what, file=first.file, line=first.line, code=first.code, chain=chain, chain_svg=svg)


def _code(file: str | None, line: int | None) -> str:
    return "" if file is None or line is None else linecache.getline(file, line).strip()


def _once_per_place(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The first of those that name the same line: a list that grows, and the kernels that it keeps, are one leak."""
    by_place: dict[object, Finding] = {}
    for finding in findings:
        key = (finding.file, finding.line) if finding.file is not None else finding.what
        by_place.setdefault(key, finding)
    return tuple(by_place.values())
