"""The table of built-in kinds that Roadbed's API server serves today.

Read once by the API server at start. The generated data covers more of Kubernetes than this: a kind is
served when its semantics are, and then gets a line here.
"""

from roadbed.apimachinery.gvk import Resource
from roadbed.apis import (
    apiextensions,
    authentication,
    authorization,
    coordination,
    core,
    events,
    rbac,
    review,
)

SERVED: tuple[Resource, ...] = (
    core.NAMESPACES,
    core.CONFIGMAPS,
    core.SECRETS,
    core.SERVICEACCOUNTS,
    core.EVENTS,
    events.EVENTS,
    rbac.ROLES,
    rbac.ROLEBINDINGS,
    rbac.CLUSTERROLES,
    rbac.CLUSTERROLEBINDINGS,
    coordination.LEASES,
    apiextensions.CUSTOMRESOURCEDEFINITIONS,
    authorization.SUBJECTACCESSREVIEWS,
    authorization.SELFSUBJECTACCESSREVIEWS,
    authorization.LOCALSUBJECTACCESSREVIEWS,
    authorization.SELFSUBJECTRULESREVIEWS,
    authentication.TOKENREVIEWS,
    authentication.SELFSUBJECTREVIEWS,
    review.PORTALSESSIONS,
)
