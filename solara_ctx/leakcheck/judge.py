"""From measures to a verdict: a plateau or a leak.

Evidence that can be counted comes first, as it has no noise: closed kernels that stay, containers and types that grow
in step, to the end of the run.  Such a leak is one however small.  Memory alone is noisy, so its slope has to be clear.
"""

import linecache
from collections.abc import Sequence

from solara_ctx.leakcheck.messages import Chain, Growth, Origin
from solara_ctx.leakcheck.places import is_user_file
from solara_ctx.leakcheck.results import Finding, Measure, Series, Verdict
from solara_ctx.leakcheck.trend import Slope, later, still_grows, theil_sen

# Bytes per session or use.  In apps that keep nothing, allocators still settle over a hundred sessions, at 2 to 11 KB
# for each: what memory alone shows has to be well above.  Whatever has Python objects is counted, without any floor.
FLOOR_BYTES = 30_000.0
_TWO = 2


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
        (leaks if growth.bound is None else notes).append(_of_growth(growth, series))
    if not leaks and slope is not None and slope.low > FLOOR_BYTES and not notes:
        leaks.append(_of_memory(series))
    return Verdict(series=series, slope=slope, leaks=_once_per_place(leaks), notes=_once_per_place(notes))


def suspicious(series: Series) -> bool:
    """Whether it is worth tracing some more sessions to see where what is left was made."""
    return judge(series).leaking


def _slope(measures: Sequence[Measure]) -> Slope | None:
    if len(measures) < _TWO:
        return None
    counted = measures[later([measure.uss for measure in measures]) :]
    return theil_sen([measure.done for measure in counted], [measure.uss for measure in counted])


def _of_kernels(series: Series, kept: Sequence[int], *, grows: bool) -> list[Finding]:
    rate = (kept[-1] - kept[0]) / (series.measures[-1].done - series.measures[0].done or 1)
    many = f"{rate:.2g} closed kernels per session are never freed" if grows else ""
    some = f"{kept[-1]} closed kernels are kept, and no more with more sessions"
    what = many or some
    chains = series.chains
    if not chains:
        return [_with_origin(what, "", series.origins)]
    return [_of_chain(what, chain, series.origins) for chain in chains]


def _of_chain(what: str, chain: Chain, origins: Sequence[Origin]) -> Finding:
    culprit = chain.explanation.culprit
    if culprit is None or culprit.file is None or not is_user_file(culprit.file):
        return _with_origin(what, chain.explanation.text(), origins, svg=chain.explanation.svg())
    return Finding(
        what=what,
        file=culprit.file,
        line=culprit.line,
        code=_code(culprit.file, culprit.line),
        chain=chain.explanation.text(),
        chain_svg=chain.explanation.svg(),
    )


def _of_growth(growth: Growth, series: Series) -> Finding:
    unit = series.unit
    what = f"{growth.what} grows by {growth.per_step:.3g} per {unit}"
    if growth.bound is not None:
        what += f", up to a bound of {growth.bound}"
    chain = "" if growth.explanation is None else growth.explanation.text()
    svg = "" if growth.explanation is None else growth.explanation.svg()
    if growth.file is None or not is_user_file(growth.file):
        return _with_origin(what, chain, series.origins, svg=svg)
    return Finding(
        what=what,
        file=growth.file,
        line=growth.line,
        code=_code(growth.file, growth.line),
        chain=chain,
        chain_svg=svg,
    )


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
