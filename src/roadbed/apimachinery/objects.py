"""Reading and naming objects: the few accessors that everyone above needs.

All of it is pure and works on plain decoded JSON; a missing ``metadata`` reads as empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NewType

from .gvk import GVK
from .request import Object

Uid = NewType("Uid", str)


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Namespace and name; a cluster-scoped object has the empty namespace."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Give ``namespace/name``, or only the name."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def metadata(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Give ``metadata``, or an empty dict that is not part of the object."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def name_of(obj: Mapping[str, Any]) -> str:
    """Give ``metadata.name``, or the empty string."""
    return str(metadata(obj).get("name") or "")


def namespace_of(obj: Mapping[str, Any]) -> str:
    """Give ``metadata.namespace``, or the empty string."""
    return str(metadata(obj).get("namespace") or "")


def key_of(obj: Mapping[str, Any]) -> ObjectKey:
    """Give namespace and name."""
    return ObjectKey(namespace_of(obj), name_of(obj))


def uid_of(obj: Mapping[str, Any]) -> Uid:
    """Give ``metadata.uid``, or the empty string before the object is stored."""
    return Uid(str(metadata(obj).get("uid") or ""))


def revision_of(obj: Mapping[str, Any]) -> str:
    """Give ``metadata.resourceVersion``, or the empty string."""
    return str(metadata(obj).get("resourceVersion") or "")


def gvk_of(obj: Mapping[str, Any]) -> GVK:
    """Give the kind that ``apiVersion`` and ``kind`` name.

    Raises:
        BadRequestError: either is missing or malformed.
    """
    return GVK.parse(str(obj.get("apiVersion") or ""), str(obj.get("kind") or ""))


def labels_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """Give ``metadata.labels``, or an empty dict that is not part of the object."""
    return metadata(obj).get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> dict[str, str]:
    """Give ``metadata.annotations``, or an empty dict that is not part of the object."""
    return metadata(obj).get("annotations") or {}


def is_terminating(obj: Mapping[str, Any]) -> bool:
    """Say whether deletion was asked for and finalizers still hold the object."""
    return bool(metadata(obj).get("deletionTimestamp"))


def controller_of(obj: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the owner reference with ``controller: true``, or None."""
    for reference in metadata(obj).get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def owner_reference(owner: Object, *, controller: bool = True, block: bool = True) -> dict[str, Any]:
    """Give the reference by which ``owner`` owns something; it must have been stored (has a uid)."""
    reference: dict[str, Any] = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name_of(owner),
        "uid": uid_of(owner),
    }
    if controller:
        reference["controller"] = True
    if block:
        reference["blockOwnerDeletion"] = True
    return reference
