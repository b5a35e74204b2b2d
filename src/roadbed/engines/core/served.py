"""Which resources are served right now, kept current from CustomResourceDefinitions.

A loop over *any* kind (collector, namespace deletion) has to look at kinds that come and go. This
reconciler watches definitions and tells its listeners which deletable resources to watch and to leave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from roadbed.apimachinery.gvk import Resource
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.client import Client
from roadbed.controller import Controller, Request, Result, Watch

NEEDED_VERBS = frozenset({"delete", "get", "list", "patch", "watch"})
# Events name objects but never own or are owned, and there are many: looking at them is waste.
IGNORED = frozenset({("", "events"), ("events.k8s.io", "events")})

WatchOf = Callable[[Resource], Watch]


@dataclass(slots=True)
class Follower:
    """A controller that looks at every served resource through the watch that ``watch_of`` makes.

    ``leave`` is told when one is served no more, in any version: the server deletes objects before their definition.
    """

    controller: Controller
    watch_of: WatchOf
    leave: Callable[[Resource], None] = lambda _: None
    watched: dict[Resource, None] = field(default_factory=dict)


class ServedResources:
    """Reconciles the followers' watches with what discovery serves; its requests' names don't matter."""

    def __init__(self, client: Client, followers: Sequence[Follower]) -> None:
        self._client = client
        self._followers = followers

    def controller(self) -> Controller:
        """Give the controller that runs this: one worker, woken by every definition."""
        turn = Request("", "served")
        watch = Watch(CUSTOMRESOURCEDEFINITIONS, lambda _: (turn,))
        controller = Controller("served-resources", self, [watch], workers=1)
        controller.queue.add(turn)  # built-in kinds are served where no definition ever wakes us
        return controller

    async def reconcile(self, request: Request) -> Result:  # noqa: ARG002 - there is only one request
        """Watch what is new, leave what is gone."""
        served = one_version_each(await self._client.resources())
        places = {(each.group, each.plural) for each in served}
        for follower in self._followers:
            for resource in [known for known in follower.watched if known not in served]:
                del follower.watched[resource]
                follower.controller.unwatch(resource)
                if (resource.group, resource.plural) not in places:  # or it is only another version now
                    follower.leave(resource)
            for resource in served:
                if resource not in follower.watched:
                    follower.watched[resource] = None
                    await follower.controller.watch(follower.watch_of(resource))
        return Result()


def one_version_each(resources: Sequence[Resource]) -> dict[Resource, None]:
    """Give the deletable resources, each in its group's preferred version only, in discovery's order."""
    chosen: dict[tuple[str, str], Resource] = {}
    for resource in resources:
        place = (resource.group, resource.plural)
        if place not in IGNORED and NEEDED_VERBS.issubset(resource.verbs):
            chosen.setdefault(place, resource)
    return dict.fromkeys(chosen.values())
