"""What a run would take, said before it is spent: rough where nothing was measured here yet, sharper once something was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from whytune.errors import RefusedError
from whytune.jobs.progress import Silent
from whytune.records.candidate import Adapter
from whytune.records.data import SplitName
from whytune.records.evidence import Trial
from whytune.workspace import creating

if TYPE_CHECKING:
    from whytune.workspace.measuring import Bench
    from whytune.workspace.project import Project

BUNDLED_PARAMETERS = 135e6
LABEL_SECONDS, TEXT_SECONDS = 0.06, 0.25
"""Per answer of the bundled model on two cores, as in docs/benchmarks.md."""
TRAIN_TOKENS_SECOND = 200.0
TOKENS_PER_ROW = 45


def estimate(project: Project, known: Mapping[SplitName, int] | None = None) -> dict[str, Any]:
    """Steps with seconds, money and disk. known: rows by split; without them the files are read to know, and nothing is kept."""
    file = project.file
    counts: Mapping[SplitName, int] = known or creating.prepare(project, Silent()).counts
    measured = {trial.arm: trial.spending.median_seconds for trial in project.records(Trial)}
    guess = LABEL_SECONDS if project.task.constraint == "labels" else TEXT_SECONDS
    arms = [arm for arm in file.arms.use if file.data.documents or arm not in ("rag", "full_context", "tuned_rag")]
    steps: list[dict[str, Any]] = []
    for arm in arms:
        each = measured.get(arm, guess)
        dev = counts["dev"] if arm not in ("tuned", "tuned_rag") else 0
        steps.append({"step": "dev+test", "what": f"{arm}: {dev + counts['test']:,} answers", "seconds": each * (dev + counts["test"])})
    past = [adapter.tokens / adapter.seconds for adapter in project.records(Adapter) if adapter.seconds]
    rate = past[-1] if past else TRAIN_TOKENS_SECOND
    for arm in arms:
        if arm in ("tuned", "tuned_rag"):
            tokens = counts["train"] * file.training.epochs * TOKENS_PER_ROW * (6 if arm == "tuned_rag" else 1)
            steps.append({"step": "train", "what": f"{arm}: {counts['train']:,} rows, {file.training.epochs:g} epochs", "seconds": tokens / rate})
    seconds = sum(step["seconds"] for step in steps)
    return {
        "project": project.name, "steps": steps, "seconds": seconds, "money": seconds * file.prices.compute_hour / 3600,
        "currency": file.prices.currency, "disk_bytes": 20_000_000 * len([arm for arm in arms if arm.startswith("tuned")]) + 300_000_000,
        "from": "what was measured in this project" if measured else "figures of the bundled model on two cores",
    }  # fmt: skip


def training(bench: Bench) -> dict[str, Any]:
    """Tokens, seconds and memory of training the closed-book adapter, from the rows as tokenised."""
    from whytune.training.estimate import estimate as estimate_training
    from whytune.workspace.learning import plan_for

    return dict(estimate_training(plan_for(bench), bench.split("train")).__dict__)


def within_budget(project: Project, bench: Bench, arms: Sequence[str]) -> None:
    """Refuse to train where the estimate is above the owner's budget. Raises RefusedError."""
    budget, prices = project.file.budget, project.file.prices
    if not (budget.hours or budget.money):
        return
    from whytune.training.estimate import estimate as estimate_training
    from whytune.workspace.learning import plan_for

    seconds = estimate_training(plan_for(bench), bench.split("train")).seconds * len(arms)
    money = seconds * prices.compute_hour / 3600
    problems = []
    if budget.hours and seconds > budget.hours * 3600:
        problems.append(f"about {seconds / 3600:.2f} hours of training, the budget is {budget.hours:g}")
    if budget.money and money > budget.money:
        problems.append(f"about {money:.2f} {prices.currency}, the budget is {budget.money:g}")
    if problems:
        raise RefusedError("Training would go over the budget", problems=problems, next="raise [budget], lower [training] epochs or [split] limit, or take tuned out of [arms] use")
