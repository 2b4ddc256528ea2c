"""Model selection: the ways to tune that a project lists, trained side by side or as a ladder, ranked on dev, one finalist.

Dev alone is looked at; the test set sees the finalist and nothing else. Among candidates that are not provably worse than
the best on dev the smallest is taken. What was not tried is on record with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from whytune.errors import RefusedError, UsageError
from whytune.evaluation.compare import Contender, compare
from whytune.evaluation.measures import clusters_of
from whytune.jobs.progress import Progress
from whytune.records.candidate import Adapter, Base, Candidate, Recipe
from whytune.records.choice import ModelChoice, Rung
from whytune.records.evidence import Protocol, Score, Trial
from whytune.records.record import canonical_json, digest
from whytune.workspace import bases, learning

if TYPE_CHECKING:
    from whytune.workspace.arms import Makings
    from whytune.workspace.measuring import Bench
    from whytune.workspace.project import Project

METHOD_ORDER = ("lora", "rslora", "qlora", "dora", "full")
"""From plain to elaborate: which comes first among candidates of the same size."""

_BUDGET = "the budget is"


@dataclass(frozen=True)
class Entrant:
    """One way to tune, with what it is made from."""

    name: str
    makings: Makings

    @property
    def base(self) -> Base:
        """Its base model."""
        return self.makings.base

    @property
    def recipe(self) -> Recipe:
        """Its recipe."""
        return self.makings.file.training


def entrants(project: Project, makings: Makings, progress: Progress) -> list[Entrant]:
    """The candidates of `whytune.toml`, smallest first; without any, [model] and [training] are the only one."""
    from whytune.workspace.config import CandidateSection

    file = makings.file
    found = []
    for section in file.candidates or (CandidateSection(name="training"),):
        base, model = makings.base, file.model
        if section.base and section.base != file.model.base:
            model = file.model.model_copy(update={"base": section.base, "revision": section.revision})
            progress.phase(f"preparing {section.base}", 0)
            base = bases.resolve(model, project.folder, project.workspace.settings)
        own = file.model_copy(update={"model": model, "training": file.recipe(section)})
        found.append(Entrant(section.name, replace(makings, file=own, base=base)))
    untrainable = [f"{each.name}: {each.base.name} is an endpoint, its weights are not here" for each in found if not each.base.trainable]
    if untrainable:
        raise UsageError("Some candidates cannot be trained", problems=untrainable, next="take them out of [[candidates]]")
    held = {base.id for base in project.records(Base)}
    for each in found:
        if each.base.id not in held:
            with project.act("base.chosen") as act:
                act.write(each.base)
            held.add(each.base.id)
    return sorted(found, key=lambda each: (each.base.parameters, METHOD_ORDER.index(each.recipe.method), each.recipe.rank))


def plan_of(found: Sequence[Entrant]) -> str:
    """What is open, as one digest."""
    return digest(canonical_json([[each.name, each.base.id, each.recipe.id] for each in found]))


def choice(project: Project, bench: Bench, arm: str, progress: Progress, how: str = "") -> tuple[ModelChoice, Entrant]:
    """The choice that stands for this dataset and these candidates, or a new one; with the entrant that it names.

    how: asked for expressly; a ladder that stands is then climbed on to `all`, and else it is left as it is.
    """
    found, rule = entrants(project, bench.makings, progress), bench.makings.file.acceptance
    standing = standing_choice(project, bench.makings.dataset.id, plan_of(found))
    if standing is not None:
        climbing = standing.how == "ladder"
        overtaken = standing.metric != rule.metric or (climbing and (how == "all" or standing.bar != rule.bar))
        if overtaken or _affordable(bench.makings, standing) or _shown_short(project, standing):
            standing = None
    if standing is None:
        standing = _choose(project, bench, found, arm, how or bench.makings.file.training_run.order, progress)
    return standing, next(each for each in found if each.name == standing.finalist)


def standing_choice(project: Project, dataset: str, plan: str = "") -> ModelChoice | None:
    """The newest choice about this version; of just these candidates where a plan is given."""
    found = [made for made in project.records(ModelChoice) if made.dataset == dataset and plan in ("", made.plan)]
    return found[-1] if found else None


def _choose(project: Project, bench: Bench, found: Sequence[Entrant], arm: str, how: str, progress: Progress) -> ModelChoice:
    rule, dataset = bench.makings.file.acceptance, bench.makings.dataset
    retrieval = bench.makings.retrieval if arm == "tuned_rag" else None
    spent, stop = 0.0, ""
    rungs: list[Rung] = []
    for number, each in enumerate(found):
        own = bench if each.makings == bench.makings else _bench(project, bench, each)
        trained = learning.known_adapter(own, retrieval)
        expected = 0.0 if trained else _expected_seconds(own)
        stop = stop or _over_budget(bench.makings, spent + expected)
        if stop:
            rungs.append(_rung(each, "not_tried", stop, seconds=expected))
            continue
        progress.phase(f"candidate {each.name}: {each.base.name}, {each.recipe.method} ({number + 1} of {len(found)})", 0)
        made = learning.adapter(own, retrieval, progress)
        candidate = each.makings.tuned(made)
        measured = own.trial(candidate, "dev", progress)
        own.close()
        spent += made.seconds
        rungs.append(_measured(each, made, candidate, measured))
        if how == "ladder" and number + 1 < len(found):
            stop = _why_stop(project, measured, candidate, rule.bar, rule.metric)
            if not stop:
                rungs[-1] = rungs[-1].model_copy(update={"reason": f"{rungs[-1].reason}; provably below the bar of {rule.bar:g}, so the next rung is tried"})
    if not any(rung.state == "measured" for rung in rungs):
        raise RefusedError("No candidate may be trained", problems=[f"{rung.name}: {rung.reason}" for rung in rungs], next="raise [budget] in whytune.toml, or list a smaller candidate")
    ranked = _ranked(bench, rungs)
    finalist, reason = _finalist(ranked)
    made_choice = ModelChoice(
        project=project.key, dataset=dataset.id, plan=plan_of(found), how="ladder" if how == "ladder" else "all", arm=arm, metric=rule.metric,
        bar=rule.bar, rungs=tuple(ranked), finalist=finalist.name, reason=reason,
    )  # fmt: skip
    progress.phase(reason, 0)
    with project.act("model.chosen", read=[dataset.id, *(rung.trial for rung in ranked if rung.trial)]) as act:
        act.facts.update(finalist=finalist.name, tried=str(sum(rung.state == "measured" for rung in ranked)), of=str(len(ranked)))
        act.write(made_choice)
    return made_choice


def _bench(project: Project, bench: Bench, each: Entrant) -> Bench:
    from whytune.workspace.measuring import Bench

    bench.close()
    made = Bench(project, each.makings)
    made.retriever = bench.retriever
    return made


def _expected_seconds(bench: Bench) -> float:
    """By how fast this project trained models of that size before; else by the estimate from the rows."""
    from whytune.training.estimate import estimate

    return estimate(learning.plan_for(bench), bench.split("train")).seconds


def _over_budget(makings: Makings, seconds: float) -> str:
    budget, prices = makings.file.budget, makings.file.prices
    money = seconds * prices.compute_hour / 3600
    if budget.hours and seconds > budget.hours * 3600:
        return f"with it training would take about {seconds / 3600:.2f} hours, {_BUDGET} {budget.hours:g}"
    if budget.money and money > budget.money:
        return f"with it training would cost about {money:.2f} {prices.currency}, {_BUDGET} {budget.money:g}"
    return ""


def _affordable(makings: Makings, standing: ModelChoice) -> bool:
    """Whether a rung that the budget forbade then may be tried now."""
    spent = sum(rung.seconds for rung in standing.rungs if rung.state == "measured")
    forbidden = [rung for rung in standing.rungs if rung.state == "not_tried" and _BUDGET in rung.reason]
    return bool(forbidden) and not _over_budget(makings, spent + min(rung.seconds for rung in forbidden))


def _why_stop(project: Project, measured: Trial, candidate: Candidate, bar: float, metric: str) -> str:
    """Why the ladder is not climbed further, or nothing where this rung provably falls short."""
    found = measured.primary
    on_test = next((t for t in reversed(project.records(Trial)) if t.split == "test" and t.candidate == candidate.id and t.dataset == measured.dataset), None)
    if found.high < bar or (on_test and on_test.primary.high < bar):
        return ""
    if found.low >= bar:
        return f"a smaller candidate reaches the bar: {metric} {found.value:.3f} on dev, at least {found.low:.3f}"
    return f"a smaller candidate is not proven to fall short: {metric} {found.value:.3f} on dev, up to {found.high:.3f}, the bar is {bar:g}"


def _shown_short(project: Project, standing: ModelChoice) -> bool:
    """Whether the test set said since then that the last rung of a ladder falls short, with rungs left above it."""
    left = any(rung.state == "not_tried" and "smaller candidate" in rung.reason for rung in standing.rungs)
    if standing.how != "ladder" or not left:
        return False
    tried = {rung.candidate for rung in standing.rungs if rung.candidate}
    return any(t.split == "test" and t.candidate in tried and t.dataset == standing.dataset and t.primary.high < standing.bar for t in project.records(Trial))


def _rung(each: Entrant, state: str, reason: str, **more: object) -> Rung:
    base = each.base
    content = {"name": each.name, "base": base.id, "base_name": base.name, "parameters": base.parameters, "method": each.recipe.method,
               "recipe": each.recipe.id, "state": state, "reason": reason, **more}  # fmt: skip
    return Rung.model_validate(content)


def _measured(each: Entrant, made: Adapter, candidate: Candidate, measured: Trial) -> Rung:
    found = measured.primary
    reason = f"{found.name} {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) on {found.n:,} rows of dev"
    return _rung(each, "measured", reason, adapter=made.id, candidate=candidate.id, trial=measured.id, measure=found, seconds=made.seconds)


def _ranked(bench: Bench, rungs: Sequence[Rung]) -> list[Rung]:
    """Best on dev first, each with its paired difference to the best; what was not tried comes last."""
    tried = sorted((rung for rung in rungs if rung.measure), key=lambda rung: -rung.measure.value if rung.measure else 0.0)
    store, file, dev = bench.project.workspace.store, bench.makings.file, bench.split("dev")
    names = tuple(rung.name for rung in tried)
    between = Protocol(
        project=bench.project.key, usecase=file.usecase.id, rule=file.acceptance.id, dataset=bench.makings.dataset.id,
        candidates=tuple(rung.candidate for rung in tried), arms=names, contrasts=tuple((names[0], name) for name in names[1:]),
        metric=file.acceptance.metric,
    )  # fmt: skip
    contenders = [Contender(rung.name, rung.trial, list(store.read_pack(store.get(Trial, rung.trial).scores, Score))) for rung in tried]
    found = {each.second_arm: each for each in compare(contenders, between, file.acceptance, dev, clusters_of(dev), bench.makings.dataset.labels)}
    shown = [tried[0]]
    for rung in tried[1:]:
        each = found[rung.name]
        shown.append(rung.model_copy(update={"to_best": each.difference, "p_holm": each.p_holm, "behind": each.conclusion == "worse"}))
    return [*shown, *(rung for rung in rungs if not rung.measure)]


def _finalist(ranked: Sequence[Rung]) -> tuple[Rung, str]:
    best = ranked[0]
    tried = [rung for rung in ranked if rung.measure]
    if len(tried) == 1:
        return best, f"{best.name} is the only candidate that was measured: {best.reason}"
    tied = [best, *(rung for rung in tried[1:] if not rung.behind)]
    smallest = min(tied, key=lambda rung: (rung.parameters, METHOD_ORDER.index(rung.method), tried.index(rung)))
    if smallest is best:
        behind = len(tried) - len(tied)
        return best, f"{best.name} is best on dev" + (f", provably better than {behind} of {len(tried) - 1}" if behind else " and no larger than those that are not provably worse")
    return smallest, f"{smallest.name} is taken: {best.name} is better on dev, but not provably, and is not smaller or plainer"
