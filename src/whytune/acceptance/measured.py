"""The gate's questions to what was measured: the sealed test, responsible AI, forgetting, the data, licence, cost and time."""

from __future__ import annotations

from whytune.acceptance.plea import Plea, Weighed, alone, newest
from whytune.records.data import Finding
from whytune.records.decision import Decision
from whytune.records.evidence import Trial
from whytune.records.responsible import DIMENSIONS, TRAINED_ONLY, ResponsibleReport, Waiver
from whytune.records.wording import exact, phrase, points, span


def test(case: Plea, weighed: Weighed) -> None:
    """The official measurement: one look at the sealed test set, under a protocol fixed before, and the bar provably reached."""
    run = f"whytune run {case.name}"
    _certificate(case, weighed)
    if case.looks > case.policy.test.most_looks:
        weighed.object("looks", f"The test set of this version was opened {case.looks} times; the policy allows {case.policy.test.most_looks}", "bring new rows: the next version gets fresh test rows")
    decision = _decision(case, weighed)
    trials = [trial for trial in case.trials if trial.split == "test"]
    trial = newest(case, weighed, trials, what="measurement on the sealed test set", next=run, about=lambda t: t.candidate == case.candidate.id)
    if trial is None:
        return
    fixed = next((p for p in case.protocols if p.id == trial.protocol), None)
    if fixed is None or fixed.dataset != case.dataset.id or case.candidate.id not in fixed.candidates:
        weighed.object("stale", "The measurement was not planned: no protocol that names this candidate was fixed before the test set was opened", run, trial.id)
    elif fixed.rule != case.rule.id or fixed.metric != case.rule.metric:
        weighed.object("stale", "The measurement was planned under another acceptance rule than whytune.toml holds today", run, trial.id)
    _reached(case, weighed, trial)
    if decision and case.policy.test.winner_only and decision.verdict.winner != case.candidate.arm:
        named = phrase(decision.verdict.winner) if decision.verdict.winner else "no arm"
        weighed.object("not_winner", f"The decision names {named}, not {phrase(case.candidate.arm)} ({decision.verdict.code})", f"whytune decide {case.name}", decision.id)
    _ceilings(case, weighed, trial)
    _live(case, weighed)


def _decision(case: Plea, weighed: Weighed) -> Decision | None:
    """The decision, where it is about today's data and rule; what it says against the test set or this arm counts."""
    decision, run = case.decision, f"whytune run {case.name}"
    if decision is None:
        weighed.object("missing", "There is no decision", run)
        return None
    if decision.project != case.project:
        weighed.object("foreign", f"The decision belongs to the project {decision.project!r}, not to {case.project!r}", run, decision.id)
        return None
    if decision.hashes.get("dataset") != case.dataset.id:
        weighed.object("stale", f"The decision was made on another dataset version than {case.dataset.number}", run, decision.id)
        return None
    if decision.rule.id != case.rule.id:
        weighed.object("stale", "The decision was made under another acceptance rule than whytune.toml holds today", run, decision.id)
        return None
    weighed.evidence.append(decision.id)
    if decision.verdict.code == "INVALID_TEST":
        weighed.object("invalid_test", f"The test does not count: {decision.verdict.sentence}", run, decision.id)
    if decision.opened_early:
        weighed.object("invalid_test", "The test set was opened before its protocol was fixed", "bring new rows: the next version gets fresh test rows", decision.id)
    line = next((arm for arm in decision.arms if arm.candidate == case.candidate.id), None)
    if line and line.closed_by:
        weighed.object("closed", f"The gate {line.closed_by} closes {phrase(case.candidate.arm)}", f"whytune decide {case.name}", decision.id)
    return decision


def _reached(case: Plea, weighed: Weighed, trial: Trial) -> None:
    measure, rule = trial.primary, case.rule
    smallest = case.policy.test.smallest
    if measure.n < smallest:
        weighed.object("too_few", f"The test set has {measure.n:,} items; the policy asks for {smallest:,}", "bring more rows, then: whytune run", trial.id)
    said = f"{measure.name} {measure.value:.3f} ({span(measure, True)}, n = {measure.n:,})"
    if measure.high < rule.bar:
        weighed.object("failed", f"It falls short of the bar {exact(rule.bar)}: {said}", "mend the slices named below", trial.id)
    elif measure.low < rule.bar:
        weighed.object("not_proven", f"It is not proven to reach the bar {exact(rule.bar)}: {said}", "bring more test rows, or mend the slices named below", trial.id)


def _certificate(case: Plea, weighed: Weighed) -> None:
    sealed = case.dataset.certificate
    leaks = {"the same group": sealed.same_group, "the same text": sealed.exact, "nearly the same text": sealed.near}
    for what, count in leaks.items():
        if count:
            weighed.object("leak", f"{count:,} test rows have {what} in train or dev", f"whytune data check {case.name}", case.dataset.id)


def _ceilings(case: Plea, weighed: Weighed, trial: Trial) -> None:
    ceilings, spent = case.policy.ceilings, trial.spending
    if ceilings.cost_per_1000 and spent.cost_per_1000 > ceilings.cost_per_1000:
        weighed.object("cost", f"1,000 answers cost {spent.cost_per_1000:.4f}; the policy allows {ceilings.cost_per_1000:.4f}", "a smaller base model, or another ceiling", trial.id)
    if ceilings.median_seconds and spent.median_seconds > ceilings.median_seconds:
        weighed.object("time", f"The median answer takes {spent.median_seconds:.2f} s; the policy allows {ceilings.median_seconds:.2f} s", "a smaller base model, or another ceiling", trial.id)


def _live(case: Plea, weighed: Weighed) -> None:
    allowed, found = case.policy.test.behind_champion, case.against_live
    if not allowed or not case.live:
        return
    if found is None:
        weighed.object("not_proven", "It was not measured on the same test items as the release now live", f"whytune run {case.name}", case.live)
    elif found.low < -allowed:
        weighed.object(
            "behind", f"Against the release now live it may be worse by more than {exact(allowed)}: {points(found.value)} points ({points(found.low)} to {points(found.high)})",
            "keep what is live, or mend the slices named below", case.live,
        )  # fmt: skip


def data(case: Plea, weighed: Weighed) -> None:
    """Checks passed, nothing personal where nothing personal may be, and a licence that is allowed."""
    check = f"whytune data check {case.name}"
    found = case.validation
    if found is None or found.dataset != case.dataset.id:
        weighed.object("missing" if found is None else "stale", "The checks were not run on this dataset version", check)
        return
    weighed.evidence.append(found.id)
    for finding in found.findings:
        if finding.status == "fail":
            weighed.object("failed", f"The check {finding.check} failed: {finding.message}", check, found.id)
    if not case.policy.data.personal:
        _personal(found.findings, weighed, check, found.id)


def _personal(findings: tuple[Finding, ...], weighed: Weighed, check: str, about: str) -> None:
    for name in ("personal_data", "secrets"):
        looked = [finding for finding in findings if finding.check == name]
        if not looked:
            weighed.object("personal_data", f"Nobody looked for {name.replace('_', ' ')} in this version", check, about)
        elif looked[0].status != "pass":
            weighed.object("personal_data", f"{name.replace('_', ' ').capitalize()}: {looked[0].message}", looked[0].next or check, about)


def licence(case: Plea, weighed: Weighed) -> None:
    """The base model's licence is among those that are allowed."""
    allowed = [name.casefold() for name in case.policy.data.licences]
    if allowed and case.base.licence.casefold() not in allowed:
        held = f"under {case.base.licence}" if case.base.licence else "under a licence that is not known"
        weighed.object("licence", f"The base model {case.base.name} comes {held}; allowed: {', '.join(case.policy.data.licences)}", "another base model, or [data] licences in policy.toml", case.base.id)


def responsible(case: Plea, weighed: Weighed) -> None:
    """Every dimension has a status that is let through. One that has nothing to ask of this candidate is noted, unless the policy names it."""
    again = f"whytune responsible run {case.name} --arm {case.candidate.arm}"
    report = newest(case, weighed, case.reports, what="responsible-AI report", next=again, about=lambda r: r.candidate == case.candidate.id)
    if report is None:
        return
    waivers = _waivers(case, weighed, report)
    terms = case.policy.responsible
    looked_at = {result.dimension: result.sentence for result in report.results}
    for dimension, status in report.statuses(waivers, case.today).items():
        allowed = terms.dimensions.get(dimension, terms.statuses)
        if status in allowed:
            continue
        if status == "NOT RUN" and dimension in looked_at and dimension not in terms.dimensions:
            # The probes were there and say why they have nothing to ask of this candidate.
            weighed.notes.append(f"Responsible AI, {dimension.replace('_', ' ')}: {looked_at[dimension]}")
            continue
        weighed.object("failed" if status == "FAIL" else "not_proven", f"Responsible AI, {dimension.replace('_', ' ')} ({DIMENSIONS[dimension]}): {status}", again, report.id)
    _probes(case, weighed, report, waivers)


def _probes(case: Plea, weighed: Weighed, report: ResponsibleReport, waivers: list[Waiver]) -> None:
    """A dimension passes by the probes that ran; those that the policy names must be among them."""
    held = {result.probe: result for result in report.waived(waivers, case.today)}
    for probe in case.policy.responsible.probes:
        result = held.get(probe)
        if (result and result.status != "NOT RUN") or (probe in TRAINED_ONLY and not case.candidate.adapter):
            continue
        named = f" --arm {case.candidate.arm}"
        run = f"whytune responsible run {case.name}{named}"
        said = f"Responsible AI: the probe {probe} is asked for and has no result: {result.sentence if result else 'the report does not know it'}"
        weighed.object("missing", said, f"whytune responsible canaries {case.name}{named}, then: {run}" if probe == "canaries" else run, report.id)


def _waivers(case: Plea, weighed: Weighed, report: ResponsibleReport) -> list[Waiver]:
    """Waivers that change a status today: who, why, until when; they become part of what is signed."""
    raw = report.waived((), case.today)
    counted = []
    for waiver in case.waivers:
        if waiver.candidate != case.candidate.id or not any(waiver.covers(result) and result.status != "PASS" for result in raw):
            continue
        about = f"{waiver.dimension}{'/' + waiver.probe if waiver.probe else ''}".replace("_", " ")
        said = f"{about} by {waiver.person} ({waiver.role}): {waiver.reason}"
        if waiver.until < case.today:
            weighed.notes.append(f"A waiver has ended on {waiver.until.isoformat()}: {said}")
        elif waiver.id in case.barred:
            # It is left out, and what it would have covered speaks for itself: somebody else may have waived that.
            weighed.notes.append(f"A waiver does not count, because {case.barred[waiver.id]}: {said}")
        else:
            alone(case, weighed, waiver.solo, f"The waiver of {about}", waiver)
            weighed.evidence.append(waiver.id)
            weighed.until.append(waiver.until)
            weighed.notes.append(f"Waived until {waiver.until.isoformat()}: {said}")
            counted.append(waiver)
    return counted


def forgetting(case: Plea, weighed: Weighed) -> None:
    """A tuned candidate has not lost more general skill than is allowed; one without an adapter cannot have."""
    if not case.candidate.adapter:
        return
    again = f"whytune forgetting {case.name} --arm {case.candidate.arm}"
    found = newest(case, weighed, case.fallbacks, what="forgetting measurement", next=again, about=lambda f: f.candidate == case.candidate.id)
    most = case.policy.ceilings.forgetting
    if found and found.difference.low < -most:
        proven = found.difference.high < -most
        weighed.object(
            "failed" if proven else "not_proven",
            f"It may have forgotten more than {exact(most)} of its base's general skill: {points(found.difference.value)} points ({points(found.difference.low)} to {points(found.difference.high)}, n = {found.difference.n:,})",
            "fewer epochs or a smaller rank, then: whytune train", found.id,
        )  # fmt: skip
