"""Feedback becomes rows only with consent, without personal data, and never into what is tested."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from whytune.errors import NotFoundError, RefusedError, UsageError
from whytune.records.content import Message
from whytune.records.data import Certificate, Dataset, Example, Origin, SplitPlan
from whytune.records.served import ConsumerKey, Dialogue, FeedbackReceived, Response
from whytune.settings import Settings
from whytune.workspace import feedback, proposing
from whytune.workspace.creating import SplitRow
from whytune.workspace.feedback import Said
from whytune.workspace.project import Project
from whytune.workspace.workspace import Workspace

KEY = ConsumerKey(key="k1", consumer="shop")
ORIGIN = Origin(source="0" * 64, file="rows.csv")
FILE = 'name = "help"\ntask = "qna"\n[acceptance]\nmetric = "facts"\nbar = 0.8\nmargin = 0.05\n[data]\nfrom = ["rows.csv"]\n'


@pytest.fixture
def project(tmp_path: Path) -> Project:
    room = Workspace.open(tmp_path, settings=Settings(person="ada"), create=True)
    (tmp_path / "help").mkdir()
    (tmp_path / "help" / "whytune.toml").write_text(FILE, "utf-8")
    rows = [SplitRow(split="test", example=Example.of("When does the shop open?", "At nine.", origin=ORIGIN, group="c-test"))]
    seal = Certificate(same_group=0, exact=0, near=0, purged=0, pairs_verified=0, components=1, method="none")
    made = Dataset(
        project="help", number=1, task="qna", sources=(), plan=SplitPlan(), counts={"train": 0, "dev": 0, "test": 1}, removed={}, certificate=seal,
        rows=room.store.put_pack(rows, "rows"), removals=room.store.put_pack([], "removals"),
    )  # fmt: skip
    room.store.append_event("dataset.created", "help", room.person, records=[made])
    return room.project("help")


def answered(room: Workspace, id: str, question: str = "", *, conversation: str = "c-1", turns: int = 1, project: str = "help") -> str:
    """A response; question and answer are kept where a question is given."""
    response = Response(id=id, release="release:1", project=project, alias="champion", consumer="shop", key="k1", conversation=conversation, when="2026-01-01")
    asked = tuple(Message.of("user", question) for _ in range(turns))
    room.store.traffic.record([(response, Dialogue(asked=asked, answer="On Friday.") if question else None)])
    return id


def given(room: Workspace, said: Said, *, useful: bool = True) -> str:
    id = feedback.receive(room, KEY, said).id
    if useful:
        feedback.triage(room, id, useful=True, reason="right")
    return id


def test_a_correction_becomes_a_row_of_its_conversation(project: Project) -> None:
    room = project.workspace
    id = given(room, Said(answered(room, "r1", "When do you close?", conversation="c-7"), "down", consent=True, correction="At six."))
    made = feedback.propose(project)
    (row,) = proposing.rows_of(project, made.proposal)
    assert (row.input, row.target, row.group, row.origin_id) == ("When do you close?", "At six.", "c-7", "r1")
    assert row.provenance["answer by"] == "consumer"
    assert (made.proposal.kind, made.left) == ("feedback", {})
    held = feedback.show(room, id).feedback
    assert (held.state, held.proposal) == ("proposed", made.proposal.id)
    with pytest.raises(RefusedError, match="proposed already"):
        feedback.triage(room, id, useful=False)
    with pytest.raises(RefusedError):
        feedback.propose(project)


def test_a_praised_answer_says_that_a_model_wrote_it(project: Project) -> None:
    room = project.workspace
    given(room, Said(answered(room, "r1", "When is it there?"), "up", consent=True))
    (row,) = proposing.rows_of(project, feedback.propose(project).proposal)
    assert (row.target, row.provenance["answer by"]) == ("On Friday.", "model")


@pytest.mark.parametrize(
    ("said", "kept", "why"),
    [
        (Said("r1", "down", False, "At six."), "When?", "did not agree"),
        (Said("r1", "down", True), "When?", "nobody said what the answer should be"),
        (Said("r1", "down", True, "At six."), "", "question was not kept"),
        (Said("r1", "down", True, "Write to ada.moss@firm.org."), "When?", "e-mail"),
        (Said("r1", "down", True, "At six.", question="I am ada.moss@firm.org, when?"), "", "e-mail"),
    ],
)  # fmt: skip
def test_what_cannot_become_a_row_stays_with_its_reason(project: Project, said: Said, kept: str, why: str) -> None:
    answered(project.workspace, "r1", kept)
    id = given(project.workspace, said)
    with pytest.raises(RefusedError) as told:
        feedback.propose(project)
    assert why in told.value.problems[0]
    assert "ada.moss" not in str(told.value)
    assert feedback.show(project.workspace, id).feedback.state == "useful"


def test_a_person_may_mend_it(project: Project) -> None:
    room = project.workspace
    id = given(room, Said(answered(room, "r1", "I am ada.moss@firm.org, when?", turns=2), "down", consent=True, correction="At six."))
    with pytest.raises(RefusedError, match="No feedback"):
        feedback.propose(project, [id], target="At six, every day.")
    made = feedback.propose(project, [id], input="When do you close?", target="At six, every day.")
    (row,) = proposing.rows_of(project, made.proposal)
    assert (row.input, row.target, row.provenance["answer by"]) == ("When do you close?", "At six, every day.", "person")
    with pytest.raises(UsageError):
        feedback.propose(project, input="a")


def test_nothing_of_the_test_set_is_proposed(project: Project) -> None:
    room = project.workspace
    same_words = given(room, Said(answered(room, "r1", "When does the shop open?"), "down", consent=True, correction="At ten."))
    same_talk = given(room, Said(answered(room, "r2", "And on Sunday?", conversation="c-test"), "down", consent=True, correction="Never."))
    with pytest.raises(RefusedError):
        feedback.propose(project)
    good = given(room, Said(answered(room, "r3", "And on Monday?", conversation="c-9"), "down", consent=True, correction="At nine, too."))
    made = feedback.propose(project)
    assert set(made.left) == {same_words, same_talk}
    assert [feedback.show(room, id).feedback.state for id in (same_words, same_talk, good)] == ["useful", "useful", "proposed"]


def test_not_triaged_not_ours_and_erased_are_left(project: Project) -> None:
    room = project.workspace
    new = given(room, Said(answered(room, "r1", "When?"), "down", consent=True, correction="x"), useful=False)
    other = given(room, Said(answered(room, "r2", "When?", project="else"), "down", consent=True, correction="x"))
    gone = given(room, Said(answered(room, "r3", "Am I Ada Moss?"), "down", consent=True, correction="x"))
    room.store.traffic.erase("Ada Moss")
    with pytest.raises(RefusedError) as told:
        feedback.propose(project, [new, other, gone])
    assert [problem.partition(": ")[2] for problem in told.value.problems] == [
        "it is new, not triaged as useful", "it is about an answer of else", "its texts were erased",
    ]  # fmt: skip


def test_another_consumers_answer_is_unknown(project: Project) -> None:
    answered(project.workspace, "r1", "When?")
    for key, id in ((ConsumerKey(key="k2", consumer="desk"), "r1"), (KEY, "r9")):
        with pytest.raises(NotFoundError):
            feedback.receive(project.workspace, key, Said(id, "up"))


def test_what_a_killed_process_left_half_done_is_mended_when_it_is_sent_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    room, said = project.workspace, Said(answered(project.workspace, "r1", "When?"), "down", consent=True, correction="At six.")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as between:
        between.setattr(room.store, "append_event", killed)
        with pytest.raises(KeyboardInterrupt):
            feedback.receive(room, KEY, said)
    assert [held.response for held in feedback.inbox(room)] == ["r1"]
    assert not room.store.list(FeedbackReceived)
    for _ in range(2):
        feedback.receive(room, KEY, said)
    assert len([event for event in room.events() if event.act == "feedback.received"]) == 1
    assert len(feedback.inbox(room)) == 1


def test_the_same_said_at_once_is_noted_once(project: Project) -> None:
    room, said = project.workspace, Said(answered(project.workspace, "r1", "When?"), "up", consent=True)
    with ThreadPoolExecutor(4) as several:
        given = set(several.map(lambda _: feedback.receive(room, KEY, said).id, range(8)))
    assert len(given) == 1
    assert len([event for event in room.events() if event.act == "feedback.received"]) == 1


def test_the_ledger_knows_ids_and_no_words(project: Project) -> None:
    room = project.workspace
    given(room, Said(answered(room, "r1", "Sesame?"), "down", consent=True, correction="Open sesame", comment="sesame!"))
    acts = [event for event in room.events() if event.act.startswith("feedback.")]
    assert [event.act for event in acts] == ["feedback.received", "feedback.triaged"]
    kept = "".join(event.model_dump_json() for event in acts) + "".join(record.model_dump_json() for kind in (feedback.FeedbackReceived, feedback.FeedbackTriaged) for record in room.store.list(kind))
    assert "esame" not in kept
