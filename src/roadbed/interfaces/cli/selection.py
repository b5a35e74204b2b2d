"""Which objects a command line names: ``TYPE``, ``TYPE NAME…``, ``TYPE/NAME…``, ``TYPE,TYPE``, categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roadbed.apimachinery.gvk import Resource

from .failures import Failure, usage
from .kinds import Kinds
from .session import Session


@dataclass(frozen=True, slots=True)
class Target:
    """Objects of one kind: those named, or all of them where ``names`` is empty."""

    resource: Resource
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class One:
    """A single object of a namespaced or cluster-scoped kind; ``namespace`` is empty for the latter."""

    resource: Resource
    name: str
    namespace: str


async def targets(session: Session, words: Sequence[str]) -> list[Target]:
    """Give what the words select, in their order.

    Raises:
        Failure: the words make no sense, or name a kind that is not served.
    """
    if not words:
        raise usage("name what to look at", hint="such as `databases`, `database/orders` or `managed`")
    kinds = Kinds(await session.client.resources())
    slashed = ["/" in word for word in words]
    if all(slashed):
        return [_pair(kinds, word) for word in words]
    if any(slashed):
        raise usage("TYPE/NAME and TYPE NAME can't be mixed", hint="write all of them as TYPE/NAME")
    types, names = words[0].split(","), tuple(words[1:])
    resources = list(dict.fromkeys(resource for word in types if word for resource in kinds.find(word)))
    if names and len(resources) != 1:
        raise usage("names need a single type", hint="write them as TYPE/NAME")
    return [Target(resource, names) for resource in resources]


async def one(session: Session, words: Sequence[str], namespace: str) -> One:
    """Give the single object that ``TYPE/NAME`` or ``TYPE NAME`` names.

    Raises:
        Failure: they name none, or several.
    """
    found = await targets(session, words)
    if len(found) != 1 or len(found[0].names) != 1:
        raise usage("name one object", hint="such as `database/orders`")
    resource, (name,) = found[0].resource, found[0].names
    return One(resource, name, (namespace or session.namespace) if resource.namespaced else "")


def _pair(kinds: Kinds, word: str) -> Target:
    kind, _, name = word.partition("/")
    if not kind or not name or "/" in name:
        raise usage(f"cannot read {word!r}", hint="write TYPE/NAME, such as database/orders")
    found = kinds.find(kind)
    if len(found) != 1:
        raise Failure(f'"{kind}" is a category of several types', hint="name the type", code=2)
    return Target(found[0], (name,))
