"""The kinds of the core group that Roadbed serves.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import ALL_VERBS, Resource

__all__ = [
    "CONFIGMAPS",
    "EVENTS",
    "NAMESPACES",
    "SECRETS",
    "SERVICEACCOUNTS",
]

# Kubernetes gives namespaces no deletecollection.
NAMESPACES = Resource(
    "",
    "v1",
    "namespaces",
    "Namespace",
    namespaced=False,
    singular="namespace",
    short_names=("ns",),
    verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
    subresources=("finalize", "status"),
)
CONFIGMAPS = Resource(
    "",
    "v1",
    "configmaps",
    "ConfigMap",
    namespaced=True,
    singular="configmap",
    short_names=("cm",),
    verbs=ALL_VERBS,
)
SECRETS = Resource(
    "",
    "v1",
    "secrets",
    "Secret",
    namespaced=True,
    singular="secret",
    verbs=ALL_VERBS,
)
SERVICEACCOUNTS = Resource(
    "",
    "v1",
    "serviceaccounts",
    "ServiceAccount",
    namespaced=True,
    singular="serviceaccount",
    short_names=("sa",),
    verbs=ALL_VERBS,
)
EVENTS = Resource(
    "",
    "v1",
    "events",
    "Event",
    namespaced=True,
    singular="event",
    short_names=("ev",),
    verbs=ALL_VERBS,
)
