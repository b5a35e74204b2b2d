"""The review kinds of authentication.k8s.io: who is somebody.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import REVIEW_VERBS, Resource

__all__ = [
    "SELFSUBJECTREVIEWS",
    "TOKENREVIEWS",
]

TOKENREVIEWS = Resource(
    "authentication.k8s.io",
    "v1",
    "tokenreviews",
    "TokenReview",
    namespaced=False,
    singular="tokenreview",
    verbs=REVIEW_VERBS,
)
SELFSUBJECTREVIEWS = Resource(
    "authentication.k8s.io",
    "v1",
    "selfsubjectreviews",
    "SelfSubjectReview",
    namespaced=False,
    singular="selfsubjectreview",
    verbs=REVIEW_VERBS,
)
