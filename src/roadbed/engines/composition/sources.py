"""Where composites read: composed resources, what functions require, connection details.

Used by the composite reconciler and handed to the pipeline. Reads come from informers where one runs, and
from the server where the cache has nothing: a reference may be younger than the cache, and taking "not
seen yet" for "not there" would compose a thing twice.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.gvk import Resource as Kind
from roadbed.apimachinery.objects import (
    ObjectKey,
    controller_of,
    is_terminating,
    name_of,
    namespace_of,
    uid_of,
)
from roadbed.apimachinery.request import Object
from roadbed.apis.core import SECRETS
from roadbed.client import Client
from roadbed.controller import Informers

from .builtin import Functions
from .compose import ComposeError, resource_name
from .functions.protocol import Function, Resource, ResourceSelector
from .tracking import selector_text


class Reader:
    """Reads as the engine. ``watch`` starts looking at a kind of composed resource, once."""

    def __init__(
        self,
        client: Client,
        informers: Callable[[], Informers],
        functions: Functions,
        watch: Callable[[Kind], Awaitable[None]],
    ) -> None:
        self._client = client
        self._informers = informers
        self._functions = functions
        self._watch = watch

    def function(self, name: str) -> Function:
        """Give the function behind a ``functionRef``; see ``pipeline.Sources``."""
        return self._functions.named(name)

    async def kind(self, gvk: GVK) -> Kind:
        """Give the resource of a kind.

        Raises:
            NotFoundError: it is not served.
        """
        return await self._client.resource_for(gvk)

    def cached(self, kind: Kind, key: ObjectKey) -> Object | None:
        """Give an object as last seen, without asking the server."""
        try:
            return self._informers().of(kind).get(key)
        except KeyError:
            return None

    async def find(self, kind: Kind, key: ObjectKey) -> Object | None:
        """Give an object from the cache, else from the server."""
        return self.cached(kind, key) or await self._client.find(kind, key.name, key.namespace)

    async def composed(self, composite: Object, references: list[dict[str, str]]) -> dict[str, Object]:
        """Give the composed resources that exist, by their names in the Composition.

        Those that something else controls count as not there; writing them is refused later, by name.

        Raises:
            ComposeError: one has lost the annotation that names it.
            NotFoundError: a referenced kind is no longer served.
        """
        found: dict[str, Object] = {}
        for reference in references:
            if not reference.get("name"):
                continue
            try:
                kind = await self.kind(GVK.parse(reference["apiVersion"], reference["kind"]))
            except NotFoundError:
                if is_terminating(composite):
                    continue  # objects go with their kind's definition: nothing is left to wait for
                raise
            await self._watch(kind)
            namespace = namespace_of(composite) or reference.get("namespace", "")
            obj = await self.find(kind, ObjectKey(namespace if kind.namespaced else "", reference["name"]))
            if obj is None:
                continue
            controller = controller_of(obj)
            if controller is not None and controller.get("uid") != uid_of(composite):
                continue
            name = resource_name(obj)
            if not name:
                raise ComposeError(
                    f'{kind.kind} "{name_of(obj)}" in resourceRefs has no annotation '
                    '"crossplane.io/composition-resource-name": restore it, or take the reference out'
                )
            found[name] = obj
        return found

    async def connection(self, obj: Object) -> Mapping[str, bytes]:
        """Give the connection details that an object has published, if any."""
        spec = obj.get("spec")
        reference = spec.get("writeConnectionSecretToRef") if isinstance(spec, dict) else None
        if not isinstance(reference, dict) or not reference.get("name"):
            return {}
        namespace = namespace_of(obj) or str(reference.get("namespace") or "")
        secret = await self._client.find(SECRETS, str(reference["name"]), namespace)
        return {} if secret is None else _decoded(secret)

    async def credentials(self, namespace: str, name: str) -> Mapping[str, bytes]:
        """Give a Secret's data; see ``pipeline.Sources``."""
        return _decoded(await self._client.get(SECRETS, name, namespace))

    async def resources(self, selector: ResourceSelector) -> tuple[Resource, ...] | None:
        """Give what a function requires; see ``pipeline.Sources``."""
        kind = await self.kind(GVK.parse(selector.api_version, selector.kind))
        if selector.match_name is not None:
            try:
                obj = await self._client.get(kind, selector.match_name, selector.namespace or "")
            except NotFoundError:
                return None
            return (Resource(obj),)
        found = await self._client.list(kind, selector.namespace or "", labels=selector_text(selector))
        ordered = sorted(found, key=lambda obj: (namespace_of(obj), name_of(obj)))
        return tuple(Resource(obj) for obj in ordered)


def _decoded(secret: Object) -> dict[str, bytes]:
    data: dict[str, Any] = secret.get("data") or {}
    return {name: base64.b64decode(value or "") for name, value in data.items()}
