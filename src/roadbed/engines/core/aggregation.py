"""Writes into aggregated ClusterRoles the rules that they collect, so that whoever reads them sees what they give.

One controller over ClusterRoles: any change of one is another look at all that aggregate. Nobody's rights wait for it,
the API server resolves aggregation itself. It writes as a user of its own, which may escalate ClusterRoles and nothing
else: rights that it spreads are already given, by whoever labelled the role.

Source: k8s.io/kubernetes/pkg/controller/clusterroleaggregation
"""

from __future__ import annotations

from collections.abc import Iterable

from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.labels import Selector
from roadbed.apimachinery.objects import ObjectKey, labels_of, name_of
from roadbed.apimachinery.request import Object, User
from roadbed.apis.rbac import CLUSTERROLES
from roadbed.client import Client
from roadbed.controller import Controller, Manager, Request, Result, Watch

USER = User("system:controller:clusterrole-aggregation-controller", ("system:authenticated",))


class RoleAggregator:
    """Keeps the rules of aggregated ClusterRoles up to date; ``client`` acts as ``USER``."""

    def __init__(self, client: Client, manager: Manager) -> None:
        self._client = client
        self._manager = manager

    def controller(self) -> Controller:
        """Give the controller that runs this."""
        return Controller("role-aggregation", self, [Watch(CLUSTERROLES, self._aggregated)], workers=1)

    async def reconcile(self, request: Request) -> Result:
        """Bring one role's rules up to date."""
        roles = self._manager.informers.of(CLUSTERROLES)
        role = roles.get(ObjectKey("", request.name))
        selectors = ((role or {}).get("aggregationRule") or {}).get("clusterRoleSelectors")
        if role is None or not selectors:
            return Result()
        rules: list[Object] = []
        for selector in selectors:
            for other in sorted(self._matching(selector, request.name), key=name_of):
                rules += [rule for rule in other.get("rules") or () if rule not in rules]
        if rules != (role.get("rules") or []):
            try:
                await self._client.update(CLUSTERROLES, {**role, "rules": rules})
            except NotFoundError:
                return Result()
        return Result()

    def _aggregated(self, _: Object) -> Iterable[Request]:
        for role in self._manager.informers.of(CLUSTERROLES).list():
            if role.get("aggregationRule"):
                yield Request("", name_of(role))

    def _matching(self, selector: Object, name: str) -> Iterable[Object]:
        try:
            wanted = Selector.of(selector)
        except ApiError:
            return  # admission lets none in; a store outlives its writers
        for other in self._manager.informers.of(CLUSTERROLES).list():
            if name_of(other) != name and wanted.matches(labels_of(other)):
                yield other
