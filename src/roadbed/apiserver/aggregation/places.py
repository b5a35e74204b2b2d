"""Where a Service is that an APIService names: no pods run here, but servers may run elsewhere.

In this order: an address that the server was told (``--webhook-service``), the external name of the Service, the ready
addresses of its EndpointSlices. ``Nowhere`` says, in Kubernetes' words, why there is none. Reads the watch caches only.

Source: k8s.io/apiserver/pkg/util/proxy and k8s.io/kube-aggregator/pkg/controllers/status/remote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from roadbed.apimachinery.request import Object
from roadbed.apiserver.registry import Registry

from .remotes import Remote

_SLICES = ("discovery.k8s.io", "v1", "endpointslices")


class Nowhere(Exception):  # noqa: N818 - a fact about a Service, not a failure
    """There is no address; ``reason`` is that of the condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Places:
    """Gives addresses; ``told`` maps ``namespace/name`` or ``namespace/name:port`` to ``host:port``."""

    def __init__(self, registry: Registry, told: Mapping[str, str]) -> None:
        self._registry = registry
        self._told = told

    def of(self, remote: Remote) -> list[tuple[str, int]]:
        """Give hosts with ports, to be tried in this order.

        Raises:
            Nowhere: there is none.
        """
        name = f"{remote.namespace}/{remote.service}"
        known = self._told.get(f"{name}:{remote.port}") or self._told.get(name)
        if known is not None:
            host, _, port = known.rpartition(":")
            return [(host.strip("[]"), int(port))]
        service = self._service(remote)
        shown = f'service/{remote.service} in "{remote.namespace}"'
        if service is None:
            raise Nowhere("ServiceNotFound", f"{shown} is not present")
        spec = service.get("spec") or {}
        if spec.get("type") == "ExternalName":
            return [(str(spec.get("externalName") or ""), remote.port)]
        port_name = _port_name(spec, remote.port)
        if port_name is None:
            raise Nowhere("ServicePortError", f"{shown} is not listening on port {remote.port}")
        slices = list(self._slices(remote))
        if not slices:
            raise Nowhere("EndpointsNotFound", f"cannot find endpointslices for {shown}")
        found = [place for each in slices for place in _ready(each, port_name)]
        if not found:
            message = f'endpointslices for {shown} have no addresses with port name "{port_name}"'
            raise Nowhere("MissingEndpoints", message)
        return found

    def _service(self, remote: Remote) -> Object | None:
        entry = self._registry.get("", "v1", "services").cache.get(f"{remote.namespace}/{remote.service}")
        found: Object | None = None if entry is None else orjson.loads(entry.value)
        return found

    def _slices(self, remote: Remote) -> Iterable[Object]:
        for entry in self._registry.get(*_SLICES).cache.entries(remote.namespace):
            if entry.labels.get("kubernetes.io/service-name") == remote.service:
                yield orjson.loads(entry.value)


def _port_name(spec: Mapping[str, Any], port: int) -> str | None:
    for each in spec.get("ports") or ():
        if each.get("port") == port:
            return str(each.get("name") or "")
    return None


def _ready(found: Object, port_name: str) -> Iterable[tuple[str, int]]:
    ports = [
        each["port"]
        for each in found.get("ports") or ()
        if (each.get("name") or "") == port_name and each.get("port")
    ]
    for endpoint in found.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            yield from (
                (str(address), int(port)) for address in endpoint.get("addresses") or () for port in ports
            )
