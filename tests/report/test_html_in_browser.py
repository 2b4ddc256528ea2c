"""The page in a real browser: silent, offline, readable in both schemes, no sideways scrolling at 320 px, one A4 sheet.

Left out with a reason where there is no Chromium, except on CI, where that is a failure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.sample_decision import dev, evidence, imprint, scored, typical, usecase

from whytune.acceptance.attribution import attribute
from whytune.acceptance.decision import decide
from whytune.records.decision import Decision, Shown
from whytune.report.html import html

pytestmark = pytest.mark.slow

CONTRAST = """() => {
  const parse = text => { const m = text.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m.slice(0, 3), 1] : m; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = node => { for (; node; node = node.parentElement) {
    const c = parse(getComputedStyle(node).backgroundColor); if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
  const bad = []; let seen = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || ['STYLE', 'title', 'desc', 'style'].includes(node.tagName)) continue;
    if (!node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const ink = light(parse(node instanceof SVGElement ? style.fill : style.color)), paper = light(ground(node));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    seen += 1;
    if (ratio < 4.5) bad.push([walk.currentNode.data.trim().slice(0, 40), ratio]);
  }
  return {bad, seen};
}"""


def wordy() -> Decision:
    """Six arms, gates, a long sentence, long answers without spaces: still one sheet."""
    case = usecase(citations=True, facts_change=True)
    shares = {
        "prompt": 0.30,
        "few_shot": 0.41,
        "full_context": 0.80,
        "rag": 0.83,
        "tuned": 0.72,
        "tuned_rag": 0.93,
    }
    attribution = attribute(
        dev({"prompt": 0.3, "rag": 0.8, "oracle": 0.92}, lenient={"rag": 0.85}), case.rule
    )
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
    shown = tuple(
        Shown(
            item=f"i{n}",
            input=long,
            target=long,
            answers=tuple((arm, f"{at}{long}", 0.0) for at, arm in enumerate(shares)),
            why="x",
        )
        for n in range(3)
    )
    parts = evidence(scored(320, shares), case, attribution=attribution, applicable=tuple(shares))
    return decide(parts, imprint(shown))


def opened(chromium: Any, tmp_path: Path, decision: Decision, **context: Any) -> tuple[Any, list[str]]:
    file = tmp_path / "report.html"
    file.write_text(html(decision), "utf-8")
    page = chromium.new_context(**context).new_page()
    noise: list[str] = []
    page.on("console", lambda message: noise.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: noise.append(f"error: {error}"))
    page.on(
        "request",
        lambda request: (
            noise.append(f"request: {request.url[:80]}") if request.url != file.as_uri() else None
        ),
    )
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    return page, [line for line in noise if line != "request: data:,"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_silent_offline_and_readable(chromium: Any, tmp_path: Path, scheme: str) -> None:
    for decision in (typical(), wordy()):
        page, noise = opened(
            chromium, tmp_path, decision, color_scheme=scheme, viewport={"width": 1100, "height": 900}
        )
        assert noise == []
        found = page.evaluate(CONTRAST)
        assert found["seen"] > 100
        assert found["bad"] == []
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")


@pytest.mark.parametrize("width", [320, 414, 768, 1280])
def test_no_sideways_scrolling(chromium: Any, tmp_path: Path, width: int) -> None:
    for decision in (typical(), wordy()):
        page, _ = opened(chromium, tmp_path, decision, viewport={"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shown = page.evaluate(
            "[...document.querySelectorAll('figure svg')].filter(s => s.getClientRects().length).length"
        )
        assert shown == 1, "one of the two drawings, never both"
        wide = "[...document.querySelectorAll('body *')].filter(n => n.getBoundingClientRect().right > innerWidth + 1).map(n => n.tagName)"
        assert page.evaluate(wide) == []


@pytest.mark.parametrize("make", [typical, wordy])
def test_one_sheet_of_a4(chromium: Any, tmp_path: Path, make: Any) -> None:
    import pypdfium2

    page, _ = opened(chromium, tmp_path, make(), color_scheme="dark", viewport={"width": 1100, "height": 900})
    sheets = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
    assert len(sheets) == 1
    width, height = sheets[0].get_size()
    assert (round(width), round(height)) == (595, 842)
    words = sheets[0].get_textpage().get_text_range()
    assert "What would change this answer" in words
    assert "Again:" in words
    page.emulate_media(media="print")
    assert (
        page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    ), "paper is white"


def test_a_script_that_got_in_would_not_run(chromium: Any, tmp_path: Path) -> None:
    file = tmp_path / "planted.html"
    file.write_text(
        html(typical()).replace("<main>", "<main><script>document.title = 'owned'</script>"), "utf-8"
    )
    page = chromium.new_page()
    page.goto(file.as_uri())
    assert page.title() != "owned"


def test_the_accessibility_tree_names_what_is_shown(chromium: Any, tmp_path: Path) -> None:
    page, _ = opened(chromium, tmp_path, typical(), viewport={"width": 320, "height": 800})
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("region", name="Verdict").count() == 1
    assert page.get_by_role("table", name="The same figures as a table").get_by_role("row").count() == 7
    assert page.get_by_role("rowheader", name="Full context", exact=True).count() == 2
    assert page.get_by_role("img", name="Each approach on the sealed test set").count() == 1
