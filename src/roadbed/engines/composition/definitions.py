"""The definition reconciler: a CompositeResourceDefinition becomes a kind with a controller, and goes again.

Called by the controller of definitions. It installs the CRD, starts one controller for the kind's
composites through ``Composites``, gives people their rights on it through ``Roles``, and says so. Deleting a definition deletes its composites first, while
their controller still runs, then stops the controller, then deletes the CRD, and only then lets go.

Source: Crossplane v2's definition controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from roadbed.apimachinery.conditions import Condition, is_true
from roadbed.apimachinery.errors import InvalidError, NotFoundError
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import (
    controller_of,
    is_terminating,
    metadata,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)
from roadbed.apimachinery.request import Object
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.crossplane import XRDS, composite_resource
from roadbed.client import Client
from roadbed.controller import Clock, Recorder, Request, Result, TerminalError

from . import conditions, xrd
from .compose import covers, digest
from .mirrors import Mirrors
from .naming import MANAGER_SELECTION
from .roles import Roles

FINALIZER = "defined.apiextensions.crossplane.io"


class Composites(Protocol):
    """The running controllers of composites, by the name of their definition."""

    async def ensure(self, definition: Object) -> bool:
        """Run the controller of this definition's kind; True if it was started or started anew."""
        ...

    async def stop(self, name: str) -> None:
        """Stop the controller of a definition; one that does not run is already stopped."""
        ...


class DefinitionReconciler:
    """Establishes and takes down kinds."""

    def __init__(
        self, client: Client, mirrors: Mirrors, composites: Composites, recorder: Recorder, clock: Clock
    ) -> None:
        self._client = client
        self._crossplane = Client(client.transport, field_manager=MANAGER_SELECTION)
        self._mirrors = mirrors
        self._composites = composites
        self._roles = Roles(client, mirrors, recorder)
        self._recorder = recorder
        self._clock = clock
        self._applied: dict[str, tuple[int, str]] = {}

    async def reconcile(self, request: Request) -> Result:
        """Bring one definition's CRD and controller about, or away."""
        definition = self._mirrors.definitions.get(request.name)
        if definition is None:
            self._applied.pop(request.name, None)
            await self._composites.stop(request.name)
            return Result()
        if is_terminating(definition):
            return await self._take_down(definition)
        try:
            return await self._establish(definition)
        except xrd.DefinitionError as error:
            await self._refuse(definition, "RenderCRD", f"cannot render CustomResourceDefinition: {error}")
            raise
        except InvalidError as error:
            message = f"cannot apply rendered CustomResourceDefinition: {error}"
            await self._refuse(definition, "EstablishComposite", message)
            raise TerminalError(message) from error

    async def _establish(self, definition: Object) -> Result:
        rendered = xrd.render(definition)
        finalizers = metadata(definition).get("finalizers") or []
        if FINALIZER not in finalizers:
            definition = await self._finalize(definition, [*finalizers, FINALIZER])
        crd = await self._apply(definition, rendered)
        if not is_true(crd, "Established"):
            return Result()  # the CRD's own change wakes us
        if await self._composites.ensure(definition):
            await self._recorder.event(
                definition, "Normal", "EstablishComposite", "Started the composite resource controller"
            )
        gvk = composite_resource(definition).gvk
        reference = {"apiVersion": gvk.api_version, "kind": gvk.kind}
        try:
            # First, so that who waits for the kind may use it; but rights that fail don't take the kind away.
            await self._roles.ensure(definition)
        finally:
            await self._say(
                definition, [conditions.WATCHING, *_offered(definition)], {"compositeResourceType": reference}
            )
        return Result()

    async def _apply(self, definition: Object, rendered: Object) -> Object:
        name = name_of(definition)
        live = await self._client.find(CUSTOMRESOURCEDEFINITIONS, name)
        if live is not None:
            controller = controller_of(live)
            if controller is None or controller.get("uid") != uid_of(definition):
                raise xrd.DefinitionError(
                    f"CustomResourceDefinition {name} exists and is not controlled by this definition: "
                    "delete it, or name the defined kind differently"
                )
            applied = (digest(rendered), revision_of(live))
            if self._applied.get(name) == applied or (
                self._applied.get(name, (0,))[0] == applied[0] and covers(live, rendered)
            ):
                return live
        crd = await self._client.apply(CUSTOMRESOURCEDEFINITIONS, rendered, manager=MANAGER_SELECTION)
        self._applied[name] = (digest(rendered), revision_of(crd))
        if live is None or revision_of(live) != revision_of(crd):
            await self._recorder.event(
                definition,
                "Normal",
                "EstablishComposite",
                f"Applied composite resource CustomResourceDefinition: {name}",
            )
        return crd

    async def _take_down(self, definition: Object) -> Result:
        name = name_of(definition)
        finalizers = list(metadata(definition).get("finalizers") or [])
        if FINALIZER not in finalizers:
            return Result()
        await self._say(definition, [conditions.TERMINATING], None)
        crd = await self._client.find(CUSTOMRESOURCEDEFINITIONS, name)
        owner = controller_of(crd) if crd is not None else None
        if crd is None or owner is None or owner.get("uid") != uid_of(definition):
            await self._composites.stop(name)
            finalizers.remove(FINALIZER)
            with suppress(NotFoundError):
                await self._finalize(definition, finalizers)
            return Result()
        if is_terminating(crd):
            return Result()  # the CRD's own end wakes us
        await self._composites.ensure(definition)  # someone must clean up what the composites composed
        if await self._delete_composites(composite_resource(definition)):
            await self._recorder.event(
                definition,
                "Normal",
                "TerminateComposite",
                "waiting for defined composite resources to be deleted",
            )
            return Result()  # each of them wakes us when it is gone
        await self._composites.stop(name)
        with suppress(NotFoundError):
            await self._client.delete(CUSTOMRESOURCEDEFINITIONS, name, uid=uid_of(crd))
        await self._recorder.event(
            definition,
            "Normal",
            "TerminateComposite",
            f"Deleted composite resource CustomResourceDefinition: {name}",
        )
        return Result()

    async def _delete_composites(self, resource: Resource) -> bool:
        try:
            found = await self._client.list(resource)
        except NotFoundError:
            return False
        for obj in found:
            if not is_terminating(obj):
                with suppress(NotFoundError):
                    await self._client.delete(resource, name_of(obj), namespace_of(obj), uid=uid_of(obj))
        return bool(found)

    async def _finalize(self, definition: Object, finalizers: list[str]) -> Object:
        patch = {"metadata": {"finalizers": finalizers, "resourceVersion": revision_of(definition)}}
        return await self._crossplane.patch(XRDS, name_of(definition), patch)

    async def _refuse(self, definition: Object, reason: str, message: str) -> None:
        failure = Condition("Established", "False", reason, message)
        await self._say(definition, [failure], None)
        await self._recorder.event(definition, "Warning", reason, message)

    async def _say(
        self,
        definition: Object,
        changes: list[Condition],
        controllers: Mapping[str, object] | None,
    ) -> None:
        status: dict[str, object] = {
            "conditions": conditions.merged(definition, changes, self._clock.now()),
            "controllers": controllers,
        }
        if controllers is None:
            del status["controllers"]
        if covers(definition.get("status") or {}, status):
            return
        with suppress(NotFoundError):
            await self._crossplane.patch(XRDS, name_of(definition), {"status": status}, subresource="status")


def _offered(definition: Object) -> list[Condition]:
    if not (definition.get("spec") or {}).get("claimNames"):
        return []
    message = "claims are not served yet: create the composite itself, or define it as Namespaced"
    return [Condition("Offered", "False", "ClaimsNotServed", message)]
