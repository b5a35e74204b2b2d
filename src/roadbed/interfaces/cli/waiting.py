"""Waiting until objects are ready, or gone, and saying meanwhile what is waited for.

Every object is followed by a watch of its own name, so the end is seen the moment it comes. Only the words
of the progress are looked up once a second, since the reason may sit several objects below.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery.conditions import find_condition
from roadbed.apimachinery.errors import ApiError, ExpiredError, NotFoundError
from roadbed.apimachinery.objects import is_terminating, metadata, revision_of, uid_of
from roadbed.apimachinery.request import Object
from roadbed.client import Client

from .failures import Failure
from .kinds import typed
from .lineage import expected_condition, lineage, unreadiness
from .progress import Progress
from .selection import One
from .words import sentence

LOOK_S = 1.0  # between two looks at why it takes long; the end itself is watched, not polled


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait, for what, in words: ``verb`` is "ready" or "gone"."""

    timeout_s: float
    verb: str


async def until_ready(client: Client, objects: Sequence[One], timeout_s: float) -> None:
    """Return once every object is as wanted.

    Raises:
        Failure: the time is over, with the deepest reason; or an object went away; or a definition was refused.
    """
    await _all(client, objects, Wait(timeout_s, "ready"), _ready)


async def until_gone(
    client: Client,
    objects: Sequence[tuple[One, str]],
    timeout_s: float,
    *,
    told: Callable[[One], None] = lambda _: None,
) -> None:
    """Return once every object (given with the uid that it had) is gone; ``told`` hears of each.

    Raises:
        Failure: the time is over, with what holds it.
    """
    uids = {id(one): uid for one, uid in objects}

    async def gone(client: Client, one: One) -> None:
        await _gone(client, one, uids[id(one)])
        told(one)

    await _all(client, [one for one, _ in objects], Wait(timeout_s, "gone"), gone)


async def _all(
    client: Client,
    objects: Sequence[One],
    wait: Wait,
    work: Callable[[Client, One], Coroutine[Any, Any, None]],
) -> None:
    pending = {id(one): one for one in objects}

    async def finish(one: One) -> None:
        await work(client, one)
        del pending[id(one)]

    with Progress() as progress:
        try:
            async with asyncio.timeout(wait.timeout_s), asyncio.TaskGroup() as group:
                looking = group.create_task(_look(client, pending, wait, progress))
                following = [group.create_task(finish(one)) for one in objects]
                await asyncio.wait(following) if following else None
                looking.cancel()
        except TimeoutError as error:
            raise await _late(client, list(pending.values()), wait) from error
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors


async def _look(client: Client, pending: dict[int, One], wait: Wait, progress: Progress) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        one = next(iter(pending.values()), None)
        if one is not None:
            others = f" and {len(pending) - 1} more" if len(pending) > 1 else ""
            words = f"waiting for {typed(one.resource, one.name)}{others} to be {wait.verb}"
            progress.say(f"{words}: {await _why(client, one)}")


async def _why(client: Client, one: One) -> str:
    """Say in words what the deepest cause is."""
    try:
        obj = await client.get(one.resource, one.name, one.namespace)
        root = await lineage(client, one.resource, obj)
    except NotFoundError:
        return "it is gone"
    except ApiError as error:
        return error.message
    cause = root.cause
    if cause is None:
        return "almost done"
    if cause is root:
        return cause.own_trouble
    return f"{cause.label}: {cause.own_trouble}"


async def _late(client: Client, pending: Sequence[One], wait: Wait) -> Failure:
    one = pending[0]
    place = f" -n {one.namespace}" if one.namespace else ""
    others = f" ({len(pending) - 1} more are not either)" if len(pending) > 1 else ""
    async with asyncio.timeout(LOOK_S * 10):
        why = await _why(client, one)
    return Failure(
        f"not {wait.verb} after {wait.timeout_s:.0f} s",
        about=typed(one.resource, one.name),
        why=why + others,
        hint=f"`roadbed tree {typed(one.resource, one.name)}{place}` shows all of it; it goes on without you",
    )


async def _ready(client: Client, one: One) -> None:
    expected = expected_condition(one.resource)

    def is_settled(obj: Object | None) -> bool:
        about = typed(one.resource, one.name)
        if obj is None:
            raise Failure("gone while waiting", about=about, why="it was deleted")
        if refusal := _refusal(obj):
            raise Failure("not accepted", about=about, why=refusal, hint="correct it and apply it again")
        return not unreadiness(obj, expected=expected)

    await _follow(client, one, is_settled)


def _refusal(obj: Object) -> str:
    """Give why a definition, as it is now, was turned down; time alone does not help that."""
    established = find_condition(obj, "Established") or {}
    generation = metadata(obj).get("generation")
    if established.get("status") != "False" or is_terminating(obj):
        return ""
    if established.get("observedGeneration", generation) != generation:
        return ""  # that was said of what it was before
    # Kubernetes says Installing while all is well.
    return (
        "" if established.get("reason") == "Installing" else sentence(str(established.get("message") or ""))
    )


async def _gone(client: Client, one: One, uid: str) -> None:
    # Another object of the same name is not the one that was deleted.
    await _follow(client, one, lambda obj: obj is None or uid_of(obj) != uid)


async def _follow(client: Client, one: One, is_settled: Callable[[Object | None], bool]) -> None:
    """Return once ``is_settled`` holds for the object as it is; it gets None when there is none."""
    while True:
        obj = await client.find(one.resource, one.name, one.namespace)
        if is_settled(obj) or obj is None:
            return
        fields = f"metadata.name={one.name}"
        events = client.watch(one.resource, one.namespace, after=revision_of(obj), fields=fields)
        try:
            async with aclosing(events) as stream:
                async for kind, seen in stream:
                    if is_settled(None if kind == "DELETED" else seen):
                        return
        except ExpiredError:
            continue  # look again
