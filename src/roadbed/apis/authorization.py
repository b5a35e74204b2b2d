"""The review kinds of authorization.k8s.io: may somebody do something.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import REVIEW_VERBS, Resource

__all__ = [
    "LOCALSUBJECTACCESSREVIEWS",
    "SELFSUBJECTACCESSREVIEWS",
    "SELFSUBJECTRULESREVIEWS",
    "SUBJECTACCESSREVIEWS",
]

SUBJECTACCESSREVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "subjectaccessreviews",
    "SubjectAccessReview",
    namespaced=False,
    singular="subjectaccessreview",
    verbs=REVIEW_VERBS,
)
SELFSUBJECTACCESSREVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
    singular="selfsubjectaccessreview",
    verbs=REVIEW_VERBS,
)
LOCALSUBJECTACCESSREVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "localsubjectaccessreviews",
    "LocalSubjectAccessReview",
    namespaced=True,
    singular="localsubjectaccessreview",
    verbs=REVIEW_VERBS,
)
SELFSUBJECTRULESREVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    namespaced=False,
    singular="selfsubjectrulesreview",
    verbs=REVIEW_VERBS,
)
