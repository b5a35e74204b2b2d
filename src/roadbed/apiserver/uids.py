"""Uids: random version-4 UUIDs, drawn in batches because one system call each would cost more than all else."""

from __future__ import annotations

import os
from collections.abc import Iterator

BATCH = 256
_VARIANTS = {
    digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"
}  # RFC 9562: the two top bits are 10


def uids() -> Iterator[str]:
    """Yield uids without end."""
    while True:
        digits = os.urandom(16 * BATCH).hex()
        for at in range(0, len(digits), 32):
            text = digits[at : at + 32]
            yield f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{_VARIANTS[text[16]]}{text[17:20]}-{text[20:]}"
