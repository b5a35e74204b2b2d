"""The roles and bindings that exist from the first start: Kubernetes' own, and those of our engines.

Kubernetes' own are all that the real API server makes (``roadbed.apis.kubernetes.defaults``), so that
kube-controller-manager, kube-scheduler and whatever else counts on them works beside the platform. The API server
creates what is absent when it starts, before it serves anybody; what an operator changed stays changed, and gets
what a newer start brings unless its annotation ``rbac.authorization.kubernetes.io/autoupdate`` is
``false``. Roles that a plugin needs beyond these are objects like any other, with the label
``rbac.roadbed.dev/aggregate-to-<engine>: "true"`` to reach an engine.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from roadbed.apimachinery.objects import annotations_of
from roadbed.apimachinery.request import Object
from roadbed.apis import kubernetes

from . import policyobjects as make
from .authz import GROUP
from .policyobjects import AUTOUPDATE, READ, WRITE

ADMINS = "roadbed:admins"
"""The group of people who may do everything; unlike ``system:masters`` it is a role's doing and can be taken."""
PORTAL = "system:portal"
"""The user as which the portal works when it acts for nobody in particular."""
AGGREGATION = "system:controller:clusterrole-aggregation-controller"
"""The user, and its role, who writes the rules of aggregated ClusterRoles; no other may escalate."""

_AUTOUPDATE_FLOW = "apf.kubernetes.io/autoupdate-spec"

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
    """Give the roles and bindings to create where they are absent, roles first, and the priority classes."""
    bindings = [
        make.binding("roadbed:admins", "cluster-admin", groups=(ADMINS,)),
        make.binding("roadbed:basic-user", "roadbed:basic-user", groups=("system:authenticated",)),
        make.binding("system:portal", "system:portal", user=PORTAL),
        make.binding("roadbed:clusterrole-aggregation", AGGREGATION, user=AGGREGATION),
        *(
            make.binding(f"system:engine:{name}", f"system:engine:{name}", user=f"system:engine:{name}")
            for name in _ENGINES
        ),
    ]
    return [*kubernetes.defaults(), *_platform_roles(), *bindings]


def service() -> Object:
    """Give the service that stands for this server in a cluster: clients ask whether it is there, none calls it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": "10.0.0.1",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }


def brought_up_to_date(stored: Object, ours: Object) -> Object:
    """Give what a stored object becomes at the start of a newer Roadbed: definitions ours, roles ours and theirs.

    It is ``stored`` itself where nothing changes.
    """
    if "spec" in ours:
        if annotations_of(stored).get(_AUTOUPDATE_FLOW) == "false":
            return stored
        return {**stored, "spec": ours["spec"]}
    if "data" in ours:
        return stored if stored.get("data") == ours["data"] else {**stored, "data": ours["data"]}
    if annotations_of(stored).get(AUTOUPDATE) == "false":
        return stored
    for part in ("rules", "subjects"):
        kept = list(stored.get(part) or ())
        missing = [each for each in ours.get(part) or () if each not in kept]
        if missing:
            stored = {**stored, part: [*kept, *missing]}
    return stored


def _platform_roles() -> list[Object]:
    """Give what Roadbed adds: what every user may ask, how roles reach managed resources, the portal."""
    impersonation = [
        make.rule(("impersonate",), "", "users", "groups", "serviceaccounts"),
        make.rule(("impersonate",), "authentication.k8s.io", "*"),  # uids and userextras of any key
        make.rule(
            ("create",), "authentication.k8s.io", "tokenreviews"
        ),  # people sign in with tokens of theirs
    ]
    projected = [
        make.rule(READ, "catalog.roadbed.dev", "*"),
        make.rule(("update", "patch"), "catalog.roadbed.dev", "*/status"),
        make.rule(READ, _CROSSPLANE, "*"),
        make.rule(READ, "apiextensions.k8s.io", "customresourcedefinitions"),
        make.rule(READ, "", "namespaces"),
        make.rule(("create", "patch", "update"), _EVENTS, "events"),
        # Whether someone may point a Source at a folder of this machine is asked before it is stored.
        make.rule(("create",), "authorization.k8s.io", "subjectaccessreviews"),
    ]
    managed = [make.rule(READ, _AWS, "*")]
    questions = [
        make.rule(("create",), "authorization.k8s.io", "selfsubjectaccessreviews", "subjectaccessreviews"),
        make.rule(("create",), "authentication.k8s.io", "tokenreviews"),
    ]
    # What is offered is no secret: schemas are in the OpenAPI documents that everybody may read.
    offers = [
        make.rule(READ, "apiextensions.crossplane.io", "compositeresourcedefinitions"),
        make.rule(READ, "apiextensions.k8s.io", "customresourcedefinitions"),
    ]
    seen = [make.rule(READ, (*_AWS, *_CROSSPLANE, "catalog.roadbed.dev", "backstage.io"), "*")]
    return [
        make.role("roadbed:basic-user", make.rule(("create",), _REVIEWS, "portalsessions"), *offers),
        make.role("roadbed:aggregate-to-view", *seen, part_of=f"{_AGGREGATE}view"),
        make.role("roadbed:aggregate-to-edit", make.rule(WRITE, _AWS, "*"), part_of=f"{_AGGREGATE}edit"),
        make.role("system:portal", *impersonation, *projected, *managed, *questions),
        *_crossplane_roles(),
        *(role for name, rules in _engine_rules().items() for role in _engine(name, rules)),
    ]


def _crossplane_roles() -> list[Object]:
    """Give the roles that Crossplane's chart installs for people, so that bindings to them work here as well.

    They hold what its built-in kinds need, and collect a role for each kind that a definition defines. Nobody is
    bound to them: Crossplane's group ``crossplane:masters`` is nobody's here.
    """
    events, bindings = make.rule(READ, "", "events"), ("clusterrolebindings", "rolebindings")
    rules = {
        "admin": [
            events,
            make.rule(("*",), "", "secrets", "namespaces"),
            make.rule(READ, GROUP, "clusterroles", "roles"),
            make.rule(("*",), GROUP, *bindings),
            make.rule(("*",), _CROSSPLANE, "*"),
            make.rule(READ, "apiextensions.k8s.io", "customresourcedefinitions"),
        ],
        "edit": [
            events,
            make.rule(("*",), "", "secrets"),
            make.rule(READ, "", "namespaces"),
            make.rule(("*",), _CROSSPLANE, "*"),
        ],
        "view": [events, make.rule(READ, "", "namespaces"), make.rule(READ, _CROSSPLANE, "*")],
        "browse": [events, make.rule(READ, _CROSSPLANE[0], "*")],
    }
    label = "rbac.crossplane.io/aggregate-to-"
    return [
        role
        for word, own in rules.items()
        for role in (
            make.aggregate(f"crossplane-{word}", f"{label}{word}"),
            make.role(f"crossplane:aggregate-to-{word}", *own, part_of=f"{label}{word}"),
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
    events = make.rule(("create", "patch", "update"), _EVENTS, "events")
    lease = make.rule(("get", "create", "update", "patch"), "coordination.k8s.io", "leases")
    discovery = make.paths(
        ("get",), "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/version"
    )
    shared = [
        events,
        lease,
        discovery,
        make.rule(("create",), "authorization.k8s.io", "selfsubjectaccessreviews"),
    ]
    changes = ("create", "update", "patch", "delete")
    return {
        "core": [
            *shared,
            make.rule((*READ, "patch", "update", "delete", "deletecollection"), "*", "*"),
            make.rule(("update", "patch"), "", "namespaces/finalize", "namespaces/status"),
            make.rule(("create",), "", "serviceaccounts", "configmaps"),
        ],
        "composition": [*shared, make.rule((*READ, *WRITE), "*", "*")],
        "providers": [
            *shared,
            make.rule((*READ, *changes), _AWS, "*"),
            make.rule((*READ, *changes), "", "secrets"),
            make.rule(READ, "", "namespaces", "configmaps"),
            make.rule(READ, "apiextensions.k8s.io", "customresourcedefinitions"),
            make.rule(READ, _CROSSPLANE, "*"),
        ],
    }


def _engine(name: str, rules: Sequence[Object]) -> list[Object]:
    """Give an engine's role, open to what plugins add, and the role with our own rules in it."""
    label = f"{_ENGINE_AGGREGATE}{name}"
    return [
        make.aggregate(f"system:engine:{name}", label),
        make.role(f"system:engine:{name}:own", *rules, part_of=label),
    ]
