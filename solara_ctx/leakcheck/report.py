"""The report: one HTML file that needs nothing else, and the plot as a picture."""

from html import escape
from pathlib import Path

from solara_ctx.leakcheck.chart import HEIGHT, WIDTH, memory_chart
from solara_ctx.leakcheck.places import shown
from solara_ctx.leakcheck.results import Finding, Result, Verdict
from solara_ctx.leakcheck.summary import fates, headline
from solara_ctx.leakcheck.words import counted, megabytes, size

_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --soft: #62707f; --line: #e1e6ec; --red: #c0392b; --green: #2e8b57 }
* { box-sizing: border-box }
body { font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color: var(--ink);
  background: #f5f7f9; margin: 0; padding: 32px 16px 64px }
main { max-width: 860px; margin: 0 auto }
h1 { font-size: 22px; margin: 0 0 4px } h2 { font-size: 17px; margin: 0 0 12px }
h3 { font-size: 14px; margin: 20px 0 6px }
.about { color: var(--soft); margin: 0 0 24px }
section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 22px 26px; margin: 0 0 20px }
.badge { display: inline-block; border-radius: 6px; color: #fff; font-weight: 600; padding: 2px 10px;
  margin-right: 10px }
.leak { background: var(--red) } .plateau { background: var(--green) }
.finding { border-left: 4px solid var(--red); padding: 2px 0 2px 16px; margin: 18px 0 }
.finding.note { border-color: #d9a441 }
.place { font-family: ui-monospace, Menlo, Consolas, monospace; font-weight: 600 }
code, pre { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 13px }
pre { background: #f2f5f8; border-radius: 6px; padding: 8px 12px; margin: 6px 0; overflow-x: auto }
ol.chain { list-style: none; padding: 0; margin: 8px 0 0; font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace }
ol.chain li { padding: 2px 0 2px 22px; position: relative }
ol.chain li + li::before { content: "↳"; position: absolute; left: 4px; color: var(--soft) }
table { border-collapse: collapse; width: 100%; font-size: 13px }
th, td { text-align: right; padding: 4px 10px; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { text-align: left } td.code { text-align: left; white-space: normal }
svg { max-width: 100%; height: auto }
details summary { cursor: pointer; color: var(--soft); margin-top: 14px }
"""


def html(result: Result, log: Path) -> str:
    """The whole report."""
    verdict = "leak" if result.leaking else "plateau"
    sections = "".join(_section(each) for each in result.verdicts)
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{verdict}: {escape(result.target)}</title><style>{_STYLE}</style></head>
<body><main>
<h1><span class="badge {verdict}">{verdict.upper()}</span>{escape(result.target)}</h1>
<p class="about">solara-ctx leakcheck; {escape(_did(result))}, in {result.seconds:.0f} s.
The app's log: {escape(log.name)}</p>
{sections}
</main></body></html>
"""


def picture(result: Result) -> tuple[str, int, int]:
    """A page with nothing but the plots, and its width and height."""
    charts = "".join(_chart(verdict) for verdict in result.verdicts)
    margin = 16
    page = f"<body style='margin:{margin}px;background:#fff'>{charts}</body>"
    return page, WIDTH + 2 * margin, (HEIGHT + 6) * len(result.verdicts) + 2 * margin


def _did(result: Result) -> str:
    series = result.sessions.series
    text = f"{counted(len(series.measures), 'cycle')} of {counted(series.per, 'session')} on {', '.join(result.paths)}"
    if result.uses is not None:
        measures = result.uses.series.measures
        text += f", and {counted(measures[-1].done, 'use')} within one session"
    return text


def _chart(verdict: Verdict) -> str:
    title = "Memory of the app after each cycle" if verdict.series.unit == "session" else "Memory within one session"
    return memory_chart(verdict, title)


def _section(verdict: Verdict) -> str:
    series = verdict.series
    kind = "leak" if verdict.leaking else "plateau"
    title = "Session after session" if series.unit == "session" else "Within one session"
    about = f"<p>{escape(fates(verdict))}</p>" if series.unit == "session" else ""
    findings = "".join(_finding(each) for each in verdict.leaks)
    findings += "".join(_finding(each, note=True) for each in verdict.notes)
    return (
        f"<section><h2><span class='badge {kind}'>{kind}</span>{title}</h2><p>{escape(headline(verdict))}</p>{about}"
        f"{_chart(verdict)}{findings}{_origins(verdict)}{_measures(verdict)}</section>"
    )


def _finding(finding: Finding, *, note: bool = False) -> str:
    place = shown(finding.file, finding.line)
    shown_place = f"<div class='place'>{escape(place)}</div>" if place else ""
    code = f"<pre>{escape(finding.code)}</pre>" if finding.code else ""
    steps = "".join(f"<li>{escape(step)}</li>" for step in finding.chain.split(" -> ")) if finding.chain else ""
    chain = f"<ol class='chain'>{steps}</ol>" if steps else ""
    if finding.chain_svg:
        chain += f"<details><summary>As a picture</summary>{finding.chain_svg}</details>"
    name = "finding note" if note else "finding"
    return f"<div class='{name}'>{shown_place}{code}<div>{escape(finding.what)}</div>{chain}</div>"


def _origins(verdict: Verdict) -> str:
    series = verdict.series
    if not series.origins:
        return ""
    rows = "".join(
        f"<tr><td>{escape(shown(each.file, each.line))}</td><td class='code'><code>{escape(each.code)}</code></td>"
        f"<td>{each.count}</td><td>{size(each.size)}</td></tr>"
        for each in series.origins
    )
    return (
        f"<h3>Made in {counted(series.traced, series.unit)} that were traced, and still there after</h3>"
        f"<table><tr><th>line</th><th></th><th>objects</th><th>bytes</th></tr>{rows}</table>"
    )


def _measures(verdict: Verdict) -> str:
    rows = "".join(
        f"<tr><td>{each.done}</td><td>{megabytes(each.uss)}</td><td>{each.by_refcount}</td><td>{each.by_gc}</td>"
        f"<td>{each.kept}</td><td>{each.seconds:.1f} s</td></tr>"
        for each in verdict.series.measures
    )
    return (
        f"<details><summary>All measures</summary><table><tr><th>{verdict.series.unit}s</th><th>memory (USS)</th>"
        "<th>freed by refcount</th><th>by gc</th><th>never</th><th>took</th></tr>"
        f"{rows}</table></details>"
    )
