"""Answers by a local model: the same as the slow way, constrained where asked, nothing cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from whytune.answering.backends.attention import _attend, attend_plainly
from whytune.answering.backends.generation import common_prefix, halving
from whytune.answering.backends.local import LocalBackend
from whytune.answering.backends.models import Loaded, load, prepare_folder
from whytune.answering.backends.protocol import Chat, Completion, Constraint, Labels, Schema
from whytune.records.candidate import Decoding
from whytune.records.content import Message

LABELS = ("card arrival", "card lost", "card", "exchange rate", "refund", "top up failed")
SYSTEM = "Choose the one category that fits the message. Answer with the category only. " + ", ".join(LABELS)
WORDS = ["my", "card", "has", "not", "arrived", "please", "give", "the", "money", "back", "it", "was", "charged", "twice", "for", "one", "payment", "fee"]


def chats(count: int, system: str = SYSTEM) -> list[Chat]:
    """Prompts of uneven length with the same beginning."""
    made = []
    for number in range(count):
        text = " ".join(WORDS[(number * 5 + at * (number + 1)) % len(WORDS)] for at in range(1 + number * 7 % 23))
        made.append((Message.of("system", system), Message.of("user", text)))
    return made


def complete(
    backend: LocalBackend, prompts: Sequence[Chat], constraint: Constraint = None, new: int = 12
) -> list[Completion]:
    found: dict[int, Completion] = {}

    def keep(batch: list[tuple[int, Completion]]) -> None:
        assert not found.keys() & dict(batch).keys()
        found.update(batch)

    backend.complete(prompts, Decoding(max_new_tokens=new), constraint, keep)
    return [found[number] for number in range(len(prompts))]


def slowly(loaded: Loaded, chat: Chat, new: int, allowed: Any = None) -> list[int]:
    """One prompt by the library's own generate."""
    ids = torch.tensor([loaded.encoder.prompt(chat).ids])
    done = loaded.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new,
        do_sample=False,
        pad_token_id=0,
        prefix_allowed_tokens_fn=allowed and (lambda _, tokens: allowed(tokens[ids.shape[1] :].tolist())),
    )
    return [int(token) for token in done[0, ids.shape[1] :]]


@pytest.fixture(scope="module")
def backend(tiny_model: Path) -> LocalBackend:
    return LocalBackend(prepare_folder(tiny_model), dtype="float32", threads=1)


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> Loaded:
    return load(prepare_folder(tiny_model), "float32")


def test_the_model_is_run_together(backend: LocalBackend) -> None:
    assert backend.runner.together


def test_free_text_is_what_the_slow_way_says(backend: LocalBackend, loaded: Loaded) -> None:
    prompts = chats(16)
    for chat, said in zip(prompts, complete(backend, prompts), strict=True):
        tokens = slowly(loaded, chat, 12)
        assert said.text == loaded.encoder.decode([token for token in tokens if token != 2]).strip()
        assert said.tokens_out == len(tokens)
        assert not said.error


def test_labels_are_what_the_slow_constrained_way_says(backend: LocalBackend, loaded: Loaded) -> None:
    tries = {label: [*loaded.encoder.answer(label), 2] for label in LABELS}

    def allowed(so_far: list[int]) -> list[int]:
        return [t[len(so_far)] for t in tries.values() if t[: len(so_far)] == so_far and len(t) > len(so_far)] or [2]

    prompts = chats(16)
    said = complete(backend, prompts, Labels(LABELS))
    for chat, answer in zip(prompts, said, strict=True):
        tokens = slowly(loaded, chat, 16, allowed)
        assert answer.text == loaded.encoder.decode([token for token in tokens if token != 2])
        assert answer.text in LABELS
    assert len({answer.text for answer in said}) > 1


def test_one_label_needs_no_pass(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend.runner, "_forward", lambda *_: pytest.fail("the model was asked"))
    (said,) = complete(backend, chats(1), Labels(("refund",)))
    assert said.text == "refund"


def test_json_fits_the_schema_whatever_the_model_would_say(backend: LocalBackend) -> None:
    from jsonschema import Draft202012Validator

    text = {"type": ["string", "null"], "maxLength": 6}
    schema = {
        "type": "object",
        "properties": {"name": text, "city": text},
        "required": ["name", "city"],
        "additionalProperties": False,
    }
    said = complete(backend, chats(8), Schema(schema), new=60)
    for answer in said:
        value = json.loads(answer.text)
        Draft202012Validator(schema).validate(value)
        assert list(value) == ["name", "city"]
        assert answer.text == json.dumps(value, ensure_ascii=False)


def test_a_shared_prompt_is_computed_once(backend: LocalBackend) -> None:
    prompts = chats(6)
    said = complete(backend, prompts, Labels(LABELS))
    shared = common_prefix([backend.encoder.prompt(chat).ids for chat in prompts])
    assert shared > 40
    assert [answer.tokens_in - answer.tokens_computed for answer in said] == [shared] * 6
    # And kept for the next one that begins the same way.
    (again,) = complete(backend, prompts[:1], Labels(LABELS))
    assert again.tokens_in - again.tokens_computed == shared
    assert again.text == said[0].text


def test_an_answer_does_not_depend_on_its_neighbours(backend: LocalBackend) -> None:
    prompts = chats(12)
    together = [answer.text for answer in complete(backend, prompts)]
    assert [answer.text for answer in complete(backend, prompts[::-1])][::-1] == together
    assert [complete(backend, [chat])[0].text for chat in prompts] == together


def test_long_prompts_go_through_in_parts_and_stay_the_same(
    backend: LocalBackend, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = chats(7)
    usual = [answer.text for answer in complete(backend, prompts)]
    monkeypatch.setattr("whytune.answering.backends.generation._FORWARD_TOKENS", 28)
    monkeypatch.setattr(backend, "_kept", None)
    assert [answer.text for answer in complete(backend, prompts)] == usual


def test_what_does_not_fit_is_an_error_and_the_rest_is_answered(backend: LocalBackend) -> None:
    prompts = [*chats(3), (Message.of("user", "card " * 600),)]
    said = complete(backend, prompts)
    assert [bool(answer.error) for answer in said] == [False, False, False, True]
    assert said[3].error.startswith("too long by ")
    assert said[3].text == ""
    assert said[3].tokens_in == backend.count_tokens(prompts[3]) > 512


def test_the_librarys_own_way_says_the_same(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = chats(5)
    usual = [answer.text for answer in complete(backend, prompts)]
    labels = [answer.text for answer in complete(backend, prompts, Labels(LABELS))]
    monkeypatch.setattr(backend.runner, "window", 16)
    assert [answer.text for answer in complete(backend, prompts)] == usual
    monkeypatch.setattr(backend.runner, "window", 0)
    monkeypatch.setattr(backend.runner, "together", False)
    assert [answer.text for answer in complete(backend, prompts, Labels(LABELS))] == labels


def test_nothing_to_answer(backend: LocalBackend) -> None:
    backend.complete([], Decoding(), None, lambda _: pytest.fail("nothing was asked"))


def test_memory_that_runs_out_halves_the_batch(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = chats(8)
    usual = [answer.text for answer in complete(backend, prompts)]
    real, sizes = backend.runner.answer, []

    def small(rows: Any, grammar: Any, prefix: Any) -> None:
        sizes.append(len(rows))
        if len(rows) > 2:
            raise torch.OutOfMemoryError("out of memory")
        real(rows, grammar, prefix)

    monkeypatch.setattr(backend.runner, "answer", small)
    assert [answer.text for answer in complete(backend, prompts)] == usual
    assert sizes[0] == 8


def test_halving_tells_of_the_one_that_never_fits() -> None:
    done: list[int] = []
    failed: list[int] = []

    def work(items: list[int]) -> None:
        if 3 in items:
            raise MemoryError
        done.extend(items)

    halving(work, list(range(8)), failed.append)
    assert (sorted(done), failed) == ([0, 1, 2, 4, 5, 6, 7], [3])


def test_an_error_of_another_kind_is_not_taken_for_full_memory() -> None:
    def work(items: list[int]) -> None:
        raise RuntimeError("sizes differ")

    with pytest.raises(RuntimeError, match="sizes differ"):
        halving(work, [1, 2], lambda _: None)


def test_both_ways_to_attend_agree() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 11, 8), torch.randn(2, 3, 11, 8)
    mask = torch.zeros(2, 1, 5, 11).masked_fill(torch.rand(2, 1, 5, 11) < 0.3, float("-inf"))
    mask[..., 0] = 0
    for given_mask in (None, mask):
        fast, plain = _attend(query, key, value, given_mask, 0.3), attend_plainly(query, key, value, given_mask, 0.3)
        assert torch.allclose(fast[0], plain[0], atol=1e-5)
        assert torch.allclose(fast[1], plain[1], atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # PEFT's, about transformers
def test_an_adapter_is_merged_and_changes_answers(tiny_model: Path, tmp_path: Path, loaded: Loaded) -> None:
    from peft import LoraConfig, get_peft_model

    base = prepare_folder(tiny_model)
    tuned = get_peft_model(load(base, "float32").model, LoraConfig(r=4, target_modules="all-linear"))
    torch.manual_seed(3)
    for name, weights in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.5)
    tuned.save_pretrained(tmp_path)
    with_adapter = LocalBackend(base, tmp_path, "float32", 1)
    prompts = chats(6)
    said = [answer.text for answer in complete(with_adapter, prompts)]
    slow = load(base, "float32", tmp_path)
    assert said == [
        slow.encoder.decode([token for token in slowly(slow, chat, 12) if token != 2]).strip() for chat in prompts
    ]
    assert said != [answer.text for answer in complete(LocalBackend(base, None, "float32", 1), prompts)]


def test_bfloat16_answers_too(tiny_model: Path) -> None:
    said = complete(LocalBackend(prepare_folder(tiny_model), dtype="bfloat16", threads=1), chats(5), Labels(LABELS))
    assert all(answer.text in LABELS for answer in said)


@pytest.mark.deep
def test_the_bundled_model_says_what_the_slow_way_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Word for word, or parted only where the slow way's two likeliest tokens are closer than 1e-3."""
    from whytune.answering.backends.models import prepare_bundled

    base = prepare_bundled(tmp_path_factory.mktemp("cache"))
    backend, slow = LocalBackend(base, dtype="float32", threads=1), load(base, "float32")
    prompts = chats(6)
    for chat, said in zip(prompts, complete(backend, prompts, new=10), strict=True):
        tokens = slowly(slow, chat, 10)
        text = slow.encoder.decode([token for token in tokens if token not in slow.stop_ids]).strip()
        if said.text != text:
            ids = [*slow.encoder.prompt(chat).ids, *tokens]
            with torch.inference_mode():
                best = slow.model(torch.tensor([ids])).logits[0, -len(tokens) - 1 : -1].topk(2).values
            assert float((best[:, 0] - best[:, 1]).min()) < 1e-3
    assert {answer.text for answer in complete(backend, prompts, Labels(LABELS))} <= set(LABELS)
