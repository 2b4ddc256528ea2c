"""Review over HTTP: claim and opinion, the same opinion twice, what stays hidden, who may not, wrong requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.review.desk import PEOPLE, desk, measured

from whytune.web.app import make_app
from whytune.workspace.project import Project


class Door:
    """Clients that come in as somebody, from this machine."""

    def __init__(self, folder: Path, project: Project, stack: ExitStack) -> None:
        self._app = make_app(folder)
        self._tokens = {person.name: project.workspace.store.accounts.make_token(person.name, "test", 1) for person in project.workspace.people()}
        self._client = stack.enter_context(TestClient(self._app, base_url="http://127.0.0.1", client=("127.0.0.1", 5000)))

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None, *, by: str = "", status: int = 200) -> Any:
        headers = {"authorization": f"Bearer {self._tokens[by]}"} if by else {}
        answer = self._client.request(method, f"/api/v1{path}", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def test_a_round_of_pairs_over_http_hides_who_is_who(tmp_path: Path, stack: ExitStack) -> None:
    project = desk(tmp_path, count=120, people=PEOPLE)
    trials = [measured(project, arm, lambda row, arm=arm: f"{'yes' if arm == 'tuned' else 'no'} {row.input_text}", by="root") for arm in ("prompt", "tuned")]
    door = Door(tmp_path, project, stack)
    door("GET", "/queues", status=401)
    wanted = {"project": "desk", "purpose": "pairs", "arms": ["prompt", "tuned"], "sample": 10, "overlap": 0.0, "votes": 0}
    door("POST", "/queues", wanted, by="bo", status=403)
    queue = door("POST", "/queues", wanted, by="ann", status=201)
    door("POST", "/queues", wanted, by="ann", status=409)
    here = f"/queues/{queue['id']}"
    door("POST", f"{here}/claim", {}, by="root", status=403)
    seen = [queue, door("GET", "/queues?project=desk", by="bo"), door("GET", f"{here}/progress", by="bo")]
    for number in range(30):
        question = door("POST", f"{here}/claim", {}, by="bo")["question"]
        seen.append(question)
        if question is None:
            break
        opinion = {"token": question["token"], "client_id": f"c{number}", "verdict": "a" if question["texts"][0][1].startswith("yes") else "b"}
        kept = door("POST", f"{here}/opinions", opinion, by="bo")
        assert door("POST", f"{here}/opinions", opinion, by="bo") == kept
        seen.append(kept)
    told = str(seen)
    hidden = [name for trial in trials for name in (trial.candidate, trial.id, trial.answers)]
    assert not any(name in told for name in (*hidden, "'tuned'", "'prompt'", "'seed'", "'excluded'", "'shown'", "'turn'", "'item'"))
    assert door("GET", f"{here}/progress", by="bo")["may_close"]
    door("POST", f"{here}/close", {}, by="bo", status=403)
    outcome = door("POST", f"{here}/close", {}, by="ann")["outcome"]
    assert (outcome["conclusion"], outcome["wins"], outcome["arms"]) == ("better", outcome["decisive"], ["prompt", "tuned"])
    assert door("GET", here, by="bo")["arms"] == ["prompt", "tuned"]
    late = door("POST", f"{here}/undo", {"client_id": "late"}, by="bo", status=409)
    assert late["code"] == "refused"
    assert late["next"]


def test_rows_are_judged_undone_skipped_and_decided(tmp_path: Path, stack: ExitStack) -> None:
    project = desk(tmp_path, people=PEOPLE)
    door = Door(tmp_path, project, stack)
    plan = {"project": "desk", "purpose": "rows", "sample": 3, "overlap": 1.0}
    here = f"/queues/{door('POST', '/queues', plan, by='ann', status=201)['id']}"

    def answer(by: str, verdict: str, number: int, **more: object) -> str:
        question = door("POST", f"{here}/claim", {}, by=by)["question"]
        door("POST", f"{here}/opinions", {"token": question["token"], "client_id": f"{by}{number}", "verdict": verdict, **more}, by=by)
        return str(question["token"])

    first = answer("ann", "bad", 0, edits={"target": "mended"}, note="a remark")
    assert door("POST", f"{here}/undo", {"client_id": "u"}, by="ann")["question"]["token"] == first
    answer("ann", "bad", 1, edits={"target": "mended"})
    question = door("POST", f"{here}/claim", {}, by="ann")["question"]
    door("POST", f"{here}/release", {"token": question["token"]}, by="ann")
    question = door("POST", f"{here}/claim", {}, by="ann")["question"]
    door("POST", f"{here}/skip", {"token": question["token"]}, by="ann")
    door("POST", f"{here}/opinions", {"token": question["token"], "client_id": "x", "verdict": "good"}, by="bo", status=404)
    wrong = door("POST", f"{here}/opinions", {"token": first, "verdict": 3}, by="ann", status=400)
    assert len(wrong["problems"]) == 2
    answer("bo", "good", 0)
    assert door("GET", f"{here}/progress", by="bo")["disputed"] == 1
    assert door("POST", f"{here}/disputes", {}, by="bo")["question"] is None
    settle = door("POST", f"{here}/disputes", {}, by="di")["question"]
    door("POST", f"{here}/opinions", {"token": settle["token"], "client_id": "s", "verdict": "bad", "edits": {"target": "settled"}}, by="di")
    assert door("GET", f"{here}/progress", by="bo")["disputed"] == 0
    door("POST", f"{here}/close", {}, by="ann", status=409)
    outcome = door("POST", f"{here}/close", {"early": True}, by="ann")["outcome"]
    assert (outcome["rated"], outcome["adjudicated"], outcome["early"]) == (2, 1, True)
    door("POST", "/queues/queue:none/claim", {}, by="ann", status=404)
    door("POST", "/queues", {"project": "desk", "purpose": "taste"}, by="ann", status=400)
