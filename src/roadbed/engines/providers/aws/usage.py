"""Keeps a provider config while managed objects need it, as Crossplane's ProviderConfigUsage does.

One controller per kind of config. Who uses a config is counted from the informers of the managed kinds as
their objects come and go, so there is no object per user; the count is in ``status.users``. The finalizer
holds a config that is being deleted until its last user is gone: without the config, its users' external
resources could not be deleted any more. Nothing is counted before every kind has been listed.

Source: github.com/crossplane/crossplane-runtime pkg/reconciler/providerconfig (finalizer, status, reasons).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import orjson

from roadbed.apimachinery.conditions import Condition, conditions_of, with_conditions, without_condition
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import ObjectKey, is_terminating, metadata
from roadbed.apimachinery.request import Object
from roadbed.client import Change
from roadbed.controller import Controller, Informers, Request, Result, Watch
from roadbed.engines.providers.external import ExternalError
from roadbed.plugins import EngineContext

from .accounts import config_of

FINALIZER = "in-use.crossplane.io"
UsersOf = Callable[[Request], int]
WRITE_EVERY_S = 1.0  # a thousand objects that come at once are a thousand users, not a thousand writes


class UsageController(Controller):
    """Counts the users of one kind of provider config; ``managed`` are the kinds that may use it."""

    def __init__(self, resource: Resource, managed: Sequence[Resource], context: EngineContext) -> None:
        self._resource = resource
        self._managed = managed
        self._users: dict[Request, set[tuple[Resource, ObjectKey]]] = {}
        reconciler = UsageReconciler(resource, self.users_of, context)
        super().__init__(f"usage/{resource.qualified}", reconciler, [Watch(resource)], workers=1)

    def users_of(self, request: Request) -> int:
        """Count the managed objects that refer to a config."""
        return len(self._users.get(request, ()))

    async def run(self, informers: Informers) -> None:
        """Work until cancelled."""
        with ExitStack() as exits:
            self._users.clear()
            for kind in self._managed:
                informer = informers.acquire(kind)
                exits.callback(informers.release, kind)
                exits.callback(informer.add_handler(partial(self._count, kind)))
            for kind in self._managed:
                await informers.of(kind).synced()
            await super().run(informers)

    def _count(self, kind: Resource, change: Change) -> None:
        before = self._config(change.old)
        after = self._config(change.new)
        if before == after:
            return
        user = (kind, change.key)
        if before is not None:
            self._users.get(before, set()).discard(user)
            self.queue.add(before)
        if after is not None:
            self._users.setdefault(after, set()).add(user)
            self.queue.add(after)

    def _config(self, encoded: bytes | None) -> Request | None:
        if encoded is None:
            return None
        try:
            resource, name, namespace = config_of(
                orjson.loads(encoded), legacy=not self._managed[0].namespaced
            )
        except ExternalError:
            return None  # refers to no kind of config; its own condition says so
        return Request(namespace, name) if resource == self._resource else None


class UsageReconciler:
    """Writes what was counted, and lets a config go."""

    def __init__(self, resource: Resource, users_of: UsersOf, context: EngineContext) -> None:
        self._resource = resource
        self._users_of = users_of
        self._client = context.client
        self._recorder = context.recorder
        self._clock = context.clock
        self._written: dict[Request, float] = {}

    async def reconcile(self, request: Request) -> Result:
        """Bring finalizer and count of one config up to date."""
        config = await self._client.find(self._resource, request.name, request.namespace)
        if config is None:
            self._written.pop(request, None)
            return Result()
        users = self._users_of(request)
        finalizers = metadata(config).get("finalizers") or []
        if is_terminating(config):
            if users == 0:
                return await self._release(config, finalizers)
        elif FINALIZER not in finalizers:
            config["metadata"]["finalizers"] = [*finalizers, FINALIZER]
            config = await self._client.update(self._resource, config)
        if (config.get("status") or {}).get("users", 0) == users and not is_terminating(config):
            return Result()
        now = self._clock.monotonic()
        due_s = self._written.get(request, now - WRITE_EVERY_S) + WRITE_EVERY_S - now
        if due_s > 0 and not is_terminating(config):
            return Result(requeue_after_s=due_s)
        self._written[request] = now
        await self._write(config, users)
        return Result()

    async def _release(self, config: Object, finalizers: Sequence[str]) -> Result:
        if FINALIZER in finalizers:
            config["metadata"]["finalizers"] = [name for name in finalizers if name != FINALIZER]
            await self._client.update(self._resource, config)
        return Result()

    async def _write(self, config: Object, users: int) -> None:
        before = config.get("status") or {}
        conditions = conditions_of(config)
        if is_terminating(config):
            message = f"Blocking deletion while usages still exist: {users}"
            conditions = with_conditions(
                conditions, [Condition("Terminating", "True", "InUse", message)], self._clock.now()
            )
            await self._recorder.event(config, "Warning", "UsageAccounting", message)
        else:
            conditions = without_condition(conditions, "Terminating")
        after = {**before, "users": users, **({"conditions": conditions} if conditions else {})}
        if after != before:
            await self._client.update(self._resource, {**config, "status": after}, subresource="status")
