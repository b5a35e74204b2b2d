"""A CompositeResourceDefinition rendered as the CustomResourceDefinition it offers.

Pure, called by the definition reconciler and by whoever previews a definition. The author writes the
schema of ``spec`` and ``status``; what Crossplane's machinery needs is added around it, at the same paths
and with the same constraints as Crossplane adds it, so that composites are the same objects on both.

It refuses what can't work before anything is installed; what the CRD's own rules refuse (a schema that is
not structural) is left to the API server, which says it better.

Source: crossplane-runtime v2, package xcrd (the rendered result, not its code).
"""

from __future__ import annotations

import copy
from typing import Any, Literal

from roadbed.apimachinery.objects import labels_of, name_of, owner_reference
from roadbed.apimachinery.request import Object
from roadbed.controller import TerminalError

Scope = Literal["Namespaced", "Cluster", "LegacyCluster"]

NAME_LIMIT = 63  # the composite's name is a label value on what it composes
CATEGORY = "composite"

_STRING: dict[str, Any] = {"type": "string"}


class DefinitionError(TerminalError):
    """The definition can't become a CRD; the message names the field."""


def scope_of(definition: Object) -> Scope:
    """Give the scope; a definition stored without one is a legacy one."""
    scope = (definition.get("spec") or {}).get("scope")
    return scope if scope in ("Namespaced", "Cluster") else "LegacyCluster"


def render(definition: Object) -> Object:
    """Give the CRD of the composites that the definition offers, controlled by it.

    Raises:
        DefinitionError: name and spec disagree, no version is referenceable, or a version has no schema.
    """
    _check(definition)
    spec = definition["spec"]
    scope = scope_of(definition)
    names = copy.deepcopy(spec["names"])
    names["categories"] = [*(names.get("categories") or ()), CATEGORY]
    names.setdefault("listKind", f"{names['kind']}List")
    names.setdefault("singular", names["kind"].lower())
    rendered: dict[str, Any] = {
        "group": spec["group"],
        "names": names,
        "scope": "Namespaced" if scope == "Namespaced" else "Cluster",
        "versions": [_version(version, scope, spec) for version in spec["versions"]],
    }
    if conversion := spec.get("conversion"):
        rendered["conversion"] = copy.deepcopy(conversion)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": _metadata(definition),
        "spec": rendered,
    }


def printer_columns(scope: Scope) -> list[dict[str, Any]]:
    """Give the columns that every composite has after its author's own."""
    machinery = ".spec" if scope == "LegacyCluster" else ".spec.crossplane"
    return [
        {"name": "SYNCED", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Synced')].status"},
        {"name": "READY", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
        {"name": "COMPOSITION", "type": "string", "jsonPath": f"{machinery}.compositionRef.name"},
        {
            "name": "COMPOSITIONREVISION",
            "type": "string",
            "jsonPath": f"{machinery}.compositionRevisionRef.name",
            "priority": 1,
        },
        {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def _check(definition: Object) -> None:
    spec = definition.get("spec") or {}
    name = name_of(definition)
    expected = f"{spec['names']['plural']}.{spec['group']}"
    if name != expected:
        raise DefinitionError(
            f"metadata.name: {name!r} must be {expected!r}, which is <spec.names.plural>.<spec.group>"
        )
    referenceable = [version["name"] for version in spec["versions"] if version.get("referenceable")]
    if len(referenceable) != 1:
        found = ", ".join(referenceable) or "none"
        raise DefinitionError(f"spec.versions: exactly one must be referenceable, found {found}")


def _metadata(definition: Object) -> dict[str, Any]:
    extra = definition["spec"].get("metadata") or {}
    metadata: dict[str, Any] = {
        "name": name_of(definition),
        "ownerReferences": [owner_reference(definition)],
    }
    if labels := {**labels_of(definition), **(extra.get("labels") or {})}:
        metadata["labels"] = labels
    if annotations := extra.get("annotations"):
        metadata["annotations"] = dict(annotations)
    return metadata


def _version(version: dict[str, Any], scope: Scope, spec: dict[str, Any]) -> dict[str, Any]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not isinstance(schema, dict):
        raise DefinitionError(
            f"spec.versions[{version['name']}].schema.openAPIV3Schema: Required value: "
            "describe at least spec, as in {type: object, properties: {spec: {type: object}}}"
        )
    subresources: dict[str, Any] = {"status": {}}
    if scale := (version.get("subresources") or {}).get("scale"):
        subresources["scale"] = dict(scale)
    rendered: dict[str, Any] = {
        "name": version["name"],
        "served": bool(version.get("served")),
        "storage": bool(version.get("referenceable")),
        "schema": {"openAPIV3Schema": _schema(schema, scope, spec.get("defaultCompositionUpdatePolicy"))},
        "subresources": subresources,
        "additionalPrinterColumns": [
            *(version.get("additionalPrinterColumns") or ()),
            *printer_columns(scope),
        ],
    }
    for key in ("deprecated", "deprecationWarning"):
        if version.get(key):
            rendered[key] = version[key]
    return rendered


def _schema(author: dict[str, Any], scope: Scope, update_policy: str | None) -> dict[str, Any]:
    members: dict[str, Any] = author.get("properties") or {}
    spec = _section(members.get("spec"), _spec_machinery(scope, update_policy))
    extensible = (members.get("spec") or {}).get("x-kubernetes-preserve-unknown-fields")
    if extensible is not None:
        spec["x-kubernetes-preserve-unknown-fields"] = extensible
    status = _section(members.get("status"), _status_machinery(scope))
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": _STRING,
            "kind": _STRING,
            "metadata": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": _name_limit(members)}},
            },
            "spec": spec,
            "status": status,
        },
    }
    return _with(schema, author, "description", "x-kubernetes-validations")


def _section(author: dict[str, Any] | None, machinery: dict[str, Any]) -> dict[str, Any]:
    author = author or {}
    # Machinery last: an author's field of the same name would break the composite.
    properties = {**copy.deepcopy(author.get("properties") or {}), **machinery}
    section: dict[str, Any] = {"type": "object", "properties": properties}
    return _with(section, author, "description", "required", "x-kubernetes-validations", "oneOf")


def _with(schema: dict[str, Any], author: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        if value := author.get(key):
            schema[key] = copy.deepcopy(value)
    return schema


def _name_limit(members: dict[str, Any]) -> int:
    metadata = (members.get("metadata") or {}).get("properties") or {}
    limit = (metadata.get("name") or {}).get("maxLength")
    return min(int(limit), NAME_LIMIT) if limit is not None else NAME_LIMIT


def _reference() -> dict[str, Any]:
    return {"type": "object", "required": ["name"], "properties": {"name": _STRING}}


def _selector() -> dict[str, Any]:
    labels = {"type": "object", "additionalProperties": _STRING}
    return {"type": "object", "required": ["matchLabels"], "properties": {"matchLabels": labels}}


def _spec_machinery(scope: Scope, update_policy: str | None) -> dict[str, Any]:
    policy: dict[str, Any] = {"type": "string", "enum": ["Automatic", "Manual"]}
    if update_policy:
        policy["default"] = update_policy
    reference = {"apiVersion": _STRING, "kind": _STRING, "name": _STRING}
    if scope != "Namespaced":  # a namespaced composite composes in its own namespace only
        reference["namespace"] = _STRING
    fields: dict[str, Any] = {
        "compositionRef": _reference(),
        "compositionSelector": _selector(),
        "compositionRevisionRef": _reference(),
        "compositionRevisionSelector": _selector(),
        "compositionUpdatePolicy": policy,
        "resourceRefs": {
            "type": "array",
            "x-kubernetes-list-type": "atomic",
            "items": {"type": "object", "required": ["apiVersion", "kind"], "properties": reference},
        },
    }
    if scope != "LegacyCluster":
        description = "Configures how Crossplane will reconcile this composite resource"
        return {"crossplane": {"type": "object", "description": description, "properties": fields}}
    claim = ("apiVersion", "kind", "namespace", "name")
    secret = ("name", "namespace")
    for name, members in (("claimRef", claim), ("writeConnectionSecretToRef", secret)):
        fields[name] = {
            "type": "object",
            "required": list(members),
            "properties": dict.fromkeys(members, _STRING),
        }
    return fields


def _status_machinery(scope: Scope) -> dict[str, Any]:
    time = {"type": "string", "format": "date-time"}
    condition = {
        "type": "object",
        "required": ["lastTransitionTime", "reason", "status", "type"],
        "properties": {
            **dict.fromkeys(("message", "reason", "status", "type"), _STRING),
            "lastTransitionTime": time,
            "observedGeneration": {"type": "integer", "format": "int64"},
        },
    }
    fields: dict[str, Any] = {
        "conditions": {
            "type": "array",
            "description": "Conditions of the resource.",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": condition,
        }
    }
    if scope == "LegacyCluster":
        fields["connectionDetails"] = {"type": "object", "properties": {"lastPublishedTime": time}}
        fields["claimConditionTypes"] = {
            "type": "array",
            "x-kubernetes-list-type": "set",
            "items": _STRING,
        }
    return fields
