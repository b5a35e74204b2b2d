"""What an object is made of: composite → composed → external resource, and why it is not ready.

Read through the caller's client, so that what they may not see stays a branch without leaves. It follows
references down and never goes round; depth and size are bounded. The reason of a branch is that of its
deepest part that is not well, since everything above only waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from roadbed.apimachinery.conditions import find_condition
from roadbed.apimachinery.errors import ApiError, NotFoundError
from roadbed.apimachinery.gvk import GVK, Resource
from roadbed.apimachinery.objects import annotations_of, is_terminating, metadata, name_of, namespace_of
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import Annotation
from roadbed.client import Client

from .kinds import shown
from .words import sentence

MOST_DEPTH = 8
MOST_NODES = 500
AT_ONCE = 16  # reads in flight
_WAITS = "cannot resolve references"  # what providers say of a resource that needs another one first
NOT_YET = "not created yet"
_JUDGED = ("Established", "Offered", "Installed", "Healthy", "Ready")
_EXPECTED = {"composite": "Ready", "claim": "Ready", "managed": "Ready", "pkg": "Healthy"}


@dataclass(frozen=True, slots=True)
class Node:
    """One object; ``obj`` is None where it is missing or can't be read, and ``trouble`` says why."""

    kind: str
    name: str
    namespace: str
    obj: Object | None
    trouble: str = ""
    expected: str = ""
    children: tuple[Node, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """Give this node and everything below it, with depths."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)

    def status(self, condition: str) -> str:
        """Give a condition's status, a dash where it has none."""
        found = find_condition(self.obj, condition) if self.obj else None
        return str(found.get("status")) if found else "-"

    @property
    def label(self) -> str:
        """What a person calls it: kind and name."""
        return f"{self.kind.partition('.')[0]}/{self.name or '…'}"

    @property
    def external_name(self) -> str:
        """The id at the cloud, empty where there is none."""
        return annotations_of(self.obj).get(Annotation.EXTERNAL_NAME, "") if self.obj else ""

    @property
    def is_ready(self) -> bool:
        """Say whether it and everything below it is as wanted."""
        return not self.own_trouble and all(child.is_ready for child in self.children)

    @property
    def own_trouble(self) -> str:
        """Why this object by itself is not well; empty where it is."""
        if self.obj is None:
            return self.trouble
        return unreadiness(self.obj, expected=self.expected)

    @property
    def cause(self) -> Node | None:
        """What to look at first: a failure before what is under way before what waits; the deepest of these."""
        found = [(depth, node) for depth, node in self.walk() if node.own_trouble]
        if not found:
            return None
        return max(found, key=lambda item: (item[1].urgency, item[0]))[1]

    @property
    def urgency(self) -> int:
        """Give 2 where something is wrong, 1 where it is not done yet, 0 where it waits for another."""
        if _WAITS in self.own_trouble:
            return 0
        has_failed = (
            self.trouble not in ("", NOT_YET) if self.obj is None else self.status("Synced") == "False"
        )
        return 2 if has_failed else 1


def unreadiness(obj: Object, *, expected: str = "") -> str:
    """Say why an object is not well; empty where it is.

    ``expected``: the condition that a controller is to set, so that its absence means not yet.
    """
    if is_terminating(obj):
        return _leaving(obj)
    for word in ("Synced", "Responsive"):
        found = find_condition(obj, word)
        if found is not None and found.get("status") == "False":
            return _told(found)
    generation = metadata(obj).get("generation")
    for word in _JUDGED:
        found = find_condition(obj, word)
        if found is None:
            continue
        if found.get("status") != "True":
            return _told(found)
        if found.get("observedGeneration", generation) != generation:
            return "its latest change has not been looked at yet"
    if expected and find_condition(obj, expected) is None:
        return "no controller has looked at it yet"
    return ""


def expected_condition(resource: Resource) -> str:
    """Give the condition that a controller sets on objects of this kind when all is well; empty for none."""
    if resource.gvk.kind in ("CustomResourceDefinition", "CompositeResourceDefinition"):
        return "Established"
    return next((_EXPECTED[each] for each in resource.categories if each in _EXPECTED), "")


def references_of(obj: Object) -> list[dict[str, Any]]:
    """Give the references to composed objects, where Crossplane v2, v1 and claims keep them."""
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return []
    nested = spec.get("crossplane")
    lists = [nested.get("resourceRefs") if isinstance(nested, dict) else None, spec.get("resourceRefs")]
    found = [each for several in lists if isinstance(several, list) for each in several]
    if isinstance(spec.get("resourceRef"), dict):
        found.append(spec["resourceRef"])
    return [each for each in found if isinstance(each, dict) and each.get("kind")]


@dataclass(slots=True)
class _Reading:
    client: Client
    left: int = MOST_NODES
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    seen: set[tuple[str, str, str]] = field(default_factory=set)


async def lineage(client: Client, resource: Resource, obj: Object) -> Node:
    """Read everything below an object."""
    return await _node(_Reading(client), resource, obj, 0)


async def _node(reading: _Reading, resource: Resource, obj: Object, depth: int) -> Node:
    namespace = namespace_of(obj)
    reading.seen.add((shown(resource), namespace, name_of(obj)))
    references = references_of(obj) if depth < MOST_DEPTH else []
    references = references[: max(0, reading.left)]
    reading.left -= len(references)
    children = await asyncio.gather(*(_child(reading, each, namespace, depth + 1) for each in references))
    if is_terminating(obj):
        # What is not there any more was deleted, not yet to be made.
        children = [child for child in children if child is not None and child.obj is not None]
    return Node(
        shown(resource),
        name_of(obj),
        namespace,
        obj,
        expected=expected_condition(resource) or ("Ready" if references else ""),
        children=tuple(child for child in children if child is not None),
    )


async def _child(reading: _Reading, reference: dict[str, Any], beside: str, depth: int) -> Node | None:
    group, _, version = str(reference.get("apiVersion") or "v1").rpartition("/")
    gvk = GVK(group, version, str(reference["kind"]))
    name, kind = str(reference.get("name") or ""), f"{gvk.kind.lower()}{'.' if group else ''}{group}"
    if not name:
        return Node(kind, "", beside, None, NOT_YET)
    try:
        resource = await reading.client.resource_for(gvk)
        namespace = str(reference.get("namespace") or beside) if resource.namespaced else ""
        if (shown(resource), namespace, name) in reading.seen:
            return None  # a reference back to something above would go round for ever
        async with reading.gate:
            obj = await reading.client.get(resource, name, namespace)
    except NotFoundError as error:
        return Node(kind, name, beside, None, NOT_YET if error.name else sentence(error.message))
    except ApiError as error:
        return Node(kind, name, beside, None, sentence(error.message))
    return await _node(reading, resource, obj, depth)


def _leaving(obj: Object) -> str:
    stuck = find_condition(obj, "Synced") or {}
    if stuck.get("status") == "False":
        return f"deletion is stuck: {_told(stuck)}"
    holders = ", ".join(str(each) for each in metadata(obj).get("finalizers") or ())
    return f"being deleted{f', held by {holders}' if holders else ''}"


def _told(condition: dict[str, Any]) -> str:
    reason, message = str(condition.get("reason") or ""), sentence(str(condition.get("message") or ""))
    if message:
        return f"{reason}: {message}" if reason else message
    return reason or f"{condition.get('type')} is {condition.get('status')}"
