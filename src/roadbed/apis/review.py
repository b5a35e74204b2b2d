"""The review kinds of review.roadbed.dev: questions that only Roadbed answers.

Called by whoever needs to name these kinds. They are answered and never stored, so they are not CRDs; their
schemas stand here and are published beside the generated ones (``roadbed.apis.kubernetes``).
"""

from typing import Any

from roadbed.apimachinery.gvk import REVIEW_VERBS, Resource

__all__ = [
    "DEFINITIONS",
    "PORTALSESSIONS",
]

PORTALSESSIONS = Resource(
    "review.roadbed.dev",
    "v1alpha1",
    "portalsessions",
    "PortalSession",
    namespaced=False,
    singular="portalsession",
    verbs=REVIEW_VERBS,
)

DEFINITIONS: dict[str, dict[str, Any]] = {
    "dev.roadbed.review.v1alpha1.PortalSession": {
        "description": (
            "PortalSession asks for a short-lived token of the caller's own, with which the portal, REST and "
            "MCP know them. It is answered and not stored."
        ),
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {
                "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}],
                "default": {},
            },
            "spec": {
                "type": "object",
                "properties": {
                    "expirationSeconds": {
                        "description": "How long the token lives; one hour when absent, twelve at most.",
                        "type": "integer",
                        "format": "int64",
                    }
                },
            },
            "status": {
                "type": "object",
                "properties": {
                    "token": {"type": "string"},
                    "expirationTimestamp": {"type": "string", "format": "date-time"},
                },
            },
        },
        "x-kubernetes-group-version-kind": [
            {"group": "review.roadbed.dev", "kind": "PortalSession", "version": "v1alpha1"}
        ],
    }
}
"""OpenAPI v3 schemas by definition name, as the generated data has Kubernetes' own."""
