"""Writes into aggregated ClusterRoles the rules that they collect, so that whoever reads them sees what they give.

One controller over ClusterRoles: any change of one is another look at all that aggregate. Nobody's rights wait for it,
the API server resolves aggregation itself. It writes as a user of its own, which may escalate ClusterRoles and nothing
else: rights that it spreads are already given, by whoever labelled the role.

Source: k8s.io/kubernetes/pkg/controller/clusterroleaggregation
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import orjson

from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.objects import ObjectKey, labels_of, name_of
from roadbed.apimachinery.request import Object, User
from roadbed.apis.rbac import CLUSTERROLES
from roadbed.client import Client, Informer
from roadbed.controller import Controller, Manager, Request, Result, Watch

USER = User("system:controller:clusterrole-aggregation-controller", ("system:authenticated",))

LABEL = "label"  # the name of an index


class RoleAggregator:
    """Keeps the rules of aggregated ClusterRoles up to date; ``client`` acts as ``USER``."""

    def __init__(self, client: Client, manager: Manager) -> None:
        self._client = client
        self._manager = manager
        # Aggregated roles are large, and every change of any role asks which of them it concerns.
        self._collectors: dict[str, Sequence[Object]] = {}

    def controller(self) -> Controller:
        """Give the controller that runs this."""
        return Controller("role-aggregation", self, [Watch(CLUSTERROLES, self._collecting)], workers=1)

    async def reconcile(self, request: Request) -> Result:
        """Bring one role's rules up to date."""
        role = self._roles().get(ObjectKey("", request.name))
        selectors = _selectors(role or {})
        if role is None or not selectors:
            self._collectors.pop(request.name, None)
            return Result()
        rules: dict[bytes, Object] = {}
        for selector in selectors:
            for other in sorted(self._matching(selector, request.name), key=name_of):
                for rule in other.get("rules") or ():
                    rules.setdefault(orjson.dumps(rule, option=orjson.OPT_SORT_KEYS), rule)
        collected = list(rules.values())
        if collected != (role.get("rules") or []):
            try:
                await self._client.update(CLUSTERROLES, {**role, "rules": collected})
            except NotFoundError:
                return Result()
        return Result()

    def _collecting(self, changed: Object) -> Iterable[Request]:
        # Told of a role's state before and after, so one that lost its label is missed by nobody.
        name, labels = name_of(changed), labels_of(changed)
        if selectors := _selectors(changed):
            self._collectors[name] = selectors
        for collector, selectors in self._collectors.items():
            if collector == name or any(_matches(selector, labels) for selector in selectors):
                yield Request("", collector)

    def _matching(self, selector: Object, name: str) -> Iterable[Object]:
        roles = self._roles()
        # A platform has a few roles for each kind, and one selector wants a few of all these.
        pairs = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
        candidates = roles.by_index(LABEL, pairs[0]) if pairs else roles.list()
        for other in candidates:
            if name_of(other) != name and _matches(selector, labels_of(other)):
                yield other

    def _roles(self) -> Informer:
        roles = self._manager.informers.of(CLUSTERROLES)
        roles.add_index(LABEL, lambda role: [f"{key}={value}" for key, value in labels_of(role).items()])
        return roles  # with its index, which is made only once


def _selectors(role: Object) -> Sequence[Object]:
    selectors: Sequence[Object] = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    return selectors


def _matches(selector: Object, labels: Mapping[str, str]) -> bool:
    try:
        return Selector.of(selector).matches(labels)
    except ApiError:
        return False  # admission lets none in; a store outlives its writers
