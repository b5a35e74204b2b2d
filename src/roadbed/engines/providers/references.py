"""Filling fields from other managed objects: ``vpcIdRef`` and ``vpcIdSelector`` give ``vpcId``.

Called by the managed reconciler before it connects, never while the object is being deleted (what it
points to may be gone). It changes the object in memory; the reconciler stores it. A value that is there
is kept, unless the policy says ``resolve: Always``.

Source: github.com/crossplane/crossplane-runtime pkg/reference/namespaced_reference.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import annotations_of, controller_of, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.client import Client

from .external import Reference
from .markers import EXTERNAL_NAME


class UnresolvedError(Exception):
    """A required reference that gives no value yet."""

    def __init__(self, message: str) -> None:
        super().__init__(f"cannot resolve references: {message}")


def unfilled(obj: Object, references: Sequence[Reference]) -> list[GVK]:
    """Give the kinds that the object needs a value from and has none."""
    blocks = [obj["spec"].get(block) or {} for block in ("forProvider", "initProvider")]
    return [
        reference.to
        for reference in references
        if any(
            not values.get(reference.field) and (reference.ref in values or reference.selector in values)
            for values in blocks
        )
    ]


async def resolve(client: Client, obj: Object, references: Sequence[Reference]) -> None:
    """Fill every reference field of ``spec.forProvider`` and ``spec.initProvider``, in place.

    Raises:
        UnresolvedError: a reference is required and can't be resolved now.
    """
    for block in ("forProvider", "initProvider"):
        values = obj["spec"].get(block)
        if not values:
            continue
        for reference in references:
            await _Resolution(client, obj, values, reference, f"spec.{block}").run()


class _Resolution:
    """One field of one block."""

    def __init__(
        self, client: Client, obj: Object, values: dict[str, Any], reference: Reference, path: str
    ) -> None:
        self._client = client
        self._obj = obj
        self._values = values
        self._reference = reference
        self._path = path

    async def run(self) -> None:
        wanted = self._reference
        selector = self._values.get(wanted.selector)
        named: Any = self._values.get(wanted.ref) or []
        refs: list[dict[str, Any]] = [named] if isinstance(named, dict) else named
        if selector is not None and _always(selector):
            refs = []  # the selector decides anew every time
        always = _always(selector) if selector is not None else any(_always(ref) for ref in refs)
        if (self._values.get(wanted.field) and not always) or not (refs or selector is not None):
            return
        try:
            resource = await self._client.resource_for(wanted.to)
        except NotFoundError as error:
            raise UnresolvedError(
                f"{self._path}.{wanted.ref}: kind {wanted.to.kind} of {wanted.to.api_version} is not served"
                f" here; set {self._path}.{wanted.field} itself"
            ) from error
        if refs:
            await self._by_name(resource, refs)
        else:
            await self._by_selector(resource, selector or {})

    async def _by_name(self, resource: Resource, refs: list[dict[str, Any]]) -> None:
        found: list[str] = []
        for ref in refs:
            namespace = ref.get("namespace") or namespace_of(self._obj) if resource.namespaced else ""
            shown = f"{namespace}/{ref['name']}" if namespace else ref["name"]
            other = await self._client.find(resource, ref["name"], namespace)
            value = self._value(other) if other is not None else ""
            if value:
                found.append(value)
            elif _required(ref):
                why = (
                    f"cannot get referenced resource: {resource.kind} {shown} does not exist; create it"
                    if other is None
                    else f"{resource.kind} {shown}: referenced field was empty"
                    " (referenced resource may not yet be ready)"
                )
                raise UnresolvedError(f"{self._path}.{self._reference.ref}: {why}")
        if found:
            self._values[self._reference.field] = found if self._reference.many else found[0]

    async def _by_selector(self, resource: Resource, selector: dict[str, Any]) -> None:
        namespace = selector.get("namespace") or namespace_of(self._obj) if resource.namespaced else ""
        labels = selector.get("matchLabels") or {}
        text = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        others = await self._client.list(resource, namespace, labels=text)
        if selector.get("matchControllerRef"):
            controller = controller_of(self._obj)
            uid = controller["uid"] if controller else None
            others = [other for other in others if uid and (controller_of(other) or {}).get("uid") == uid]
        # Sorted by value, so that the same objects give the same list whatever order they are listed in.
        pairs = sorted((self._value(other), name_of(other)) for other in others)
        ready = [pair for pair in pairs if pair[0]]
        chosen = pairs if self._reference.many else ready[:1] or pairs[:1]
        if not chosen or not all(value for value, _ in chosen):
            if _required(selector):
                why = (
                    "referenced field was empty (referenced resource may not yet be ready)"
                    if chosen
                    else "no resources matched selector"
                )
                raise UnresolvedError(
                    f"{self._path}.{self._reference.selector}: {why} ({resource.kind}, labels {text or 'any'})"
                )
            return
        refs = [{"name": name, **({"namespace": namespace} if namespace else {})} for _, name in chosen]
        self._values[self._reference.ref] = refs if self._reference.many else refs[0]
        values = [value for value, _ in chosen]
        self._values[self._reference.field] = values if self._reference.many else values[0]

    def _value(self, other: Object) -> str:
        if self._reference.extract == "external-name":
            return annotations_of(other).get(EXTERNAL_NAME, "")
        found: Any = (other.get("status") or {}).get("atProvider") or {}
        for step in self._reference.extract.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return str(found or "")


def _always(reference: dict[str, Any]) -> bool:
    return bool((reference.get("policy") or {}).get("resolve") == "Always")


def _required(reference: dict[str, Any]) -> bool:
    return bool((reference.get("policy") or {}).get("resolution", "Required") == "Required")
