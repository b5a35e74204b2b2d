"""The review kinds of authentication.k8s.io: who is somebody.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import Resource

__all__ = [
    "SELFSUBJECTREVIEWS",
    "TOKENREVIEWS",
]

_VERBS = ("create",)  # a question: answered, never stored

TOKENREVIEWS = Resource(
    "authentication.k8s.io",
    "v1",
    "tokenreviews",
    "TokenReview",
    namespaced=False,
    singular="tokenreview",
    verbs=_VERBS,
)
SELFSUBJECTREVIEWS = Resource(
    "authentication.k8s.io",
    "v1",
    "selfsubjectreviews",
    "SelfSubjectReview",
    namespaced=False,
    singular="selfsubjectreview",
    verbs=_VERBS,
)
