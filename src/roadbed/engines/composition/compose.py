"""From what functions desire to what is written: composed resources, references, garbage.

Pure, called by the composite reconciler between the pipeline and the first write. Nothing a function says
can change whose object it is: name, namespace, labels and owner come from the composite, last.

Source: Crossplane v2's function composer (order, names, refusals).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.names import dns_subdomain_errors
from roadbed.apimachinery.objects import (
    ObjectKey,
    annotations_of,
    controller_of,
    gvk_of,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import Annotation, Label

from .functions.protocol import Ready, State
from .naming import composed_name

_RBAC_KINDS = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})


class ComposeError(Exception):
    """The desired state can't be written; the message names the resource and the field."""


@dataclass(frozen=True, slots=True)
class Composed:
    """One desired composed resource, complete. ``digest`` changes when the object does."""

    name: str
    resource: Resource
    object: Object
    is_ready: bool
    digest: int

    @property
    def key(self) -> ObjectKey:
        """Where it lives."""
        return key_of(self.object)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write for one composite. ``warnings`` are for its user."""

    composed: tuple[Composed, ...]
    references: list[dict[str, str]]
    warnings: tuple[str, ...] = ()


def plan(
    composite: Object, desired: State, observed: Mapping[str, Object], resources: Mapping[GVK, Resource]
) -> Plan:
    """Complete every desired resource with what the composite decides, and refer to them all.

    ``resources`` maps the kinds of all desired resources.

    Raises:
        ComposeError: a resource can't be composed by this composite.
    """
    warnings: list[str] = []
    composed = tuple(
        _complete(composite, name, item.resource, item.ready, observed.get(name), resources, warnings)
        for name, item in sorted(desired.resources.items())
    )
    return Plan(composed, references(composed, bool(namespace_of(composite))), tuple(warnings))


def kind_of(name: str, desired: Object) -> GVK:
    """Give the kind of a desired resource.

    Raises:
        ComposeError: apiVersion or kind is missing.
    """
    api_version, kind = desired.get("apiVersion"), desired.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str) or not api_version or not kind:
        raise ComposeError(
            f'composed resource "{name}" has no apiVersion or no kind: set both in its base template'
        )
    return gvk_of(desired)


def references(composed: Iterable[Composed], is_namespaced: bool) -> list[dict[str, str]]:
    """Give ``resourceRefs`` in a stable order; in a namespaced composite they name no namespace."""
    found: list[dict[str, str]] = []
    for item in composed:
        reference = {
            "apiVersion": item.object["apiVersion"],
            "kind": item.object["kind"],
            "name": name_of(item.object),
        }
        if not is_namespaced and (namespace := namespace_of(item.object)):
            reference["namespace"] = namespace
        found.append(reference)
    order = ("apiVersion", "kind", "name", "namespace")
    return sorted(found, key=lambda reference: [reference.get(field, "") for field in order])


def garbage(composite: Object, observed: Mapping[str, Object], desired: Iterable[str]) -> dict[str, Object]:
    """Give the observed resources that are no longer desired and that this composite controls.

    What has no controller is left alone: it can't be proven that we made it, and a reference alone must not
    be enough to have something deleted.

    Raises:
        ComposeError: one is controlled by something else.
    """
    wanted = set(desired)
    found: dict[str, Object] = {}
    for name, obj in observed.items():
        if name in wanted:
            continue
        controller = controller_of(obj)
        if controller is None:
            continue
        if controller.get("uid") != uid_of(composite):
            raise ComposeError(
                f'refusing to delete composed resource "{name}" that is controlled by '
                f'{controller.get("kind")} "{controller.get("name")}"'
            )
        found[name] = obj
    return found


def covers(live: Any, wanted: Any) -> bool:
    """Say whether everything wanted is in the live object as it is, so that applying would change nothing.

    Lists must be equal; a list that a server merges by key may differ and still be covered: then one apply
    too many is done, never one too few.
    """
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return False
        for name, value in wanted.items():
            if name not in live:
                return False
            if name == "ownerReferences":
                if not all(reference in live[name] for reference in value):
                    return False
            elif not covers(live[name], value):
                return False
        return True
    return bool(live == wanted and isinstance(live, bool) == isinstance(wanted, bool))


def digest(obj: Any) -> int:
    """Give a number that differs when the JSON does; meaningful in this process only."""
    return hash(orjson.dumps(obj, option=orjson.OPT_SORT_KEYS))


def resource_name(obj: Object) -> str:
    """Give the name that an observed composed resource has in its Composition."""
    return str(annotations_of(obj).get(Annotation.RESOURCE_NAME, ""))


def _complete(
    composite: Object,
    name: str,
    desired: Object,
    ready: Ready,
    live: Object | None,
    resources: Mapping[GVK, Resource],
    warnings: list[str],
) -> Composed:
    gvk = kind_of(name, desired)
    resource = resources[gvk]
    given = metadata(desired)
    meta: dict[str, Any] = {
        key: value for key, value in given.items() if key not in ("name", "namespace", "generateName")
    }
    meta["namespace"] = _namespace(composite, name, given, live, resource, warnings)
    meta["name"] = _name(composite, name, given, live, gvk)
    if not meta["namespace"]:
        del meta["namespace"]
    meta["annotations"] = {**(given.get("annotations") or {}), Annotation.RESOURCE_NAME: name}
    meta["labels"] = {**(given.get("labels") or {}), **_labels(composite)}
    others = [owner for owner in given.get("ownerReferences") or () if not owner.get("controller")]
    meta["ownerReferences"] = [*others, owner_reference(composite)]
    obj = {**desired, "metadata": meta}
    _check_cycle(composite, name, obj)
    return Composed(name, resource, obj, ready is Ready.TRUE, digest(obj))


def _namespace(
    composite: Object,
    name: str,
    given: Mapping[str, Any],
    live: Object | None,
    resource: Resource,
    warnings: list[str],
) -> str:
    if not resource.namespaced:
        if namespace_of(composite):
            raise ComposeError(
                f'cannot apply cluster scoped composed resource "{name}" (a {resource.kind} named '
                f"{given.get('name') or 'without a name'}) for a namespaced composite resource. "
                "Use a namespaced kind, or a definition with scope Cluster."
            )
        return ""
    wanted = str(given.get("namespace") or "")
    own = namespace_of(composite)
    if own:
        if wanted and wanted != own:
            warnings.append(
                f'cannot create composed resource "{name}" in namespace "{wanted}", '
                f'using XR namespace "{own}" instead'
            )
        return own
    if live is not None:
        return namespace_of(live)
    if not wanted:
        raise ComposeError(
            f'composed resource "{name}" (a {resource.kind}) has no namespace: a cluster scoped composite '
            "must set metadata.namespace in its base template or by a patch"
        )
    return wanted


def _name(composite: Object, name: str, given: Mapping[str, Any], live: Object | None, gvk: GVK) -> str:
    if live is not None:
        return name_of(live)
    chosen = str(given.get("name") or "")
    if not chosen:
        prefix = str(given.get("generateName") or labels_of(composite).get(Label.COMPOSITE) or "")
        chosen = composed_name(prefix, uid_of(composite), name)
    checked = chosen.replace(":", "") if gvk.kind in _RBAC_KINDS else chosen
    if dns_subdomain_errors(checked):
        raise ComposeError(
            f'cannot apply composed resource "{name}" because it has an invalid name "{chosen}". '
            "Must be a valid RFC 1123 subdomain name."
        )
    return chosen


def _labels(composite: Object) -> dict[str, str]:
    labels = labels_of(composite)
    found = {Label.COMPOSITE: labels.get(Label.COMPOSITE) or name_of(composite)}
    if labels.get(Label.CLAIM_NAME) and labels.get(Label.CLAIM_NAMESPACE):
        found[Label.CLAIM_NAME] = labels[Label.CLAIM_NAME]
        found[Label.CLAIM_NAMESPACE] = labels[Label.CLAIM_NAMESPACE]
    return found


def _check_cycle(composite: Object, name: str, obj: Object) -> None:
    if key_of(obj) == key_of(composite) and gvk_of(obj) == gvk_of(composite):
        raise ComposeError(
            f'composed resource "{name}" is the composite itself: give it another metadata.name or kind'
        )
