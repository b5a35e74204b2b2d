"""The review kinds of review.roadbed.dev: questions that only Roadbed answers.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import Resource

__all__ = [
    "PORTALSESSIONS",
]

_VERBS = ("create",)  # a question: answered, never stored

PORTALSESSIONS = Resource(
    "review.roadbed.dev",
    "v1alpha1",
    "portalsessions",
    "PortalSession",
    namespaced=False,
    singular="portalsession",
    verbs=_VERBS,
)
