"""The review kinds of authorization.k8s.io: may somebody do something.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import Resource

__all__ = [
    "LOCALSUBJECTACCESSREVIEWS",
    "SELFSUBJECTACCESSREVIEWS",
    "SELFSUBJECTRULESREVIEWS",
    "SUBJECTACCESSREVIEWS",
]

_VERBS = ("create",)  # a question: answered, never stored

SUBJECTACCESSREVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "subjectaccessreviews",
    "SubjectAccessReview",
    namespaced=False,
    singular="subjectaccessreview",
    verbs=_VERBS,
)
SELFSUBJECTACCESSREVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
    singular="selfsubjectaccessreview",
    verbs=_VERBS,
)
LOCALSUBJECTACCESSREVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "localsubjectaccessreviews",
    "LocalSubjectAccessReview",
    namespaced=True,
    singular="localsubjectaccessreview",
    verbs=_VERBS,
)
SELFSUBJECTRULESREVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    namespaced=False,
    singular="selfsubjectrulesreview",
    verbs=_VERBS,
)
