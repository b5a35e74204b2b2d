"""Reading a folder of Backstage YAML: every document of every file, confined to that folder.

Called by the Source reconciler on a worker thread; it only reads, and ends when the folder is read.
A broken document is a ``Problem`` with file, document and field, never the end of the reading.
It follows no link out of the folder, resolves no URL and runs nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.yamlload import load_all, load_value

from .entity import Entity, EntityError, validate

SUFFIXES = (".yaml", ".yml")
SKIPPED = frozenset({".git", "node_modules", ".venv", "__pycache__"})
MOST_FILES = 20_000
MOST_FILE_BYTES = 3 * 1024 * 1024
MOST_DEPTH = 32  # of folders and of Location targets
MOST_NODES = 200_000  # in one document, whatever its placeholders bring in


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one document was left out: ``file`` is relative to the folder, ``document`` counts from 1."""

    file: str
    document: int
    field: str
    message: str

    def __str__(self) -> str:
        """Give one line: where, then what."""
        where = f"{self.file}, document {self.document}" if self.document else self.file
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Found:
    """A well-formed entity and where it stands."""

    entity: Entity
    file: str
    document: int


@dataclass(slots=True)
class Reading:
    """All that a folder gave."""

    found: list[Found] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    files: int = 0


class FolderError(Exception):
    """The folder itself can't be read; the message names it and the next step."""


def fingerprint(folder: str) -> str:
    """Give a digest of names, sizes and times below ``folder``: equal digests mean nothing to read again.

    Raises:
        FolderError: it is not there, or not a folder.
    """
    root = _root(folder)
    digest = hashlib.blake2b(digest_size=16)
    for path in _walk(root, every_file=True):
        try:
            facts = path.stat()
        except OSError:
            continue  # gone between the listing and now: the next look sees the listing without it
        digest.update(f"{path.relative_to(root)}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def read_folder(folder: str) -> Reading:
    """Read every entity below ``folder``, in the order of file names.

    Raises:
        FolderError: it is not there, not a folder, or holds too many files.
    """
    root = _root(folder)
    reading = Reading()
    seen: set[Path] = set()
    for path in _walk(root):
        _read_file(root, path, reading, seen, 0)
    reading.files = len(seen)
    return reading


def _root(folder: str) -> Path:
    root = Path(folder)
    if not root.is_absolute():
        raise FolderError(f"cannot read folder {folder!r}: spec.folder.path must be absolute")
    if not root.is_dir():
        raise FolderError(
            f"cannot read folder {folder!r}: no such folder on this machine; create it or mend spec.folder.path"
        )
    return root.resolve()


def _walk(root: Path, *, every_file: bool = False) -> Iterator[Path]:
    count = 0
    for at, folders, files in os.walk(root, followlinks=False):
        here = Path(at)
        deep = len(here.relative_to(root).parts) >= MOST_DEPTH
        folders[:] = [] if deep else sorted(set(folders) - SKIPPED)
        for name in sorted(files):
            path = here / name
            # A link out of the folder is left alone, as is a pipe or a device that would block the reader.
            if (every_file or path.suffix in SUFFIXES) and _inside(root, path) and path.is_file():
                count += 1
                if count > MOST_FILES:
                    raise FolderError(
                        f"cannot read folder {str(root)!r}: more than {MOST_FILES} files; name a smaller folder"
                    )
                yield path


def _inside(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root)


def _read_file(root: Path, path: Path, reading: Reading, seen: set[Path], depth: int) -> None:
    real = path.resolve()
    if real in seen:
        return
    seen.add(real)
    name = str(real.relative_to(root))
    documents: list[Any] = []
    try:
        documents.extend(load_all(_text(path)))
    except (BadRequestError, EntityError, OSError, UnicodeDecodeError) as error:
        # What stands before the broken line is kept, as extend took it in.
        reading.problems.append(Problem(name, 0, "", _said(error)))
    for number, document in enumerate(documents, start=1):
        if document is None or not _is_entity(document):
            continue  # an empty document, or another tool's YAML in the same folder
        try:
            entity = _fill(document, _Filler(root, real.parent), "")
            validate(entity)
        except EntityError as error:
            reading.problems.append(
                Problem(name, number, error.field, str(error).removeprefix(f"{error.field}: "))
            )
            continue
        reading.found.append(Found(entity, name, number))
        if entity["kind"].lower() == "location":
            _follow(root, Found(entity, name, number), reading, seen, depth)


def _is_entity(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    version = document.get("apiVersion")
    if version is None:
        # An entity whose apiVersion was forgotten, or no object at all: an API's OpenAPI document, say.
        return "kind" in document and "metadata" in document
    return "backstage.io/" in str(version)  # Kubernetes manifests may stand beside entities


def _follow(root: Path, location: Found, reading: Reading, seen: set[Path], depth: int) -> None:
    spec = location.entity.get("spec") or {}
    targets = [*(spec.get("targets") or []), *([spec["target"]] if spec.get("target") else [])]
    for position, target in enumerate(targets):
        where = f"spec.targets[{position}]"
        try:
            if depth >= MOST_DEPTH:
                raise EntityError(where, "Locations are nested too deeply")
            path = _confined(root, (root / location.file).parent, target, where)
            files = sorted(path.parent.glob(path.name)) if "*" in path.name else [path]
            for file in files:
                if not file.is_file() or not _inside(root, file):
                    raise EntityError(where, f"no file {target!r} in the folder")
                _read_file(root, file, reading, seen, depth + 1)
        except EntityError as error:
            if spec.get("presence") != "optional":
                message = str(error).removeprefix(f"{error.field}: ")
                reading.problems.append(Problem(location.file, location.document, error.field, message))


def _confined(root: Path, beside: Path, target: Any, field_name: str) -> Path:
    if not isinstance(target, str) or not target:
        raise EntityError(field_name, "must be a text: a path beside this file")
    if "://" in target:
        raise EntityError(field_name, f"{target!r} is a URL; a folder Source reads only its own files")
    path = beside / target
    if not _inside(root, path):
        raise EntityError(field_name, f"{target!r} leads out of the Source's folder")
    return path


@dataclass(slots=True)
class _Filler:
    """What placeholders of one document are filled from."""

    root: Path
    beside: Path
    depth: int = 0
    nodes: int = 0


def _fill(value: Any, filler: _Filler, path: str) -> Any:
    """Copy a document with ``$text``, ``$json`` and ``$yaml`` replaced by the files they name."""
    filler.nodes += 1
    if filler.nodes > MOST_NODES:
        raise EntityError(
            path or "document", f"holds more than {MOST_NODES} values with what its placeholders bring in"
        )
    if isinstance(value, list):
        return [_fill(item, filler, f"{path}[{position}]") for position, item in enumerate(value)]
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("$text", "$json", "$yaml"):
            return _placeholder(next(iter(value)), next(iter(value.values())), filler, path)
        return {key: _fill(item, filler, f"{path}.{key}" if path else key) for key, item in value.items()}
    return value


def _placeholder(how: str, target: Any, filler: _Filler, path: str) -> Any:
    if filler.depth >= 4:
        raise EntityError(path, "placeholders are nested too deeply")
    file = _confined(filler.root, filler.beside, target, path)
    if not file.is_file():
        raise EntityError(path, f"{how} names {target!r}, and there is no such file in the folder")
    try:
        text = _text(file)
        if how == "$text":
            return text
        loaded = load_value(text)
    except (BadRequestError, OSError, UnicodeDecodeError) as error:
        raise EntityError(path, f"{how} cannot read {target!r}: {_said(error)}") from error
    inner = _Filler(filler.root, file.resolve().parent, filler.depth + 1, filler.nodes)
    filled = _fill(loaded, inner, path)
    filler.nodes = inner.nodes
    return filled


def _text(path: Path) -> str:
    size = path.stat().st_size
    if size > MOST_FILE_BYTES:
        raise EntityError("file", f"has {size} bytes, more than {MOST_FILE_BYTES}")
    return path.read_text(encoding="utf-8")


def _said(error: Exception) -> str:
    return str(error).replace("couldn't read the body as", "not")
