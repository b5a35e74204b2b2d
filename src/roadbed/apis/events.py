"""The kinds of events.k8s.io: the same stored events as the core group's, in their newer shape.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import ALL_VERBS, Resource

__all__ = [
    "EVENTS",
]

EVENTS = Resource(
    "events.k8s.io",
    "v1",
    "events",
    "Event",
    namespaced=True,
    singular="event",
    short_names=("ev",),
    verbs=ALL_VERBS,
)
