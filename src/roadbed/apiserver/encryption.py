"""Sealing of values at rest: AES-256-GCM, bound to the storage key they live at.

The API server seals Secrets on their way to storage and opens them on their way out. A sealed value names
its key (``k1``), so keys can rotate: the last key in the file seals, every key in it opens. Values sealed with
an older key stay so until they are written again; a key may leave the file only after that. The key file holds
one ``ID HEX`` line a key. Nothing here awaits; one instance serves the whole process.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import keyfiles

FILE_NAME = "secrets.key"
_MAGIC = b"\x00sealed:v1:"  # no JSON value starts with NUL, so an unsealed value is told apart safely
_NONCE_BYTES = 12
_KEY_BYTES = 32


class SealError(Exception):
    """A sealed value can't be opened; the message names the value's place and the key it needs."""


class AesSealer:
    """Seals and opens values with the keys of one file."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take keys by id, oldest first; the last one seals."""
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self._newest = list(keys)[-1]
        self._prefix = _MAGIC + self._newest.encode() + b":"

    @classmethod
    def open_folder(cls, folder: Path | None) -> AesSealer:
        """Read the keys in ``folder``, making the first one on first use; None makes a key in memory.

        Raises:
            KeyFileError: the key file is damaged, unreadable or open to others.
        """
        if folder is None:
            return cls({"k1": secrets.token_bytes(_KEY_BYTES)})
        path = folder / FILE_NAME
        text = keyfiles.read_or_make(path, f"k1 {secrets.token_hex(_KEY_BYTES)}\n".encode)
        return cls(_parse(path, text))

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Give ``plain`` encrypted; it opens only with the same ``context``."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, plain, context.encode())
        return self._prefix + nonce + sealed

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Give the value back; one that was never sealed comes back as it is.

        Raises:
            SealError: its key is not in the key file, or the value was changed or moved.
        """
        if not sealed.startswith(_MAGIC):
            return sealed
        name, _, rest = sealed[len(_MAGIC) :].partition(b":")
        key_id = name.decode("ascii", "replace")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SealError(
                f"cannot open {context}: it was sealed with key {key_id!r}, which {FILE_NAME} does not hold; "
                "restore that key file from a backup"
            )
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError) as error:
            raise SealError(
                f"cannot open {context}: key {key_id!r} does not fit it; {FILE_NAME} is of another data folder, "
                "or the value was changed on disk; restore both from one backup"
            ) from error


def _parse(path: Path, content: bytes) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for number, line in enumerate(content.decode("ascii", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        name, _, digits = line.partition(" ")
        try:
            key = bytes.fromhex(digits)
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES or not name.isalnum():
            raise keyfiles.KeyFileError(
                f"{path} line {number} is not a key (want: ID and {2 * _KEY_BYTES} hex digits); "
                "restore the file from a backup: without it stored Secrets can't be read"
            )
        keys[name] = key
    if not keys:
        raise keyfiles.KeyFileError(f"{path} holds no key; restore it from a backup")
    return keys
