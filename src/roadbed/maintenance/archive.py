"""The file that ``roadbed backup`` writes: an uncompressed tar whose first member is a manifest.

``manifest.json`` names the format, what wrote it, and every other member with its size, mode and SHA-256; so a
file that was cut, changed or mixed up is told from a whole one before anything is made of it. Names are plain
relative paths that the manifest lists: nothing else in the tar is ever looked at. Used by ``backup`` and
``restore``; blocks.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import orjson

FORMAT = 1
KIND = "roadbed-backup"
MANIFEST = "manifest.json"
MOST_MANIFEST_BYTES = 1024 * 1024
PIECE_BYTES = 1024 * 1024

Tell = Callable[[int], None]
"""Told how many bytes are done."""


class ArchiveError(Exception):
    """The file is no whole backup; the message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """One packed file."""

    name: str
    size_bytes: int
    mode: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself."""

    taken_at: str
    version: str
    revision: int
    compacted: int
    schema: int
    objects: int
    members: tuple[Member, ...]
    left_out: tuple[str, ...]

    def encoded(self) -> bytes:
        """Give the manifest as it is packed."""
        return orjson.dumps({"kind": KIND, "format": FORMAT, **asdict(self)}, option=orjson.OPT_INDENT_2)

    @classmethod
    def read(cls, content: bytes) -> Manifest:
        """Take a manifest in.

        Raises:
            ArchiveError: it is none, or of a format that this version does not know.
        """
        try:
            found: dict[str, Any] = orjson.loads(content)
            kind, form = found.pop("kind"), found.pop("format")
        except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise ArchiveError("its manifest can't be read") from error
        if kind != KIND:
            raise ArchiveError("it is no backup of Roadbed")
        if form != FORMAT:
            raise ArchiveError(
                f"it has format {form} and this Roadbed knows {FORMAT}: use the version that wrote it"
            )
        try:
            members = tuple(Member(**member) for member in found.pop("members"))
            return cls(members=members, left_out=tuple(found.pop("left_out")), **found)
        except (KeyError, TypeError) as error:
            raise ArchiveError("its manifest lacks something") from error


def describe(path: Path, name: str, tell: Tell = lambda _: None) -> Member:
    """Give the entry for a file on its way into an archive."""
    status = path.stat()
    with path.open("rb") as file:
        return Member(name, status.st_size, status.st_mode & 0o700, _digest(file, None, tell))


def pack(target: Path, manifest: Manifest, sources: Mapping[str, Path], tell: Tell) -> None:
    """Write the archive, durably, readable by its owner only; ``target`` must not exist.

    Raises:
        OSError: the disk is full, for instance; an unfinished file may be left.
    """
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            content = manifest.encoded()
            tar.addfile(_entry(MANIFEST, len(content), 0o600), io.BytesIO(content))
            done = 0
            for member in manifest.members:
                with sources[member.name].open("rb") as source:
                    tar.addfile(_entry(member.name, member.size_bytes, member.mode), source)
                done += member.size_bytes
                tell(done)
        file.flush()
        os.fsync(file.fileno())


def unpack(source: Path, folder: Path, tell: Tell) -> Manifest:
    """Write every member below ``folder``, verified; gives the manifest.

    Raises:
        ArchiveError: the file is no whole, unchanged backup; some members may have been written.
        OSError: a file can't be read or written.
    """
    try:
        with tarfile.open(source, mode="r:") as tar:
            manifest = _manifest(tar)
            wanted = {member.name: member for member in manifest.members}
            done = 0
            while (entry := tar.next()) is not None:
                member = wanted.pop(entry.name, None)
                if member is None or not entry.isreg():
                    raise ArchiveError(f"it holds {entry.name!r}, which its manifest does not list once")
                _unpack_one(tar, entry, member, folder)
                done += member.size_bytes
                tell(done)
    except (tarfile.TarError, EOFError) as error:
        raise ArchiveError(f"it is cut off or damaged ({error})") from error
    if wanted:
        raise ArchiveError(f"it is cut off: {', '.join(sorted(wanted))} is missing")
    return manifest


def _manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    if first is None or first.name != MANIFEST or not first.isreg() or first.size > MOST_MANIFEST_BYTES:
        raise ArchiveError("it does not begin with a manifest, so it is no backup of Roadbed")
    file = tar.extractfile(first)
    content = file.read() if file else b""
    if len(content) != first.size:
        raise ArchiveError("it is cut off within its manifest")
    return Manifest.read(content)


def _unpack_one(tar: tarfile.TarFile, entry: tarfile.TarInfo, member: Member, folder: Path) -> None:
    parts = PurePosixPath(member.name).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise ArchiveError(f"its manifest lists {member.name!r}, which is no place in a data folder")
    target = folder.joinpath(*parts)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = tar.extractfile(entry)
    if source is None or entry.size != member.size_bytes:
        raise ArchiveError(f"{member.name} has another size than its manifest says")
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, member.mode & 0o700 | 0o600)
    with source, os.fdopen(descriptor, "wb") as file:
        digest = _digest(source, file, lambda _: None)
        file.flush()
        os.fsync(file.fileno())
    if target.stat().st_size != member.size_bytes:
        raise ArchiveError(f"it is cut off within {member.name}")
    if digest != member.sha256:
        raise ArchiveError(f"{member.name} fails its checksum")


def _digest(source: IO[bytes], copy: IO[bytes] | None, tell: Tell) -> str:
    digest, done = hashlib.sha256(), 0
    while piece := source.read(PIECE_BYTES):
        digest.update(piece)
        if copy is not None:
            copy.write(piece)
        done += len(piece)
        tell(done)
    return digest.hexdigest()


def _entry(name: str, size_bytes: int, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size_bytes, mode
    return entry
