"""What every namespace has from its first moment: the ServiceAccount ``default`` and the ConfigMap of the root CA.

One controller over namespaces; a change or removal of either object is another look. Objects of other names are not
looked at. Without a CA to publish (``root-ca`` of the engine's settings) only the ServiceAccount is kept.

Source: k8s.io/kubernetes/pkg/controller/serviceaccount, k8s.io/kubernetes/pkg/controller/certificates/rootcacertpublisher
"""

from __future__ import annotations

from collections.abc import Iterable

from roadbed.apimachinery.errors import AlreadyExistsError, ForbiddenError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import ObjectKey, is_terminating, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apis.core import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS
from roadbed.client import Client
from roadbed.controller import Controller, Manager, Request, Result, Watch

ACCOUNT = "default"
ROOT_CA = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of "
    "Kubernetes clusters."
)


class NamespaceFurnisher:
    """Puts into every namespace what clients expect to find there."""

    def __init__(self, client: Client, manager: Manager, root_ca: str) -> None:
        self._client = client
        self._manager = manager
        self._root_ca = root_ca

    def controller(self) -> Controller:
        """Give the controller that runs this."""
        watches = [Watch(NAMESPACES), _watch(SERVICEACCOUNTS, ACCOUNT)]
        if self._root_ca:
            watches.append(_watch(CONFIGMAPS, ROOT_CA))
        return Controller("namespace-furnisher", self, watches, workers=2)

    async def reconcile(self, request: Request) -> Result:
        """Bring one namespace's two objects about."""
        informers, name = self._manager.informers, request.name
        namespace = informers.of(NAMESPACES).get(ObjectKey("", name))
        if namespace is None or is_terminating(namespace):
            return Result()
        try:
            if informers.of(SERVICEACCOUNTS).get(ObjectKey(name, ACCOUNT)) is None:
                await self._client.create(SERVICEACCOUNTS, _object("ServiceAccount", name, ACCOUNT))
        except AlreadyExistsError:
            pass  # the informer is a moment behind
        except (ForbiddenError, NotFoundError):
            return Result()  # the namespace went meanwhile
        if self._root_ca:
            await self._publish(name)
        return Result()

    async def _publish(self, namespace: str) -> None:
        wanted = _object("ConfigMap", namespace, ROOT_CA)
        wanted["metadata"]["annotations"] = {"kubernetes.io/description": _DESCRIPTION}
        wanted["data"] = {"ca.crt": self._root_ca}
        live = self._manager.informers.of(CONFIGMAPS).get(ObjectKey(namespace, ROOT_CA))
        try:
            if live is None:
                await self._client.create(CONFIGMAPS, wanted)
            elif live.get("data") != wanted["data"]:
                meta = {**live["metadata"], "annotations": wanted["metadata"]["annotations"]}
                await self._client.update(CONFIGMAPS, {**live, "metadata": meta, "data": wanted["data"]})
        except (AlreadyExistsError, ForbiddenError, NotFoundError):
            return  # another look is on its way, or the namespace is on its way out


def _watch(resource: Resource, name: str) -> Watch:
    def in_namespace(obj: Object) -> Iterable[Request]:
        yield Request("", namespace_of(obj))

    def is_named(old: Object | None, new: Object | None) -> bool:
        return name_of(new or old or {"metadata": {}}) == name

    return Watch(resource, in_namespace, is_named)


def _object(kind: str, namespace: str, name: str) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}
