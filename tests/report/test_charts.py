"""Charts are well-formed, described, inert, and show the record's figures at the right place."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from tests.sample_decision import evidence, imprint, scored, typical, usecase

from whytune.acceptance.decision import decide
from whytune.records.candidate import Checkpoint
from whytune.report.charts import arms_svg, curve_svg

SVG = "{http://www.w3.org/2000/svg}"
CURVE = tuple(
    Checkpoint(step=step, epoch=step / 10, train_loss=train, dev_loss=dev, seconds=step * 2.0)
    for step, train, dev in ((10, 2.1, 2.0), (20, 1.2, 1.4), (30, 0.6, 1.5))
)


@pytest.mark.parametrize("width", [300, 680])
def test_arms(width: int) -> None:
    decision = typical()
    tree = ElementTree.fromstring(arms_svg(decision, width=width))
    assert tree.get("role") == "img"
    said = tree.findtext(f"{SVG}desc") or ""
    for arm in decision.arms:
        assert f"{arm.title} {100 * arm.primary.value:.1f} %" in said
    marks = [node.get("class") for node in tree if node.tag in (f"{SVG}circle", f"{SVG}path")]
    words = {"yes": "yes", "no": "no", "not proven": "unsure"}
    assert marks == [words[arm.reaches_bar] for arm in decision.arms]
    bar = float(next(node.get("x1", "") for node in tree if node.get("class") == "bar"))
    whiskers = [
        (float(node.get("x1", "")), float(node.get("x2", "")))
        for node in tree
        if node.get("class") == "whisker"
    ]
    for (left, right), arm in zip(whiskers, decision.arms, strict=True):
        assert (left >= bar - 0.1) == (arm.primary.low >= decision.rule.bar)
        assert 0 <= left <= right <= width


def test_no_arm_and_extremes_are_drawn() -> None:
    empty = decide(evidence({}, usecase(), applicable=("prompt",)), imprint())
    assert "Nothing was measured" in arms_svg(empty)
    for share in (0.0, 1.0):
        ElementTree.fromstring(
            arms_svg(decide(evidence(scored(30, {"prompt": share}), usecase(bar=0.0)), imprint()))
        )


def test_curve() -> None:
    text = curve_svg(CURVE)
    tree = ElementTree.fromstring(text)
    assert "lowest dev loss 1.400 at step 20, last 1.500" in (tree.findtext(f"{SVG}desc") or "")
    assert len(tree.findall(f"{SVG}polyline")) == 2
    assert "No checkpoint yet" in curve_svg(())
    ElementTree.fromstring(curve_svg(CURVE[:1]))
    broken = CURVE[0].model_copy(update={"train_loss": float("nan"), "dev_loss": float("inf")})
    assert "nan" not in curve_svg((*CURVE, broken)).lower().replace("finance", "")


def test_charts_are_inert() -> None:
    for text in (arms_svg(typical()), curve_svg(CURVE)):
        assert not re.search(r"<script|href|url\(|onload|<image|foreignObject", text)
