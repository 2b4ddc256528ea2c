"""The official OpenAI client against a running `whytune serve`: answers, streams, aliases that move, adapters apart."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from tests.serve.house import House, events_of, write
from tests.serve.living import HELLO, Serving

from whytune.records.release import Release
from whytune.workspace.consumers import KeyTerms, grant

pytestmark = pytest.mark.slow
ALIASES = ("champion", "first", "second", "places", "labels", "later")
QUESTIONS = ["My card has not arrived yet.", "refund", "When does it come?", "I was charged twice for one payment", "exchange rate", "top up failed"]


class Served:
    """One process for the tests of this file, and the house behind it."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.house = House(folder, model)
        self.plain = self.house.release()
        self.first, self.second = self.house.release(seed=3, tokens=24), self.house.release(seed=4, tokens=24)
        self.places = self.house.release(rag=True)
        for alias, release in (("champion", self.plain), ("first", self.first), ("second", self.second), ("places", self.places)):
            self.house.point(alias, release)
        self.secret = grant(self.house.room, KeyTerms("shop", per_minute=0)).secret
        self.desk = grant(self.house.room, KeyTerms("desk", may=("places",), access=("desk",), per_minute=0)).secret
        self.serving = Serving(folder, ALIASES, "--at-once", "64")
        self.client = self.serving.client(self.secret)

    def ask(self, model: str, text: str, **fields: Any) -> Any:
        return self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **fields)

    def text(self, model: str, text: str, **fields: Any) -> str:
        return str(self.ask(model, text, **fields).choices[0].message.content)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served"), tiny_model)
    yield made
    made.serving.stop()
    assert made.serving.process.returncode in (0, -signal.SIGTERM)


def test_an_answer_names_its_release_and_itself(served: Served) -> None:
    raw = served.client.chat.completions.with_raw_response.create(model="champion", messages=HELLO, store=True)
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert raw.headers["x-whytune-release"] == served.plain.id == answer.system_fingerprint
    assert raw.headers["x-whytune-response"] == answer.id == answer._request_id
    assert raw.headers["x-whytune-solo"] == "not independently approved"
    kept = served.house.room.store.traffic.response(answer.id)
    assert kept is not None
    assert (kept.consumer, kept.release, kept.tokens_in, kept.tokens_out) == ("shop", served.plain.id, answer.usage.prompt_tokens, answer.usage.completion_tokens)
    exchange = served.house.room.store.traffic.exchange(answer.id)
    assert exchange is not None
    assert exchange.answer == answer.choices[0].message.content


def test_a_stream_says_what_the_whole_says(served: Served) -> None:
    for model in ("champion", "first", "second"):
        whole = served.ask(model, QUESTIONS[0])
        chunks = list(served.ask(model, QUESTIONS[0], stream=True, stream_options={"include_usage": True}))
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert said == whole.choices[0].message.content
        assert len(chunks) > 5, "it came in pieces"
        assert chunks[-1].usage == whole.usage
        assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
        assert len({chunk.id for chunk in chunks}) == 1


def test_completions_take_several_prompts_and_stream_one(served: Served) -> None:
    made = served.client.completions.create(model="champion", prompt=QUESTIONS[:3])
    assert [choice.text for choice in made.choices] == [served.text("champion", question) for question in QUESTIONS[:3]]
    stream = served.client.completions.create(model="champion", prompt=QUESTIONS[0], stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == made.choices[0].text


def test_an_answer_ends_at_its_stop_text_and_at_fewer_tokens(served: Served) -> None:
    whole = served.text("first", QUESTIONS[0])
    stop = whole[4:6]
    expected = whole[: whole.index(stop)]
    made = served.ask("first", QUESTIONS[0], stop=[stop])
    assert (made.choices[0].message.content, made.choices[0].finish_reason) == (expected, "stop")
    streamed = served.ask("first", QUESTIONS[0], stop=[stop], stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices) == expected
    assert served.ask("first", QUESTIONS[0], max_tokens=3).usage.completion_tokens == 3
    assert served.ask("first", QUESTIONS[0], max_tokens=5000).usage.completion_tokens <= 24


def test_models_and_embeddings(served: Served) -> None:
    assert [model.id for model in served.client.models.list()] == ["champion", "first", "second", "places", "all-MiniLM-L6-v2"]
    assert [model.id for model in served.serving.client(served.desk).models.list()] == ["places", "all-MiniLM-L6-v2"]
    assert served.client.models.retrieve("first").whytune["release"] == served.first.id  # type: ignore[attr-defined]
    packed = served.client.embeddings.create(model="all-MiniLM-L6-v2", input=["unpaid leave", "holiday without pay", "a red car"])
    plain = served.client.embeddings.create(model="all-MiniLM-L6-v2", input=["unpaid leave"], encoding_format="float")
    one, two, three = (item.embedding for item in packed.data)
    assert one == pytest.approx(plain.data[0].embedding, abs=1e-5)
    assert sum(a * b for a, b in zip(one, two, strict=True)) > sum(a * b for a, b in zip(one, three, strict=True)) + 0.2
    assert packed.usage.prompt_tokens > 6


def test_refusals_are_the_clients_own_errors(served: Served) -> None:
    with pytest.raises(openai.AuthenticationError):
        served.serving.client("wt-wrong").models.list()
    for model in ("nobody", "later", served.plain.id.replace("a", "b"), "release:0"):
        with pytest.raises(openai.NotFoundError) as missing:
            served.ask(model, "x")
        assert missing.value.code == "model_not_found"
        assert "whytune" not in str(missing.value), "the operator's commands are not the consumer's"
    with pytest.raises(openai.NotFoundError):
        served.serving.client(served.desk).chat.completions.create(model="champion", messages=HELLO)
    for fields in ({}, {"stream": True}):
        with pytest.raises(openai.BadRequestError) as long:
            served.ask("champion", "word " * 600, **fields)
        assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="tools"):
        served.ask("champion", "x", tools=[{"type": "function", "function": {"name": "f"}}])


def test_passages_are_cited_and_only_those_the_key_may_see(served: Served) -> None:
    question = [{"role": "user", "content": "What is the code for the safe?"}]
    titles = {}
    for name, secret in (("shop", served.secret), ("desk", served.desk)):
        answer = served.serving.client(secret).chat.completions.create(model="places", messages=question)
        titles[name] = [citation["title"] for citation in answer.whytune["citations"]]  # type: ignore[attr-defined]
        for citation in answer.whytune["citations"]:  # type: ignore[attr-defined]
            assert citation["passage"].startswith("passage:")
            assert 0 <= citation["start"] < citation["end"]
    assert titles["desk"][0] == "The safe"
    assert "The safe" not in titles["shop"]
    assert len(titles["shop"]) == 2


def test_two_adapters_under_load_never_mix(served: Served) -> None:
    alone = {(model, question): served.text(model, question) for model in ("champion", "first", "second") for question in QUESTIONS}
    assert len({alone[model, QUESTIONS[0]] for model in ("champion", "first", "second")}) == 3
    asked = [pair for pair in alone for _ in range(5)]

    def ask(pair: tuple[str, str]) -> tuple[str, str]:
        answer = served.ask(*pair)
        return str(answer.choices[0].message.content), str(answer.system_fingerprint)

    with ThreadPoolExecutor(16) as crowd:
        said = list(crowd.map(ask, asked))
    ids = {"champion": served.plain.id, "first": served.first.id, "second": served.second.id}
    assert said == [(alone[pair], ids[pair[0]]) for pair in asked]


def test_an_alias_moves_without_a_restart_and_what_is_under_way_ends_as_it_began(served: Served) -> None:
    house = served.house
    house.point("later", served.first)
    before = served.text("first", QUESTIONS[1])
    stream = served.ask("later", QUESTIONS[1], stream=True)
    opening = next(iter(stream))
    house.point("later", served.second)
    after = served.ask("later", QUESTIONS[1])
    assert after.system_fingerprint == served.second.id
    assert after.choices[0].message.content == served.text("second", QUESTIONS[1]) != before
    rest = list(stream)
    assert {chunk.system_fingerprint for chunk in (opening, *rest)} == {served.first.id}
    assert "".join(chunk.choices[0].delta.content or "" for chunk in (opening, *rest) if chunk.choices) == before
    house.point("later", served.first)
    assert served.text("later", QUESTIONS[1]) == before, "and back, in one move"
    assert served.text(served.second.id, QUESTIONS[1]) == after.choices[0].message.content, "a live release can be pinned by its id"


def test_a_release_that_was_tampered_with_or_retired_answers_nothing(served: Served) -> None:
    house = served.house
    third = house.release(seed=5)
    forged = Release.model_validate({**third.model_dump(), "signature": "00" * 64})
    write(house.room, forged)
    house.point("later", forged)
    with pytest.raises(openai.InternalServerError) as refused:
        served.ask("later", "x")
    assert refused.value.status_code == 503
    assert "signature" not in str(refused.value)
    assert "signature does not fit" in served.serving.logged()
    house.point("later", third)
    assert served.text("later", "x")
    house.retire(third)
    with pytest.raises(openai.NotFoundError):
        served.ask("later", "x")


def test_feedback_over_http_reaches_the_inbox(served: Served) -> None:
    answer = served.ask("champion", "When does it come?", store=True, metadata={"conversation_id": "c-42"})
    told = httpx.post(
        f"{served.serving.address}/feedback", headers={"authorization": f"Bearer {served.secret}"},
        json={"response_id": answer.id, "rating": "down", "correction": "On Monday.", "consent": True},
    )  # fmt: skip
    assert told.status_code == 201
    held = served.house.room.store.traffic.feedback(told.json()["id"])
    assert (held.response, held.conversation, held.correction) == (answer.id, "c-42", "On Monday.")


def test_who_leaves_ends_the_work_and_is_counted(served: Served) -> None:
    def outcomes() -> list[str]:
        with served.house.room.store._database.reading("count") as connection:
            return [row[0] for row in connection.exec_driver_sql("SELECT outcome FROM traffic_responses")]

    before = outcomes().count("cancelled")
    body = {"model": "first", "messages": HELLO, "stream": True}
    for _ in range(3):
        with httpx.stream("POST", f"{served.serving.address}/chat/completions", json=body, headers={"authorization": f"Bearer {served.secret}"}) as answer:
            next(answer.iter_bytes())
    until = time.monotonic() + 20
    while len(outcomes()) and outcomes().count("cancelled") + outcomes().count("length") < before + 3 and time.monotonic() < until:
        time.sleep(0.05)
    metrics = grant(served.house.room, KeyTerms("watch", scopes=("metrics",))).secret
    counted = httpx.get(f"{served.serving.address.removesuffix('/v1')}/metrics", headers={"authorization": f"Bearer {metrics}"}).text
    assert "whytune_under_way 0" in counted
    assert served.text("first", "refund")


def test_a_stream_is_server_sent_events_with_an_end(served: Served) -> None:
    body = {"model": "champion", "messages": HELLO, "stream": True}
    answer = httpx.post(f"{served.serving.address}/chat/completions", json=body, headers={"authorization": f"Bearer {served.secret}"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer.text)
    assert events[-1]["whytune"]["release"] == served.plain.id  # type: ignore[index]


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path, tiny_model: Path) -> None:
    house = House(tmp_path, tiny_model)
    house.point("champion", house.release())
    serving = Serving(tmp_path, ["champion"])
    client = serving.client()
    with ThreadPoolExecutor(8) as crowd:
        ids = list(crowd.map(lambda n: client.chat.completions.create(model="champion", messages=HELLO, store=True).id, range(40)))
    said = httpx.post(f"{serving.address}/feedback", json={"response_id": ids[-1], "rating": "up"})
    serving.stop(signal.SIGKILL)
    assert [id for id in ids if house.room.store.traffic.exchange(id) is None] == []
    assert house.room.store.traffic.feedback(said.json()["id"]).response == ids[-1]
    assert house.room.audit().whole
    assert "My card" not in serving.said[-1] + "".join(serving.said)
    assert json.dumps(HELLO)[:20] not in (tmp_path / "serve.log").read_text("utf-8")
