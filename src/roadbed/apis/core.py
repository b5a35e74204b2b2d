"""The kinds of the core group that Roadbed serves.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import Resource

__all__ = [
    "CONFIGMAPS",
    "EVENTS",
    "NAMESPACES",
    "SECRETS",
    "SERVICEACCOUNTS",
]

_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

# Kubernetes gives namespaces no deletecollection.
NAMESPACES = Resource(
    "",
    "v1",
    "namespaces",
    "Namespace",
    namespaced=False,
    singular="namespace",
    short_names=("ns",),
    verbs=tuple(verb for verb in _VERBS if verb != "deletecollection"),
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
    verbs=_VERBS,
)
SECRETS = Resource(
    "",
    "v1",
    "secrets",
    "Secret",
    namespaced=True,
    singular="secret",
    verbs=_VERBS,
)
SERVICEACCOUNTS = Resource(
    "",
    "v1",
    "serviceaccounts",
    "ServiceAccount",
    namespaced=True,
    singular="serviceaccount",
    short_names=("sa",),
    verbs=_VERBS,
)
EVENTS = Resource(
    "",
    "v1",
    "events",
    "Event",
    namespaced=True,
    singular="event",
    short_names=("ev",),
    verbs=_VERBS,
)
