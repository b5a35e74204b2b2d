"""The task that keeps one local APIService for each group version that is served.

``ApiServer.register_groups`` makes it; the server runs it as the system user from its start to its end. It hears of
definitions and of removed APIServices, and then looks at all of them once. What it made carries a label, and nothing
else is touched. What was removed by hand comes back; a refused write is tried again after a while. It decides
nothing: requests are answered from the registry.

Source: k8s.io/kubernetes/pkg/controlplane/apiserver/aggregator.go and .../controller/crdregistration, k8s.io/kube-aggregator
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final

import orjson

from roadbed.apimachinery.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import ApiRequest, Object
from roadbed.apiserver.registry import Registry
from roadbed.apiserver.watchcache import Hub
from roadbed.storage import Event

logger = logging.getLogger(__name__)

GROUP: Final = "apiregistration.k8s.io"
LABEL: Final = "kube-aggregator.kubernetes.io/automanaged"
SETTLE_S = 0.2  # after the start: it has more urgent writes
RETRY_S = 30.0
_HOMES: Final = (f"/{GROUP}/apiservices/", "/apiextensions.k8s.io/customresourcedefinitions/")
# Priority of the group, and of its versions; discovery lists the highest first.
_BUILT_IN: Final[Mapping[str, tuple[int, Mapping[str, int]]]] = {
    "": (18_000, {"v1": 1}),
    "apps": (17_800, {}),
    "events.k8s.io": (17_750, {}),
    "authentication.k8s.io": (17_700, {}),
    "authorization.k8s.io": (17_600, {}),
    "autoscaling": (17_500, {"v2": 30}),
    "batch": (17_400, {}),
    "certificates.k8s.io": (17_300, {}),
    "networking.k8s.io": (17_200, {}),
    "policy": (17_100, {}),
    "rbac.authorization.k8s.io": (17_000, {}),
    "storage.k8s.io": (16_800, {}),
    "apiextensions.k8s.io": (16_700, {}),
    "admissionregistration.k8s.io": (16_700, {"v1beta1": 12}),
    "scheduling.k8s.io": (16_600, {}),
    "coordination.k8s.io": (16_500, {}),
    "node.k8s.io": (16_300, {}),
    "discovery.k8s.io": (16_200, {}),
    "resource.k8s.io": (16_200, {"v1": 21}),
    "flowcontrol.apiserver.k8s.io": (16_100, {"v1": 21}),
}
_OURS: Final = (15_000, 15)  # of a built-in group that Kubernetes does not have
_VERSION: Final = 15
_CUSTOM: Final = (1_000, 100)


class Registrations:
    """The task; ``reviews`` gives the kinds that are answered and so not in the registry."""

    def __init__(self, registry: Registry, hub: Hub, reviews: Callable[[], Iterable[Resource]]) -> None:
        self._registry = registry
        self._hub = hub
        self._reviews = reviews

    async def run(self, system: Any) -> None:
        """Write until cancelled; ``system`` is a transport with every right."""
        wake = asyncio.Event()

        def observe(event: Event) -> None:
            if event.is_delete or event.key.startswith(_HOMES[1]):
                wake.set()

        for home in _HOMES:
            self._hub.observe(home, observe)
        await asyncio.sleep(SETTLE_S)
        while True:
            wake.clear()
            is_done = await self._round(system)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if is_done else RETRY_S):
                    await wake.wait()

    async def _round(self, system: Any) -> bool:
        """Bring every APIService about; says whether all writes were taken."""
        served = self._registry.find(GROUP, "v1", "apiservices")
        if served is None:
            return True
        wanted = self._wanted()
        writes: list[Coroutine[None, None, bool]] = []
        for entry in list(served.cache.entries()):
            live = orjson.loads(entry.value)
            name = live["metadata"]["name"]
            obj = wanted.pop(name, None)
            if obj is None:
                if (live["metadata"].get("labels") or {}).get(LABEL):
                    writes.append(_write(system, ApiRequest.on("delete", served.resource, name=name)))
            elif live.get("spec") != obj["spec"]:
                body = {**live, "spec": obj["spec"]}
                writes.append(_write(system, ApiRequest.on("update", served.resource, name=name, body=body)))
        options = {"fieldManager": "apiserver"}
        for obj in wanted.values():
            request = ApiRequest.on("create", served.resource, body=obj, options=options)
            writes.append(_write(system, request))
        return all(await asyncio.gather(*writes))  # together, so that the store commits them together

    def _wanted(self) -> dict[str, Object]:
        """Give the objects by name."""
        custom = {
            (each.resource.group, each.resource.version): each.is_custom for each in self._registry.all()
        }
        reviews = {(each.group, each.version): False for each in self._reviews()}
        versions = {**reviews, **custom}
        return {
            f"{version}.{group}": _object(group, version, is_custom=is_custom)
            for (group, version), is_custom in sorted(versions.items())
            if group != GROUP
        }


def _object(group: str, version: str, *, is_custom: bool) -> Object:
    if is_custom:
        of_group, of_version = _CUSTOM
    elif group in _BUILT_IN:
        of_group, told = _BUILT_IN[group]
        of_version = told.get(version, _VERSION)
    else:
        of_group, of_version = _OURS
    spec: Object = {"group": group} if group else {}
    spec |= {"version": version, "groupPriorityMinimum": of_group, "versionPriority": of_version}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "APIService",
        "metadata": {
            "name": f"{version}.{group}",
            "labels": {LABEL: "true" if is_custom else "onstart"},
        },
        "spec": spec,
    }


async def _write(system: Any, request: ApiRequest) -> bool:
    """Write once; says whether that needs no second try."""
    try:
        await system.call(request)
    except (AlreadyExistsError, NotFoundError):
        return True  # somebody was faster
    except ConflictError:
        return False
    except ApiError as error:
        logger.warning(
            "cannot register group version",
            extra={"verb": request.verb, "apiservice": request.name, "why": error.message},
        )
        return False
    return True
