"""`policy.toml`: what this organisation asks of any candidate, read with every mistake told at once, kept as a numbered record.

The file is a proposal; it counts from the act "policy.fixed" on. A changed file is a new policy with the next number, and
what was signed under the one before is stale.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from whytune.errors import NotFoundError, SettingsError, UsageError
from whytune.records.ledger import ROLES
from whytune.records.release import EVIDENCE, Policy
from whytune.records.responsible import DIMENSIONS
from whytune.responsible.limits import PROBES
from whytune.workspace import roles
from whytune.workspace.config import line_of, toml_value
from whytune.workspace.writing import write_whole

if TYPE_CHECKING:
    from whytune.workspace.project import Project

FILE = "policy.toml"
SECTIONS = ("test", "human", "responsible", "data", "ceilings")
CONCLUSIONS = ("better", "tie", "not_proven")
SAID = {
    "solo": "true: a person who is alone in the workspace may sign every role; releases then say \"not independently approved\"",
    "evidence": "what must be there; of: " + ", ".join(EVIDENCE),
    "signatures": "roles that must sign, a different person each",
    "smallest": "items that the sealed test set must have",
    "winner_only": "only the arm that the decision names; false: any arm that provably reaches the bar",
    "most_looks": "looks at one test set, all candidates together",
    "behind_champion": "points (0..1) by which it may be behind the release now live, at most; 0: not asked",
    "reviewers": "different people in the human evaluation of answers",
    "double_rated": "rows that two people rated apart",
    "alpha": "Krippendorff's alpha that they must reach",
    "most_bad_rows": "the upper bound of the share of bad rows must lie below this",
    "conclusions": "of the human evaluation, seen from the candidate; may also be not_proven",
    "most_rounds": "closed rounds about the rows of one version, and about the answers of one candidate",
    "statuses": "of every responsible-AI dimension; of: PASS, WAIVED, NOT PROVEN, NOT RUN, FAIL",
    "probes": "that must have been run or be waived; canaries and loss_gap are asked of what was trained only",
    "licences": "of the base model; empty: any",
    "personal": "whether rows may hold personal data or secrets",
    "cost_per_1000": "most that 1,000 answers may cost; 0: no ceiling",
    "median_seconds": "most that the median answer may take; 0: no ceiling",
    "forgetting": "most that a tuned model may have lost of its base's general skill (0..1)",
}


def read(project: Project) -> Policy:
    """The file as a policy, with the number it has or would get. Raises NotFoundError or a SettingsError with every mistake."""
    path = project.folder / FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise NotFoundError(f"{project.name} has no {FILE}", where=str(project.folder), next=f"whytune policy init {project.name}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{FILE} cannot be read: {error}", where=str(path), next=f"mend {path}") from None
    return parsed(project, text)


def parsed(project: Project, text: str) -> Policy:
    """The text of such a file as a policy. Raises a SettingsError with every mistake."""
    path = project.folder / FILE
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{FILE} cannot be read: {error}", where=str(path), next=f"mend {path}") from None
    problems = [f"line {line_of(text, (key,))}: {key} is not set here" for key in ("project", "number") if key in raw]
    policy: Policy | None = None
    try:
        policy = Policy.model_validate({**raw, "project": project.key, "number": 1})
    except ValidationError as error:
        problems += [_said(dict(item), text) for item in error.errors()]
    problems += _beyond_types(raw, text)
    if problems or policy is None:
        count = f"{len(problems)} mistake{'s' if len(problems) > 1 else ''}"
        raise SettingsError(f"{FILE} has {count}", where=str(path), problems=problems, next=f"mend {path}, then: whytune policy show {project.name}")
    return numbered(policy, project.records(Policy))


def numbered(policy: Policy, before: list[Policy]) -> Policy:
    """The same policy with the number of the newest one where nothing changed, or else the next."""
    last = before[-1] if before else None
    if last and policy.model_copy(update={"number": last.number}) == last:
        return last
    return policy.model_copy(update={"number": last.number + 1 if last else 1})


def fix(project: Project) -> Policy:
    """Keep the file's policy as a record, unless it is the newest one already."""
    policy = read(project)
    known = project.workspace.store.latest(Policy, project.key)
    if known is None or known.id != policy.id:
        with project.act("policy.fixed", read=[known.id] if known else []) as act:
            act.facts.update(number=str(policy.number), signatures=", ".join(policy.signatures), solo=str(policy.solo).lower())
            act.write(policy)
    return policy


def fix_text(project: Project, text: str) -> Policy:
    """Write the file with this text and put it into force; with a mistake in it nothing is written."""
    roles.check(project.workspace.person, "policy.fixed")
    parsed(project, text)
    write_whole(project.folder / FILE, text if text.endswith("\n") else text + "\n")
    return fix(project)


def fixed(project: Project) -> Policy:
    """The policy in force. Raises NotFoundError where none is, UsageError where the file says something else."""
    known = project.workspace.store.latest(Policy, project.key)
    if known is None:
        raise NotFoundError(f"No policy is fixed for {project.name}", next=f"whytune policy init {project.name}, read {FILE}, then: whytune policy fix {project.name}")
    path = project.folder / FILE
    if path.exists() and read(project).id != known.id:
        raise UsageError(f"{FILE} is not policy {known.number}, which is in force", where=str(path), next=f"whytune policy fix {project.name}, or put the file back as it was")
    return known


def init(project: Project, *, solo: bool | None = None) -> Path:
    """Write the commented file. solo: as said, or where the workspace has no people. Refuses to overwrite one."""
    path = project.folder / FILE
    if path.exists():
        raise UsageError(f"{path} is there already", next=f"edit it, then: whytune policy fix {project.name}")
    alone = not project.workspace.people() if solo is None else solo
    write_whole(path, write(Policy(project=project.key, number=1, solo=alone)))
    return path


def write(policy: Policy) -> str:
    """The commented file; reading it back gives the same policy."""
    lines = [
        "# What must be shown and signed before a candidate of this project becomes a release.",
        "# It counts once it is fixed (whytune policy fix); changing it afterwards makes a new policy, and signatures under this one are stale.",
        *(_line(policy, name) for name in ("solo", "evidence", "signatures")),
    ]
    for section in SECTIONS:
        values = getattr(policy, section)
        lines += ["", f"[{section}]", *(_line(values, name) for name in type(values).model_fields if name != "dimensions")]
        if section == "responsible":
            lines += ["", "[responsible.dimensions]   # dimensions that must be in the report, each with the statuses let through; of: " + ", ".join(DIMENSIONS)]
            lines += [f"{name} = {toml_value(statuses)}" for name, statuses in policy.responsible.dimensions.items()] or ["# privacy = [\"PASS\"]"]
    return "\n".join(lines) + "\n"


def _line(values: Any, name: str) -> str:
    return f"{name} = {toml_value(getattr(values, name))}   # {SAID[name]}"


def _beyond_types(raw: dict[str, Any], text: str) -> list[str]:
    problems = []
    may_sign = roles.ACTS["approval.signed"]
    signatures = raw.get("signatures", [])
    for role in signatures if isinstance(signatures, list) else ():
        if role not in ROLES:
            problems.append(f"line {line_of(text, ('signatures',))}: no role is named {role!r}; there are: {', '.join(ROLES)}")
        elif role not in may_sign:
            problems.append(f"line {line_of(text, ('signatures',))}: {role} does not sign; these do: {', '.join(may_sign)}")
    if isinstance(signatures, list) and len({str(role) for role in signatures}) < len(signatures):
        problems.append(f"line {line_of(text, ('signatures',))}: a role is named twice in signatures")
    if "signatures" in raw and not signatures:
        problems.append(f"line {line_of(text, ('signatures',))}: signatures is empty: somebody must sign")
    responsible = raw.get("responsible")
    dimensions = responsible.get("dimensions") if isinstance(responsible, dict) else None
    for name in dimensions if isinstance(dimensions, dict) else ():
        if name not in DIMENSIONS:
            problems.append(f"line {line_of(text, ('responsible', 'dimensions', name))}: no dimension is named {name!r}; there are: {', '.join(DIMENSIONS)}")
    probes = responsible.get("probes") if isinstance(responsible, dict) else None
    for name in probes if isinstance(probes, list) else ():
        if name not in PROBES:
            near = difflib.get_close_matches(str(name), PROBES, n=1)
            problems.append(f"line {line_of(text, ('responsible', 'probes'))}: no probe is named {name!r}; " + (f"did you mean {near[0]}?" if near else f"there are: {', '.join(PROBES)}"))
    human = raw.get("human")
    conclusions = human.get("conclusions") if isinstance(human, dict) else None
    for said in conclusions if isinstance(conclusions, list) else ():
        if said not in CONCLUSIONS:
            problems.append(f"line {line_of(text, ('human', 'conclusions'))}: {said!r} cannot be let through; choose from: {', '.join(CONCLUSIONS)}")
    return problems


def _said(item: dict[str, Any], text: str) -> str:
    path = tuple(str(part) for part in item["loc"] if not isinstance(part, int))
    name, at = ".".join(path), line_of(text, path)
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], [*SAID, *SECTIONS], n=1)
        return f"line {at}: unknown key {name}" + (f"; did you mean {near[0]}?" if near else "")
    return f"line {at}: {name} = {item.get('input')!r}: {item['msg']}"
