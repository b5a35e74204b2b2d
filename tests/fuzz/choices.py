"""Bytes read as choices, so that an input can be a whole object, a schema or a story and still be bytes.

A generator asks ``Choices`` what to make; random bytes make random things, and atheris can steer them as it steers
any other bytes. Where the bytes end, every choice is the first one: generators put what is small and plain first.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
LENGTHS = (8, 32, 128, 512)


class Choices:
    """What to choose, read from bytes once."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def is_spent(self) -> bool:
        """Say whether no bytes are left: everything is chosen plainly from here on."""
        return self._at >= len(self._content)

    def below(self, count: int) -> int:
        """Give a number from 0 to ``count`` - 1."""
        size = 1 if count <= 256 else 2 if count <= 65_536 else 8
        piece = self._content[self._at : self._at + size]
        self._at += size
        return int.from_bytes(piece, "little") % count

    def pick(self, among: Sequence[T]) -> T:
        """Give one of several."""
        return among[self.below(len(among))]

    def once_in(self, count: int) -> bool:
        """Say yes once in so many times; never when the bytes are spent."""
        return self.below(count) == count - 1

    def rest(self, most_bytes: int) -> bytes:
        """Take bytes as they are."""
        piece = self._content[self._at : self._at + most_bytes]
        self._at += len(piece)
        return piece


def inputs(seed: int) -> Iterator[bytes]:
    """Yield random bytes without end, of several lengths; deterministic by their seed."""
    chance = random.Random(seed)
    while True:
        yield chance.randbytes(chance.choice(LENGTHS))
