"""What every test in a browser may use: a full workspace, a real `whytune web`, Debian's Chromium, people who are signed in.

    def test_the_map(signed_in, quiet):
        page = signed_in("owner")                      # a person of tests/browser/house.py; theme=, width=, javascript=
        page.goto("/projects/support/map")             # addresses are relative to the server
        assert page.get_by_role("heading", level=1).count() == 1
        quiet(page)                                    # no console error, no request off this machine

The workspace is built once for all test processes; each test file gets its own copy (`house`) and its own server (`web`).
To build it once for many runs: `python -m tests.browser.house FOLDER`, then set WHYTUNE_BROWSER_HOUSE=FOLDER.
Left out with a reason where there is no Chromium, except on CI, where that is a failure.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.browser.house import PASSWORD, TOKENS, House, built, serving
from tests.chromium import PATIENCE


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The full workspace, not to be changed: copy it, or use `house`."""
    if kept := os.environ.get("WHYTUNE_BROWSER_HOUSE"):
        return House(Path(kept), json.loads(Path(kept, TOKENS).read_text("utf-8")))
    place = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        place = place.parent  # the test processes of one run share it
    folder = place / "rich-house"
    with (place / "rich-house.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / TOKENS).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            built(folder)
    return House(folder, json.loads((folder / TOKENS).read_text("utf-8")))


@pytest.fixture(scope="module")
def house(rich: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A copy of the full workspace for this test file alone, to act in."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(rich.folder, folder, dirs_exist_ok=True)
    return House(folder, dict(rich.tokens))


@pytest.fixture(scope="module")
def web(house: House) -> Iterator[str]:
    """The address of a `whytune web` over `house`."""
    with serving(house.folder, "web") as address:
        yield address


class Noise:
    """What a page's context did that it should not have: errors it told, and requests that left this machine."""

    def __init__(self, context: Any, address: str) -> None:
        self.told: list[str] = []
        context.on("console", lambda message: self.told.append(f"console: {message.text} ({message.page.url if message.page else ''})") if message.type in ("error", "warning") else None)
        context.on("weberror", lambda error: self.told.append(f"error: {error.error}"))
        context.on("request", lambda request: None if request.url.startswith((address + "/", "blob:", "about:")) else self.told.append(f"request: {request.url[:120]}"))


@pytest.fixture
def visitor(chromium: Any, web: str) -> Iterator[Callable[..., Any]]:
    """`visitor(theme="light", width=1280, javascript=True)`: a page of a new browser profile in which nobody is signed in."""
    contexts: list[Any] = []

    def visit(*, theme: str = "light", width: int = 1280, height: int = 900, javascript: bool = True) -> Any:
        context = chromium.new_context(base_url=web, color_scheme=theme, viewport={"width": width, "height": height}, java_script_enabled=javascript)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        context.noise = Noise(context, web)
        return context.new_page()

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture
def signed_in(visitor: Callable[..., Any]) -> Callable[..., Any]:
    """`signed_in("owner", theme="dark", width=320)`: a page of somebody who has signed in; `page.csrf` is their second secret."""

    def enter(name: str, **how: Any) -> Any:
        page = visitor(**how)
        answer = page.context.request.post("/api/v1/session", data={"name": name, "password": PASSWORD})
        assert answer.status == 201, f"{name}: {answer.status} {answer.text()}"
        page.csrf = answer.json()["csrf"]
        return page

    return enter


@pytest.fixture
def quiet() -> Callable[..., None]:
    """`quiet(page)`: nothing was told on the console and nothing asked of another machine. allow: parts of lines that may be there."""

    def check(page: Any, *allow: str) -> None:
        told = [line for line in page.context.noise.told if not any(part in line for part in allow)]
        assert told == [], "\n".join(told)

    return check
