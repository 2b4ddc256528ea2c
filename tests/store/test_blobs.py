"""Blobs and folders: named by their bytes, checked before they are handed out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whytune.errors import NotFoundError, StoreError, TamperedError
from whytune.records.record import digest
from whytune.store.blobs import Blobs
from whytune.store.store import Store


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    source = tmp_path / "adapter"
    (source / "inner").mkdir(parents=True)
    (source / "adapter_config.json").write_text("{}")
    (source / "inner" / "weights.safetensors").write_bytes(bytes(range(256)) * 5_000)
    return source


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=3_000))
def test_bytes_come_back(store: Store, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "given"
    file.write_bytes(content)
    assert store.put_blob(content) == store.put_blob(file) == digest(content)
    assert store.blob_path(digest(content)).read_bytes() == content


def test_a_changed_blob_is_refused(store: Store) -> None:
    kept = store.put_blob(b"content")
    path = store.blob_path(kept)
    path.chmod(0o644)
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(1, 1))
    with pytest.raises(TamperedError):
        store.blob_path(kept)


def test_a_folder_comes_back_and_is_named_by_names_and_bytes(
    store: Store, adapter: Path, tmp_path: Path
) -> None:
    kept = store.put_folder(adapter)
    assert (store.folder_path(kept) / "inner" / "weights.safetensors").read_bytes() == bytes(
        range(256)
    ) * 5_000
    os.utime(adapter / "adapter_config.json", ns=(5, 5))
    assert store.put_folder(adapter) == kept
    (adapter / "adapter_config.json").rename(adapter / "renamed.json")
    assert store.put_folder(adapter) != kept
    assert store.disk_use()["temporary"] == 0


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_a_changed_folder_is_refused(store: Store, adapter: Path, change: str) -> None:
    kept = store.put_folder(adapter)
    path = store.folder_path(kept)
    if change == "edited":
        (path / "adapter_config.json").chmod(0o644)
        (path / "adapter_config.json").write_text("[]")
    elif change == "added":
        (path / "inner" / "more").write_text("x")
    else:
        (path / "adapter_config.json").unlink()
    with pytest.raises(TamperedError):
        store.folder_path(kept)
    with pytest.raises(TamperedError):
        Blobs(store.folder).put_folder(adapter)


def test_links_are_refused_all_at_once(store: Store, adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (adapter / "link").symlink_to(tmp_path / "secret")
    (adapter / "inner" / "up").symlink_to(tmp_path)
    os.mkfifo(adapter / "pipe")
    with pytest.raises(StoreError) as caught:
        store.put_folder(adapter)
    assert caught.value.problems == ("inner/up", "link", "pipe")


@pytest.mark.parametrize("name", ["0" * 64, "../../../etc/passwd", "", "/etc/passwd"])
def test_what_is_not_there(store: Store, name: str) -> None:
    with pytest.raises(NotFoundError):
        store.blob_path(name)
    with pytest.raises(NotFoundError):
        store.folder_path(name)


def test_missing_sources_are_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        store.put_folder(tmp_path / "none")
    with pytest.raises(StoreError, match="No such file"):
        store.put_blob(tmp_path / "none")
