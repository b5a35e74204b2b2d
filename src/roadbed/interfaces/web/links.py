"""Addresses: where each thing has its page. Every link is made here, so that every object has one address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import gvk_of, name_of, namespace_of
from roadbed.portal.catalog import Ref

CORE = "core"  # stands for the empty group in a path
CLUSTER_SCOPE = "-"  # stands for the empty namespace; no namespace can be called that


def object_path(cluster: str, gvk: GVK, namespace: str, name: str) -> str:
    """Give the page of an object."""
    parts = (cluster, gvk.group or CORE, gvk.version, gvk.kind, namespace or CLUSTER_SCOPE, name)
    return "/c/" + "/".join(quote(part, safe=":") for part in parts)


def path_of(cluster: str, obj: Mapping[str, Any]) -> str:
    """Give the page of an object at hand."""
    return object_path(cluster, gvk_of(obj), namespace_of(obj), name_of(obj))


def list_path(resource: Resource | None = None, **query: str) -> str:
    """Give the list of one kind, or of all."""
    wanted = {"kind": resource.qualified} if resource else {}
    wanted |= {name: value for name, value in query.items() if value}
    return f"/resources?{urlencode(wanted)}" if wanted else "/resources"


def entity_path(ref: Ref) -> str:
    """Give the page of a catalog entity."""
    return "/catalog/" + "/".join(quote(part, safe="") for part in (ref.kind, ref.namespace, ref.name))


def create_path(gvk: GVK) -> str:
    """Give the form for a new object of a kind."""
    return "/create/" + "/".join(quote(part, safe="") for part in (gvk.group or CORE, gvk.version, gvk.kind))


def with_query(path: str, current: Mapping[str, Any], **changes: Any) -> str:
    """Give ``path`` with the current query, changed; None and empty values leave a parameter out."""
    merged = {**current, **changes}
    kept = {name: value for name, value in merged.items() if value not in (None, "", [])}
    return f"{path}?{urlencode(kept, doseq=True)}" if kept else path
