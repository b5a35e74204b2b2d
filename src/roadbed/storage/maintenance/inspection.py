"""Everything in a store's file read and judged, without changing or locking it.

Called by the maintenance room. It reads one moment of the file, so a server may go on writing. It judges pages,
checksums and how the rows follow each other; what the values mean is judged by whoever knows kinds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from roadbed.storage.database import Database, Row, Summary
from roadbed.storage.errors import StorageCorruptError
from roadbed.storage.interface import Record, Revision

MOST_DAMAGE = 100  # places told of; a file that is damaged everywhere need not be told of everywhere


@dataclass(slots=True)
class Inspected:
    """What was found. ``damage`` holds a sentence a place; ``records`` are the live values that could be read."""

    summary: Summary
    size_bytes: int
    records: dict[str, Record] = field(default_factory=dict)
    damage: list[str] = field(default_factory=list)


def inspect_store(path: Path) -> Inspected:
    """Read the whole file.

    Raises:
        StorageUnavailableError: there is no such file, or it can't be read.
        StorageCorruptError: it is not even a store.
        SchemaTooNewError: a newer Roadbed wrote it.
    """
    reading = Database.look(path)
    try:
        with reading.snapshot():
            found = Inspected(reading.summary(), _size_of(path))
            found.damage += [f"SQLite finds: {text}" for text in reading.structural_damage()]
            try:
                _judge(reading, found)
            except StorageCorruptError as error:
                found.damage.append(str(error))
    finally:
        reading.close()
    return found


def _judge(reading: Database, found: Inspected) -> None:
    compacted = found.summary.compacted
    for row in reading.rows():
        if len(found.damage) >= MOST_DAMAGE:
            found.damage.append("and more: only the first places are told")
            return
        previous = found.records.pop(row.key, None)
        if not row.is_intact:
            found.damage.append(f"revision {row.revision} of {row.key} fails its checksum")
            continue
        if row.revision > compacted:
            found.damage += _misfits(row, previous)
        if not row.is_delete:
            found.records[row.key] = Record(row.key, row.value, row.revision)


def _misfits(row: Row, previous: Record | None) -> list[str]:
    before: Revision | None = previous.revision if previous else None
    if before == row.replaced:
        return []
    claim = f"says that it replaced {row.replaced or 'nothing'}"
    return [f"revision {row.revision} of {row.key} {claim}, and the log holds {before or 'nothing'}"]


def _size_of(path: Path) -> int:
    beside = [path, path.with_name(path.name + "-wal")]
    return sum(each.stat().st_size for each in beside if each.exists())
