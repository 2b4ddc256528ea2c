"""A private use case over the pages and the API: whoever it does not name finds nothing of it, whatever address they guess."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient
from tests.web.shelf import FILE, said, shelf

from whytune.errors import NotFoundError, RefusedError
from whytune.records.ledger import ROLES
from whytune.records.release import Release
from whytune.store import accounts as accounts_module
from whytune.web import app
from whytune.web.app import make_app
from whytune.workspace import aliasing, feedback, people, releasing, reviewing
from whytune.workspace.workspace import Workspace

OTHERS = [role for role in ROLES if role not in ("auditor", "admin")]
"""An auditor sees every project, an admin learns its name."""
ELSEWHERE = ("/help", "/static", "/api/v1/help", "/api/v1/openapi.json", "/system/machine", "/api/v1/system/machine")
"""Addresses that say nothing of any project; looking at the machine takes seconds."""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts_module, "COST", 2**4)
        for name in ("WHYTUNE_PERSON", "WHYTUNE_HOME", people.TOKEN_VARIABLE):
            patch.delenv(name, raising=False)
        place = tmp_path_factory.mktemp("private")
        made = shelf(place)
        said(made, 1)
        (place / "canteen").mkdir()
        (place / "canteen" / "whytune.toml").write_text(FILE.replace("support", "canteen"), "utf-8")
        people.add(made, "ada", ["admin"])
        people.add(made.as_person("ada"), "olga", ["business_owner"])
        people.add(made.as_person("ada"), "audrey", ["auditor"])
        people.add(made.as_person("ada"), "stan", OTHERS)
        (place / "support" / "whytune.toml").write_text(FILE + '[owners]\nbusiness_owner = "olga"\n[access]\nprivate = true\n', "utf-8")
        yield made
        made.store.close()


Enter = Callable[[str], TestClient]


@pytest.fixture(scope="module")
def client(room: Workspace) -> Iterator[Enter]:
    """Somebody's way in, with a token of theirs."""
    with TestClient(make_app(room.root), base_url="http://127.0.0.1:8765", client=("127.0.0.1", 1), follow_redirects=False, raise_server_exceptions=False) as web:

        def enter(name: str) -> TestClient:
            web.headers.update({"authorization": f"Bearer {room.store.accounts.make_token(name)}", "accept": "text/html"})
            return web

        yield enter


def marks(room: Workspace) -> re.Pattern[str]:
    """What only somebody could say who has seen the private project's records."""
    ids = [one.id.partition(":")[2][:12] for one in room.store.list(Release)]
    kept = [one.id for one in room.store.traffic.inbox()]
    return re.compile("|".join([*ids, *kept, "/projects/support", "support/[12]", "customers", "resp_1", '"support"']))


def addresses(room: Workspace, method: str) -> list[tuple[str, str]]:
    """(pattern, address): every address of a method, its parameters filled with what belongs to the private project."""
    release, given = room.store.list(Release)[-1], room.store.traffic.inbox()[0]
    fills = {"name": "support", "release": release.id, "alias": "champion", "id": given.id, "person": "olga", "file": "card.json", "version": "1", "first": "1", "second": "1"}
    found = []
    for noun in (*app.NOUNS, *app.PAGES):
        for one in noun.routes:
            if method in (one.methods or set()) and not one.path.startswith(ELSEWHERE):
                found.append((one.path, re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: fills.get(match[1], "nothing"), one.path)))
    return found


@pytest.mark.slow
def test_no_page_shows_a_stranger_anything_of_it(room: Workspace, client: Enter) -> None:
    stan, mark, given = client("stan"), marks(room), room.store.traffic.inbox()[0].id
    wrong = []
    for pattern, address in addresses(room, "GET"):
        answer = stan.get(address)
        guessed = any(name in pattern for name in ("{name}", "{release}", "{alias", "feedback/{id}"))
        # What is asked for may be told to be wrong before it is looked for: the same is told of a name that nobody has.
        if guessed and answer.status_code not in (400, 404):
            wrong.append(f"{address}: {answer.status_code}")
        # A page that is not found may repeat the address that was asked for.
        text = answer.text.replace(address, "").replace(given, "") if not guessed else ""
        if found := mark.search(text):
            wrong.append(f"{address}: shows {text[max(0, found.start() - 60) : found.end() + 20]!r}")
        if answer.status_code >= 500:
            wrong.append(f"{address}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


def test_no_address_lets_a_stranger_change_anything_of_it(room: Workspace, client: Enter) -> None:
    stan, wrong = client("stan"), []
    before = room.whole().store.head()
    for method in ("POST", "PUT", "DELETE"):
        for pattern, address in addresses(room, method):
            if not any(name in pattern for name in ("{name}", "{release}", "{alias", "feedback/{id}")):
                continue
            body = {"role": "tester", "says": "approve", "reason": "because", "release": "champion", "question": "why?", "response": "resp_1", "rating": "up", "verdict": "useful"}
            answer = stan.request(method, address, json=body if address.startswith("/api/") else None, data=None if address.startswith("/api/") else {"_once": "b" * 32, **body}, headers={"origin": "http://127.0.0.1:8765"})
            if answer.status_code not in (400, 404) or ("{name}" in pattern and answer.status_code != 404):
                wrong.append(f"{method} {address}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)
    assert room.store.head() == before


@pytest.mark.parametrize("name", ["olga", "audrey"])
def test_whom_it_names_and_auditors_see_it(room: Workspace, client: Enter, name: str) -> None:
    web, mark = client(name), marks(room)
    for address in ("/projects", "/registry", "/feedback", "/api/v1/releases", "/api/v1/events", "/projects/support/live", "/api/v1/aliases"):
        answer = web.get(address)
        assert (address, answer.status_code, bool(mark.search(answer.text))) == (address, 200, True)


def test_a_stranger_learns_nothing_by_the_functions_either(room: Workspace) -> None:
    stan, olga = room.as_person("stan"), room.as_person("olga")
    release, given = room.store.list(Release)[-1], room.store.traffic.inbox()[0]
    assert releasing.releases(stan) == []
    assert releasing.aliases(stan) == {}
    assert feedback.inbox(stan) == []
    assert len(releasing.releases(olga)) == 2
    assert len(feedback.inbox(olga)) == 1
    for name in ("champion", "support/2", release.id, release.id.partition(":")[2][:10]):
        assert releasing.named(olga, name).id == release.id
        with pytest.raises(NotFoundError) as hidden:
            releasing.named(stan, name)
        assert "support/" not in hidden.value.where
    for ask in (lambda: releasing.live(stan, "champion"), lambda: aliasing.history(stan, "champion"), lambda: aliasing.rollback(stan, "champion", "no"), lambda: aliasing.remove(stan, "champion", "no"), lambda: feedback.show(stan, given.id), lambda: reviewing.room_of(stan, "queue:" + "0" * 64)):
        with pytest.raises(NotFoundError):
            ask()


def test_a_name_that_is_taken_in_secret_is_not_taken_over(room: Workspace) -> None:
    own = room.store.list(Release)[0].model_copy(update={"project": "canteen"})
    with pytest.raises(RefusedError, match="is taken") as refused:
        aliasing.set_alias(room.as_person("stan"), "champion", own)
    assert "support" not in str(refused.value)


def test_an_admin_reads_its_name_on_the_system_page_and_nothing_in_it(room: Workspace, client: Enter) -> None:
    ada = client("ada")
    assert "support: olga" in ada.get("/system").text
    assert ada.get("/projects/support/live").status_code == 404
    assert "support" not in client("stan").get("/system").text


def test_its_file_opens_it_again(room: Workspace, client: Enter) -> None:
    file = room.root / "support" / "whytune.toml"
    kept = file.read_text("utf-8")
    stan = client("stan")
    assert stan.get("/projects/support/live").status_code == 404
    try:
        file.write_text(kept.replace("private = true", "private = false"), "utf-8")
        assert stan.get("/projects/support/live").status_code == 200
    finally:
        file.write_text(kept, "utf-8")
    assert stan.get("/projects/support/live").status_code == 404
