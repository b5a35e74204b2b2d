"""The ``paths`` of an OpenAPI document: what can be asked of one served kind, as clients look it up.

Pure; used by ``openapi``. kubectl reads from these whether a kind takes dry runs and field validation, which
patches it takes, and which kind a resource name means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from roadbed.apimachinery.gvk import Resource

_REF: Final = "#/components/schemas/"
_META: Final = f"{_REF}io.k8s.apimachinery.pkg.apis.meta.v1."
_WRITE: Final = ("dryRun", "fieldManager", "fieldValidation")
_LIST: Final = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_DELETE: Final = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_TYPES: Final = {
    "allowWatchBookmarks": "boolean",
    "force": "boolean",
    "gracePeriodSeconds": "integer",
    "limit": "integer",
    "orphanDependents": "boolean",
    "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer",
    "watch": "boolean",
}


def paths(resource: Resource, schema: str, *, is_custom: bool, patches: Sequence[str]) -> dict[str, Any]:
    """Give the paths of one kind; ``schema`` is its definition's name, ``patches`` the media types it takes."""
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.api_version}"
    every = f"{root}/{resource.plural}"
    many = f"{root}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else every
    maker = _Operations(resource, schema, patches, is_custom=is_custom)
    found = {many: maker.on_many(), f"{many}/{{name}}": maker.on_one()}
    for subresource in resource.subresources:
        found[f"{many}/{{name}}/{subresource}"] = maker.on_subresource(subresource)
    if resource.namespaced and "list" in resource.verbs:
        found[every] = {"get": maker.operation("list", _LIST, f"{schema}List")}
    for path, operations in found.items():
        names = [name for name in ("namespace", "name") if f"{{{name}}}" in path]
        if operations and names:
            operations["parameters"] = [_path_parameter(name) for name in names]
    return {path: operations for path, operations in found.items() if operations}


class _Operations:
    """Makes the operations of one kind."""

    def __init__(self, resource: Resource, schema: str, patches: Sequence[str], *, is_custom: bool) -> None:
        self._resource = resource
        self._schema = schema
        self._patches = patches
        self._is_custom = is_custom

    def on_many(self) -> dict[str, Any]:
        """Give create, list and deletecollection, as far as the kind has them."""
        verbs = self._resource.verbs
        found: dict[str, Any] = {}
        if "list" in verbs:
            found["get"] = self.operation("list", _LIST, f"{self._schema}List")
        if "create" in verbs:
            found["post"] = self._writing("post")
        if "deletecollection" in verbs:
            found["delete"] = self.operation("deletecollection", (*_LIST, *_DELETE), "Status")
        return found

    def on_one(self) -> dict[str, Any]:
        """Give get, update, patch and delete, as far as the kind has them."""
        verbs = self._resource.verbs
        found = self._reading_and_writing(verbs)
        if "delete" in verbs:
            found["delete"] = self.operation("delete", _DELETE, "Status")
        return found

    def on_subresource(self, subresource: str) -> dict[str, Any]:
        """Give what a subresource has: all but delete, only update for ``finalize``."""
        verbs = ("update",) if subresource == "finalize" else ("get", "update", "patch")
        return self._reading_and_writing(verbs)

    def _reading_and_writing(self, verbs: Iterable[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "get" in verbs:
            found["get"] = self.operation("get", (), self._schema)
        if "update" in verbs:
            found["put"] = self._writing("put")
        if "patch" in verbs:
            patch = self.operation("patch", (*_WRITE, "force"), self._schema)
            schema = {"schema": {"$ref": f"{_META}Patch"}}
            patch["requestBody"] = {"content": dict.fromkeys(self._patches, schema), "required": True}
            found["patch"] = patch
        return found

    def _writing(self, action: str) -> dict[str, Any]:
        operation = self.operation(action, _WRITE, self._schema)
        media_type = "application/json" if self._is_custom else "*/*"
        content = {media_type: {"schema": {"$ref": f"{_REF}{self._schema}"}}}
        operation["requestBody"] = {"content": content, "required": True}
        return operation

    def operation(self, action: str, parameters: Iterable[str], answer: str) -> dict[str, Any]:
        """Give one operation with its query parameters and the schema of its answer."""
        resource = self._resource
        reference = f"{_META}Status" if answer == "Status" else f"{_REF}{answer}"
        media_types = ["application/json", "application/yaml"]
        content = {media_type: {"schema": {"$ref": reference}} for media_type in media_types}
        gvk = {"group": resource.group, "kind": resource.kind, "version": resource.version}
        found: dict[str, Any] = {
            "responses": {"200": {"description": "OK", "content": content}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
        }
        asked = [_query_parameter(name) for name in parameters]
        # Go leaves out an empty list, and would not write again what it read.
        return {"parameters": asked, **found} if asked else found


def _query_parameter(name: str) -> dict[str, Any]:
    schema = {"type": _TYPES.get(name, "string"), "uniqueItems": True}
    return {"name": name, "in": "query", "schema": schema}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "uniqueItems": True}}
