"""Discovery: what is served, aggregated and in the legacy lists, encoded once for each state of the registry.

Asked by ``asgi``; kubectl and controllers ask it before anything else, and again after a miss.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apis.kubernetes import subresource

from .registry import Registry, version_rank

if TYPE_CHECKING:
    from .aggregation import Remote


@dataclass(frozen=True, slots=True)
class Encoded:
    """One document with its ETag."""

    body: bytes
    etag: str


class Discovery:
    """The documents below ``/api`` and ``/apis``."""

    def __init__(self, registry: Registry, reviews: Callable[[], list[Resource]]) -> None:
        self._registry = registry
        self._reviews = reviews
        self._generation = 0
        self._documents: dict[str, Encoded] = {}
        self.elsewhere: Callable[[], Iterable[Remote]] = tuple  # group versions that other servers answer

    def aggregated(self, *, core: bool) -> Encoded:
        """Give all groups in one document: the core group for ``/api``, the others for ``/apis``."""
        groups = [""] if core else [group for group in self._groups() if group]
        return self._document(f"aggregated {core}", lambda: self._aggregate(groups))

    def groups(self) -> Encoded:
        """Give the legacy ``APIGroupList``."""
        return self._document(
            "groups",
            lambda: {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [_group(name, versions) for name, versions in self._groups().items() if name],
            },
        )

    def group(self, name: str) -> Encoded | None:
        """Give one legacy ``APIGroup``, or None where there is no such group."""
        versions = self._groups().get(name)
        if versions is None or not name:
            return None
        return self._document(
            f"group {name}", lambda: {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}
        )

    def core_versions(self) -> Encoded:
        """Give the legacy ``APIVersions`` of the core group."""
        return self._document(
            "core", lambda: {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        )

    def resources(self, group: str, version: str) -> Encoded | None:
        """Give the legacy ``APIResourceList`` of a group version, or None where there is none."""
        if version not in self._groups().get(group, ()):
            return None
        api_version = f"{group}/{version}" if group else version
        found = [each for each in self._all() if (each.group, each.version) == (group, version)]
        return self._document(
            f"resources {api_version}",
            lambda: {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": api_version,
                "resources": [
                    entry for resource in found for entry in _legacy(resource, self._stored_in(resource))
                ],
            },
        )

    def paths(self) -> list[str]:
        """Give the addresses of all groups and versions."""
        found = []
        for group, versions in self._groups().items():
            root = f"/apis/{group}" if group else "/api"
            found += [*([root] if group else ()), *(f"{root}/{version}" for version in versions)]
        return found

    def _stored_in(self, resource: Resource) -> str:
        """Give the version in which a definition stores what it serves in several; built-in kinds tell their own."""
        served = self._registry.find(resource.group, resource.version, resource.plural)
        if served is None or not served.is_custom:
            return f"{resource.group}/{resource.version}"
        return served.storage_version

    def _all(self) -> Iterable[Resource]:
        # Reviews among the kinds of their group, by name, as Kubernetes lists them.
        reviews = sorted(self._reviews(), key=lambda each: (each.group, each.version, each.plural))
        return [*self._registry.resources(), *reviews]

    def _groups(self) -> dict[str, list[str]]:
        """Give the versions of each group, preferred first."""
        found: dict[str, set[str]] = {}
        for resource in self._all():
            found.setdefault(resource.group, set()).add(resource.version)
        for remote in self.elsewhere():
            found.setdefault(remote.group, set()).add(remote.version)
        return {group: sorted(found[group], key=version_rank) for group in sorted(found)}

    def _aggregate(self, groups: list[str]) -> dict[str, Any]:
        by_version: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for resource in self._all():
            by_version.setdefault((resource.group, resource.version), []).append(_aggregated(resource))
        remotes = {(each.group, each.version): each for each in self.elsewhere()}
        versions = self._groups()
        items = [
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    _remote_version(remotes[group, version])
                    if (group, version) in remotes
                    else {"version": version, "resources": by_version[group, version], "freshness": "Current"}
                    for version in versions.get(group, ())
                ],
            }
            for group in groups
        ]
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        }

    def _document(self, key: str, build: Callable[[], dict[str, Any]]) -> Encoded:
        if self._generation != self._registry.generation:
            self._generation = self._registry.generation
            self._documents.clear()
        found = self._documents.get(key)
        if found is None:
            body = orjson.dumps(build())
            found = Encoded(body, f'"{hashlib.sha256(body).hexdigest().upper()}"')
            self._documents[key] = found
        return found


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _remote_version(remote: Remote) -> dict[str, Any]:
    """Show what another server told of a group version, subresources below their resource."""
    found: dict[str, dict[str, Any]] = {}
    for each in remote.kinds:
        name, _, part = str(each["name"]).partition("/")
        kind = {
            "group": each.get("group") or remote.group,
            "version": each.get("version") or remote.version,
            "kind": each.get("kind") or "",
        }
        told = {"responseKind": kind, "verbs": each.get("verbs") or []}
        if part and name in found:
            found[name].setdefault("subresources", []).append({"subresource": part, **told})
        elif not part:
            scope = "Namespaced" if each.get("namespaced") else "Cluster"
            entry = {
                "resource": name,
                "scope": scope,
                "singularResource": each.get("singularName") or "",
                **told,
            }
            more = {member: each[member] for member in ("shortNames", "categories") if each.get(member)}
            found[name] = entry | more
    freshness = "Current" if remote.is_available else "Stale"
    shown: dict[str, Any] = {"version": remote.version, "freshness": freshness}
    return shown | ({"resources": list(found.values())} if found else {})


def _aggregated(resource: Resource) -> dict[str, Any]:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": _kind(told.kind),
                "verbs": list(told.verbs),
            }
            for name, told in ((name, subresource(resource, name)) for name in resource.subresources)
        ]
    return entry


def _kind(gvk: GVK) -> dict[str, str]:
    return {"group": gvk.group, "version": gvk.version, "kind": gvk.kind}


def _legacy(resource: Resource, stored_in: str) -> list[dict[str, Any]]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if "list" in resource.verbs:  # it is stored
        digest = hashlib.sha256(f"{stored_in}/{resource.kind}".encode()).digest()[:8]
        entry["storageVersionHash"] = base64.b64encode(digest).decode()
    entries = [entry]
    for name in resource.subresources:
        told = subresource(resource, name)
        is_own = told.kind == resource.gvk
        other = {} if is_own else {"group": told.kind.group, "version": told.kind.version}
        entries.append(
            {
                "name": f"{resource.plural}/{name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": told.kind.kind,
                **{member: value for member, value in other.items() if value},
                "verbs": list(told.verbs),
            }
        )
    return entries
