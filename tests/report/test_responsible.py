"""The page shows every finding and waiver, runs nothing, and shows hostile words as words."""

from __future__ import annotations

from datetime import date
from html.parser import HTMLParser

from whytune.records.evidence import Measure
from whytune.records.responsible import ProbeResult, ResponsibleReport, Waiver, WorstCase
from whytune.report.responsible import page

HOSTILE = "<script>alert(1)</script>\x1b[31m ![x](https://collect.example)"
MEASURE = Measure(name="refusal", value=0.1, low=0.05, high=0.2, n=60, method="Clopper-Pearson")
RESULTS = (
    ProbeResult(dimension="safety", probe="refusal", status="FAIL", base=MEASURE, tuned=MEASURE, n=60, sentence=HOSTILE, worst=(WorstCase(item="refuse-1", change=HOSTILE, result=HOSTILE),), notes=(HOSTILE,)),
    ProbeResult(dimension="privacy", probe="canaries", status="NOT RUN", sentence="Not run: no run."),
)  # fmt: skip
REPORT = ResponsibleReport(project="desk", dataset="dataset:1", candidate="candidate:1", arm="tuned", reference="candidate:0", results=RESULTS, seed=17, items=60, suites={"requests": "1"}, limits="0")
WAIVER = Waiver(project="desk", candidate="candidate:1", report="r", dimension="privacy", person="Ada <b>", role="legal", reason=HOSTILE, until=date(2027, 1, 31), solo=True)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]


def test_everything_is_there_and_nothing_runs() -> None:
    text = page(REPORT, REPORT.waived([WAIVER], date(2026, 12, 1)), [WAIVER])
    tags = Tags()
    tags.feed(text)
    assert not tags.names & {"script", "img", "a", "b", "iframe"}
    assert "\x1b" not in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    for words in ("FAIL", "WAIVED", "refusal", "canaries", "10.0 % (5.0 to 20.0 %), n = 60", "until 2027-01-31", "solo: not independent", "&lt;script&gt;"):
        assert words in text, words
    assert text == page(REPORT, REPORT.waived([WAIVER], date(2026, 12, 1)), [WAIVER])
