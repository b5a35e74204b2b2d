"""What a definition's versions make of stored objects: pruned, defaulted, brought from one version to another.

``crd`` makes one ``Versions`` for each definition; ``registry.Served`` asks it for every custom object that it
reads or writes. An object that is read is pruned and defaulted by the version that it is stored in, then, in
another version, pruned by that one; defaults of the version that is asked for come with requests only. Pure but
for schemas that are compiled on first use. Calling a conversion webhook in between is ``converting``'s.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go (unstructuredDefaulter,
schemaCoercingDecoder, schemaCoercingConverter).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from roadbed.apimachinery.request import Object

if TYPE_CHECKING:
    from roadbed.apimachinery.schema import Schema
    from roadbed.apiserver.registry import Compiled


class Versions:
    """The schemas of one definition by ``apiVersion``; immutable as seen from outside."""

    def __init__(
        self, schemas: Mapping[str, Mapping[str, Any]], compiler: Callable[[Mapping[str, Any]], Compiled]
    ) -> None:
        self._openapi = schemas
        self._compile = compiler
        self._compiled: dict[str, Schema | None] = {}
        self._defaulting = {name: b'"default":' in orjson.dumps(openapi) for name, openapi in schemas.items()}

    def restore(self, obj: Object) -> bool:
        """Bring a stored object to what its own version makes of it, in place; says whether it may differ.

        One in a version that the definition has no more stays as it is.
        """
        api_version = str(obj.get("apiVersion"))
        schema = self._schema(api_version)
        if schema is None:
            return False
        dropped = schema.prune(obj, drop_invalid=True)
        if self._defaulting[api_version]:
            schema.default(obj)
            return True
        return bool(dropped)

    def move(self, obj: Object, api_version: str) -> None:
        """Give an object another version's name, in place, and take what that version does not know."""
        obj["apiVersion"] = api_version
        self.trim(obj)

    def trim(self, obj: Object) -> None:
        """Take from an object, in place, what its version does not know."""
        schema = self._schema(str(obj.get("apiVersion")))
        if schema is not None:
            schema.prune(obj, drop_invalid=True)

    def _schema(self, api_version: str) -> Schema | None:
        if api_version not in self._compiled:
            openapi = self._openapi.get(api_version)
            self._compiled[api_version] = None if openapi is None else self._compile(openapi).schema
        return self._compiled[api_version]
