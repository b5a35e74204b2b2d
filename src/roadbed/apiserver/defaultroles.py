"""The roles and bindings that Kubernetes brings itself, as far as a control plane without nodes has use for them.

Left out are the roles of nodes, of the scheduler, and of the single controllers of kube-controller-manager, whose work
the platform's own engines do. A test holds every role here to the recorded one of the real API server.

Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go
"""

from __future__ import annotations

from typing import Final

from roadbed.apimachinery.request import Object

from . import policyobjects as make
from .authz import GROUP
from .policyobjects import READ, WRITE

_AGGREGATE: Final = f"{GROUP}/aggregate-to-"
_EVENTS: Final = ("", "events.k8s.io")
_ANYBODY: Final = ("system:authenticated", "system:unauthenticated")
_ACCOUNTS: Final = ("serviceaccounts", "secrets")
# Written and read alike; what is only read, or only written, is beside them.
_CORE: Final = (
    "configmaps",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "replicationcontrollers/scale",
)
_APPS: Final = ("daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale")
_SETS: Final = ("statefulsets", "statefulsets/scale")
_INTO_PODS: Final = ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy")
# The group that such kinds were in until Kubernetes 1.16; real roles name it to this day.
_OLD: Final = (*_APPS, "ingresses", "networkpolicies", "replicationcontrollers/scale")


def roles() -> list[Object]:
    """Give the roles."""
    health = ("/livez", "/readyz", "/healthz")
    version = ("/version", "/version/")
    discovery = (*health, *version, "/openapi", "/openapi/*", "/api", "/api/*", "/apis", "/apis/*")
    below = tuple(f"{path}/*" for path in health)
    oidc = ("/.well-known/openid-configuration", "/openid/v1/jwks")
    reviews = (
        make.rule(("create",), "authentication.k8s.io", "tokenreviews"),
        make.rule(("create",), "authorization.k8s.io", "subjectaccessreviews"),
    )
    return [
        make.role("cluster-admin", make.rule(("*",), "*", "*"), make.paths(("*",), "*")),
        make.role("system:discovery", make.paths(("get",), *discovery)),
        make.role(
            "system:monitoring",
            make.paths(("get",), "/metrics", "/metrics/slis", *health, *below),
            make.rule(("get",), "", "nodes/metrics"),
        ),
        make.role(
            "system:basic-user",
            make.rule(
                ("create",), "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"
            ),
            make.rule(("create",), "authentication.k8s.io", "selfsubjectreviews"),
        ),
        make.role("system:public-info-viewer", make.paths(("get",), *health, *version)),
        make.role(
            "system:service-account-issuer-discovery",
            make.paths(("get",), *oidc, *(f"{path}/" for path in oidc)),
        ),
        make.role("system:auth-delegator", *reviews),
        make.role("system:kube-aggregator", make.rule(READ, "", "services", "endpoints")),
        make.role("system:kube-controller-manager", *_manager(), *reviews),
        make.role(
            "extension-apiserver-authentication-reader",
            make.rule(READ, "", "configmaps", names=("extension-apiserver-authentication",)),
            namespace="kube-system",
        ),
        make.aggregate("admin", f"{_AGGREGATE}admin"),
        make.aggregate("edit", f"{_AGGREGATE}edit", part_of=f"{_AGGREGATE}admin"),
        make.aggregate("view", f"{_AGGREGATE}view", part_of=f"{_AGGREGATE}edit"),
        make.role("system:aggregate-to-admin", *_admin(), part_of=f"{_AGGREGATE}admin"),
        make.role("system:aggregate-to-edit", *_edit(), part_of=f"{_AGGREGATE}edit"),
        make.role("system:aggregate-to-view", *_view(), part_of=f"{_AGGREGATE}view"),
    ]


def bindings() -> list[Object]:
    """Give who has them from the first start."""
    signed_in = ("system:authenticated",)
    manager, issuer = "system:kube-controller-manager", "system:service-account-issuer-discovery"
    return [
        make.binding("cluster-admin", "cluster-admin", groups=("system:masters",)),
        make.binding("system:discovery", "system:discovery", groups=signed_in),
        make.binding("system:basic-user", "system:basic-user", groups=signed_in),
        make.binding("system:public-info-viewer", "system:public-info-viewer", groups=_ANYBODY),
        make.binding("system:monitoring", "system:monitoring", groups=("system:monitoring",)),
        make.binding(issuer, issuer, groups=("system:serviceaccounts",)),
        make.binding(manager, manager, user=manager),
    ]


def _admin() -> list[Object]:
    return [
        make.rule(("create",), "authorization.k8s.io", "localsubjectaccessreviews"),
        make.rule((*READ, *WRITE), GROUP, "roles", "rolebindings"),
    ]


def _edit() -> list[Object]:
    return [
        make.rule(READ, "", *_INTO_PODS, "secrets", "services/proxy"),
        make.rule(("impersonate",), "", "serviceaccounts"),
        make.rule(WRITE, "", "pods", *_INTO_PODS),
        make.rule(("create",), "", "pods/eviction"),
        make.rule(WRITE, "", *_CORE, *_ACCOUNTS, "services", "services/proxy"),
        make.rule(("create",), "", "serviceaccounts/token"),
        make.rule(WRITE, _EVENTS, "events"),
        make.rule(WRITE, "apps", *_APPS, *_SETS, "deployments/rollback"),
        make.rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
        make.rule(WRITE, "batch", "cronjobs", "jobs"),
        make.rule(WRITE, "extensions", *_OLD, "deployments/rollback"),
        make.rule(WRITE, "policy", "poddisruptionbudgets"),
        make.rule(WRITE, "networking.k8s.io", "ingresses", "networkpolicies"),
        make.rule((*READ, *WRITE), "coordination.k8s.io", "leases"),
        make.rule(WRITE, "resource.k8s.io", "resourceclaims", "resourceclaimtemplates"),
    ]


def _view() -> list[Object]:
    sets = ("daemonsets/status", "deployments/status", "replicasets/status")
    return [
        make.rule(
            READ,
            "",
            *_CORE,
            "endpoints",
            "persistentvolumeclaims/status",
            "pods",
            "serviceaccounts",
            "services",
            "services/status",
        ),
        make.rule(
            READ,
            "",
            "bindings",
            "limitranges",
            "namespaces/status",
            "pods/log",
            "pods/status",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
        ),
        make.rule(READ, "", "namespaces"),
        make.rule(READ, _EVENTS, "events"),
        make.rule(READ, "discovery.k8s.io", "endpointslices"),
        make.rule(READ, "apps", *_APPS, *_SETS, *sets, "statefulsets/status", "controllerrevisions"),
        make.rule(READ, "autoscaling", "horizontalpodautoscalers", "horizontalpodautoscalers/status"),
        make.rule(READ, "batch", "cronjobs", "cronjobs/status", "jobs", "jobs/status"),
        make.rule(READ, "extensions", *_OLD, *sets, "ingresses/status"),
        make.rule(READ, "policy", "poddisruptionbudgets", "poddisruptionbudgets/status"),
        make.rule(READ, "networking.k8s.io", "ingresses", "ingresses/status", "networkpolicies"),
        make.rule(
            READ, "resource.k8s.io", "resourceclaims", "resourceclaims/status", "resourceclaimtemplates"
        ),
    ]


def _manager() -> list[Object]:
    """Give what a kube-controller-manager beside the platform needs before it uses accounts of its own."""
    return [
        make.rule(("create", "patch", "update"), _EVENTS, "events"),
        make.rule(("create",), "coordination.k8s.io", "leases"),
        make.rule(("get", "update"), "coordination.k8s.io", "leases", names=("kube-controller-manager",)),
        make.rule(("create",), "", *_ACCOUNTS),
        make.rule(("delete",), "", "secrets"),
        make.rule(("get",), "", "configmaps", "namespaces", *_ACCOUNTS),
        make.rule(("update",), "", *_ACCOUNTS),
        make.rule(("list", "watch"), "*", "*"),
        make.rule(("create",), "", "serviceaccounts/token"),
    ]
