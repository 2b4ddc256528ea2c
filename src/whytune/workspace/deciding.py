"""RAG decision and verdict: triage, what the test set can prove, where wrong answers come from, the protocol, the sealed test, the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whytune.acceptance import attribution as attributing
from whytune.acceptance import decision as deciding
from whytune.acceptance import power as powering
from whytune.acceptance import triage as triaging
from whytune.acceptance.shown import choose
from whytune.acceptance.table import contrasts
from whytune.answering.retrieval.tuning import tune
from whytune.evaluation.compare import Contender, compare
from whytune.evaluation.measures import clusters_of
from whytune.evaluation.scorers import scorer_named
from whytune.jobs.progress import Progress
from whytune.records.candidate import Adapter, Base, Candidate
from whytune.records.data import Dataset, Document, Validation
from whytune.records.decision import Attribution, Decision
from whytune.records.evidence import Look, Measure, Power, Protocol, Score, Trial
from whytune.records.project import Triage
from whytune.stats.paired import paired_means
from whytune.workspace import bases

if TYPE_CHECKING:
    from whytune.workspace.arms import Makings
    from whytune.workspace.measuring import Bench
    from whytune.workspace.project import Project

NOT_MEASURED = ("no_egress", "may_train", "weights", "few_rows")
"""Gates behind which an arm is not even measured: to measure it would be the very thing that is forbidden, or is not possible."""
SPREAD = 0.25
"""Guessed standard deviation of paired differences of a graded metric, before any is seen."""

ONE_SEED = "Each adapter was trained once, with one seed; another seed would give somewhat other answers."


def triage(project: Project, makings: Makings) -> Triage:
    """Stage 0, without a model."""
    base, made = makings.base, makings.dataset
    documents = list(project.workspace.store.read_pack(made.documents, Document)) if made.documents else []
    words = sum(len(document.text.split()) for document in documents)
    endpoint = not base.trainable
    facts = triaging.Facts(
        documents=len(documents), document_words=words, fits_context=fits(makings, words) if documents else None,
        endpoint=endpoint, endpoint_local=endpoint and bases.is_near(base.location),
    )  # fmt: skip
    found = triaging.triage(project.file.usecase, made, facts)
    return project.once(found, "triage.done", read=[made.id])


def fits(makings: Makings, words: int) -> bool:
    """Whether all documents and an answer fit the model's context; 1.5 tokens a word, as measured on English prose."""
    return words * 1.5 + makings.task.max_new_tokens + 200 <= makings.base.context


def power(project: Project, bench: Bench) -> Power:
    """What this test set can prove, from the number of its items and groups alone: no answer is looked at."""
    clusters = len(set(clusters_of(bench.split("test")).values()))
    graded = scorer_named(project.file.acceptance.metric).kind == "graded"
    found = powering.power(bench.makings.dataset, clusters, project.file.acceptance, spread=SPREAD if graded else None)
    return project.once(found, "power.said", read=[bench.makings.dataset.id])


def hybrid_is_better(bench: Bench) -> bool:
    """Whether embeddings find the right documents provably more often, on train and dev questions whose document is known."""
    how = bench.makings.file.retrieval.hybrid
    if how != "auto" or not bench.makings.index:
        return how == "on"
    rows = [row for row in (*bench.split("dev"), *bench.split("train")) if row.evidence][:300]
    if len(rows) < 20:
        return False
    found = tune(bench.retriever, rows, bench.makings.retrieval)
    gain = paired_means([*found.lexical.hit], [*found.hybrid.hit], bench.makings.file.acceptance.confidence)
    return gain.low > 0


def open_arms(project: Project, found: Triage, makings: Makings) -> list[str]:
    """Arms that apply to this data and model, are wanted, and may be measured; simplest first."""
    shut = {arm for gate in found.gates if gate.name in NOT_MEASURED for arm in gate.closes}
    usable = [arm for arm in project.file.arms.use if arm not in shut]
    if not makings.index:
        usable = [arm for arm in usable if arm not in ("rag", "full_context", "tuned_rag")]
    else:
        words = sum(len(document.text.split()) for document in project.workspace.store.read_pack(makings.dataset.documents, Document))
        if not fits(makings, words):
            usable = [arm for arm in usable if arm != "full_context"]
    return [arm for arm in triaging.ARMS if arm in usable]


def attribute(project: Project, bench: Bench, arms: list[str], progress: Progress) -> tuple[Attribution, dict[str, Candidate]]:
    """Stage 1 on dev: the arms without training and the oracle; also says which few-shot prompt is kept."""
    makings, dev = bench.makings, bench.split("dev")
    trials: dict[str, Trial] = {}
    chosen: dict[str, Candidate] = {}
    for arm, candidates in _untrained(bench, arms).items():
        measured = [(bench.trial(candidate, "dev", progress), candidate) for candidate in candidates]
        best, kept = max(measured, key=lambda pair: pair[0].primary.value)
        trials[arm], chosen[arm] = best, kept
    known = [row for row in dev if row.evidence]
    if makings.index and len(known) >= 5:
        trials["oracle"] = bench.trial(makings.oracle(), "dev", progress, examples=known)
        chosen["oracle"] = makings.oracle()
    scores = {arm: bench.scores(found) for arm, found in trials.items()}
    lenient = {arm: bench.lenient(chosen[arm], known if arm == "oracle" else dev) for arm in trials}
    # Forgiving the shape can only help: an answer that is right as it stands stays right.
    lenient = {arm: {item: max(value, scores[arm].get(item, 0.0)) for item, value in given.items()} for arm, given in lenient.items()}
    measured_on = attributing.DevScores(
        project=project.key, dataset=makings.dataset.id, scores=scores, lenient=lenient, clusters=clusters_of(dev),
        found=_found(bench, chosen), label_noise=_noise(project, makings.dataset),
    )  # fmt: skip
    said = attributing.attribute(measured_on, project.file.acceptance)
    return project.once(said, "dev.measured", read=[found.id for found in trials.values()]), chosen


def protocol(project: Project, bench: Bench, candidates: dict[str, Candidate]) -> Protocol:
    """Fixed and hashed before the test set is opened."""
    file, arms = project.file, tuple(arm for arm in triaging.ARMS if arm in candidates)
    found = Protocol(
        project=project.key, usecase=file.usecase.id, rule=file.acceptance.id, dataset=bench.makings.dataset.id,
        candidates=tuple(candidates[arm].id for arm in arms), arms=arms, contrasts=contrasts(arms), metric=file.acceptance.metric,
    )  # fmt: skip
    return project.once(found, "protocol.fixed", read=[bench.makings.dataset.id, *found.candidates])


def test(project: Project, bench: Bench, fixed: Protocol, candidates: dict[str, Candidate], progress: Progress) -> list[Trial]:
    """Open the sealed test set once for each candidate of the protocol. Each look is in the ledger before it happens."""
    trials = []
    for arm in fixed.arms:
        candidate = candidates[arm]
        looks = project.looks_at(bench.makings.dataset)
        if (candidate.id, fixed.dataset) not in {(look.candidate, look.dataset) for look in looks}:
            with project.act("test.opened", read=[fixed.id, fixed.dataset]) as act:
                act.facts["arm"] = arm
                act.write(candidate)
                act.write(Look(dataset=fixed.dataset, candidate=candidate.id, protocol=fixed.id, person=project.workspace.person.name, number=len(looks) + 1))
        trials.append(bench.trial(candidate, "test", progress, protocol=fixed.id))
    return trials


def decide(project: Project, bench: Bench, fixed: Protocol, trials: list[Trial], found: Triage) -> Decision:
    """Compare the declared pairs and let the rules speak."""
    file, store, makings = project.file, project.workspace.store, bench.makings
    rows = bench.split("test")
    scores = {each.arm: list(store.read_pack(each.scores, Score)) for each in trials}
    contenders = [Contender(each.arm, each.id, scores[each.arm]) for each in trials]
    comparisons = compare(contenders, fixed, file.acceptance, rows, clusters_of(rows), makings.dataset.labels)
    adapters = {adapter.id: adapter for adapter in project.records(Adapter)}
    seconds = {each.arm: adapters[bench_candidate.adapter].seconds for each in trials if (bench_candidate := store.get(Candidate, each.candidate)).adapter}
    by_arm = {arm: {score.item: score.value for score in given} for arm, given in scores.items()}
    texts = {each.arm: {row["item"]: row["text"] or (f"[no answer: {row['error']}]" if row["error"] else "") for row in store.read_pack(each.answers)} for each in trials}
    evidence = deciding.Evidence(
        usecase=file.usecase, dataset=makings.dataset, triage=found, power=project.latest(Power), trials=tuple(trials),
        comparisons=tuple(comparisons), attribution=project.latest(Attribution), label_noise=_noise(project, makings.dataset),
        scores=by_arm, training_seconds=seconds, applicable=tuple(open_arms(project, found, makings)), opened_early=_opened_early(project, fixed),
    )  # fmt: skip
    measured = [event for event in project.events() if event.act == "trial.measured"]
    imprint = deciding.Imprint(
        person=project.workspace.person, base=makings.base,
        looks=len(project.looks_at(makings.dataset)),
        command=f"whytune run {project.name}", when=measured[-1].when[:16] + "Z" if measured else "",
        hashes={"protocol": fixed.id, "ledger head": measured[-1].id if measured else ""}, shown=choose(rows, texts, by_arm),
        limits=((ONE_SEED,) if seconds else ()) + _other_bases(project, bench, trials),
    )  # fmt: skip
    made = deciding.decide(evidence, imprint)
    return project.once(made, "decision.made", read=[fixed.id, *(each.id for each in trials)], beside=comparisons)


def _other_bases(project: Project, bench: Bench, trials: list[Trial]) -> tuple[str, ...]:
    """Said where the tuned model was chosen among several and does not stand on the model of the other arms."""
    store, own = project.workspace.store, bench.makings.base
    bases_used = {store.get(Candidate, each.candidate).base for each in trials} - {own.id}
    names = sorted(store.get(Base, base).name for base in bases_used)
    return (f"The tuned model stands on {', '.join(names)}, chosen on dev; the other arms stand on {own.name}.",) if names else ()


def _untrained(bench: Bench, arms: list[str]) -> dict[str, list[Candidate]]:
    makings = bench.makings
    made = {
        "prompt": lambda: [makings.plain()],
        "few_shot": lambda: makings.few_shot(bench.split("train")),
        "full_context": lambda: [makings.full_context()],
        "rag": lambda: [makings.rag()],
    }
    return {arm: candidates for arm in arms if arm in made and (candidates := made[arm]())}


def _found(bench: Bench, chosen: dict[str, Candidate]) -> dict[str, bool]:
    """For each dev item whose document is known: whether search handed over a passage of it."""
    if "rag" not in chosen:
        return {}
    store = bench.project.workspace.store
    index = bench.makings.index
    document_of = {passage.id: passage.document for passage in store.passages.passages(index)}
    known = {row.id: set(row.evidence) for row in bench.split("dev") if row.evidence}
    held = store.answers(chosen["rag"].id, list(known))
    return {item: any(document_of.get(p) in known[item] for p in answer.passages) for item, answer in held.items()}


def _noise(project: Project, made: Dataset) -> Measure | None:
    validation = next((v for v in reversed(project.records(Validation)) if v.dataset == made.id), None)
    return attributing.noise_from(validation.findings) if validation else None


def _opened_early(project: Project, fixed: Protocol) -> bool:
    """Whether the test set of this version was looked at before its first protocol was fixed."""
    acts = [event for event in project.events() if event.act in ("protocol.fixed", "test.opened")]
    opened = next((event.number for event in acts if event.act == "test.opened" and fixed.dataset in event.read), None)
    planned = next((event.number for event in acts if event.act == "protocol.fixed" and fixed.dataset in event.read), None)
    return opened is not None and (planned is None or opened < planned)
