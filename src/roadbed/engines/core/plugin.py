"""Registers the core loops: garbage collection, namespace deletion, what every namespace has, roles, volumes in use."""

from __future__ import annotations

from collections.abc import Sequence

from roadbed.controller import Controller
from roadbed.plugins import EngineContext, hookimpl

from . import protection
from .accounts import NamespaceFurnisher
from .aggregation import USER, RoleAggregator
from .garbagecollector import GarbageCollector
from .namespaces import NamespaceDeleter
from .served import Follower, ServedResources


@hookimpl
def roadbed_controllers(context: EngineContext) -> Sequence[Controller]:
    """Give the collector, the namespace deleter, and what keeps their watches current."""
    collector = GarbageCollector(context.client, context.manager, context.recorder)
    deleter = NamespaceDeleter(context.client, context.manager, context.clock)
    collecting, deleting = collector.controller(), deleter.controller()
    served = ServedResources(
        context.client,
        [Follower(collecting, collector.watch_of, collector.leave), Follower(deleting, deleter.watch_of)],
    )
    furnisher = NamespaceFurnisher(context.client, context.manager, context.settings.get("root-ca", ""))
    aggregator = RoleAggregator(context.connect(USER), context.manager)
    own = [collecting, deleting, served.controller(), furnisher.controller(), aggregator.controller()]
    return [*own, *protection.controllers(context.client, context.manager)]
