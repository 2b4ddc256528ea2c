"""Base models: folders that are whole or refused with every reason, the hub's protocol, the bundled default."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.answering.hub_server import COMMIT, serving

from whytune.answering.backends.folder import file_sha256, inspect_folder
from whytune.answering.backends.models import _built_aside, load, prepare_bundled, prepare_folder, prepare_hub
from whytune.errors import ModelError, UnavailableError


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def test_a_folder_becomes_a_base(tiny_model: Path) -> None:
    base = prepare_folder(tiny_model)
    loaded = load(base, "float32")
    assert base.parameters == sum(weights.numel() for weights in loaded.model.parameters())
    assert (base.source, base.context, loaded.stop_ids) == ("folder", 512, frozenset({2}))


def test_the_digest_follows_what_decides_answers_and_nothing_else(copy: Path, tmp_path: Path) -> None:
    before = prepare_folder(copy, tmp_path / "cache")
    (copy / "README.md").write_text("---\nlicense: mit\n---\n", "utf-8")
    again = prepare_folder(copy, tmp_path / "cache")
    assert (again.digest, again.licence) == (before.digest, "mit")
    (copy / "chat_template.jinja").write_text("{{ messages[0]['content'] }}", "utf-8")
    assert prepare_folder(copy, tmp_path / "cache").digest != before.digest


def test_hashes_are_remembered_outside_the_folder(copy: Path, tmp_path: Path) -> None:
    names = {file.name for file in copy.iterdir()}
    found = file_sha256(copy / "config.json", tmp_path / "cache")
    assert json.loads((tmp_path / "cache" / "hashes.json").read_text())[str(copy / "config.json")][2] == found
    (tmp_path / "cache" / "hashes.json").write_text("not json")
    assert file_sha256(copy / "config.json", tmp_path / "cache") == found
    assert {file.name for file in copy.iterdir()} == names


def test_everything_that_is_missing_is_told_at_once(copy: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        (copy / name).unlink()
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ModelError) as caught:
        prepare_folder(copy)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "config.json is missing",
        "weights are only there as pytorch_model.bin",
        "there is no tokenizer",
    ]


@pytest.mark.parametrize("keep", [4, 100, 20_000])
def test_weights_that_were_cut_off_are_noticed(copy: Path, keep: int) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged"):
        inspect_folder(copy)


def test_a_missing_part_is_named(copy: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"parts of the weights are missing: model-00002\.safetensors"):
        inspect_folder(copy)


def test_an_adapter_is_no_base_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="this is an adapter"):
        prepare_folder(tmp_path)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no model folder"):
        prepare_folder(tmp_path / "nowhere")


def test_a_folder_with_code_of_its_own_is_not_run(copy: Path, tmp_path: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModelForCausalLM": "mine.M"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(prepare_folder(copy), "float32")
    assert not (tmp_path / "ran").exists()


def test_an_adapter_folder_that_is_not_whole(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load(prepare_folder(tiny_model), "float32", tmp_path)
    assert len(caught.value.problems) == 2


def test_what_is_built_aside_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "models" / "one"

    def fails() -> None:
        with _built_aside(target) as aside:
            (aside / "half").write_text("x")
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        fails()
    assert list(target.parent.iterdir()) == []
    with _built_aside(target) as first, _built_aside(target) as second:
        (first / "file").write_text("first")
        (second / "file").write_text("second")
    assert (target / "file").read_text() == "second"
    assert [entry.name for entry in target.parent.iterdir()] == ["one"]


class TestHub:
    def test_fetched_once_then_offline(self, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (copy / "pytorch_model.bin").write_bytes(b"pickle")
        (copy / "modeling.py").write_text("raise SystemExit")
        with serving(copy) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            base = prepare_hub("acme/tiny", "main", tmp_path / "cache")
            fetched = {path.rpartition("/")[2] for method, path, _ in hub.asked if method == "GET" and "/resolve/" in path}
        assert (base.name, base.source, base.revision) == ("acme/tiny", "hub", COMMIT)
        assert base.digest == prepare_folder(copy).digest
        assert "model.safetensors" in fetched
        assert not fetched & {"pytorch_model.bin", "modeling.py"}
        assert load(base, "float32").stop_ids == frozenset({2})
        # The server is gone: what was fetched is found.
        assert prepare_hub("acme/tiny", COMMIT, tmp_path / "cache") == base

    @pytest.mark.parametrize(
        ("repo", "revision", "says"),
        [
            ("acme/none", "main", "knows no model"),
            ("acme/tiny", "v9", "has no revision"),
            ("acme/gated", "main", "accepted its terms"),
            ("not a/valid/id", "main", "not a hub id"),
        ],
    )
    def test_refusals(
        self, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo: str, revision: str, says: str
    ) -> None:
        with serving(copy) as hub:
            monkeypatch.setenv("HF_ENDPOINT", hub.url)
            with pytest.raises(ModelError, match=says):
                prepare_hub(repo, revision, tmp_path / "cache")

    def test_offline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        with pytest.raises(UnavailableError, match="could not be fetched"):
            prepare_hub("acme/tiny", "main", tmp_path / "cache")


def test_finding_models_loads_no_heavy_library() -> None:
    code = "import sys, whytune.answering.backends.models; print({'torch', 'transformers', 'peft'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.slow
def test_the_bundled_default_is_converted_once(tmp_path: Path) -> None:
    base = prepare_bundled(tmp_path)
    assert (base.parameters, base.context, base.licence) == (134515008, 8192, "apache-2.0")
    written = {file: file.stat().st_mtime_ns for file in Path(base.location).iterdir()}
    assert prepare_bundled(tmp_path) == base
    assert {file: file.stat().st_mtime_ns for file in Path(base.location).iterdir()} == written
    encoder = load(base, "float32").encoder
    # Every digit by itself, and spaces before a digit as one piece, as the model was trained.
    assert encoder.tokenizer.tokenize("in  2024") == ["in", "ĠĠ", "2", "0", "2", "4"]
    assert not encoder.plain
