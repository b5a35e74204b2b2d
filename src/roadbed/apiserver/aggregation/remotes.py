"""Which group versions another server answers, as the stored APIServices say.

``Aggregation`` makes one table for its server. It hears of every committed APIService before its writer's request
returns, and a change makes discovery anew. What a server told of itself (its kinds, its OpenAPI) is kept with its
entry until the next look. Only reads; whom to believe is decided by ``keeper``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from roadbed.apimachinery.conditions import is_true
from roadbed.apimachinery.request import Object
from roadbed.apiserver.registry import Registry
from roadbed.apiserver.watchcache import Hub
from roadbed.storage import Event

GROUP: Final = "apiregistration.k8s.io"
HOME: Final = f"/{GROUP}/apiservices/"
PORT: Final = 443


@dataclass(slots=True)
class Remote:
    """One group version of another server. ``kinds`` and ``documents`` are what it last told of itself."""

    name: str  # of the APIService
    group: str
    version: str
    service: str
    namespace: str
    port: int
    ca_pem: str
    is_trusted_blindly: bool
    is_available: bool = False
    kinds: Sequence[Mapping[str, Any]] = ()  # an APIResourceList's
    documents: Mapping[str, str] = field(default_factory=dict)  # OpenAPI v3: address by name

    @property
    def host(self) -> str:
        """The name that the server's certificate bears."""
        return f"{self.service}.{self.namespace}.svc"

    @property
    def path(self) -> str:
        """Where its group version is."""
        return f"/apis/{self.group}/{self.version}"


class Remotes:
    """The table; ``find`` is asked for every request once there is an entry."""

    def __init__(self, registry: Registry, hub: Hub) -> None:
        self._registry = registry
        self._hub = hub
        self._found: dict[tuple[str, str], Remote] = {}

    def start(self) -> None:
        """Read what is stored and follow what comes."""
        for record in self._hub.storage.scan(HOME):
            self._take(record.value)
        self._hub.observe(HOME, self._observe)

    def __bool__(self) -> bool:
        return bool(self._found)

    def find(self, group: str, version: str) -> Remote | None:
        """Give who answers a group version, None where this server does, or nobody."""
        return self._found.get((group, version))

    def all(self) -> Iterable[Remote]:
        """Give every entry."""
        return tuple(self._found.values())

    def told(self, remote: Remote, kinds: Sequence[Mapping[str, Any]], documents: Mapping[str, str]) -> None:
        """Keep what a server told of itself; discovery is made anew where it is something else."""
        if (remote.kinds, remote.documents) != (kinds, documents):
            remote.kinds, remote.documents = kinds, documents
            self._registry.generation += 1

    def _observe(self, event: Event) -> None:
        if event.is_delete:
            spec = orjson.loads(event.value)["spec"]
            self._drop((str(spec.get("group") or ""), str(spec["version"])))
        else:
            self._take(event.value)

    def _take(self, value: bytes) -> None:
        obj = orjson.loads(value)
        spec = obj["spec"]
        key = (str(spec.get("group") or ""), str(spec["version"]))
        if not spec.get("service") or not key[0]:
            self._drop(key)
            return
        fresh, before = _remote(obj), self._found.get(key)
        if before is not None:
            fresh.kinds, fresh.documents = before.kinds, before.documents
        if fresh != before:
            self._found[key] = fresh
            self._registry.generation += 1

    def _drop(self, key: tuple[str, str]) -> None:
        if self._found.pop(key, None) is not None:
            self._registry.generation += 1


def _remote(obj: Object) -> Remote:
    spec, service = obj["spec"], obj["spec"]["service"]
    return Remote(
        name=obj["metadata"]["name"],
        group=spec["group"],
        version=spec["version"],
        service=str(service.get("name") or ""),
        namespace=str(service.get("namespace") or ""),
        port=int(service.get("port") or PORT),
        ca_pem=_pem(spec.get("caBundle")),
        is_trusted_blindly=bool(spec.get("insecureSkipTLSVerify")),
        is_available=is_true(obj, "Available"),
    )


def _pem(bundle: Any) -> str:
    try:
        return base64.b64decode(str(bundle or ""), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return "-"  # no certificate: nobody is trusted
