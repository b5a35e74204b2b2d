"""The roles and bindings that exist from the first start: Kubernetes' own, and those of our engines.

The API server creates what is absent when it starts, before it serves anybody; what an operator changed stays
changed (annotation ``rbac.authorization.kubernetes.io/autoupdate`` as in Kubernetes is
not acted on). Roles that a plugin needs beyond these are objects like any other, with the label
``rbac.roadbed.dev/aggregate-to-<engine>: "true"`` to reach an engine.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roadbed.apimachinery.objects import annotations_of
from roadbed.apimachinery.request import Object

from .authz import GROUP

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")
ADMINS = "roadbed:admins"
"""The group of people who may do everything; unlike ``system:masters`` it is a role's doing and can be taken."""
PORTAL = "system:portal"
"""The user as which the portal works when it acts for nobody in particular."""

AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"

_AUTOUPDATE_FLOW = "apf.kubernetes.io/autoupdate-spec"

_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AGGREGATE = f"{GROUP}/aggregate-to-"
_ENGINE_AGGREGATE = "rbac.roadbed.dev/aggregate-to-"
_EVENTS = ("", "events.k8s.io")
_REVIEWS = "review.roadbed.dev"
_CROSSPLANE = (
    "apiextensions.crossplane.io",
    "pkg.crossplane.io",
    "protection.crossplane.io",
    "ops.crossplane.io",
)
_AWS = tuple(
    f"{service}aws{scope}.upbound.io"
    for scope in (".m", "")
    for service in ("", "ec2.", "iam.", "rds.", "s3.")
)


def policy() -> list[Object]:
    """Give the ClusterRoles and ClusterRoleBindings to create where they are absent, roles first."""
    roles = [*_kubernetes_roles(), *_platform_roles()]
    bindings = [
        _binding("cluster-admin", "cluster-admin", group="system:masters"),
        _binding("system:discovery", "system:discovery", group="system:authenticated"),
        _binding("system:basic-user", "system:basic-user", group="system:authenticated"),
        _viewers(),
        _binding("system:monitoring", "system:monitoring", group="system:monitoring"),
        _binding("roadbed:admins", "cluster-admin", group=ADMINS),
        _binding("roadbed:basic-user", "roadbed:basic-user", group="system:authenticated"),
        _binding("system:portal", "system:portal", user=PORTAL),
        *(
            _binding(f"system:engine:{name}", f"system:engine:{name}", user=f"system:engine:{name}")
            for name in _ENGINES
        ),
    ]
    return [*roles, *bindings]


def _viewers() -> Object:
    """Bind the role that shows version and health to everybody, signed in or not."""
    binding = _binding("system:public-info-viewer", "system:public-info-viewer", group="system:authenticated")
    others = {"apiGroup": GROUP, "kind": "Group", "name": "system:unauthenticated"}
    return {**binding, "subjects": [*binding["subjects"], others]}


def brought_up_to_date(stored: Object, ours: Object) -> Object:
    """Give what a stored object becomes at the start of a newer Roadbed: definitions ours, roles ours and theirs."""
    if "spec" in ours:
        if annotations_of(stored).get(_AUTOUPDATE_FLOW) == "false":
            return stored
        return {**stored, "spec": ours["spec"]}
    if "rules" not in ours or annotations_of(stored).get(AUTOUPDATE) == "false":
        return stored
    kept = list(stored.get("rules") or ())
    return {**stored, "rules": [*kept, *(rule for rule in ours["rules"] if rule not in kept)]}


def _kubernetes_roles() -> list[Object]:
    health = ("/livez", "/readyz", "/healthz")
    version = ("/version", "/version/")
    discovery = (*health, *version, "/openapi", "/openapi/*", "/api", "/api/*", "/apis", "/apis/*")
    below = tuple(f"{path}/*" for path in health)
    myself = [
        _rule(("create",), "authorization.k8s.io", "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
        _rule(("create",), "authentication.k8s.io", "selfsubjectreviews"),
    ]
    return [
        _role("cluster-admin", _rule(("*",), "*", "*"), _paths(("*",), "*")),
        _role("system:discovery", _paths(("get",), *discovery)),
        _role("system:monitoring", _paths(("get",), "/metrics", "/metrics/slis", *health, *below)),
        _role("system:basic-user", *myself),
        _role("system:public-info-viewer", _paths(("get",), *health, *version)),
        _aggregate("admin", f"{_AGGREGATE}admin"),
        _aggregate("edit", f"{_AGGREGATE}edit", part_of=f"{_AGGREGATE}admin"),
        _aggregate("view", f"{_AGGREGATE}view", part_of=f"{_AGGREGATE}edit"),
        _role("system:aggregate-to-admin", *_admin_rules(), part_of=f"{_AGGREGATE}admin"),
        _role("system:aggregate-to-edit", *_edit_rules(), part_of=f"{_AGGREGATE}edit"),
        _role("system:aggregate-to-view", *_view_rules(), part_of=f"{_AGGREGATE}view"),
    ]


def _admin_rules() -> list[Object]:
    return [
        _rule(("create",), "authorization.k8s.io", "localsubjectaccessreviews"),
        _rule((*READ, *WRITE), GROUP, "roles", "rolebindings"),
    ]


def _edit_rules() -> list[Object]:
    return [
        _rule(READ, "", "secrets"),
        _rule(("impersonate",), "", "serviceaccounts"),
        _rule(WRITE, "", "configmaps", "secrets", "serviceaccounts"),
        _rule(("create",), "", "serviceaccounts/token"),
        _rule(WRITE, _EVENTS, "events"),
        _rule((*READ, *WRITE), "coordination.k8s.io", "leases"),
    ]


def _view_rules() -> list[Object]:
    return [
        _rule(READ, "", "configmaps", "serviceaccounts", "namespaces", "namespaces/status"),
        _rule(READ, _EVENTS, "events"),
    ]


def _platform_roles() -> list[Object]:
    """Give what Roadbed adds: what every user may ask, how roles reach managed resources, the portal."""
    impersonation = [
        _rule(("impersonate",), "", "users", "groups", "serviceaccounts"),
        _rule(("impersonate",), "authentication.k8s.io", "*"),  # uids and userextras of any key
        _rule(("create",), "authentication.k8s.io", "tokenreviews"),  # people sign in with tokens of theirs
    ]
    projected = [
        _rule(READ, "catalog.roadbed.dev", "*"),
        _rule(("update", "patch"), "catalog.roadbed.dev", "*/status"),
        _rule(READ, _CROSSPLANE, "*"),
        _rule(READ, "apiextensions.k8s.io", "customresourcedefinitions"),
        _rule(READ, "", "namespaces"),
        _rule(("create", "patch", "update"), _EVENTS, "events"),
        # Whether someone may point a Source at a folder of this machine is asked before it is stored.
        _rule(("create",), "authorization.k8s.io", "subjectaccessreviews"),
    ]
    managed = [_rule(READ, _AWS, "*")]
    questions = [
        _rule(("create",), "authorization.k8s.io", "selfsubjectaccessreviews", "subjectaccessreviews"),
        _rule(("create",), "authentication.k8s.io", "tokenreviews"),
    ]
    # What is offered is no secret: schemas are in the OpenAPI documents that everybody may read.
    offers = [
        _rule(READ, "apiextensions.crossplane.io", "compositeresourcedefinitions"),
        _rule(READ, "apiextensions.k8s.io", "customresourcedefinitions"),
    ]
    seen = [_rule(READ, (*_AWS, *_CROSSPLANE, "catalog.roadbed.dev", "backstage.io"), "*")]
    return [
        _role("roadbed:basic-user", _rule(("create",), _REVIEWS, "portalsessions"), *offers),
        _role("roadbed:aggregate-to-view", *seen, part_of=f"{_AGGREGATE}view"),
        _role("roadbed:aggregate-to-edit", _rule(WRITE, _AWS, "*"), part_of=f"{_AGGREGATE}edit"),
        _role("system:portal", *impersonation, *projected, *managed, *questions),
        *_crossplane_roles(),
        *(role for name, rules in _engine_rules().items() for role in _engine(name, rules)),
    ]


def _crossplane_roles() -> list[Object]:
    """Give the roles that Crossplane's chart installs for people, so that bindings to them work here as well.

    They hold what its built-in kinds need, and collect a role for each kind that a definition defines. Nobody is
    bound to them: Crossplane's group ``crossplane:masters`` is nobody's here.
    """
    events, bindings = _rule(READ, "", "events"), ("clusterrolebindings", "rolebindings")
    rules = {
        "admin": [
            events,
            _rule(("*",), "", "secrets", "namespaces"),
            _rule(READ, GROUP, "clusterroles", "roles"),
            _rule(("*",), GROUP, *bindings),
            _rule(("*",), _CROSSPLANE, "*"),
            _rule(READ, "apiextensions.k8s.io", "customresourcedefinitions"),
        ],
        "edit": [
            events,
            _rule(("*",), "", "secrets"),
            _rule(READ, "", "namespaces"),
            _rule(("*",), _CROSSPLANE, "*"),
        ],
        "view": [events, _rule(READ, "", "namespaces"), _rule(READ, _CROSSPLANE, "*")],
        "browse": [events, _rule(READ, _CROSSPLANE[0], "*")],
    }
    label = "rbac.crossplane.io/aggregate-to-"
    return [
        role
        for word, own in rules.items()
        for role in (
            _aggregate(f"crossplane-{word}", f"{label}{word}"),
            _role(f"crossplane:aggregate-to-{word}", *own, part_of=f"{label}{word}"),
        )
    ]


_ENGINES = ("core", "composition", "providers")


def _engine_rules() -> Mapping[str, Sequence[Object]]:
    """Give what each engine may, as narrow as its work allows.

    ``core`` collects garbage of every kind, as Kubernetes' own collector does: it reads, patches owner
    references and finalizers of, and deletes anything, but creates nothing beyond what every namespace has. ``composition`` composes objects of
    any kind that a Composition's author writes down, so it may write all of them; it may neither escalate, bind
    nor impersonate, and who may write a Composition is the real gate. It also gives people rights on the kinds that
    are defined, never more than it has itself, which is why it may delete collections. ``providers`` work on the cloud groups
    listed here (others join by the aggregation label) and on the Secrets that managed resources name.
    """
    events = _rule(("create", "patch", "update"), _EVENTS, "events")
    lease = _rule(("get", "create", "update", "patch"), "coordination.k8s.io", "leases")
    discovery = _paths(("get",), "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/version")
    shared = [
        events,
        lease,
        discovery,
        _rule(("create",), "authorization.k8s.io", "selfsubjectaccessreviews"),
    ]
    changes = ("create", "update", "patch", "delete")
    return {
        "core": [
            *shared,
            _rule((*READ, "patch", "update", "delete", "deletecollection"), "*", "*"),
            _rule(("update", "patch"), "", "namespaces/finalize", "namespaces/status"),
            _rule(("create",), "", "serviceaccounts", "configmaps"),
        ],
        "composition": [*shared, _rule((*READ, *WRITE), "*", "*")],
        "providers": [
            *shared,
            _rule((*READ, *changes), _AWS, "*"),
            _rule((*READ, *changes), "", "secrets"),
            _rule(READ, "", "namespaces", "configmaps"),
            _rule(READ, "apiextensions.k8s.io", "customresourcedefinitions"),
            _rule(READ, _CROSSPLANE, "*"),
        ],
    }


def _engine(name: str, rules: Sequence[Object]) -> list[Object]:
    """Give an engine's role, open to what plugins add, and the role with our own rules in it."""
    label = f"{_ENGINE_AGGREGATE}{name}"
    return [
        _aggregate(f"system:engine:{name}", label),
        _role(f"system:engine:{name}:own", *rules, part_of=label),
    ]


def _role(name: str, *rules: Object, part_of: str = "") -> Object:
    labels = {**_LABELS, part_of: "true"} if part_of else _LABELS
    metadata = {"name": name, "labels": dict(labels)}
    return {"apiVersion": f"{GROUP}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": list(rules)}


def _aggregate(name: str, label: str, part_of: str = "") -> Object:
    selector: dict[str, Any] = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
    return {**_role(name, part_of=part_of), "aggregationRule": selector}


def _binding(name: str, role: str, *, user: str = "", group: str = "") -> Object:
    subject = {"apiGroup": GROUP, "kind": "User" if user else "Group", "name": user or group}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": dict(_LABELS)},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }


def _rule(verbs: Sequence[str], groups: str | Sequence[str], *resources: str) -> Object:
    listed = [groups] if isinstance(groups, str) else list(groups)
    return {"apiGroups": listed, "resources": list(resources), "verbs": list(verbs)}


def _paths(verbs: Sequence[str], *urls: str) -> Object:
    return {"nonResourceURLs": list(urls), "verbs": list(verbs)}
