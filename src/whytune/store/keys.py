"""The two secrets of a store: the Ed25519 key that signs checkpoints and releases, and the key of hashes that name a person.

Both are made on first use below `keys/`, readable by their owner alone. They are never in the database, a record or a
log; whoever has a copy of the signing key can sign in this workspace's name, so keep it out of shared backups or name a
file elsewhere (`signing_key` in the settings).

    mine = signer(folder / "keys" / "signing.pem")
    verify(mine.public_key_hex, b"...", mine.sign(b"..."))      # True, here and on any other machine
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from whytune.errors import StoreError
from whytune.store.failures import told
from whytune.store.files import flush

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNING, HASHING = "signing.pem", "hashing.key"
RESTORE = "put the key back from where you keep it, or move the file away and let whytune make a new one"


@dataclass(frozen=True)
class Signer:
    """Signs in the name of one key. `public_key_hex` is what others need to check a signature."""

    public_key_hex: str
    _key: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """The signature of these bytes, 64 of them; the same every time."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"Signer(public_key_hex={self.public_key_hex!r})"


def verify(public_key_hex: str, message: bytes, signature: bytes) -> bool:
    """Whether the owner of that public key signed these bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not re.fullmatch("[0-9a-f]{64}", public_key_hex):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key_hex)).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def signer(file: Path) -> Signer:
    """The signer of that key file (PKCS8 PEM); a key is made where there is none yet."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    def fresh() -> bytes:
        return Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    try:
        key = serialization.load_pem_private_key(_secret(file, fresh), password=None)
    except (ValueError, TypeError) as error:
        raise StoreError(f"The signing key cannot be read: {error}", where=str(file), next=RESTORE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError("The signing key is not an Ed25519 key", where=str(file), next=RESTORE)
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return Signer(raw.hex(), key)


def keyed_hash(file: Path, text: str) -> str:
    """HMAC-SHA256 of a text under the store's own key, 64 hexadecimal digits: names a person to who asks with the same
    words, and tells nothing to anybody else. Without the key it cannot be guessed, and with the key gone it is noise."""
    key = _secret(file, lambda: secrets.token_bytes(32))
    if len(key) != 32:
        raise StoreError("The key of hashes is not 32 bytes long", where=str(file), next=RESTORE)
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def _secret(file: Path, fresh: Callable[[], bytes]) -> bytes:
    """The bytes of a secret file; made once, also where two processes want it at the same time."""
    with told("read a key", file):
        try:
            seen = file.stat()
        except FileNotFoundError:
            _make(file, fresh)
            seen = file.stat()
        if seen.st_mode & 0o077:
            raise StoreError(
                "Others can read this workspace's key", where=str(file), next=f"chmod 600 {file}; and make a new key if somebody may have copied it"
            )
        return _bytes(str(file), seen.st_ino, seen.st_mtime_ns, seen.st_size)


def _make(file: Path, fresh: Callable[[], bytes]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as writer:
            writer.write(fresh())
            writer.flush()
            os.fsync(writer.fileno())
        with suppress(FileExistsError):
            # A link, not a rename: it fails where another process was quicker, and then its key counts.
            os.link(beside, file)
    finally:
        beside.unlink()
    flush(file.parent)


@lru_cache(maxsize=8)
def _bytes(file: str, *_: int) -> bytes:
    """What the file holds. Every served answer asks for it, so it is read again only when it is another file."""
    return Path(file).read_bytes()
