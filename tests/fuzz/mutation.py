"""Inputs from seeds: bytes cut, repeated, swapped, and spliced with what parsers find hard. Deterministic by its seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

HARD = (
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",  # half a surrogate pair
    "\u202e".encode(),
    "é\u0301".encode(),
    b"1e999",
    b"-0",
    b"0.1e-400",
    b"9223372036854775808",
    b"18446744073709551616",
    b"NaN",
    b"null",
    b"true",
    b'""',
    b"{}",
    b"[]",
    b"[[[[[[[[[[[[[[[[",
    b'{"a":' * 40,
    b"%2e%2e%2f",
    b"%00",
    b"../../",
    b"~1~0",
    b"*",
    b"&a [*a]",
    b"!!python/object",
    b"<<: *a",
    b"in (a,b)",
    b"!=",
    b"{{",
    b"${",
    b".spec.containers[0]",
    b"x" * 300,
    b"\r\n\r\n",
    b"k8s\x00",
    b"\x0a\x02v1",
)
MOST_BYTES = 4_096


def mutations(seeds: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Yield inputs without end; a tenth of them are seeds as they are."""
    chance = random.Random(seed)
    while True:
        value = chance.choice(seeds)
        for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 5, 8, 13))):
            value = _changed(value, seeds, chance)
        yield value[:MOST_BYTES]


def _changed(value: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    start = chance.randrange(len(value) + 1)
    end = min(len(value), start + chance.choice((0, 1, 1, 2, 4, 16)))
    match chance.randrange(7):
        case 0:
            middle = b""
        case 1:
            middle = bytes([chance.randrange(256)])
        case 2:
            middle = value[start:end] * chance.choice((2, 3, 50))
        case 3 | 4:
            middle = chance.choice(HARD)
        case 5:
            other = chance.choice(seeds)
            cut = chance.randrange(len(other) + 1)
            middle = other[cut : cut + chance.choice((1, 4, 16, 64))]
        case _:
            middle = value[start:end][::-1]
    return value[:start] + middle + value[end:]
