"""The kinds of apiextensions.k8s.io: definitions of further kinds.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import ALL_VERBS, Resource

__all__ = [
    "CUSTOMRESOURCEDEFINITIONS",
]

CUSTOMRESOURCEDEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
    singular="customresourcedefinition",
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    verbs=ALL_VERBS,
    subresources=("status",),
)
