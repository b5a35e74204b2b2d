"""The kinds of rbac.authorization.k8s.io: who may do what.

Called by whoever needs to name these kinds; the facts are those of Kubernetes' own discovery. Their
schemas are generated data (``roadbed.apis.kubernetes``); there is no code per kind here.
"""

from roadbed.apimachinery.gvk import ALL_VERBS, Resource

__all__ = [
    "CLUSTERROLEBINDINGS",
    "CLUSTERROLES",
    "ROLEBINDINGS",
    "ROLES",
]

ROLES = Resource(
    "rbac.authorization.k8s.io",
    "v1",
    "roles",
    "Role",
    namespaced=True,
    singular="role",
    verbs=ALL_VERBS,
)
ROLEBINDINGS = Resource(
    "rbac.authorization.k8s.io",
    "v1",
    "rolebindings",
    "RoleBinding",
    namespaced=True,
    singular="rolebinding",
    verbs=ALL_VERBS,
)
CLUSTERROLES = Resource(
    "rbac.authorization.k8s.io",
    "v1",
    "clusterroles",
    "ClusterRole",
    namespaced=False,
    singular="clusterrole",
    verbs=ALL_VERBS,
)
CLUSTERROLEBINDINGS = Resource(
    "rbac.authorization.k8s.io",
    "v1",
    "clusterrolebindings",
    "ClusterRoleBinding",
    namespaced=False,
    singular="clusterrolebinding",
    verbs=ALL_VERBS,
)
