"""Looks whether the write-ahead log beside a store is whole, before SQLite takes it.

SQLite reads the log up to the first frame that is wrong and forgets the rest, without a word: after a crash that is
the write nobody was told of. A damaged file looks the same to it, and there acknowledged writes are what it forgets.
The two can be told apart: each commit is on disk before the next begins, so behind the place where a crash tore the
log stands at most the end of one commit, never of two.

Called by ``Database`` when it opens a file to write, with the lock held; costs nothing after a clean stop (there is no
log) and some 20 ms a MiB after a crash. It can't see that a log was cut off between two commits, or removed.

Source: https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_HEADER: Final = struct.Struct(">IIIIII")
_HEADER_BYTES: Final = 32
_FRAME: Final = struct.Struct(">II8s")
_FRAME_BYTES: Final = 24
_MAGIC: Final = 0x377F0682  # and one more where checksums are of big-endian numbers
_WORD: Final = 0xFFFFFFFF
_TORN: Final = 1  # commits whose end a crash may leave behind the place where it tore the log


def damage(path: Path) -> str:
    """Say what is wrong with the log of the store at ``path``; empty where nothing is."""
    log = path.with_name(f"{path.name}-wal")
    if not log.is_file() or log.stat().st_size <= _HEADER_BYTES + _FRAME_BYTES:
        return ""
    with log.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        magic, _, page_bytes, *_ = _HEADER.unpack_from(header)
        letter = ">" if magic & 1 else "<"
        begun = _sum(header[:24], letter, (0, 0))
        if magic & ~1 != _MAGIC or struct.pack(">II", *begun) != header[24:]:
            return f"the head of {log.name} is not what was written"
        kept, lost, state, is_whole = 0, 0, begun, True
        for frame in _frames(file.read, page_bytes):
            _, size, salts = _FRAME.unpack_from(frame)
            if salts != header[16:24]:  # what is left of an earlier round, or was overwritten
                is_whole = False
                continue
            if is_whole:
                state = _sum(frame[_FRAME_BYTES:], letter, _sum(frame[:8], letter, state))
                is_whole = struct.pack(">II", *state) == frame[16:_FRAME_BYTES]
            kept += bool(size) and is_whole
            lost += bool(size) and not is_whole
    if lost <= _TORN:
        return ""
    return f"{log.name} is broken after {kept} commits, and {lost} more stand behind that"


def _frames(read: Callable[[int], bytes], page_bytes: int) -> Iterator[bytes]:
    size = _FRAME_BYTES + page_bytes
    while len(frame := read(size)) == size:
        yield frame


def _sum(content: bytes, letter: str, state: tuple[int, int]) -> tuple[int, int]:
    """Go on with SQLite's checksum: two sums, each fed with the other."""
    first, second = state
    words = iter(struct.unpack(f"{letter}{len(content) // 4}I", content))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & _WORD
        second = (second + other + first) & _WORD
    return first, second
