"""Review in the browser without a browser: forms and pages, what stays hidden, sent twice, too late, many people at once."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.review.desk import PEOPLE, desk, measured

from whytune.review import blind
from whytune.store.queue import LEASE
from whytune.web.app import make_app
from whytune.workspace.project import Project

HOSTILE = "<script>alert(1)</script> \u202eetxt\u202c"


class Reader:
    """Somebody who reads pages and sends the forms that stand on them."""

    def __init__(self, client: TestClient, token: str) -> None:
        self._client = client
        self._headers = {"accept": "text/html", **({"authorization": f"Bearer {token}"} if token else {})}
        self.page = ""
        self.headers: dict[str, str] = {}

    def get(self, path: str, status: int = 200) -> str:
        answer = self._client.get(path, headers=self._headers, follow_redirects=False)
        assert answer.status_code == status, answer.text
        self.page, self.headers = answer.text, dict(answer.headers)
        return self.page

    def form(self, ending: str) -> tuple[str, dict[str, str]]:
        """(action, hidden fields and texts) of the first form whose action ends so."""
        for action, inside in re.findall(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', self.page, re.S):
            if action.endswith(ending):
                fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', inside))
                fields |= {name: html.unescape(text).removeprefix("\n") for name, text in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>(.*?)</textarea>', inside, re.S)}
                return action, fields
        raise AssertionError(f"no form to {ending} on the page:\n{self.page}")

    def send(self, ending: str, status: int = 303, **fields: Any) -> str:
        """Send a form of the page, and follow where it leads."""
        action, held = self.form(ending)
        return self.post(action, {**held, **{name.replace("__", "."): value for name, value in fields.items()}}, status)

    def post(self, action: str, fields: dict[str, Any], status: int = 303) -> str:
        answer = self._client.post(action, data=fields, headers=self._headers, follow_redirects=False)
        assert answer.status_code == status, answer.text
        if status == 303:
            return self.get(answer.headers["location"])
        self.page = answer.text
        return self.page

    @property
    def shown(self) -> list[str]:
        """The texts on the card, in their order."""
        return [html.unescape(text) for text in re.findall(r'<span class="outside">(.*?)</span>', self.page.partition('id="guideline"')[0], re.S)]


class House:
    """The desk's people at their pages."""

    def __init__(self, folder: Path, project: Project, stack: ExitStack) -> None:
        self._tokens = {person.name: project.workspace.store.accounts.make_token(person.name, "test", 1) for person in project.workspace.people()}
        self.app = make_app(folder)
        door = next(each for each in self.app.user_middleware if "workspace" in each.kwargs)
        self.store: Any = door.kwargs["workspace"].store
        self._client = stack.enter_context(TestClient(self.app, base_url="http://127.0.0.1", client=("127.0.0.1", 5000)))

    def __call__(self, name: str) -> Reader:
        return Reader(self._client, self._tokens[name])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def opened(reader: Reader, **fields: Any) -> str:
    """Open a round by its form; the path of its card."""
    reader.get("/projects/desk/review")
    reader.send("/projects/desk/review", gold="0", repeats="0", **fields)
    found = re.search(r'action="(/review/queue:[0-9a-f]+)/close"', reader.page)
    assert found, reader.page
    return found[1]


def test_a_blind_round_from_its_opening_to_names(tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = blind.order  # by the store's own secret, and one in sixteen shows all five rows alike or all turned round
    monkeypatch.setattr(blind, "order", lambda _, *of: drawn("always the same", *of))
    project = desk(tmp_path, people=PEOPLE)
    trials = [measured(project, arm, lambda row, arm=arm: f"{'yes' if arm == 'tuned' else 'no'} {row.input_text} {HOSTILE}", by="root") for arm in ("prompt", "tuned")]
    house = House(tmp_path, project, stack)
    ann, bo = house("ann"), house("bo")
    card = opened(ann, purpose="pairs", arms=["prompt", "tuned"], sample="5", overlap="1", votes="0", seed="", split="", guideline="")
    assert "Round 1 is open: 5 items." in ann.page
    seen, orders = [], {}
    for reader in (bo, ann):
        seen.append(reader.get("/review"))
        reader.send("/take")
        while 'action="' + card + '/answer"' in reader.page:
            asked, first, _ = reader.shown
            orders.setdefault(asked, []).append(first.startswith("yes"))
            assert not any(harm in reader.page for harm in ("<script>alert", "\u202e"))
            seen += [reader.page, json.dumps(reader.headers)]
            reader.send("/answer", verdict="a" if first.startswith("yes") else "b")
        assert "nothing more for you" in reader.page
        seen.append(reader.get(f"/api/v1{card}"))
        if reader is bo:
            reader.get(card)
            reader.send("/undo")
            seen += [reader.page, reader.get(f"/api/v1{card}")]
            reader.get(card)
            reader.send("/answer", verdict="a" if reader.shown[1].startswith("yes") else "b")
    told = " ".join(seen).replace(str(tmp_path), "")
    hidden = [name for trial in trials for name in (trial.candidate, trial.id, trial.answers)]
    assert not [name for name in (*hidden, "tuned", "prompt", '"seed"', '"item"') if name in told]
    assert {len(set(order)) for order in orders.values()} == {1, 2}  # drawn for each person: some rows alike, some turned round
    ann.get("/projects/desk/review")
    assert "How far people agree so far, on 5 items" in ann.page
    assert 'value="100"' in ann.page
    ann.send("/close")
    assert "10 for tuned, 0 for prompt" in ann.page
    assert "The round is closed: names are shown." in ann.page
    preferences = house("di").get(f"/api/v1/queues/{card.rpartition('/')[2]}/preferences")
    assert all(row["chosen"].startswith("yes") for row in map(json.loads, preferences.splitlines()))
    assert "is closed" in bo.get(card)


def test_rows_are_corrected_undone_skipped_and_decided_by_forms(tmp_path: Path, stack: ExitStack) -> None:
    project = desk(tmp_path, people=PEOPLE)
    house = House(tmp_path, project, stack)
    ann, bo, di, cy, root = (house(name) for name in ("ann", "bo", "di", "cy", "root"))
    card = opened(ann, purpose="rows", sample="3", overlap="1", overlap_max="2")
    ann.get(card)
    assert "3 items of round 1 wait for you" in ann.page
    ann.send("/take")
    asked = ann.shown
    refused = ann.send("/answer", status=400, verdict="good", edits__target="mended", note="a <b>remark</b>")
    assert all(text in refused for text in ("a row that is corrected is wrong", "a &lt;b&gt;remark&lt;/b&gt;", "mended", "Send again"))
    ann.get(card)
    assert ann.shown == asked  # still theirs
    ann.send("/answer", verdict="bad", edits__target="mended", note="")
    assert ann.shown != asked
    ann.send("/undo")
    assert ann.shown == asked
    assert "taken back, and asked again" in ann.page
    ann.send("/answer", verdict="bad", edits__target="mended")
    ann.send("/answer", verdict="good")  # every field was sent, and none was changed
    ann.send("/skip")
    assert "Passed over. There is nothing more" in ann.page
    bo.get("/review")
    bo.send("/take")
    for _ in range(3):
        bo.send("/answer", verdict="good" if bo.shown == asked else "bad")
    assert "not asked" in house("dana").get(card)
    assert "takes the role" in root.get(card)
    bo.get(f"{card}/disputes")
    assert "There is nothing for you" in bo.page
    di.get("/review")
    assert "Decide 2" in di.page
    di.get(f"{card}/disputes")
    di.send("/disputes/take")
    first = di.shown
    di.send("/disputes/skip")
    assert di.shown != first
    di.send("/disputes/answer", verdict="bad", edits__target="settled")
    cy.get(f"{card}/disputes")
    cy.send("/disputes/take")
    cy.send("/disputes/answer", verdict="bad")
    assert "There is nothing for you" in cy.page
    cy.send("/disputes/undo")
    cy.send("/disputes/answer", verdict="bad")
    ann.get("/projects/desk/review")
    ann.send("/close", status=409)
    ann.get("/projects/desk/review")
    ann.send("/close", early="on")
    assert "of 3 rows are wrong" in ann.page
    dana = house("dana")
    dana.get("/projects/desk/review")
    assert "corrected rows" in dana.page
    assert json.loads(dana.get("/api/v1/projects/desk/review"))["rounds"][0]["corrections"] >= 1


def test_a_form_sent_twice_or_too_late_counts_once_and_loses_nothing(tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    project = desk(tmp_path, people=PEOPLE)
    house = House(tmp_path, project, stack)
    ann, bo = house("ann"), house("bo")
    card = opened(ann, purpose="rows", sample="2", overlap="0", overlap_max="1")
    ann.get(card)
    ann.send("/take")
    action, fields = ann.form("/answer")
    again = fields | {"_once": "f" * 32, "verdict": "good"}
    assert "Kept." in ann.post(action, fields | {"verdict": "good"})
    assert "Kept." in ann.post(action, fields | {"verdict": "good"})  # the very same form
    assert "Kept." in ann.post(action, again)  # the same opinion, with the form's name lost on the way
    other = ann.post(action, again | {"_once": "e" * 32, "client_id": "another"}, 409)
    assert "already answered" in other
    assert f"Go on with the next question at {card}" in other
    assert json.loads(ann.get(f"/api/v1{card}"))["question"]["done"] == 1
    bo.post(action, again | {"_once": "d" * 32, "client_id": "of bo"}, 404)  # somebody else's question
    ann.get(card)
    action, fields = ann.form("/answer")
    late = time.time() + LEASE + 60
    monkeypatch.setattr(house.store.queues, "_clock", lambda: late)
    bo.get(card)
    bo.send("/take")
    bo.send("/answer", verdict="bad")
    typed = ann.post(action, fields | {"verdict": "bad", "edits.target": "a long correction", "note": "why"}, 409)
    assert all(text in typed for text in ("time for this item ran out", "a long correction", "why", "Send again"))
    ann.get("/projects/desk/review")
    ann.send("/close")
    ann.post(action, fields | {"_once": "c" * 32, "verdict": "good"}, 409)
    assert "is closed" in ann.get(card)


@pytest.mark.slow
def test_fifty_people_at_once_get_each_item_once(tmp_path: Path, stack: ExitStack) -> None:
    crowd = {f"person{number}": ["tester"] for number in range(50)}
    project = desk(tmp_path, count=120, people={**PEOPLE, **crowd})
    house = House(tmp_path, project, stack)
    card = opened(house("ann"), purpose="rows", sample="60", overlap="0", overlap_max="1")

    def judge(name: str) -> int:
        reader = house(name)
        reader.get("/review")
        reader.send("/take")
        reader.send("/answer", verdict="good")
        reader.send("/release")
        return int(json.loads(reader.get(f"/api/v1{card}"))["mine"])

    with ThreadPoolExecutor(10) as pool:
        given = list(pool.map(judge, crowd))
    assert given == [1] * 50
    assert json.loads(house("ann").get("/api/v1/projects/desk/review"))["rounds"][0]["progress"]["opinions"] == 50


def test_the_next_card_comes_ahead_and_is_given_back(tmp_path: Path, stack: ExitStack) -> None:
    project = desk(tmp_path, people=PEOPLE)
    house = House(tmp_path, project, stack)
    ann, bo = house("ann"), house("bo")
    card = opened(ann, purpose="rows", sample="20", overlap="0")
    ann.get(card)
    ann.send("/take")
    first, page = ann.shown, ann.page
    foreseen = ann.send("/ahead", status=200)
    second = ann.shown
    assert second != first
    assert "You have judged 1; the round has 20 items" in foreseen
    ann.page = page
    assert ann.send("/ahead", status=200)
    assert ann.shown == second  # asked again, it is the same one
    ann.get(card)
    assert ann.shown == first
    ann.send("/answer", verdict="good")
    assert ann.shown == second
    ann.send("/undo")
    assert ann.shown == first
    ann.send("/ahead", status=200)
    ann.page = page
    ann.send("/release")
    assert "Given back. What you judged is kept." in ann.page
    assert json.loads(bo.get("/api/v1/projects/desk/review"))["rounds"][0]["progress"]["held"] == 0
    few = opened(di := house("di"), purpose="labels", sample="9", overlap="0")
    di.get(few)
    di.send("/take")
    di.send("/ahead", status=204)


def test_keys_are_switched_off_on_the_card_and_stay_off(tmp_path: Path, stack: ExitStack) -> None:
    project = desk(tmp_path, people=PEOPLE)
    house = House(tmp_path, project, stack)
    ann = house("ann")
    card = opened(ann, purpose="labels", sample="2", overlap="0")
    ann.get(card)
    ann.send("/take")
    assert '<kbd>1</kbd>' in ann.page
    ann.send("/look", keys="off")
    assert "<kbd>" not in ann.page
    assert "data-key=" not in ann.page
    assert "Single keys are switched off." in ann.page
    ann.send("/look", keys="perhaps", status=400)


def test_mistakes_of_a_new_round_are_told_at_once_and_a_stranger_is_told_who_may(tmp_path: Path, stack: ExitStack) -> None:
    project = desk(tmp_path, people=PEOPLE)
    house = House(tmp_path, project, stack)
    ann, bo = house("ann"), house("bo")
    ann.get("/projects/desk/review")
    refused = ann.send("/review", purpose="rows", status=400, sample="0", overlap="1.5", gold="x")
    assert "gold: must be a number" in refused
    refused = ann.send("/review", purpose="rows", status=400, sample="0", overlap="1.5") if 'action="/projects/desk/review"' in refused else ""
    assert all(text in refused for text in ("a sample of 0 items is none", "overlap is a share from 0 to 1", 'value="1.5"'))
    ann.get("/projects/desk/review")
    ann.send("/review", purpose="pairs", arms=["", ""], status=400)
    bo.get("/projects/desk/review")
    assert "Who may: ann, dana, di" in bo.page
    bo.send("/review", purpose="rows", status=403)
    assert "Nothing asks for your opinion" in bo.get("/review")
    bo.get("/review/queue:none", 404)
    bo.get("/projects/desk/review?page=0", 400)


def test_somebody_alone_reviews_without_signing_in(tmp_path: Path, stack: ExitStack) -> None:
    desk(tmp_path).workspace.store.close()
    alone = Reader(stack.enter_context(TestClient(make_app(tmp_path), base_url="http://127.0.0.1", client=("127.0.0.1", 5000))), "")
    card = opened(alone, purpose="labels", sample="1")
    alone.get(card)
    alone.send("/take")
    alone.send("/answer", verdict="delay")
    alone.get("/projects/desk/review")
    alone.send("/close")
    assert "solo: nobody else was asked" in alone.page
