"""An exported release: whatever is changed, missing, added or led outside is seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.release.abouts import ENGINE

from whytune.errors import NotFoundError, UsageError
from whytune.records.record import digest
from whytune.records.release import BoundAdapter, BoundBase, Manifest, Release
from whytune.release import folder
from whytune.release.digests import file_digests, template_digest, tokenizer_digest
from whytune.store.keys import signer, verify

CONTENTS = {"card.md": b"# Card", "bom.json": b"{}"}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    adapter = tmp_path / "adapter"
    (adapter / "deep").mkdir(parents=True)
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    (adapter / "deep" / "adapter_config.json").write_text("{}", "utf-8")
    manifest = Manifest(
        project="support", number=1, task="qna", purpose="", arm="tuned", candidate="candidate:1", base=BoundBase(id="base:1", name="small", source="folder", digest="ab" * 32),
        adapter=BoundAdapter(id="adapter:1", digest="cd" * 32, recipe="recipe:1", method="lora", files=file_digests(adapter)), index=None, prompt="prompt:1", engine=ENGINE,
        dataset="dataset:1", rows="r", policy="policy:1", decision="decision:1", acceptance="acceptance:1", evidence=(), approvals=(), solo=False,
        files={name: digest(content) for name, content in CONTENTS.items()}, ledger_head="event:1", made="2026-11-22T14:00:00Z", by="olga",
    )  # fmt: skip
    key = signer(tmp_path / "key.pem")
    release = Release(
        project="support", number=1, candidate="candidate:1", arm="tuned", dataset="dataset:1", acceptance="acceptance:1", solo=False, manifest=manifest,
        public_key=key.public_key_hex, signature=key.sign(folder.message(manifest)).hex(),
    )  # fmt: skip
    out = tmp_path / "out"
    names = folder.write(release, CONTENTS, adapter, out)
    assert names == ["adapter/adapter_model.safetensors", "adapter/deep/adapter_config.json", "bom.json", "card.md", "release.json"]
    return out


def resigned(out: Path, **changes: object) -> None:
    told = json.loads((out / "release.json").read_text("utf-8"))
    told["manifest"].update(changes)
    (out / "release.json").write_text(json.dumps(told), "utf-8")


CHANGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a byte of the weights": ("adapter_model.safetensors: not what was signed", lambda out: (out / "adapter" / "adapter_model.safetensors").write_bytes(b"weightz")),
    "a file gone": ("card.md: missing", lambda out: (out / "card.md").unlink()),
    "a file more": ("adapter/evil.py: is there and was not signed", lambda out: (out / "adapter" / "evil.py").write_text("import os", "utf-8")),
    "a link": ("card.md: a link", lambda out: ((out / "card.md").unlink(), (out / "card.md").symlink_to("bom.json"))),
    "another arm": ("the signature does not fit", lambda out: resigned(out, arm="rag")),
    "stamped otherwise": ("solo of the release is not the one", lambda out: resigned(out, solo=True)),
    "a way out": ("../../secret: leads out of the folder", lambda out: resigned(out, files={"../../secret": "ab" * 32})),
    "no manifest": ("cannot be read", lambda out: (out / "release.json").write_text("{}", "utf-8")),
    "no text": ("cannot be read", lambda out: (out / "release.json").write_bytes(b"\xff\xfe")),
}  # fmt: skip


def test_what_was_written_is_whole_and_says_what_is_elsewhere(written: Path) -> None:
    looked = folder.verify(written, verify)
    assert looked.problems == ()
    assert looked.elsewhere == ("base model small (folder), digest " + "ab" * 32,)
    assert folder.verify(written, verify, looked.public_key.upper()).whole
    assert not folder.verify(written, verify, "00" * 32).whole


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen(written: Path, what: str) -> None:
    words, change = CHANGES[what]
    change(written)
    looked = folder.verify(written, verify)
    assert any(words in problem for problem in looked.problems), looked.problems
    assert not looked.whole


def test_it_is_not_written_over_something(written: Path, tmp_path: Path) -> None:
    release = Release.model_validate_json((written / "release.json").read_bytes())
    with pytest.raises(UsageError, match="not an empty folder"):
        folder.write(release, CONTENTS, None, written)
    with pytest.raises(NotFoundError, match=r"no release\.json"):
        folder.verify(tmp_path, verify)


def test_template_and_tokenizer_are_known_by_their_bytes(tmp_path: Path) -> None:
    assert template_digest(tmp_path) == ""
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ a }}"}), "utf-8")
    inside = template_digest(tmp_path)
    assert inside == digest("{{ a }}")
    before = tokenizer_digest(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}", "utf-8")
    assert tokenizer_digest(tmp_path) != before
    (tmp_path / "chat_template.jinja").write_text("{{ b }}", "utf-8")
    assert template_digest(tmp_path) == digest("{{ b }}"), "the file beside it wins, as it does when the model is loaded"
