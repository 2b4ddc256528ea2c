"""Embedders: the bundled one against known meanings, and any service against a real server on loopback."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.answering.endpoint_server import KEY, serving, vector

from whytune.answering.backends.embedder import MODULE, Embedder, EndpointEmbedder, bundled_folder
from whytune.answering.backends.service import Terms
from whytune.errors import ModelError, SettingsError, UnavailableError

QUICK = Terms(retries=1, backoff=0.02, patience=1.0)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


# the bundled model


@pytest.mark.slow
def test_known_order_of_similarity(embedder: Embedder) -> None:
    # The figures that the makers of sentence-transformers print for this model.
    rows = embedder.encode(
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    )
    assert rows.shape == (3, 384)
    assert rows.dtype == np.float32
    published = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    np.testing.assert_allclose(rows @ rows.T, published, atol=2e-4)


@pytest.mark.slow
def test_meaning_comes_before_words(embedder: Embedder) -> None:
    question, *texts = embedder.encode(
        [
            "How many vacation days do I get?",
            "Employees are entitled to thirty days of annual leave.",
            "Salaries are paid on the 25th of each month.",
            "The mitochondrion is the powerhouse of the cell.",
        ]
    )
    near, middle, far = (text @ question for text in texts)
    assert near > middle > far


@pytest.mark.slow
def test_same_texts_same_vectors_whatever_stands_beside_them(embedder: Embedder) -> None:
    texts = ["a", "two words", "a much longer sentence " * 30, "", " \n", "日本語"]
    rows = embedder.encode(texts)
    assert np.array_equal(rows, embedder.encode(texts))
    alone = np.concatenate([embedder.encode([text]) for text in texts])
    np.testing.assert_allclose(rows, alone, atol=2e-6)
    np.testing.assert_allclose(rows[::-1], embedder.encode(texts[::-1]), atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert np.array_equal(rows[3], rows[4])


@pytest.mark.slow
def test_the_end_of_a_long_text_counts(embedder: Embedder) -> None:
    filler = "The office has desks and chairs and lamps. " * 60
    plain, ending, question = embedder.encode(
        [filler, filler + "Penguins live in Antarctica. " * 20, "Where do penguins live?"]
    )
    assert ending @ question > plain @ question + 0.1


@pytest.mark.slow
def test_it_agrees_with_the_published_way_of_pooling(embedder: Embedder) -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoModel, AutoTokenizer

    folder = bundled_folder()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    texts = ["This is an example sentence", "Each sentence is converted"]
    encoded = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**encoded)[0]
    mask = encoded["attention_mask"].unsqueeze(-1).expand(hidden.size()).float()
    pooled = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9), p=2, dim=1)
    np.testing.assert_allclose(embedder.encode(texts), pooled.numpy(), atol=2e-6)


@pytest.mark.slow
def test_no_texts(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, 384)


def test_it_has_a_name_that_holds_its_hash(embedder: Embedder) -> None:
    assert embedder.name == "all-MiniLM-L6-v2@53aa51172d"


def test_other_weights_are_refused(tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(bundled_folder() / name, tmp_path / name)
    with pytest.raises(ModelError, match="not complete") as caught:
        Embedder(tmp_path)
    assert caught.value.problems == ("model.safetensors is missing",)
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(ModelError, match="not those that were measured") as caught:
        Embedder(tmp_path)
    assert "pip install" in caught.value.next


def test_pickled_weights_are_no_weights(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match="not complete"):
        Embedder(tmp_path)


def test_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    with pytest.raises(ModelError, match="not installed") as caught:
        Embedder()
    assert "pip install" in caught.value.next


# a service


def test_vectors_of_a_service_in_the_order_of_the_texts() -> None:
    with serving(dimensions=8) as (url, does):
        this = EndpointEmbedder(url, "tiny")
        texts = [f"text {i}" for i in range(150)]
        rows = this.encode(texts)
        wanted = np.array([vector(text, 8) for text in texts])
        np.testing.assert_allclose(rows, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-6)
        assert rows.dtype == np.float32
        assert (this.dimensions, len(does.requests)) == (8, 3)
        assert this.encode([]).shape == (0, 8)
        assert this.name == "tiny@127.0.0.1"
        assert this.notices == ()


def test_a_service_that_coughs_is_asked_again() -> None:
    with serving(modes=["500", "429"], retry_after="0.05") as (url, does):
        assert EndpointEmbedder(url, "tiny", terms=Terms(retries=2, backoff=0.02)).encode(["a"]).shape == (
            1,
            4,
        )
        assert len(does.requests) == 3


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("500", "HTTP 500"),
        ("html", "HTML page"),
        ("no choices", "without data"),
        ("vectors short", "1 embeddings for 2 texts"),
        ("a list", "no object"),
    ],
)
def test_a_service_that_is_ill(mode: str, says: str) -> None:
    with serving(always=mode) as (url, _), pytest.raises(UnavailableError, match=says):
        EndpointEmbedder(url, "tiny", terms=QUICK).encode(["a", "b"])


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("vectors text", "no lists of numbers"),
        ("vectors zero", "no direction"),
        ("vectors nan", "no direction"),
    ],
)
def test_vectors_that_are_none(mode: str, says: str) -> None:
    with serving(always=mode) as (url, _), pytest.raises(UnavailableError, match=says):
        EndpointEmbedder(url, "tiny", terms=QUICK).encode(["a"])


def test_a_width_that_changes_is_noticed() -> None:
    with serving() as (url, does):
        this = EndpointEmbedder(url, "tiny", terms=QUICK)
        this.encode(["a"])
        does.dimensions = 5
        with pytest.raises(UnavailableError, match="5 numbers after some of 4"):
            this.encode(["b"])


def test_key_and_model_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(key=KEY) as (url, _):
        assert EndpointEmbedder(url, "tiny", "MY_KEY").encode(["a"]).shape == (1, 4)
        with pytest.raises(UnavailableError, match="HTTP 401"):
            EndpointEmbedder(url, "tiny", terms=QUICK).encode(["a"])
        with pytest.raises(UnavailableError, match="does not exist"):
            EndpointEmbedder(url, "nowhere", "MY_KEY", terms=QUICK).encode(["a"])
        assert KEY not in repr(EndpointEmbedder(url, "tiny", "MY_KEY"))
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(SettingsError):
        EndpointEmbedder(url, "tiny", "MY_KEY")
