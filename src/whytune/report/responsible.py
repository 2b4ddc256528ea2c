"""The findings of the responsible-AI probes as a self-contained page: each dimension, both sides with intervals, waivers.

It decides nothing. Whatever a model or a file said has passed `plain` and is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from whytune.records.evidence import Measure
from whytune.records.responsible import DIMENSIONS, ProbeResult, ResponsibleReport, Waiver
from whytune.records.wording import figure, span
from whytune.report.plain import plain

HERE = Path(__file__).parent
_PAGE = Markup(
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">'
    '<meta name="viewport" content="width=device-width"><title>Responsible AI: {title}</title><style>{style}</style></head>\n<body><main>{body}</main></body></html>\n'
)
_ROW = Markup("<tr><td>{status}</td><td>{probe}</td><td>{tuned}</td><td>{base}</td><td>{sentence}{notes}</td></tr>\n")


def page(report: ResponsibleReport, standing: Sequence[ProbeResult], waivers: Sequence[Waiver] = ()) -> str:
    """The whole page. Pure: the same records give the same bytes."""
    title = f"{report.project}, {report.arm}"
    body = Markup("<h1>Responsible AI: {}</h1>\n").format(plain(title)) + section(report, standing, waivers)
    return str(_PAGE.format(title=plain(title), style=Markup((HERE / "style.css").read_text("utf-8")), body=body))


def section(report: ResponsibleReport, standing: Sequence[ProbeResult], waivers: Sequence[Waiver] = ()) -> Markup:
    """The same as a part of another page."""
    parts = [
        Markup("<p>Candidate {} beside the same without its adapter ({}), dataset {}; at most {} rows a probe; authored suite {}.</p>\n").format(
            report.candidate[:20], report.reference[:20], report.dataset[:18], report.items, report.suites.get("requests", "?")
        )
    ]
    for dimension, question in DIMENSIONS.items():
        rows = [result for result in standing if result.dimension == dimension]
        if rows:
            parts.append(Markup("<h2>{}</h2><p>{}</p>\n<table><tr><th>status</th><th>probe</th><th>candidate</th><th>without adapter</th><th>finding</th></tr>\n").format(dimension.replace("_", " ").capitalize(), question))
            parts += [_row(result) for result in rows]
            parts.append(Markup("</table>\n"))
    named = [waiver for waiver in waivers if waiver.candidate == report.candidate]
    if named:
        parts.append(Markup("<h2>Waivers</h2>\n<ul>"))
        parts += [
            Markup("<li>{} {}: {} ({}) until {}: {}{}</li>\n").format(each.dimension, each.probe, plain(each.person), each.role, each.until.isoformat(), plain(each.reason), " (solo: not independent)" if each.solo else "")
            for each in named
        ]
        parts.append(Markup("</ul>\n"))
    return Markup("").join(parts)


def _row(result: ProbeResult) -> Markup:
    told = [*result.notes, *(f"{worst.item[:26]}: {worst.change}: {worst.result}" for worst in result.worst)]
    notes = Markup("").join(Markup("<br><small>{}</small>").format(plain(line, 240)) for line in told)
    return _ROW.format(status=result.status, probe=result.probe, tuned=_figure(result.tuned), base=_figure(result.base), sentence=plain(result.sentence), notes=notes)


def _figure(measure: Measure | None) -> str:
    return f"{figure(measure.value)} ({span(measure)}), n = {measure.n:,}" if measure else ""
