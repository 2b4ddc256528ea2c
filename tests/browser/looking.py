"""What is looked for on every page: accessibility by axe, contrast of what charts say, nothing wider than the window, focus that is seen."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
CHARTS = """() => {
  const numbers = text => { const m = (text || '').match(/[\\d.]+/g); if (!m || m.length < 3) return null; const n = m.map(Number); return n.length < 4 ? [...n, 1] : n; };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const ground = node => { for (; node; node = node.parentElement) { const c = numbers(getComputedStyle(node).backgroundColor); if (c && c[3] > 0.5) return c; } return [255, 255, 255, 1]; };
  const bad = []; let seen = 0;
  for (const svg of document.querySelectorAll('main svg')) {
    if (!svg.getClientRects().length) continue;
    const paper = ground(svg);
    for (const text of svg.querySelectorAll('text')) {
      if (!text.textContent.trim() || !text.getClientRects().length) continue;
      const box = text.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
      let behind = paper;
      for (const shape of svg.querySelectorAll('rect, circle, ellipse, polygon, path')) {   // painted in this order: the last before the text lies on top
        if (!(shape.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING)) continue;
        const area = shape.getBoundingClientRect(), fill = numbers(getComputedStyle(shape).fill);
        if (fill && fill[3] * getComputedStyle(shape).fillOpacity > 0.5 && area.left <= x && x <= area.right && area.top <= y && y <= area.bottom) behind = fill;
      }
      const ink = numbers(getComputedStyle(text).fill);
      seen += 1;
      if (ink && ratio(ink, behind) < 4.5) bad.push(`text "${text.textContent.trim().slice(0, 30)}" ${ratio(ink, behind).toFixed(2)}`);
    }
    if (svg.getAttribute('role') !== 'img' && svg.getAttribute('aria-hidden') !== 'true' && !svg.querySelector('a')) bad.push('a chart without role="img"');
  }
  return {bad, seen};
}"""
WIDER = """() => [...document.querySelectorAll('body *')].filter(n => { const b = n.getBoundingClientRect(); if (b.right <= innerWidth + 1 || !b.width) return false;
  for (let up = n; up && up !== document.body; up = up.parentElement) if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(up).overflowX) && up !== n) return false;
  return true; }).slice(0, 3).map(n => n.tagName + '.' + n.className + ' ' + n.textContent.trim().slice(0, 30))"""
FOCUS = """() => { const n = document.activeElement; if (!n || n === document.body) return null;
  const b = n.getBoundingClientRect(), style = getComputedStyle(n), inside = [[.5, .5], [.1, .5], [.9, .5], [.5, .2], [.5, .8]];
  const seen = inside.some(([x, y]) => { const at = document.elementFromPoint(b.x + b.width * x, b.y + b.height * y); return at && (n.contains(at) || at.contains(n)); });
  const shape = n instanceof SVGElement && n.querySelector('rect, path, polygon, circle');
  const marked = shape ? parseFloat(getComputedStyle(shape).strokeWidth) >= 3 : (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
  const small = n.matches('a, button, input, select, textarea, summary') && !(n instanceof SVGElement) && !n.closest('p, li, td, th, dd, label, pre, h1, h2, h3, caption, .outside') && (b.width < 24 || b.height < 24) && style.position !== 'absolute';
  return {what: n.tagName + ' ' + (n.textContent || n.name || '').trim().slice(0, 30), seen, marked, small, at: n.tagName + n.outerHTML.slice(0, 120)}; }"""

OWN = re.compile(r'name="_csrf" value="[^"]*"|value="[0-9a-f]{32,}"|<a href="/profile">.*?</a>|\d+ (?:day|hour|minute)s?|just now|\d+')
"""What differs on a page from person to person, and from minute to minute, without making it another page."""


def likeness(html: str) -> str:
    """The same for pages that look the same: secrets of forms, the name in the bar and figures left out."""
    return sha256(OWN.sub("", html).encode()).hexdigest()


@cache
def _axe() -> str:
    import axe_playwright_python

    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")


def axe(page: Any, options: dict[str, Any] = RULES, only: str = "body") -> list[str]:
    """Every finding of axe as a line. only: a selector of the parts that are looked at."""
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(_axe())
    run = "([options, only]) => axe.run(only === 'body' ? document : {include: [...document.querySelectorAll(only)]}, {...options, resultTypes: ['violations']})"
    found = page.evaluate(run, [options, only])
    return [f"{one['id']}: {node['target']} {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]


def news(page: Any, known: set[str]) -> str:
    """A selector of those parts of the page that are not in `known`, which then holds them too; empty where there are none."""
    parts: list[str] = page.evaluate("[...document.querySelectorAll('main > *')].map(one => one.outerHTML)")
    likenesses = [likeness(part) for part in parts]
    new = [number for number, one in enumerate(likenesses) if one not in known]
    known.update(likenesses)
    page.evaluate("new_ => new_.forEach(number => { document.querySelectorAll('main > *')[number].dataset.news = 'yes'; })", new)
    return "[data-news]" if new else ""


def charts(page: Any) -> list[str]:
    """Words in charts that are too pale for what lies behind them, and charts that a screen reader cannot name."""
    bad: list[str] = page.evaluate(CHARTS)["bad"]
    return bad


def sideways(page: Any) -> list[str]:
    """What makes the page wider than its window."""
    width = page.viewport_size["width"]
    return page.evaluate(WIDER) or ["the page itself"] if page.evaluate("document.documentElement.scrollWidth") > width else []


def everything(page: Any, only: str = "body") -> list[str]:
    """All of it about the page that is shown: light, dark, at 320 px. It is left light and wide. only: what axe looks at."""
    found = axe(page, RULES, only) + charts(page)
    found += [] if page.get_by_role("heading", level=1).count() == 1 else ["it has not exactly one h1"]
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {line}" for line in axe(page, CONTRAST, only) + charts(page)]
    page.set_viewport_size({"width": 320, "height": 800})
    found += [f"320 px: wider than the window: {line}" for line in sideways(page)]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
    return found


def focus(page: Any, most: int = 80) -> list[str]:
    """Go through the page by Tab: whatever has the focus must be seen, marked, and large enough to be hit."""
    bad: list[str] = []
    seen: set[str] = set()
    for _ in range(most):
        page.keyboard.press("Tab")
        now = page.evaluate(FOCUS)
        if now is None:
            break
        if not now["seen"]:
            bad.append(f"hidden when it has the focus: {now['what']}")
        if not now["marked"]:
            bad.append(f"focus is not shown: {now['what']}")
        if now["small"]:
            bad.append(f"smaller than 24 by 24: {now['what']}")
        seen.add(now["at"])
    return bad if len(seen) > 5 else [*bad, f"only {len(seen)} things can be reached by Tab"]
