"""The verdict in words, for the terminal, and as data, for `--json`."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from solara_ctx.leakcheck.chart import slope_in_words
from solara_ctx.leakcheck.judge import FLOOR_BYTES
from solara_ctx.leakcheck.places import shown
from solara_ctx.leakcheck.results import Finding, Result, Verdict
from solara_ctx.leakcheck.words import counted, size


def headline(verdict: Verdict) -> str:
    """One line: plateau, or leak of so much."""
    unit = verdict.series.unit
    scope = "" if unit == "session" else " within one session"
    if not verdict.leaking:
        return f"PLATEAU{scope}: nothing grows in step; the memory's slope is noise, {slope_in_words(verdict)}"
    slope, series = verdict.slope, verdict.series
    if slope is not None and slope.low > FLOOR_BYTES:
        return f"LEAK{scope} of {slope_in_words(verdict)}"
    if series.traced_bytes:
        each = size(series.traced_bytes / series.traced)
        return f"LEAK{scope} of {each} per {unit}, as traced; the memory as a whole: {slope_in_words(verdict)}"
    return f"LEAK{scope}, too small to be seen in the memory as a whole: {slope_in_words(verdict)}"


def fates(verdict: Verdict) -> str:
    """What became of the closed kernels."""
    last = verdict.series.measures[-1]
    return (
        f"closed kernels: {last.by_refcount} freed at once by reference counting, {last.by_gc} by the garbage "
        f"collector, {last.kept} never"
    )


def lines(result: Result) -> Iterator[str]:
    """The verdict, as the terminal shows it."""
    for verdict in result.verdicts:
        yield ""
        yield headline(verdict)
        if verdict.series.unit == "session" and verdict.series.measures:
            yield f"  {fates(verdict)}"
        for finding in verdict.leaks:
            yield from _finding(finding)
        for finding in verdict.notes:
            yield from _finding(finding, note=True)
        yield from _origins(verdict)
    yield ""
    for remark in result.remarks:
        yield f"note: {remark}"


def as_json(result: Result, files: dict[str, Path]) -> dict[str, object]:
    """All of it, for programs."""
    return {
        "verdict": "leak" if result.leaking else "plateau",
        "target": result.target,
        "paths": list(result.paths),
        "seconds": round(result.seconds, 1),
        "remarks": list(result.remarks),
        "files": {name: str(path) for name, path in files.items()},
        **{f"{verdict.series.unit}s": _verdict(verdict) for verdict in result.verdicts},
    }


def _verdict(verdict: Verdict) -> dict[str, object]:
    slope = verdict.slope
    return {
        "verdict": "leak" if verdict.leaking else "plateau",
        "bytes_per": None
        if slope is None
        else {
            "value": round(slope.value),
            # JSON knows no infinity.
            "low": None if math.isinf(slope.low) else round(slope.low),
            "high": None if math.isinf(slope.high) else round(slope.high),
        },
        "leaks": [_as_data(finding) for finding in verdict.leaks],
        "notes": [_as_data(finding) for finding in verdict.notes],
        "origins": [asdict(origin) for origin in verdict.series.origins],
        "measures": [asdict(measure) for measure in verdict.series.measures],
    }


def _as_data(finding: Finding) -> dict[str, object]:
    return {name: value for name, value in asdict(finding).items() if name != "chain_svg"}


def _finding(finding: Finding, *, note: bool = False) -> Iterator[str]:
    place = shown(finding.file, finding.line)
    if place:
        yield f"  {'note: ' if note else ''}{place}  {finding.code}".rstrip()
        yield f"    {finding.what}"
    else:
        yield f"  {'note: ' if note else ''}{finding.what}"
    if finding.chain:
        yield f"    held by: {finding.chain}"


def _origins(verdict: Verdict) -> Iterator[str]:
    series = verdict.series
    if not series.origins:
        return
    yield f"  made in {counted(series.traced, series.unit)} that were traced, and still there after:"
    for origin in series.origins[:5]:
        yield f"    {shown(origin.file, origin.line):<28} {size(origin.size):>8}  {origin.code}"
