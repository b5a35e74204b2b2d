"""Uids: random version-4 UUIDs, drawn in batches because one system call each would cost more than all else."""

from __future__ import annotations

import os
from collections.abc import Iterator

BATCH = 256


def uids() -> Iterator[str]:
    """Yield uids without end."""
    while True:
        drawn = os.urandom(16 * BATCH)
        for start in range(0, len(drawn), 16):
            number = int.from_bytes(drawn[start : start + 16])
            number = (
                number & ~(0xF << 76) & ~(0x3 << 62) | (4 << 76) | (2 << 62)
            )  # version 4, RFC 9562 variant
            text = f"{number:032x}"
            yield f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
