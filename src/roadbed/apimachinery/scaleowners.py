"""Who owns the replicas of an object, as seen through its scale subresource, and back.

A scale has one owned field, ``spec.replicas`` of ``autoscaling/v1``; in the object it is another field, maybe in
another place in each version. Called by the API server around every write of a scale: ``of_scale`` before field
ownership is settled there, ``of_object`` after. Pure; what comes in is never changed.

As in Kubernetes, an owner's time is not kept on the way back, and an Update entry that keeps replicas while the
scale is written through becomes two, since the scale's version is part of its name meanwhile.

Source: k8s.io/apimachinery/pkg/util/managedfields/scalehandler.go
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from . import fieldset, managedfields
from .fieldset import Trie
from .managedfields import Managed, Owned, Who

API_VERSION: Final = "autoscaling/v1"
_IN_SCALE: Final = fieldset.field_set(("spec", "replicas"))

Places = Mapping[str, Sequence[str] | None]
"""Where replicas are, as field names, by apiVersion of the object; None: that version has no scale."""


def of_scale(entries: Any, places: Places) -> list[dict[str, Any]]:
    """Give the ``managedFields`` of a scale from those of its object.

    Raises:
        ValueError: an entry is malformed; the message says how.
    """
    found: Managed = {}
    for name, owned in managedfields.decode(entries).items():
        place = places.get(owned.api_version)
        if place and _owns(owned.fields, place):
            found[_renamed(name)] = Owned(_IN_SCALE, API_VERSION, owned.time)
    return managedfields.encode(found)


def of_object(entries: Any, scale_entries: Any, places: Places, api_version: str) -> list[dict[str, Any]]:
    """Give the ``managedFields`` of an object in ``api_version`` after its scale was written.

    ``entries`` are those from before. Entries in versions that ``places`` does not name are dropped.

    Raises:
        ValueError: an entry is malformed; the message says how.
    """
    owners = managedfields.decode(scale_entries)
    before = managedfields.decode(entries)
    found: Managed = {}
    for name, owned in before.items():
        if owned.api_version not in places:
            continue
        place = places[owned.api_version]
        if not place or not _owns(owned.fields, place):
            found[name] = owned
        elif name in owners:  # only an applier's name is the same on both sides
            found[name] = owned
            del owners[name]
        else:
            left = fieldset.difference(owned.fields, fieldset.field_set(place))
            if left:
                found[name] = replace(owned, fields=left)
    here = fieldset.field_set(places[api_version] or ())
    for name, owned in owners.items():
        if _owns(owned.fields, ("spec", "replicas")):
            time = before[name].time if name in before else ""
            found[name] = Owned(here, api_version, time)
    return managedfields.encode(found)


def _renamed(name: Who) -> Who:
    return name if name.operation == "Apply" else name._replace(api_version=API_VERSION)


def _owns(fields: Trie, place: Sequence[str]) -> bool:
    node = fields
    for each in place:
        if f"f:{each}" not in node:
            return False
        node = node[f"f:{each}"]
    return fieldset.is_member(node)
