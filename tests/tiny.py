"""Makes a tiny random Llama with a tokenizer learned from text, saved as a real model folder."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT = (
    "You are a helpful assistant. Answer briefly.",
    "Choose the one category that fits the message. Answer with the category only.",
    "card arrival, card lost, exchange rate, refund, lost or stolen phone, top up failed, transfer fee charged",
    "My card has not arrived yet. When does it come? I ordered it two weeks ago and still wait for it.",
    "I was charged twice for one payment, please give the money back. system user assistant Input Answer",
    '{"name": "Ada", "city": null, "amount": "12.50"} The passage says that the parcel left on Monday.',
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def build(folder: Path, *, template: str | None = TEMPLATE, seed: int = 1) -> Path:
    """Writes config.json, model.safetensors and the tokenizer; about a second."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>", bos_token="<|endoftext|>"
    )
    if template is not None:
        tokenizer.chat_template = template
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
        # Wide enough that the likeliest token wins clearly: answers then do not hang on the last bit.
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
