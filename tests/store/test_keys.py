"""The store's keys: made once and kept to their owner; a signature holds for its bytes and its key alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from whytune.errors import StoreError
from whytune.store import keys
from whytune.store.store import Store


def test_a_key_is_made_once_and_only_its_owner_reads_it(store: Store, folder: Path) -> None:
    first = store.signer()
    assert store.signer().public_key_hex == first.public_key_hex
    assert stat.S_IMODE(store.key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.key_file.parent.stat().st_mode) == 0o700
    assert [path.name for path in store.key_file.parent.iterdir()] == [keys.SIGNING]
    with Store.open(folder) as again:
        assert again.signer().public_key_hex == first.public_key_hex
    assert "PRIVATE" not in repr(first)


def test_a_signature_holds_for_its_bytes_and_its_key_alone(tmp_path: Path) -> None:
    mine, other = keys.signer(tmp_path / "a" / "k.pem"), keys.signer(tmp_path / "b" / "k.pem")
    signed = mine.sign(b"head 12")
    assert keys.verify(mine.public_key_hex, b"head 12", signed)
    assert not keys.verify(mine.public_key_hex, b"head 13", signed)
    assert not keys.verify(other.public_key_hex, b"head 12", signed)
    assert not keys.verify(mine.public_key_hex, b"head 12", signed[:-1])
    assert not keys.verify(mine.public_key_hex, b"head 12", b"")
    assert not keys.verify("", b"head 12", signed)
    assert not keys.verify("zz" * 32, b"head 12", signed)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_can_read_is_refused(store: Store, mode: int) -> None:
    store.signer()
    store.key_file.chmod(mode)
    with pytest.raises(StoreError, match="Others can read") as caught:
        store.signer()
    assert "chmod 600" in caught.value.next


def test_what_is_no_key_is_refused(store: Store) -> None:
    store.signer()
    store.key_file.write_bytes(b"-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n")
    with pytest.raises(StoreError, match="cannot be read"):
        store.signer()


def test_a_key_of_another_kind_is_refused(store: Store) -> None:
    from cryptography.hazmat.primitives import serialization as spelled
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    store.signer()
    other = X25519PrivateKey.generate().private_bytes(spelled.Encoding.PEM, spelled.PrivateFormat.PKCS8, spelled.NoEncryption())
    store.key_file.write_bytes(other)
    with pytest.raises(StoreError, match="not an Ed25519 key"):
        store.signer()


def test_a_keyed_hash_names_the_same_person_in_one_store_only(store: Store, tmp_path: Path) -> None:
    assert store.keyed_hash("anna@example.org") == store.keyed_hash("anna@example.org")
    assert store.keyed_hash("anna@example.org") != store.keyed_hash("anne@example.org")
    with Store.open(tmp_path / "other", create=True) as other:
        assert other.keyed_hash("anna@example.org") != store.keyed_hash("anna@example.org")
    (store.folder / "keys" / keys.HASHING).write_bytes(b"short")
    with pytest.raises(StoreError, match="32 bytes"):
        store.keyed_hash("anna@example.org")



def test_threads_that_want_the_first_key_at_once_get_the_same(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: keys.signer(tmp_path / "k.pem").public_key_hex, range(16)))
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["k.pem"]
