"""Reading manifests: files, folders and stdin become objects in an order that can be applied.

Everything is read and looked at before anything is sent, so that a typing error in the last file changes
nothing. Namespaces come first, then definitions, then the rest in the order of files and documents.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.objects import gvk_of, metadata, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.yamlload import load_documents

from .failures import Failure, usage

SUFFIXES = frozenset((".yaml", ".yml", ".json"))
MOST_BYTES = 64 * 1024 * 1024  # of one file; a larger one is no manifest
_DEFINITIONS = frozenset(("CustomResourceDefinition", "CompositeResourceDefinition"))
_UNTOUCHED = "nothing was changed; correct the file and try again"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object and where it came from, as ``file:line``."""

    obj: Object
    source: str

    @property
    def gvk(self) -> GVK:
        """The object's kind."""
        return gvk_of(self.obj)

    @property
    def stage(self) -> int:
        """Give when to apply it: 0 namespaces, 1 definitions, 2 the rest."""
        gvk = self.gvk
        if gvk.kind == "Namespace" and not gvk.group:
            return 0
        return 1 if gvk.kind in _DEFINITIONS else 2

    @property
    def label(self) -> str:
        """Give what messages call it."""
        place = namespace_of(self.obj)
        return f"{self.gvk.kind} {place + '/' if place else ''}{name_of(self.obj)}"


def read(paths: Sequence[str], *, recursive: bool) -> list[Manifest]:
    """Read everything, ordered to be applied.

    Raises:
        Failure: a path can't be read, or something in it is no object; the message names file and object.
    """
    if not paths:
        raise usage("name what to read with -f", hint="-f takes a file, a folder, or - for stdin")
    found = [manifest for path in paths for manifest in _from_path(path, recursive=recursive)]
    if not found:
        raise Failure(
            "nothing to do",
            about=", ".join(paths),
            why="no object in it",
            hint="-f reads .yaml, .yml and .json",
        )
    return sorted(found, key=lambda manifest: manifest.stage)


def _from_path(path: str, *, recursive: bool) -> Iterator[Manifest]:
    if path == "-":
        yield from _from_text(sys.stdin.read(), "stdin")
        return
    if path.startswith(("http://", "https://")):
        raise usage(
            f"cannot read {path}: -f takes files and folders", hint="download it and look at it first"
        )
    place = Path(path)
    try:
        files = _files(place, recursive=recursive) if place.is_dir() else [place]
        for file in files:
            if file.stat().st_size > MOST_BYTES:
                raise Failure("cannot read", about=str(file), why=f"it is larger than {MOST_BYTES >> 20} MiB")
            yield from _from_text(_decoded(file), str(file))
    except OSError as error:
        raise Failure(
            "cannot read", about=path, why=error.strerror or str(error), hint="-f takes a file or a folder"
        ) from error


def _decoded(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        why = f"line {line}: it is not UTF-8 text"
        raise Failure("cannot read", about=str(file), why=why, hint=_UNTOUCHED) from error


def _files(folder: Path, *, recursive: bool) -> list[Path]:
    files = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue  # .git and editors' files
        if entry.is_dir():
            files += _files(entry, recursive=True) if recursive else []
        elif entry.suffix in SUFFIXES:
            files.append(entry)
    return files


def _from_text(text: str, source: str) -> Iterator[Manifest]:
    try:
        documents = list(load_documents(text))
    except BadRequestError as error:
        why = error.message.removeprefix("couldn't read the body as YAML: ")
        raise Failure("cannot read", about=source, why=why, hint=_UNTOUCHED) from error
    for line, document in documents:
        place = f"{source}:{line}"
        items = _items(document)
        if items is None:
            _check(document, place)
            yield Manifest(document, place)
        for number, obj in enumerate(items or ()):
            _check(obj, place, f"items[{number}] of the list")
            yield Manifest(obj, place)


def _items(document: Any) -> list[Any] | None:
    """Give what a list holds; None for what is no list."""
    if not isinstance(document, dict) or not str(document.get("kind", "")).endswith("List"):
        return None
    items = document.get("items")
    return items if isinstance(items, list) else None


def _check(obj: Any, place: str, what: str = "the document") -> None:
    members = obj if isinstance(obj, dict) else {}
    absent = [name for name in ("apiVersion", "kind") if not members.get(name)]
    if len(absent) == 1:
        raise _unusable(place, f"{what} has no {absent[0]}")
    if absent:
        why = f"{what} is no Kubernetes object: apiVersion and kind are missing"
        hint = "keep other files out of the folder, or name the files one by one"
        raise _unusable(place, why, hint=hint)
    try:
        kind = gvk_of(obj).kind
    except BadRequestError as error:
        raise _unusable(place, error.message) from error
    if not isinstance(obj.get("metadata"), dict) or not metadata(obj).get("name"):
        raise _unusable(place, f"{what}, a {kind}, has no metadata.name")


def _unusable(place: str, why: str, *, hint: str = _UNTOUCHED) -> Failure:
    return Failure("cannot use", about=place, why=why, hint=hint)
