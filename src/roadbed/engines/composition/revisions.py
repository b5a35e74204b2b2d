"""Revisions of a Composition: their names, numbers and labels, and which is the newest.

Pure, called by the Composition reconciler and by composites when they choose. A revision is named by a
hash of what it holds, so going back to an older state raises the old revision's number instead of making
a new one.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from roadbed.apimachinery.objects import (
    annotations_of,
    controller_of,
    labels_of,
    name_of,
    owner_reference,
    uid_of,
)
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import COMPOSITION_REVISIONS, Label

LABEL_LIMIT = 63
NAME_HASH_LENGTH = 7

# Tools write these on every apply; a revision per `kubectl apply` of the same text would be noise.
VOLATILE_ANNOTATIONS = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})


@dataclass(frozen=True, slots=True)
class RevisionPlan:
    """What to write: a new revision, or existing ones with another number or owner."""

    create: Object | None = None
    update: tuple[Object, ...] = ()


def composition_hash(composition: Object) -> str:
    """Give the hash of what makes a revision: labels, annotations and spec, in hexadecimal."""
    content = [labels_of(composition), _annotations(composition), composition.get("spec") or {}]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def number_of(revision: Object) -> int:
    """Give ``spec.revision``; 0 where it has none."""
    return int((revision.get("spec") or {}).get("revision") or 0)


def latest(composition: Object, revisions: Iterable[Object]) -> Object | None:
    """Give the revision with the greatest number among those the Composition controls, or None."""
    owned = [revision for revision in revisions if _is_controlled(revision, composition)]
    return max(owned, key=number_of, default=None)


def plan(composition: Object, revisions: list[Object]) -> RevisionPlan:
    """Say what to write so that the newest revision holds what the Composition holds.

    Revisions without our owner reference are adopted: moving objects between clusters strips it.
    """
    label = composition_hash(composition)[:LABEL_LIMIT]
    newest = max((number_of(revision) for revision in revisions), default=0)
    updates: list[Object] = []
    exists = False
    for revision in revisions:
        changed = _adopted(revision, composition)
        if labels_of(revision).get(Label.COMPOSITION_HASH) == label:
            exists = True
            if number_of(revision) < newest:
                changed = changed or copy.deepcopy(revision)
                changed["spec"]["revision"] = newest + 1
        if changed is not None:
            updates.append(changed)
    created = None if exists else _new(composition, label, newest + 1)
    return RevisionPlan(created, tuple(updates))


def _new(composition: Object, label: str, number: int) -> Object:
    metadata: dict[str, Any] = {
        "name": f"{name_of(composition)}-{label[:NAME_HASH_LENGTH]}",
        "labels": {
            **labels_of(composition),
            Label.COMPOSITION_NAME: name_of(composition),
            Label.COMPOSITION_HASH: label,
        },
        "ownerReferences": [owner_reference(composition)],
    }
    if annotations := _annotations(composition):
        metadata["annotations"] = annotations
    return {
        "apiVersion": COMPOSITION_REVISIONS.api_version,
        "kind": COMPOSITION_REVISIONS.kind,
        "metadata": metadata,
        "spec": {**(composition.get("spec") or {}), "revision": number},
    }


def _adopted(revision: Object, composition: Object) -> Object | None:
    if controller_of(revision) is not None:
        return None
    changed = copy.deepcopy(revision)
    changed["metadata"].setdefault("ownerReferences", []).append(owner_reference(composition))
    return changed


def _is_controlled(revision: Object, composition: Object) -> bool:
    controller = controller_of(revision)
    return controller is not None and controller.get("uid") == uid_of(composition)


def _annotations(composition: Object) -> dict[str, str]:
    return {
        key: value for key, value in annotations_of(composition).items() if key not in VOLATILE_ANNOTATIONS
    }
