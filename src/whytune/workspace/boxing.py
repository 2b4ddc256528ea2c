"""What each box of the flowchart reads: one method a box, from the records of one use case to how it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from whytune.acceptance import gate
from whytune.errors import WhytuneError
from whytune.records.data import SPLITS, Dataset, Validation
from whytune.records.decision import Attribution, Decision
from whytune.records.evidence import Trial
from whytune.records.project import UseCase
from whytune.records.proposal import AcceptedRows, DatasetApproval
from whytune.records.release import Acceptance, AliasMove, Policy, Release, Retirement
from whytune.records.responsible import ResponsibleReport, Waiver
from whytune.records.review import HumanEvaluation, Queue, RowReview
from whytune.workspace import accepting, flow
from whytune.workspace.box_places import (
    ENOUGH,
    LACKING,
    MEND_FIRST,
    MORE_DATA,
    NOT_YET,
    OPEN_CODES,
    BoxFace,
    GateView,
)

if TYPE_CHECKING:
    from whytune.workspace.held import HeldProject

class Looker:
    """One use case, looked at box by box."""

    def __init__(self, project: HeldProject) -> None:
        self.project = project
        self.file = project.file
        self.steps = flow.standing(project)

    def box(self, key: str) -> BoxFace:
        """How this box stands."""
        drawn: BoxFace = getattr(self, f"_{key}")()
        return drawn

    # What there is

    def _reached(self, step: str) -> bool:
        """Whether this step and all before it are done or skipped."""
        return all(name in self.steps for name in flow.STEPS[: flow.STEPS.index(step) + 1])

    def _ready(self, step: str) -> bool:
        at = flow.STEPS.index(step)
        return step not in self.steps and all(name in self.steps for name in flow.STEPS[:at])

    @cached_property
    def made(self) -> Dataset | None:
        return self.project.latest_dataset if self._reached("data") else None

    @cached_property
    def validation(self) -> Validation | None:
        return next((one for one in reversed(self.project.records(Validation)) if self.made and one.dataset == self.made.id), None)

    @cached_property
    def decision(self) -> Decision | None:
        """The decision about today's data and rule."""
        return self.project.decision if self.made and "decide" in self.steps else None

    @cached_property
    def enough(self) -> bool:
        return bool(self.decision and self.decision.verdict.code in ENOUGH)

    @cached_property
    def policy(self) -> Policy | None:
        return self.project.newest(Policy)

    @cached_property
    def candidate(self) -> str:
        """Which candidate is to be accepted: the one that the decision names, else the best."""
        lines = [line for line in self.decision.arms if line.candidate] if self.decision else []
        named = next((line for line in lines if self.decision and line.arm == self.decision.verdict.winner), None)
        best = named or max(lines, key=lambda line: line.primary.value, default=None)
        return best.candidate if best else ""

    @cached_property
    def acceptance(self) -> Acceptance | None:
        """The last word on today's data."""
        return next((one for one in reversed(self.project.records(Acceptance)) if self.decision and self.made and one.dataset == self.made.id), None)

    @cached_property
    def sent_back(self) -> Acceptance | None:
        """A no that asks for better data or answers, not only for a signature that was missing then."""
        said = self.acceptance
        if said is None or said.accepted or self.policy is None or all(one.code in OPEN_CODES for one in said.objections):
            return None
        # What stood against it may have been waived or mended since without a new version.
        return said if self.gate.open or any(one.code == "rejected" for one in said.objections) else None

    @cached_property
    def gate(self) -> GateView:
        """The gate as it stands today; worked out once for what is recorded."""
        return self.project.worked_out("gate", (self.project.today, self.project.policy_text), self._gate)

    def _gate(self) -> GateView:
        try:
            weighed = gate.evidence(accepting.case_for(self.project))
            asked = accepting.asked(self.project)
        except WhytuneError as error:  # a policy.toml that was changed and not fixed, say: the box says so
            return GateView(trouble=error.what)
        return GateView(tuple(one.sentence for one in weighed.objections), tuple((role, tuple(names)) for role, names in asked.items()))

    def _wanted(self, evidence: str) -> bool:
        return bool(self.policy and evidence in self.policy.evidence)

    # The boxes

    def _usecase(self) -> BoxFace:
        rule = self.file.acceptance
        if "usecase" in self.steps:
            usecase = self.project.newest(UseCase)
            return BoxFace("done", f"{rule.metric} from {rule.bar:g}", f"Fixed: {self.steps['usecase']}", evidence=(usecase.id,) if usecase else ())
        before = self.project.newest(UseCase) is not None
        detail = "whytune.toml says something else than what was fixed: fix it anew" if before else "The rule and the budget are to be fixed before there is any result"
        return BoxFace("due", "fix it anew" if before else "to be fixed", detail, "usecase.fixed", cli="whytune run {name} --until usecase")

    def _task(self) -> BoxFace:
        if not self.made:
            return BoxFace("not started", self.file.task, f"Task: {self.file.task}; there is no test set yet")
        looks = self.project.looks
        told = f"Task: {self.file.task}; {self.made.counts.get('test', 0):,} cases are sealed, opened {looks} time{'' if looks == 1 else 's'}"
        return BoxFace("done", f"{self.made.counts.get('test', 0):,} cases sealed", told, evidence=(self.made.id,))

    def _find(self) -> BoxFace:
        decision = self.decision
        if decision and decision.verdict.code in MORE_DATA and not self.sent_back:
            needed = decision.verdict.items_needed
            more = f"about {needed:,} more cases" if needed else "better data"
            return BoxFace("due", more, f"{decision.verdict.headline}. Look for {more}", "dataset.created", evidence=(decision.id,), cli="whytune data propose {name}")
        if self.made:
            rows = sum(source.rows for source in self.made.sources)
            files = len(self.made.sources)
            return BoxFace("done", f"{files} source{'' if files == 1 else 's'}, {rows:,} rows", f"{files} source{'' if files == 1 else 's'} read, {rows:,} rows", evidence=(self.made.id,))
        named = len(self.file.data.from_)
        if named or self.project.records(AcceptedRows):
            return BoxFace("done", f"{named} named", f"{named} source{'' if named == 1 else 's'} named in whytune.toml")
        return BoxFace("due", "no data named", "No file of examples is named yet", "dataset.created", cli="whytune init")

    def _create(self) -> BoxFace:
        if self.sent_back:
            said = self.sent_back
            wanted = sum(target.rows for target in said.collection_targets)
            detail = f"{said.sentence} Mend {len(said.slices_to_mend)} slices" + (f", look for about {wanted:,} rows" if wanted else "")
            return BoxFace("due", "mend, next version", detail, "dataset.created", evidence=(said.id,))
        if self.made:
            rows = sum(self.made.counts.values())
            told = ", ".join(f"{split} {self.made.counts.get(split, 0):,}" for split in SPLITS)
            return BoxFace("done", f"v{self.made.number}, {rows:,} rows", f"Version {self.made.number}: {told}; {sum(self.made.removed.values()):,} rows left out", evidence=(self.made.id,))
        if not self._ready("data"):
            return NOT_YET
        before = self.project.latest_dataset
        waiting = [one.id for one in self.project.records(AcceptedRows)]
        if before and waiting != json.loads(before.reading.get("accepted", "[]")):
            return BoxFace("due", "rows wait", "Rows were accepted since the last version: make the next one", "dataset.created", cli="whytune run {name} --until data")
        if not self.file.data.from_:
            return NOT_YET
        return BoxFace("due", "no version yet", "The files are named and not read yet", "dataset.created", cli="whytune run {name} --until data")

    def _validate(self) -> BoxFace:
        if not self.made or not self._reached("data"):
            return NOT_YET
        found = self.validation
        if found is None:
            return BoxFace("due", "to be checked", "The checks have not run on this version", "dataset.checked", cli="whytune data check {name}")
        failed = [one for one in found.findings if one.status == "fail"]
        if failed:
            return BoxFace("stopped", f"{len(failed)} of {len(found.findings)} fail", f"The version does not pass: {failed[0].check}: {failed[0].message}", "dataset.created", (found.id,), cli="whytune data check {name}")
        warned = sum(one.status == "warn" for one in found.findings)
        told = f"{len(found.findings) - warned} of {len(found.findings)} checks pass" + (f", {warned} warn" if warned else "")
        rooms = self._rounds(("rows", "labels"))
        if rooms:
            return BoxFace("at work", self._share(rooms[-1]), f"{told}; people look at rows in round {rooms[-1].number}: {self._share(rooms[-1])}", evidence=(found.id,))
        seen = {"row_review": {one.dataset for one in self.project.records(RowReview)}, "dataset_approval": {one.dataset for one in self.project.records(DatasetApproval)}}
        lacking = [said for name, said in LACKING.items() if self._wanted(name) and self.made.id not in seen[name]]
        if lacking and self.decision:
            act = "queue.opened" if "review" in lacking[0] else "dataset.approved"
            command = "whytune review open {name} --rows" if act == "queue.opened" else "whytune data approve {name}"
            return BoxFace("due", f"{lacking[0]} is open", f"{told}; the policy also asks for {' and '.join(lacking)}", act, (found.id,), cli=command)
        return BoxFace("done", f"{len(found.findings) - warned} of {len(found.findings)} pass", told, evidence=(found.id,))

    def _rag(self) -> BoxFace:
        if not self._reached("check") or (self.validation and not self.validation.passed):
            return NOT_YET
        if "triage" not in self.steps or "dev" not in self.steps:
            return BoxFace("due", "to be measured", "Prompt-only and RAG are to be measured first", "dev.measured", cli="whytune run {name} --until dev")
        found = next((one for one in reversed(self.project.records(Attribution)) if self.made and one.dataset == self.made.id), None)
        evidence = (found.id,) if found else ()
        if self.decision:
            verdict = self.decision.verdict
            if verdict.code in MEND_FIRST:
                return BoxFace("due", MEND_FIRST[verdict.code], verdict.headline, "dev.measured", (*evidence, self.decision.id), cli="whytune decide {name}")
            answer = f"yes: {ENOUGH[verdict.code]}" if self.enough else "no" if verdict.winner else "not proven"
            return BoxFace("done", answer, verdict.headline, evidence=(*evidence, self.decision.id))
        return BoxFace("done", "measured on dev", found.sentence if found else "", evidence=evidence)

    def _train(self) -> BoxFace:
        step = self.steps.get("train", "") if self._reached("train") else ""
        if step.startswith("skipped"):
            return BoxFace("not needed", step.removeprefix("skipped: "), f"No training: {step.removeprefix('skipped: ')}")
        if step:
            made = self.project.adapters
            return BoxFace("done", f"{len(made)} adapter{'' if len(made) == 1 else 's'}", step, evidence=tuple(one.id for one in made))
        if self.decision:
            return BoxFace("not started", "not trained", f"Nothing was trained: {self.decision.verdict.headline}")
        if self._ready("train"):
            return BoxFace("due", "to be trained", "What is missing can be taught: train", "adapter.trained", cli="whytune train {name}")
        return NOT_YET

    def _test(self) -> BoxFace:
        if self.decision:
            measured = [line for line in self.decision.arms if line.candidate]
            best = max((line.primary.value for line in measured), default=0.0)
            told = ", ".join(f"{line.title} {line.primary.value:.3f} ({line.primary.low:.3f} to {line.primary.high:.3f})" for line in measured)
            return BoxFace("done", f"best {best:.1%}", f"On the sealed test set: {told}", evidence=tuple(line.trial for line in measured if line.trial) or (self.decision.id,))
        if self._ready("test"):
            return BoxFace("due", "to be measured", "The sealed test set is to be opened once for every arm", "trial.measured", cli="whytune run {name}")
        if self._ready("decide"):
            return BoxFace("due", "to be decided", "Every arm is measured; the verdict is to be worked out", "decision.made", cli="whytune run {name}")
        return NOT_YET

    def _review(self) -> BoxFace:
        rooms = self._rounds(("pairs", "rubric"))
        last = next((one for one in reversed(self.project.records(HumanEvaluation)) if self.made and one.dataset == self.made.id), None)
        said = f"{last.conclusion.replace('_', ' ')}, {last.votes:,} votes" if last else ""
        if rooms:
            before = f"; before it people said: {said}" if said else ""
            return BoxFace("at work", self._share(rooms[-1]), f"Round {rooms[-1].number} of blind review: {self._share(rooms[-1])}{before}", evidence=(last.id,) if last else ())
        if not self.decision:
            return NOT_YET
        if last:
            return BoxFace("done", said, last.sentence or f"People, blind: {said}", evidence=(last.id,))
        if self._wanted("human_evaluation"):
            return BoxFace("due", "to be opened", "The policy asks what people say of the answers, blind", "queue.opened", cli="whytune review open {name} --pairs")
        return self._unasked("blind review by people")

    def _responsible(self) -> BoxFace:
        if not self.decision or not self.made:
            return NOT_YET
        found = [one for one in self.project.records(ResponsibleReport) if one.dataset == self.made.id and one.candidate == self.candidate]
        if found:
            statuses = [*found[-1].statuses(self.project.records(Waiver), datetime.now(UTC).date()).values()]
            failed, unproven = statuses.count("FAIL"), statuses.count("NOT PROVEN")
            told = ", ".join(f"{statuses.count(one)} {one}" for one in ("PASS", "FAIL", "NOT PROVEN", "WAIVED", "NOT RUN") if one in statuses)
            if failed:
                return BoxFace("stopped", f"{failed} fail", f"Probes by dimension: {told}. Mend it, or waive it by name and date", "responsible.waived", (found[-1].id,))
            return BoxFace("done", f"probed, {unproven} not proven" if unproven else f"{statuses.count('PASS')} pass", f"Probes by dimension: {told}", evidence=(found[-1].id,))
        if self._wanted("responsible"):
            return BoxFace("due", "to be probed", "The policy asks for the responsible-AI probes on this candidate", "responsible.measured", cli="whytune responsible run {name}")
        return self._unasked("responsible-AI probes")

    def _board(self) -> BoxFace:
        if not self.decision or not self.made:
            return NOT_YET
        own = [one for one in self.project.records(Trial) if one.split == "test" and one.dataset == self.made.id]
        return BoxFace("done", f"{len(own)} trial{'' if len(own) == 1 else 's'}", f"{len(own)} official trial{'' if len(own) == 1 else 's'} of this version; ties are shown as ties", evidence=(self.decision.id,))

    def _accepted(self) -> BoxFace:
        if not self.decision:
            return NOT_YET
        said = self.acceptance
        if said and said.accepted:
            return BoxFace("done", "yes", said.sentence, evidence=(said.id,))
        if self.sent_back:
            return BoxFace("stopped", f"no: {len(self.sent_back.objections)} reasons", self.sent_back.sentence, evidence=(self.sent_back.id,))
        if not self.policy:
            if self.enough or not self.decision.verdict.winner:
                return BoxFace("not started", "no policy yet", "Nobody asked for a release: no policy is fixed")
            return BoxFace("due", "fix a policy", "Say what must be shown and signed before this becomes a release", "policy.fixed", (self.decision.id,), cli="whytune policy init {name}")
        view = self.gate
        if view.trouble:
            return BoxFace("due", "policy to be fixed", view.trouble, "policy.fixed", cli="whytune policy fix {name}")
        if view.open:
            return BoxFace("not started", f"{len(view.open)} reason{'' if len(view.open) == 1 else 's'} open", f"Before anybody signs: {view.open[0]}" + (f" (and {len(view.open) - 1} more)" if len(view.open) > 1 else ""))
        if view.asked:
            names = tuple(sorted({name for _, each in view.asked for name in each}))
            waiting = ", ".join(role.replace("_", " ") for role, _ in view.asked)
            return BoxFace("due", f"{len(view.asked)} to sign", f"The evidence is there; to sign: {waiting}", "approval.signed", (self.decision.id,), names, tuple(role for role, _ in view.asked), cli="whytune sign {name}")
        return BoxFace("due", "to be decided", "Everybody who must sign has signed: decide", "acceptance.decided", (self.decision.id,), cli="whytune accept {name}")

    def _registry(self) -> BoxFace:
        live = {move.name: move.release for move in self.project.records(AliasMove)}
        gone = {one.release for one in self.project.records(Retirement)}
        released = [one for one in self.project.records(Release) if one.id not in gone]
        names: dict[str, list[str]] = {}
        for name, release in live.items():
            names.setdefault(release, []).append(name)
        serving = [one for one in released if one.id in names]
        said = self.acceptance
        if said and said.accepted and not any(one.acceptance == said.id for one in self.project.records(Release)):
            return BoxFace("due", "to be released", f"{said.sentence} Make the release", "release.made", (said.id,), cli="whytune release make {name}")
        if serving:
            last = serving[-1]
            return BoxFace("done", f"{last.project}/{last.number} live", f"Release {last.project}/{last.number} is live as {', '.join(sorted(names[last.id]))}" + ("; not independently approved" if last.solo else ""), evidence=(last.id,))
        if released:
            last = released[-1]
            return BoxFace("due", "to go live", f"Release {last.project}/{last.number} stands under no alias yet", "alias.set", (last.id,), cli=f"whytune alias set {{name}}/champion {last.project}/{last.number}")
        return NOT_YET

    def _enough(self) -> BoxFace:
        if not self.decision:
            return NOT_YET
        if self.enough:
            return BoxFace("done", ENOUGH[self.decision.verdict.code], self.decision.verdict.headline, evidence=(self.decision.id,))
        return BoxFace("not needed", "the answer was no", f"Not here: {self.decision.verdict.headline}", evidence=(self.decision.id,))

    def _feedback(self) -> BoxFace:
        counts = {state: (number, since) for state, number, since in self.project.tally}
        new, since = counts.get("new", (0, ""))
        total = sum(number for number, _ in counts.values())
        if new:
            return BoxFace("due", f"{new:,} new", f"{new:,} of {total:,} pieces of feedback wait to be looked at", "feedback.triaged", since=since)
        useful, since = counts.get("useful", (0, ""))
        if useful:
            return BoxFace("due", f"{useful:,} useful", f"{useful:,} useful pieces of feedback are not proposed as rows yet", "rows.proposed", since=since, cli="whytune feedback propose {name}")
        if total:
            return BoxFace("done", f"{total:,} looked at", f"All {total:,} pieces of feedback were looked at")
        return NOT_YET

    def _unasked(self, what: str) -> BoxFace:
        if self.policy:
            return BoxFace("not needed", "not asked for", f"The policy does not ask for {what}")
        return BoxFace("not started", "not asked for yet", f"No policy is fixed that asks for {what}")

    def _rounds(self, purposes: Sequence[str]) -> list[Queue]:
        """Open rounds about today's data."""
        return [one for one in self.project.open_rounds if one.purpose in purposes and self.made and one.dataset == self.made.id]

    def _share(self, queue: Queue) -> str:
        done, items = self.project.judged(queue)
        return f"{done:,} of {items:,} judged"
