"""The Crossplane kinds that Roadbed serves: resources, well-known labels, annotations and conditions.

Used by the composition engine, by providers (managed resources share the conditions), by the portal and the
CLI. The kinds keep Crossplane's names and meaning, so that one manifest works in both. The definitions
themselves are the YAML files ``crds/<plural>.<group>.yaml``.

Source: https://docs.crossplane.io/latest/api/ (v2).
"""

from __future__ import annotations

from typing import Any, Final

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.request import Object

__all__ = [
    "COMPOSITIONS",
    "COMPOSITION_REVISIONS",
    "CONNECTION_SECRET_TYPE",
    "ENVIRONMENT_CONFIGS",
    "FUNCTIONS",
    "XRDS",
    "Annotation",
    "Label",
    "composite_gvk",
    "composite_resource",
    "machinery",
]

EXTENSIONS_GROUP: Final = "apiextensions.crossplane.io"
PACKAGES_GROUP: Final = "pkg.crossplane.io"

# Stored as v1, as Crossplane does: v1 has the wider set of scopes, and v2 is served from it.
XRDS = Resource(
    EXTENSIONS_GROUP, "v1", "compositeresourcedefinitions", "CompositeResourceDefinition", namespaced=False
)
COMPOSITIONS = Resource(EXTENSIONS_GROUP, "v1", "compositions", "Composition", namespaced=False)
COMPOSITION_REVISIONS = Resource(
    EXTENSIONS_GROUP, "v1", "compositionrevisions", "CompositionRevision", namespaced=False
)
ENVIRONMENT_CONFIGS = Resource(
    EXTENSIONS_GROUP, "v1beta1", "environmentconfigs", "EnvironmentConfig", namespaced=False
)
FUNCTIONS = Resource(PACKAGES_GROUP, "v1", "functions", "Function", namespaced=False)

CONNECTION_SECRET_TYPE: Final = "connection.crossplane.io/v1alpha1"  # noqa: S105 - a type, not a secret


class Label:
    """Labels that Crossplane puts on objects, and that selectors and trees rely on."""

    COMPOSITE: Final = "crossplane.io/composite"
    CLAIM_NAME: Final = "crossplane.io/claim-name"
    CLAIM_NAMESPACE: Final = "crossplane.io/claim-namespace"
    COMPOSITION_NAME: Final = "crossplane.io/composition-name"
    COMPOSITION_HASH: Final = "crossplane.io/composition-hash"


class Annotation:
    """Annotations that Crossplane reads or writes."""

    RESOURCE_NAME: Final = "crossplane.io/composition-resource-name"
    PAUSED: Final = "crossplane.io/paused"
    RECONCILE_REQUESTED_AT: Final = "crossplane.io/reconcile-requested-at"
    EXTERNAL_NAME: Final = "crossplane.io/external-name"


def composite_gvk(definition: Object) -> GVK:
    """Give the kind that a CompositeResourceDefinition defines, at its referenceable version.

    A definition without a referenceable version gives an empty version; rendering its CRD names the fault.
    """
    spec = definition.get("spec")
    if not isinstance(spec, dict):
        return GVK("", "", "")
    names = spec.get("names") or {}
    versions = [v for v in spec.get("versions") or () if v.get("referenceable")]
    version = str(versions[-1].get("name", "")) if versions else ""
    return GVK(str(spec.get("group", "")), version, str(names.get("kind", "")))


def composite_resource(definition: Object) -> Resource:
    """Give the resource of the composites that a CompositeResourceDefinition defines."""
    gvk = composite_gvk(definition)
    spec = definition.get("spec")
    names = (spec.get("names") or {}) if isinstance(spec, dict) else {}
    scope = spec.get("scope") if isinstance(spec, dict) else ""
    return Resource(
        gvk.group,
        gvk.version,
        str(names.get("plural", "")),
        gvk.kind,
        namespaced=scope == "Namespaced",
        singular=str(names.get("singular", "")),
    )


def machinery(composite: Object, *, legacy: bool) -> dict[str, Any]:
    """Give the composite's own machinery fields: ``spec.crossplane``, or ``spec`` for a legacy one.

    What is given is part of the object where it exists, else an empty dict that is not.
    """
    spec = composite.get("spec")
    if not isinstance(spec, dict):
        return {}
    if legacy:
        return spec
    nested = spec.get("crossplane")
    return nested if isinstance(nested, dict) else {}
