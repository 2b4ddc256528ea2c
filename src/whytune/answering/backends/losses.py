"""What a model on this machine thinks of given answers: nats for each token of an answer after its prompt.

For questions about memory: how likely is this very text. Many answers to one prompt share its keys and values. It
generates nothing. Example: `token_losses(backend, [(chat, "refund")])[0]` has one figure a token, the stop token's last.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import DynamicCache

from whytune.answering.backends.attention import cached
from whytune.answering.backends.encoding import Whole
from whytune.answering.backends.generation import common_prefix
from whytune.answering.backends.local import LocalBackend
from whytune.answering.backends.protocol import Chat

_ROWS = 16
_WORTH_SHARING = 8
"""Tokens from which what prompts begin with is computed apart."""


def token_losses(backend: LocalBackend, asked: Sequence[tuple[Chat, str]]) -> list[list[float]]:
    """For each (chat, answer) the loss of each token of the answer and of the stop token; empty where it does not fit."""
    runner, model = backend.runner, backend.runner.model
    wholes = [backend.encoder.whole(chat, answer) for chat, answer in asked]
    by_prompt: dict[tuple[int, ...], list[int]] = {}
    for number, whole in enumerate(wholes):
        if len(whole.prompt) + len(whole.answer) <= backend.context:
            by_prompt.setdefault(tuple(whole.prompt), []).append(number)
    found: list[list[float]] = [[] for _ in asked]
    used = model.config._attn_implementation
    model.set_attn_implementation(runner._usual)
    try:
        with torch.inference_mode():
            shared = {prompt: numbers for prompt, numbers in by_prompt.items() if len(numbers) > 1}
            for prompt, numbers in shared.items():
                for number, losses in zip(numbers, _together(backend, list(prompt), [wholes[n].answer for n in numbers]), strict=True):
                    found[number] = losses
            alone = sorted((numbers[0] for prompt, numbers in by_prompt.items() if prompt not in shared), key=lambda n: len(wholes[n].prompt))
            begun = _begun(backend, [wholes[number].prompt for number in alone])
            for start in range(0, len(alone), _ROWS):
                part = alone[start : start + _ROWS]
                for number, losses in zip(part, _apart(backend, [wholes[n] for n in part], begun), strict=True):
                    found[number] = losses
    finally:
        model.set_attn_implementation(used)
    return found


@dataclass(frozen=True)
class _Begun:
    """What all prompts begin with, gone through the model once; no cache where there is too little of it."""

    length: int = 0
    cache: Any = None


def _begun(backend: LocalBackend, prompts: Sequence[list[int]]) -> _Begun:
    # The last token of a prompt says what its answer begins with: it stays with each row.
    length = common_prefix([prompt[:-1] for prompt in prompts]) if len(prompts) > 1 and backend.runner.together else 0
    if length < _WORTH_SHARING:
        return _Begun()
    runner = backend.runner
    cache = DynamicCache(config=runner.model.config)
    runner.decoder(input_ids=torch.tensor([prompts[0][:length]], device=runner.device), **cached(runner.decoder, cache))
    return _Begun(length, cache)


def _apart(backend: LocalBackend, wholes: Sequence[Whole], begun: _Begun) -> list[list[float]]:
    """Answers to different prompts, side by side; the output layer is run for the answers only."""
    runner = backend.runner
    rows = [[*whole.prompt, *whole.answer][begun.length : -1] for whole in wholes]
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=runner.device)
    how: dict[str, Any] = {"use_cache": False}
    if begun.length:
        cache = copy.deepcopy(begun.cache)
        cache.batch_repeat_interleave(len(rows))
        how = cached(runner.decoder, cache)
    hidden = runner.decoder(input_ids=ids, **how).last_hidden_state
    found = []
    for number, whole in enumerate(wholes):
        first = len(whole.prompt) - 1 - begun.length
        logits = runner.output(hidden[number, first : first + len(whole.answer)]).float()
        found.append(functional.cross_entropy(logits, torch.tensor(whole.answer, device=runner.device), reduction="none").tolist())
    return found


def _together(backend: LocalBackend, prompt: list[int], answers: list[list[int]]) -> list[list[float]]:
    """Answers after one prompt, which goes through the model once, with what all answers begin with."""
    runner, device = backend.runner, backend.runner.device
    # The last token of an answer is told, never read.
    same = common_prefix([answer[:-1] for answer in answers]) if min(map(len, answers)) > 1 else 0
    begun = DynamicCache(config=runner.model.config)
    hidden = runner.decoder(input_ids=torch.tensor([[*prompt, *answers[0][:same]]], device=device), **cached(runner.decoder, begun)).last_hidden_state[0, len(prompt) - 1 :]
    told = functional.log_softmax(runner.output(hidden).float(), dim=-1)
    first = [-told[at, token].item() for at, token in enumerate(answers[0][:same])]
    found = []
    for start in range(0, len(answers), _ROWS):
        part = answers[start : start + _ROWS]
        for answer, rest in zip(part, _rest(backend, begun, [answer[same:] for answer in part]), strict=True):
            found.append([*first, -told[same, answer[same]].item(), *rest])
    return found


def _rest(backend: LocalBackend, begun: DynamicCache, answers: list[list[int]]) -> list[list[float]]:
    """What each answer's tokens after its first one cost, after what was read. Padding is on the right, so nobody sees it."""
    runner, device = backend.runner, backend.runner.device
    longest = max(len(answer) for answer in answers) - 1
    if not longest:
        return [[] for _ in answers]
    cache = copy.deepcopy(begun)
    cache.batch_repeat_interleave(len(answers))
    given = torch.tensor([[*answer[:-1], *[0] * (longest + 1 - len(answer))] for answer in answers], device=device)
    wanted = torch.tensor([[*answer[1:], *[-100] * (longest + 1 - len(answer))] for answer in answers], device=device)
    logits = runner.output(runner.decoder(input_ids=given, **cached(runner.decoder, cache)).last_hidden_state).float()
    each = functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none", ignore_index=-100).view(len(answers), longest)
    return [row[: len(answer) - 1].tolist() for row, answer in zip(each, answers, strict=True)]
