"""The client that engines and interfaces hold: every verb on every kind, over any transport.

A ``Client`` belongs to one user and has no state but its REST mapping (kinds to resources, from
discovery), so it may be shared by any number of tasks. It decodes what the transport brings and raises
``ApiError``. It retries nothing: callers know what may be repeated.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson

from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import name_of, namespace_of
from roadbed.apimachinery.request import (
    APPLY_PATCH,
    MERGE_PATCH,
    ApiRequest,
    Object,
    Page,
    User,
    Verb,
    WatchEvent,
)

from .interface import Transport

PAGE_SIZE = 500  # as kubectl and client-go page


class Client:
    """Reads and writes objects as one user.

    Objects given to it are not changed. ``namespace`` is empty for cluster-scoped kinds, and means all
    namespaces in ``list`` and ``watch``.
    """

    def __init__(
        self, transport: Transport, *, field_manager: str = "roadbed", user: User | None = None
    ) -> None:
        self._transport = transport
        self._field_manager = field_manager
        self._user = user
        self._mapping: dict[GVK, Resource] = {}

    @property
    def transport(self) -> Transport:
        """What carries this client's requests; informers read encoded bytes through it."""
        return self._transport

    def impersonate(self, user: User) -> Client:
        """Give a client that acts as ``user``; this client's own user needs the right to impersonate."""
        client = Client(self._transport, field_manager=self._field_manager, user=user)
        client._mapping = self._mapping  # discovery is the same for everyone
        return client

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """Read one object.

        Raises:
            NotFoundError: there is none.
        """
        return await self._call("get", resource, namespace=namespace, name=name)

    async def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """Read one object, or None where there is none (or no such resource)."""
        try:
            return await self.get(resource, name, namespace)
        except NotFoundError:
            return None

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> list[Object]:
        """Read all matching objects, page by page, in key order."""
        page = await self.read_all(resource, namespace, labels=labels, fields=fields)
        return [_complete(orjson.loads(item), resource) for item in page.items]

    async def read_all(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Page:
        """Read all matching objects as encoded bytes, with the one revision they were read at."""
        options = {"limit": str(PAGE_SIZE)}
        if labels:
            options["labelSelector"] = labels
        if fields:
            options["fieldSelector"] = fields
        items: list[bytes] = []
        while True:
            page = await self._transport.list(
                self._request("list", resource, namespace=namespace, options=options)
            )
            items.extend(page.items)
            if not page.continue_token:
                return Page(items, page.revision)
            options = {**options, "continue": page.continue_token}

    async def create(self, resource: Resource, obj: Object, *, dry_run: bool = False) -> Object:
        """Store a new object; namespace and name (or generateName) come from it."""
        return await self._write("create", resource, obj, dry_run=dry_run)

    async def update(
        self, resource: Resource, obj: Object, *, subresource: str = "", dry_run: bool = False
    ) -> Object:
        """Replace an object (or its subresource); its resourceVersion, if set, must be the stored one."""
        return await self._write("update", resource, obj, subresource=subresource, dry_run=dry_run)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        *,
        namespace: str = "",
        patch_type: str = MERGE_PATCH,
        subresource: str = "",
    ) -> Object:
        """Change part of an object; ``patch_type`` is the patch's media type."""
        return await self._call(
            "patch",
            resource,
            namespace=namespace,
            name=name,
            subresource=subresource,
            body=patch,
            patch_type=patch_type,
            options={"fieldManager": self._field_manager},
        )

    async def apply(
        self,
        resource: Resource,
        obj: Object,
        *,
        manager: str = "",
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply: own exactly the fields in ``obj`` as ``manager``.

        Raises:
            ConflictError: a field belongs to another manager and ``force`` is not set.
        """
        options = {"fieldManager": manager or self._field_manager, "force": "true" if force else "false"}
        if dry_run:
            options["dryRun"] = "All"
        return await self._call(
            "patch",
            resource,
            namespace=namespace_of(obj) if resource.namespaced else "",
            name=name_of(obj),
            subresource=subresource,
            body=obj,
            patch_type=APPLY_PATCH,
            options=options,
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        propagation: str = "Background",
        uid: str = "",
        revision: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Ask for deletion; gives the object while finalizers hold it, else a ``Status``.

        Raises:
            NotFoundError: there is none.
            ConflictError: ``uid`` or ``revision`` is given and differs.
        """
        preconditions = {"uid": uid, "resourceVersion": revision}
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if uid or revision:
            body["preconditions"] = {key: value for key, value in preconditions.items() if value}
        if dry_run:
            body["dryRun"] = ["All"]
        return await self._call("delete", resource, namespace=namespace, name=name, body=body)

    async def delete_all(
        self, resource: Resource, namespace: str = "", *, labels: str = "", propagation: str = "Background"
    ) -> None:
        """Ask for the deletion of every matching object of one namespace."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        options = {"labelSelector": labels} if labels else {}
        await self._call("deletecollection", resource, namespace=namespace, body=body, options=options)

    async def ask(self, resource: Resource, question: Object) -> Object:
        """Post a review and give it back answered."""
        return await self._write("create", resource, question)

    async def watch(
        self, resource: Resource, namespace: str = "", *, after: str = "", labels: str = "", fields: str = ""
    ) -> AsyncGenerator[tuple[str, Object], None]:
        """Yield (type, object) for every change after revision ``after``; bookmarks are left out.

        Ends when the server ends the watch.

        Raises:
            ExpiredError: ``after`` is compacted; list again.
        """
        options = {"resourceVersion": after} if after else {}
        if labels:
            options["labelSelector"] = labels
        if fields:
            options["fieldSelector"] = fields
        async with aclosing(self.stream(resource, namespace, options=options)) as events:
            async for event in events:
                if event.type != "BOOKMARK":
                    yield event.type, _complete(orjson.loads(event.object), resource)

    async def stream(
        self, resource: Resource, namespace: str = "", *, options: dict[str, str]
    ) -> AsyncGenerator[WatchEvent, None]:
        """Yield encoded events, bookmarks included; ``options`` are the watch's query parameters."""
        events = self._transport.watch(self._request("watch", resource, namespace=namespace, options=options))
        try:
            async for event in events:
                yield event
        finally:
            close = getattr(events, "aclose", None)  # an AsyncIterator need not be a generator
            if close is not None:
                await close()

    async def resource_for(self, gvk: GVK) -> Resource:
        """Give the resource that serves a kind, asking discovery again when it is not known yet.

        Raises:
            NotFoundError: the server does not serve it; the message says what to install.
        """
        if gvk not in self._mapping:
            await self.resources()
        found = self._mapping.get(gvk)
        if found is None:
            raise NotFoundError(
                f"no kind {gvk.kind!r} is served in {gvk.api_version!r}: "
                "check apiVersion and kind, and that its definition is installed and established"
            )
        return found

    async def resources(self) -> Sequence[Resource]:
        """Give every served resource, asking the server."""
        served = await self._transport.discover()
        self._mapping.clear()
        self._mapping.update({resource.gvk: resource for resource in served})
        return served

    async def _write(
        self, verb: Verb, resource: Resource, obj: Object, *, subresource: str = "", dry_run: bool = False
    ) -> Object:
        options = {"fieldManager": self._field_manager}
        if dry_run:
            options["dryRun"] = "All"
        return await self._call(
            verb,
            resource,
            namespace=namespace_of(obj) if resource.namespaced else "",
            name=name_of(obj) if verb == "update" else "",
            subresource=subresource,
            body=obj,
            options=options,
        )

    async def _call(self, verb: Verb, resource: Resource, **members: Any) -> Object:
        answer = await self._transport.call(self._request(verb, resource, **members))
        obj: Object = orjson.loads(answer.body)
        if obj.get("kind") == "Status" and obj.get("status") == "Failure":
            raise ApiError.from_status(obj)
        return obj

    def _request(self, verb: Verb, resource: Resource, **members: Any) -> ApiRequest:
        request = ApiRequest.on(verb, resource, **members)
        return replace(request, impersonate=self._user) if self._user else request


def _complete(obj: Object, resource: Resource) -> Object:
    # Items of a typed list may leave out what the list says; readers want whole objects.
    if "kind" not in obj:
        return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
    return obj
