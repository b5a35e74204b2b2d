"""The kinds of coordination.k8s.io: leases, by which one of several is elected.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import ALL_VERBS, Resource

__all__ = [
    "LEASES",
]

LEASES = Resource(
    "coordination.k8s.io",
    "v1",
    "leases",
    "Lease",
    namespaced=True,
    singular="lease",
    verbs=ALL_VERBS,
)
