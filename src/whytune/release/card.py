"""The model card: what a release is, what it was measured to do, on which data, who signed, and what nobody measured.

`card(about)` gives the JSON; `markdown(card)` writes the same words. Each figure comes from a record, with n and interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whytune.records.candidate import ARM_TITLES
from whytune.records.evidence import Measure
from whytune.release.about import NOT_COVERED_CARD, About
from whytune.report.markdown import escaped
from whytune.report.plain import plain


def card(about: About) -> dict[str, Any]:
    """The card as JSON values."""
    return {
        "schema": "whytune.card/1",
        "title": about.title,
        "approved": about.stamp,
        "made": about.made,
        "use": {
            "purpose": about.usecase.purpose, "task": about.usecase.task, "owners": dict(about.usecase.owners),
        },
        "model": _model(about),
        "data": {
            "dataset": about.dataset.id, "version": about.dataset.number, "rows": dict(about.dataset.counts),
            "removed": dict(about.dataset.removed), "documents": bool(about.dataset.documents),
            "leakage": {"same group": about.dataset.certificate.same_group, "exact": about.dataset.certificate.exact, "near": about.dataset.certificate.near},
        },
        "evaluation": _evaluation(about),
        "human_evaluation": _human(about),
        "responsible_ai": _responsible(about),
        "training": _training(about),
        "accepted": {
            "sentence": about.acceptance.sentence, "policy": about.policy.id, "notes": list(about.acceptance.notes),
            "valid_until": about.acceptance.valid_until,
            "signatures": [{"role": each.role, "person": each.person, "reason": each.reason} for each in about.approvals],
        },
        "limits": list(about.decision.limits) if about.decision else [],
        "not_covered": list(NOT_COVERED_CARD),
    }  # fmt: skip


def _model(about: About) -> dict[str, Any]:
    prompt = about.candidate.prompt
    return {
        "candidate": about.candidate.id, "approach": ARM_TITLES[about.candidate.arm], "base": about.base.name, "base_digest": about.base.digest,
        "licence": about.base.licence or "not known", "parameters": about.base.parameters, "adapter": about.adapter.digest if about.adapter else "",
        "system_prompt": prompt.system, "shots": len(prompt.shots) + prompt.nearest, "passages": about.passages,
        "engine": about.engine.name, "versions": dict(about.engine.versions), "dtype": about.engine.dtype, "decoding": dict(about.engine.decoding),
    }  # fmt: skip


def _evaluation(about: About) -> dict[str, Any]:
    if about.trial is None:
        return {"run": False}
    rule, trial = about.usecase.rule, about.trial
    return {
        "run": True, "trial": trial.id, "bar": rule.bar, "margin": rule.margin, "confidence": rule.confidence,
        "primary": measure(trial.primary), "beside": [measure(each) for each in trial.beside],
        "slices": [{"slice": name, **measure(each)} for name, each in trial.slices],
        "outcomes": dict(trial.outcomes), "cost_per_1000": trial.spending.cost_per_1000, "currency": about.usecase.prices.currency,
        "median_seconds": trial.spending.median_seconds, "looks": about.decision.looks if about.decision else 0,
        "verdict": about.decision.verdict.sentence if about.decision else "",
        "against": [
            {"first": c.first_arm, "second": c.second_arm, **measure(c.difference), "p_holm": c.p_holm, "conclusion": c.conclusion}
            for c in (about.decision.comparisons if about.decision else ())
            if about.candidate.arm in (c.first_arm, c.second_arm)
        ],
    }  # fmt: skip


def _human(about: About) -> dict[str, Any]:
    found = about.evaluation
    if found is None:
        return {"run": False}
    return {
        "run": True, "form": found.form, "arms": list(found.arms), "preference": measure(found.preference), "conclusion": found.conclusion,
        "people": len(set(found.reviewers)), "agreement": [measure(each) for each in found.agreement], "votes": found.votes, "decisive": found.decisive,
    }  # fmt: skip


def _responsible(about: About) -> dict[str, Any]:
    if about.report is None:
        return {"run": False}
    statuses = about.report.statuses(about.waivers, about.day)
    return {
        "run": True, "report": about.report.id, "statuses": dict(statuses), "suites": dict(about.report.suites),
        "results": [
            {"dimension": r.dimension, "probe": r.probe, "status": r.status, "sentence": r.sentence, "n": r.n} for r in about.report.waived(about.waivers, about.day)
        ],
        "waivers": [
            {"dimension": w.dimension, "probe": w.probe, "person": w.person, "role": w.role, "reason": w.reason, "until": w.until.isoformat()}
            for w in about.waivers if w.candidate == about.candidate.id and w.id in about.acceptance.evidence
        ],
    }  # fmt: skip


def _training(about: About) -> dict[str, Any]:
    adapter = about.adapter
    if adapter is None:
        return {"run": False}
    return {
        "run": True, "method": adapter.recipe.method, "recipe": adapter.recipe.model_dump(mode="json"), "rows": adapter.rows, "rows_dropped": adapter.rows_dropped,
        "trained_tokens": adapter.trained_tokens, "tokens": adapter.tokens, "hours": adapter.seconds / 3600, "versions": dict(adapter.versions),
        # The usual estimate: forward and backward pass take six operations a weight and token.
        "estimated_operations": 6 * about.base.parameters * adapter.tokens,
    }  # fmt: skip


def measure(found: Measure) -> dict[str, Any]:
    """A figure with what it may never go without."""
    return {"name": found.name, "value": found.value, "low": found.low, "high": found.high, "n": found.n, "method": found.method}


def markdown(given: dict[str, Any]) -> str:
    """The card as Markdown. Words from outside are made plain and cannot act."""
    model, evaluation, accepted = given["model"], given["evaluation"], given["accepted"]
    blocks = [
        f"# Model card: {said(given['title'])}",
        f"**{said(given['approved'])}** · {said(given['made'])}",
        "## Use",
        lines(
            ("Purpose", given["use"]["purpose"] or "not said"), ("Task", given["use"]["task"]),
            *((f"Owner: {role}", person) for role, person in given["use"]["owners"].items()),
        ),
        "## Model",
        lines(
            ("Approach", model["approach"]), ("Base model", f"{model['base']}, licence {model['licence']}, {model['parameters']:,} weights"),
            ("Base digest", model["base_digest"]), ("Adapter", model["adapter"] or "none"), ("Instruction", model["system_prompt"] or "none"),
            ("Passages to look things up in", f"{model['passages']:,}" if model["passages"] else "none"),
            ("Runs with", f"{model['engine']} ({', '.join(f'{name} {version}' for name, version in model['versions'].items())}), {model['dtype'] or 'as the service does'}"),
            ("Decoding", ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in model["decoding"].items())),
        ),
        "## Data",
        lines(
            ("Dataset", f"version {given['data']['version']}, {given['data']['dataset']}"),
            ("Rows", ", ".join(f"{name} {count:,}" for name, count in given["data"]["rows"].items())),
            ("Left between test and the rest", ", ".join(f"{name} {count}" for name, count in given["data"]["leakage"].items())),
        ),
        "## Measured on the sealed test set",
        *_measured(evaluation),
        "## People's judgement",
        _people(given["human_evaluation"]),
        "## Responsible AI",
        *_dimensions(given["responsible_ai"]),
        "## Training",
        _trained(given["training"]),
        "## Accepted by",
        f"{said(accepted['sentence'])} Policy `{accepted['policy']}`." + (f" Waivers end on {accepted['valid_until']}." if accepted["valid_until"] else ""),
        table(("role", "person", "what they said"), [(each["role"], each["person"], each["reason"]) for each in accepted["signatures"]]),
        *([bullets(accepted["notes"])] if accepted["notes"] else []),
        *(["## Limits", bullets(given["limits"])] if given["limits"] else []),
        "## Not covered: the organisation must write this",
        bullets(given["not_covered"]),
    ]  # fmt: skip
    return "\n\n".join(blocks) + "\n"


def _measured(found: dict[str, Any]) -> list[str]:
    if not found["run"]:
        return ["Not measured."]
    rows = [(each["name"], _number(each), _span(each), f"{each['n']:,}") for each in (found["primary"], *found["beside"])]
    rows += [(f"{each['slice']} (slice)", _number(each), _span(each), f"{each['n']:,}") for each in found["slices"]]
    blocks = [
        f"The bar is {found['bar']:g}. {said(found['verdict'])}",
        table(("figure", "value", f"{100 * found['confidence']:g} % interval", "n"), rows),
        f"1,000 answers cost {found['cost_per_1000']:.4f} {said(found['currency'])}; the median answer took {found['median_seconds']:.2f} s. "
        f"The test set was opened {found['looks']} times. Outcomes: {said(', '.join(f'{name} {count}' for name, count in found['outcomes'].items()))}.",
    ]
    if found["against"]:
        pairs = [(f"{each['second']} - {each['first']}", f"{each['value']:+.3f}", _span(each), f"{each['p_holm']:.4f}", each["conclusion"].replace("_", " ")) for each in found["against"]]
        blocks.append(table(("pair", "difference", "interval", "p (Holm)", "so"), pairs))
    return blocks


def _people(found: dict[str, Any]) -> str:
    if not found["run"]:
        return "No human evaluation of its answers."
    agreed = "; ".join(f"{said(each['name'])} {_number(each)} ({_span(each)})" for each in found["agreement"]) or "not known"
    return (
        f"{found['people']} people, blind, {said(found['form'])}: {said(' against '.join(found['arms']))}; {found['votes']:,} votes, {found['decisive']:,} decisive; "
        f"share for the second {_number(found['preference'])} ({_span(found['preference'])}); {said(found['conclusion'].replace('_', ' '))}. Agreement: {agreed}."
    )


def _dimensions(found: dict[str, Any]) -> list[str]:
    if not found["run"]:
        return ["Not run."]
    blocks = [table(("dimension", "status"), list(found["statuses"].items()))]
    blocks.append(table(("probe", "status", "what was seen"), [(f"{r['dimension']}/{r['probe']}", r["status"], r["sentence"]) for r in found["results"]]))
    if found["waivers"]:
        blocks.append(bullets([f"{w['dimension']} waived until {w['until']} by {w['person']} ({w['role']}): {w['reason']}" for w in found["waivers"]]))
    return blocks


def _trained(found: dict[str, Any]) -> str:
    if not found["run"]:
        return "Nothing was trained."
    return (
        f"{said(found['method'])} on {found['rows']:,} rows ({found['rows_dropped']:,} dropped), {found['trained_tokens']:,} trained tokens, {found['hours']:.2f} h; "
        f"about {found['estimated_operations']:.2e} operations (six a weight and token, an estimate)."
    )


def _number(each: dict[str, Any]) -> str:
    return f"{each['value']:.3f}"


def _span(each: dict[str, Any]) -> str:
    return f"{each['low']:.3f} to {each['high']:.3f}"


def said(text: str) -> str:
    """Words from outside, harmless in Markdown."""
    return escaped(plain(str(text)))


def lines(*pairs: tuple[str, str]) -> str:
    """A list of name and value."""
    return "\n".join(f"- **{said(name)}**: {said(value)}" for name, value in pairs)


def bullets(texts: list[str]) -> str:
    """A plain list."""
    return "\n".join(f"- {said(text)}" for text in texts)


def table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    marks = ["| " + " | ".join(said(cell) for cell in row) + " |" for row in (heads, *rows)]
    return "\n".join([marks[0], "|" + " --- |" * len(heads), *marks[1:]])
