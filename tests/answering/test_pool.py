"""Many callers of one model: adapters never mix, answers are those of a request alone, and failures stay with their own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.answering.test_local import LABELS, chats, complete

from whytune.answering.backends.generation import Runner
from whytune.answering.backends.lane import Lane
from whytune.answering.backends.local import LocalBackend
from whytune.answering.backends.models import FULL_MARK, FULL_WEIGHTS, calm, load, prepare_folder
from whytune.answering.backends.pool import Pool, Request
from whytune.answering.backends.protocol import Completion, Labels, Schema
from whytune.errors import ModelError
from whytune.records.candidate import Base, Decoding
from whytune.records.content import Message

WORDS = Decoding(max_new_tokens=12)
FORMS = {"type": "object", "properties": {"name": {"type": ["string", "null"], "maxLength": 6}}, "required": ["name"], "additionalProperties": False}


def adapter(base: Base, folder: Path, seed: int, **how: bool) -> Path:
    """An adapter of random weights, large enough to change what is said."""
    from peft import LoraConfig, get_peft_model

    with calm():
        model = get_peft_model(load(base, "float32").model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", **how))
    torch.manual_seed(seed)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    model.peft_config["default"].base_model_name_or_path = None
    model.save_pretrained(str(folder), save_embedding_layers=False)
    return folder


def whole(base: Base, folder: Path) -> Path:
    """All weights, some of them changed."""
    model = load(base, "float32").model
    torch.manual_seed(5)
    model.model.layers[0].mlp.down_proj.weight.data += torch.randn_like(model.model.layers[0].mlp.down_proj.weight) * 0.3
    model.save_pretrained(folder)
    assert (folder / FULL_WEIGHTS).is_file()
    (folder / FULL_MARK).write_text("{}")
    return folder


def wait_until_idle(pool: Pool) -> None:
    until = time.monotonic() + 10
    while pool.load and time.monotonic() < until:
        time.sleep(0.005)
    assert pool.load == 0, "nothing is left behind"


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> Base:
    return prepare_folder(tiny_model)


@pytest.fixture(scope="module")
def folders(base: Base, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("adapters")
    return {
        "a" * 64: adapter(base, root / "a", 1),
        "b" * 64: adapter(base, root / "b", 2, use_dora=True),
        "c" * 64: whole(base, root / "c"),
    }


@pytest.fixture(scope="module")
def pool(base: Base, folders: dict[str, Path]) -> Iterator[Pool]:
    with Pool(base, dtype="float32", threads=1) as made:
        for digest, folder in folders.items():
            made.backend_for(digest, folder)
        yield made


def test_each_adapter_answers_as_when_it_is_loaded_alone(pool: Pool, base: Base, folders: dict[str, Path]) -> None:
    asked = chats(10)
    said = {}
    for digest in ("", *folders):
        alone = LocalBackend(base, folders.get(digest), "float32", 1)
        said[digest] = [done.text for done in complete(alone, asked)]
        assert [done.text for done in complete(pool.backend_for(digest), asked)] == said[digest]
    assert len({tuple(texts) for texts in said.values()}) == 4, "the adapters differ, so a mix would be seen"


@pytest.mark.slow
def test_adapters_under_load_never_mix_and_tokens_stream_as_they_come(pool: Pool, folders: dict[str, Path]) -> None:
    """Requests of four models and three constraints by 12 threads: each is what it is when nobody else asks."""
    kinds = (None, Labels(LABELS), Schema(FORMS))
    asked = [(digest, kinds[number % 3], chat) for number, chat in enumerate(chats(6)) for digest in ("", *folders)]
    alone = [pool.submit(Request(chat, WORDS, kind, digest)).result() for digest, kind, chat in asked]

    def ask(number: int) -> tuple[int, Completion, str]:
        digest, kind, chat = asked[number % len(asked)]
        pieces: list[str] = []
        done = pool.submit(Request(chat, WORDS, kind, digest, pieces.append)).result(60)
        return number % len(asked), done, "".join(pieces)

    with ThreadPoolExecutor(12) as many:
        found = list(many.map(ask, range(2 * len(asked))))
    assert len(found) == 48
    for number, done, streamed in found:
        assert (done.text, done.tokens_out, done.error) == (alone[number].text, alone[number].tokens_out, "")
        assert streamed == done.text
    wait_until_idle(pool)
    assert any(done.tokens_computed < done.tokens_in for _, done, _ in found), "what many begin with is computed once"


def test_rows_over_different_beginnings_go_through_the_model_together(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [(Message.of("system", system), Message.of("user", said)) for system in ("Answer as briefly as you can, please.", "Say what the customer wants to know.") for said in ("My card", "A refund", "Top up")]
    with Pool(base, dtype="float32", threads=1) as pool:
        alone = [pool.submit(Request(chat, WORDS)).result() for chat in asked]
    passes: list[int] = []
    over = Runner._over

    def counted(runner: Runner, prefixes: Any, slot: Any) -> Any:
        found = over(runner, prefixes, slot)
        passes.append(len(found) + any(prefixes[at] is None for at in slot))
        return found

    monkeypatch.setattr(Runner, "_over", counted)
    with Pool(base, dtype="float32", threads=1) as pool:
        for _ in range(2):  # the second time what is asked again has a beginning of its own
            passes.clear()
            together = [future.result() for future in [pool.submit(Request(chat, WORDS)) for chat in asked]]
            assert [said.text for said in together] == [said.text for said in alone]
    assert max(passes) >= 2, "one pass, several prefixes"
    assert len(passes) < 3 * WORDS.max_new_tokens, "not one pass for each prefix"


def test_an_adapter_is_loaded_once(pool: Pool, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "a" * 64
    before = [done.text for done in complete(pool.backend_for(digest), chats(3))]
    monkeypatch.setattr(Lane, "add", lambda *_: pytest.fail("read again"))
    assert [done.text for done in complete(pool.backend_for(digest, tmp_path), chats(3))] == before
    with pytest.raises(ModelError, match="not loaded"):
        pool.backend_for("d" * 64)
    with pytest.raises(ModelError, match="not loaded"):
        pool.submit(Request(chats(1)[0], WORDS, None, "d" * 64))


def test_a_broken_adapter_leaves_the_pool_as_it_was(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    with pytest.raises(ModelError, match="cannot be used") as told:
        pool.backend_for("e" * 64, tmp_path)
    assert "adapter_model.safetensors is missing" in told.value.problems
    assert pool.submit(Request(chats(1)[0], WORDS)).result(30).text


def test_an_adapter_of_another_model_is_refused_before_anything_is_touched(pool: Pool, folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    before = [done.text for done in complete(pool.backend_for("a" * 64), chats(3))]
    weights = load_file(folders["a" * 64] / "adapter_model.safetensors")
    first, second, *_ = sorted(name for name in weights if name.endswith("lora_A.weight"))
    weights[first] = torch.zeros(4, 7)
    weights[second.replace("layers.0", "layers.9")] = weights.pop(second)
    save_file(weights, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_bytes((folders["a" * 64] / "adapter_config.json").read_bytes())
    with pytest.raises(ModelError, match="does not fit") as told:
        pool.backend_for("f" * 64, tmp_path)
    assert len(told.value.problems) == 2
    assert [done.text for done in complete(pool.backend_for("a" * 64), chats(3))] == before


def test_a_failure_of_the_machinery_is_told_to_all_who_wait_and_the_pool_goes_on(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Lane, "_join", lambda _: (_ for _ in ()).throw(RuntimeError("planted")))
        futures = [pool.submit(Request(chat, WORDS)) for chat in chats(3)]
        for future in futures:
            with pytest.raises(RuntimeError, match="planted"):
                future.result(30)
    assert pool.submit(Request(chats(1)[0], WORDS)).result(30).text


def test_too_long_and_a_listener_that_fails_concern_their_own_request(pool: Pool) -> None:
    long = chats(1, "word " * 600)[0]

    def broken(_: str) -> None:
        raise ConnectionError("gone")

    futures = [pool.submit(Request(long, WORDS)), pool.submit(Request(chats(2)[1], WORDS, None, "", broken)), pool.submit(Request(chats(1)[0], WORDS))]
    assert futures[0].result(30).error.startswith("too long by")
    with pytest.raises(ConnectionError):
        futures[1].result(30)
    assert futures[2].result(30).text


def test_a_cancelled_request_ends_and_its_neighbours_do_not(pool: Pool) -> None:
    heard = threading.Event()
    chat = next(c for c in chats(10) if len(pool.submit(Request(c, WORDS)).result().text) > 8)
    running = pool.submit(Request(chat, Decoding(max_new_tokens=200), None, "", lambda _: heard.set()))
    beside = pool.submit(Request(chats(2)[1], WORDS))
    assert heard.wait(30)
    cancelled = running.cancel()
    assert beside.result(30).text
    pool.submit(Request(chats(1)[0], WORDS)).result(30)
    assert cancelled == running.cancelled()
    wait_until_idle(pool)


def test_closing_answers_what_was_asked_and_takes_nothing_more(base: Base) -> None:
    pool = Pool(base, dtype="float32", threads=1)
    futures = [pool.submit(Request(chat, WORDS)) for chat in chats(4)]
    pool.close()
    assert all(future.result(0).text for future in futures)
    with pytest.raises(ModelError, match="closed"):
        pool.submit(Request(chats(1)[0], WORDS))
