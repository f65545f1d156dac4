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
from solara_ctx.leaks.explain import Explanation

# Bytes per session or use.  In apps that keep nothing, allocators still settle over a hundred sessions, at 2 to 11 KB
# for each: what memory alone shows has to be well above.  Whatever has Python objects is counted, without any floor.
FLOOR_BYTES = 30_000.0
_TWO = 2
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
    return _explained(what, chain.explanation, origins)


def _of_growth(growth: Growth, series: Series) -> Finding:
    unit = series.unit
    what = f"{growth.what} grows by {growth.per_step:.3g} per {unit}"
    if growth.bound is not None:
        what += f", up to a bound of {growth.bound}"
    if growth.explanation is None:
        return _with_origin(what, "", series.origins)
    return _explained(what, growth.explanation, series.origins)


def _explained(what: str, explanation: Explanation, origins: Sequence[Origin]) -> Finding:
    """The line that holds it.  Where the chain begins in user code, that is there; where it begins in the standard
    library, a logger for example, it is the line that has put it there, which is the one that has made it.
    """
    culprit, root = explanation.culprit, explanation.links[0] if explanation.links else None
    begins_in_user_code = root is not None and root.file is not None and is_user_file(root.file)
    if culprit is None or culprit.file is None or (not begins_in_user_code and origins and origins[0].entry):
        return _with_origin(what, explanation.text(), origins, svg=explanation.svg())
    return Finding(
        what=what,
        file=culprit.file,
        line=culprit.line,
        code=_code(culprit.file, culprit.line),
        chain=explanation.text(),
        chain_svg=explanation.svg(),
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
