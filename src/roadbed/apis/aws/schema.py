"""CustomResourceDefinitions of the AWS kinds, made from their field tables.

Called by ``load_crds`` at each start: making them takes a tenth of the time that reading them as YAML would.
The shape is the Upbound providers': scopes, versions, printer columns, categories, reference fields.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from . import providerconfig
from .fields import Field, Kind, Trait

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_POLICY: Schema = {
    "type": "object",
    "description": "When and whether the reference must resolve.",
    "properties": {
        "resolution": {"type": "string", "enum": ["Required", "Optional"], "default": "Required"},
        "resolve": {"type": "string", "enum": ["Always", "IfNotPresent"]},
    },
}
_COLUMNS: list[Schema] = [
    {"name": "SYNCED", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Synced')].status"},
    {"name": "READY", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
    {
        "name": "EXTERNAL-NAME",
        "type": "string",
        "jsonPath": r".metadata.annotations.crossplane\.io/external-name",
    },
    {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
_ACTIONS = ["Observe", "Create", "Update", "Delete", "LateInitialize", "*"]
_NOT_INITIAL = {"region", "autoGeneratePassword"}  # as upstream: these make no sense only at creation


def definition(kind: Kind, *, legacy: bool) -> Schema:
    """Give the CustomResourceDefinition of one form of a kind."""
    group = kind.group(legacy=legacy)
    versions = kind.legacy_versions if legacy else ("v1beta1",)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster" if legacy else "Namespaced",
            "names": {
                "categories": ["crossplane", "managed", "aws"],
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[-1],
                    "additionalPrinterColumns": _COLUMNS,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": _schema(kind, legacy=legacy)},
                }
                for version in versions
            ],
        },
    }


def definitions(kinds: Iterable[Kind]) -> list[Schema]:
    """Give all definitions: both forms of every kind, and the provider configs."""
    crds = [definition(kind, legacy=legacy) for kind in kinds for legacy in (False, True)]
    return [*crds, *providerconfig.definitions()]


def _schema(kind: Kind, *, legacy: bool) -> Schema:
    return {
        "type": "object",
        "description": kind.doc,
        "required": ["spec"],
        "properties": {
            "apiVersion": _STRING,
            "kind": _STRING,
            "metadata": {"type": "object"},
            "spec": _spec(kind, legacy=legacy),
            "status": {
                "type": "object",
                "properties": {
                    "atProvider": {
                        "type": "object",
                        "description": "What the cloud says.",
                        "properties": _observed(kind, legacy=legacy),
                    },
                    "conditions": providerconfig.CONDITIONS,
                    "lastHandledReconcileAt": _STRING,
                    "observedGeneration": {"type": "integer", "format": "int64"},
                },
            },
        },
    }


def _spec(kind: Kind, *, legacy: bool) -> Schema:
    properties: Schema = {
        "forProvider": {
            "type": "object",
            "description": "What the external resource should be.",
            "required": ["region"],
            "properties": _inputs(kind.inputs(), legacy=legacy),
        },
        "initProvider": {
            "type": "object",
            "description": "Like forProvider, but only used to create; later differences are left alone.",
            "properties": _inputs(
                [f for f in kind.inputs() if f.name not in _NOT_INITIAL], legacy=legacy, documented=False
            ),
        },
        "managementPolicies": {
            "type": "array",
            "description": "What may be done to the external resource; all of it by default.",
            "items": {"type": "string", "enum": _ACTIONS},
            "default": ["*"],
        },
        **_machinery(legacy=legacy),
    }
    spec: Schema = {"type": "object", "required": ["forProvider"], "properties": properties}
    # A rule can't look into a field of two shapes, which the schema leaves open: the reconciler says it then.
    needed = [f.name for f in kind.inputs() if f.has(Trait.NEEDED) and not (f.wrapped and legacy)]
    if needed:
        spec["x-kubernetes-validations"] = [_needed(name) for name in needed]
    return spec


def _machinery(*, legacy: bool) -> Schema:
    name: Schema = {"name": _STRING}
    if not legacy:
        return {
            "providerConfigRef": {
                "type": "object",
                "description": "Whose account to use: a ProviderConfig here, or a ClusterProviderConfig.",
                "required": ["kind", "name"],
                "properties": {"kind": _STRING, "name": _STRING},
                "default": {"kind": "ClusterProviderConfig", "name": "default"},
            },
            "writeConnectionSecretToRef": {
                "type": "object",
                "description": "The Secret, in this namespace, that connection details are written to.",
                "required": ["name"],
                "properties": name,
            },
        }
    return {
        "providerConfigRef": {
            "type": "object",
            "description": "Whose account to use.",
            "required": ["name"],
            "properties": {**name, "policy": _POLICY},
            "default": {"name": "default"},
        },
        "writeConnectionSecretToRef": {
            "type": "object",
            "description": "The Secret that connection details are written to.",
            "required": ["name", "namespace"],
            "properties": {**name, "namespace": _STRING},
        },
        "deletionPolicy": {
            "type": "string",
            "description": "Whether the external resource is deleted with this object.",
            "enum": ["Orphan", "Delete"],
            "default": "Delete",
        },
    }


def _needed(name: str) -> Schema:
    acting = " || ".join(f"'{action}' in self.managementPolicies" for action in ("*", "Create", "Update"))
    return {
        "rule": f"!({acting}) || has(self.forProvider.{name})"
        f" || (has(self.initProvider) && has(self.initProvider.{name}))",
        "message": f"spec.forProvider.{name} is a required parameter",
    }


def _inputs(fields: Iterable[Field], *, legacy: bool, documented: bool = True) -> Schema:
    properties: Schema = {}
    for field in fields:
        if field.has(Trait.SENSITIVE):
            properties[field.secret_ref_name] = _secret_ref(field, legacy=legacy)
            continue
        properties[field.name] = _value(field, legacy=legacy, documented=documented)
        if field.target:
            ref = _ref(field, legacy=legacy)
            properties[field.ref_name] = {"type": "array", "items": ref} if field.many else ref
            properties[field.selector_name] = _selector(field, legacy=legacy)
    return properties


def _observed(kind: Kind, *, legacy: bool) -> Schema:
    shown = [f for f in kind.fields if not f.has(Trait.SENSITIVE)]
    return {field.name: _value(field, legacy=legacy, documented=False) for field in shown}


def _value(field: Field, *, legacy: bool, documented: bool = True) -> Schema:
    schema = _type(field, legacy=legacy)
    if documented and field.doc:
        refused = "Not supported by this provider. " if field.has(Trait.UNSUPPORTED) else ""
        schema = {**schema, "description": refused + field.doc}
    return schema


def _type(field: Field, *, legacy: bool) -> Schema:
    match field.type:
        case "list":
            return {"type": "array", "items": _STRING}
        case "set":
            return {"type": "array", "items": _STRING, "x-kubernetes-list-type": "set"}
        case "map":
            return {"type": "object", "additionalProperties": _STRING, "x-kubernetes-map-type": "granular"}
        case "objects":
            return {"type": "array", "items": _object(field, legacy=legacy)}
        case "object" if field.wrapped and legacy:
            # A list of one in v1beta1, an object later: both are kept as written, and read alike.
            return {"x-kubernetes-preserve-unknown-fields": True}
        case "object":
            return _object(field, legacy=legacy)
        case _:
            return {"type": field.type}


def _object(field: Field, *, legacy: bool) -> Schema:
    return {
        "type": "object",
        "properties": {inner.name: _value(inner, legacy=legacy) for inner in field.fields},
    }


def _ref(field: Field, *, legacy: bool) -> Schema:
    properties: Schema = {"name": _STRING, "policy": _POLICY}
    if not legacy:
        properties["namespace"] = _STRING
    kind = field.target.kind if field.target else ""
    return {
        "type": "object",
        "description": f"A {kind} object to fill {field.name} from.",
        "required": ["name"],
        "properties": properties,
    }


def _selector(field: Field, *, legacy: bool) -> Schema:
    properties: Schema = {
        "matchControllerRef": {"type": "boolean"},
        "matchLabels": {"type": "object", "additionalProperties": _STRING},
        "policy": _POLICY,
    }
    if not legacy:
        properties["namespace"] = _STRING
    kind = field.target.kind if field.target else ""
    return {
        "type": "object",
        "description": f"Selects {kind} objects to fill {field.name} from.",
        "properties": properties,
    }


def _secret_ref(field: Field, *, legacy: bool) -> Schema:
    properties: Schema = {"key": _STRING, "name": _STRING}
    if legacy:
        properties["namespace"] = _STRING
    return {
        "type": "object",
        "description": field.doc,
        "required": list(properties),
        "properties": properties,
    }
