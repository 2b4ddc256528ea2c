"""What the words of this program mean: errors, verdicts, checks, metrics, tasks, arms, roles; from the code that uses them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator

from whytune import errors
from whytune.errors import NotFoundError, WhytuneError
from whytune.records.candidate import ARM_TITLES
from whytune.records.ledger import ROLES
from whytune.tasks import TASKS

ARMS: dict[str, str] = {
    "prompt": "The base model with the task's prompt, and nothing else. Constrained to the labels or the schema where the task has them.",
    "few_shot": "The prompt with training rows shown as solved examples: the same ones each time, or the nearest to each input, whichever did better on dev.",
    "full_context": "The prompt with every document in it, where they fit the model's context.",
    "rag": "The prompt with the passages that search finds for each input; search is tuned on dev.",
    "oracle": "The prompt with the passage that is known to hold the answer. Only on dev: it says what search costs, it cannot be released.",
    "tuned": "The base model with a LoRA adapter trained on the train split, without documents.",
    "tuned_rag": "An adapter trained with retrieved passages and distractors in the prompt, and search when it answers.",
}


def meaning(code: str) -> str:
    """The explanation of a word. Raises NotFoundError naming the nearest ones."""
    known = {word.lower(): f"{kind} {word}\n{text}" for kind, word, text in _words()}
    key = code.strip().lower().replace(" ", "_")
    found = known.get(key) or known.get(key.replace("_", "-"))
    if found:
        return found
    near = difflib.get_close_matches(key, known, n=5)
    raise NotFoundError(f"Nothing is named {code!r}", next=f"did you mean: {', '.join(near)}" if near else f"there are: {', '.join(sorted(known))}")


def _words() -> Iterator[tuple[str, str, str]]:
    from whytune.acceptance.saying import VERDICTS
    from whytune.checks.registry import CHECKS
    from whytune.evaluation.scorers import SCORERS
    from whytune.records.responsible import DIMENSIONS
    from whytune.responsible.limits import PROBES

    for error in vars(errors).values():
        if inspect.isclass(error) and issubclass(error, WhytuneError):
            yield "error", error.code, f"{inspect.getdoc(error)}\nExit code {error.exit_code}. The error itself says which value, where, and what to do next."
    for verdict, text in VERDICTS.items():
        yield "verdict", verdict, text
    for name, check in CHECKS.items():
        yield "check", name, inspect.getdoc(check) or ""
    for name, scorer in SCORERS.items():
        yield "metric", name, scorer.does
    for name, kind in PROBES.items():
        yield "probe", name, f"{DIMENSIONS[kind.dimension]} Counts {kind.counts}. docs/reference/probes.md"
    for task in TASKS.values():
        yield "task", task.name, f"{task.title}: {task.input_field} -> {task.target_field}. Decided by {task.metric}; beside it {', '.join(task.beside)}."
    for arm, text in ARMS.items():
        yield "arm", arm, f"{ARM_TITLES[arm]}. {text}"
    for role, text in ROLES.items():
        yield "role", role, text
