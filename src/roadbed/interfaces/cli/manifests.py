"""Reading manifests: files, folders and stdin become objects in an order that can be applied.

Everything is read and looked at before anything is sent, so that a typing error in the last file changes
nothing. Namespaces come first, then definitions, then the rest in the order of files and documents.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.objects import gvk_of, metadata, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.yamlload import load_all

from .failures import Failure, usage

SUFFIXES = frozenset((".yaml", ".yml", ".json"))
MOST_BYTES = 64 * 1024 * 1024  # of one file; a larger one is no manifest
_DEFINITIONS = frozenset(("CustomResourceDefinition", "CompositeResourceDefinition"))


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object and the file that it came from."""

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
            yield from _from_text(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise Failure(
            "cannot read", about=path, why=error.strerror or str(error), hint="-f takes a file or a folder"
        ) from error
    except UnicodeDecodeError as error:
        raise Failure("cannot read", about=path, why="it is not UTF-8 text") from error


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
        documents = list(load_all(text))
    except BadRequestError as error:
        why = error.message.removeprefix("couldn't read the body as YAML: ")
        raise Failure("cannot read", about=source, why=why) from error
    for document in documents:
        for obj in _flattened(document):
            _check(obj, source)
            yield Manifest(obj, source)


def _flattened(document: Any) -> Iterable[Any]:
    is_list = isinstance(document, dict) and str(document.get("kind", "")).endswith("List")
    if is_list and isinstance(document.get("items"), list):
        return list(document["items"])
    return [document]


def _check(obj: Any, source: str) -> None:
    if not isinstance(obj, dict) or not obj.get("apiVersion") or not obj.get("kind"):
        raise Failure(
            "cannot use",
            about=source,
            why="a document in it is no Kubernetes object: apiVersion and kind are missing",
            hint="keep other files out of the folder, or name the files one by one",
        )
    try:
        kind = gvk_of(obj).kind
    except BadRequestError as error:
        raise Failure("cannot use", about=source, why=error.message) from error
    if not isinstance(obj.get("metadata"), dict) or not metadata(obj).get("name"):
        raise Failure("cannot use", about=source, why=f"a {kind} in it has no metadata.name")
