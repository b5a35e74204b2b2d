"""Registers the provider controllers: one per managed kind, running while its definition is established.

What always runs watches definitions and provider configs. A kind without objects costs an informer and
its idle workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from roadbed.apimachinery.conditions import is_true
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import annotations_of, is_terminating, metadata, name_of
from roadbed.apimachinery.request import Object
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.aws import CLUSTER_PROVIDER_CONFIGS, LEGACY_PROVIDER_CONFIGS, PROVIDER_CONFIGS
from roadbed.controller import Controller, Informers, Reconciler, Request, Result, Watch
from roadbed.plugins import EngineContext, hookimpl

from .aws.accounts import Accounts
from .aws.adapter import Adapter
from .aws.client import AwsConnector, managed_kind
from .aws.ec2 import SecurityGroupAdapter, SubnetAdapter, VpcAdapter
from .aws.rds import InstanceAdapter, SubnetGroupAdapter
from .aws.s3 import BucketAdapter, BucketVersioningAdapter
from .aws.usage import UsageController
from .managed import ManagedReconciler
from .markers import CREATE_FAILED, CREATE_PENDING, external_name
from .waiting import Waiting, kind_key

WORKERS = 4  # per kind; a call takes tens of milliseconds, and the account's rate bounds them together
_DIARY = frozenset({CREATE_PENDING, CREATE_FAILED})

ADAPTERS: tuple[Adapter, ...] = (
    BucketAdapter(),
    BucketVersioningAdapter(),
    InstanceAdapter(),
    SubnetGroupAdapter(),
    VpcAdapter(),
    SubnetAdapter(),
    SecurityGroupAdapter(),
)


@hookimpl
def roadbed_controllers(context: EngineContext) -> Sequence[Controller]:
    """Give the controller that starts and stops the others."""
    follower = DefinitionFollower(context)
    return [follower.controller(), *follower.usage_controllers()]


class DefinitionFollower:
    """Runs the controller of each kind while its CustomResourceDefinition is established."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._accounts = Accounts(context.client, context.clock)
        self._kinds = {
            adapter.kind.resource(legacy=legacy).qualified: (adapter, legacy)
            for adapter in ADAPTERS
            for legacy in (False, True)
        }

    def controller(self) -> Controller:
        """Give the controller to run."""
        watch = Watch(CUSTOMRESOURCEDEFINITIONS, to_requests=self._ours)
        return Controller("providers", self, [watch], workers=1)

    def usage_controllers(self) -> list[Controller]:
        """Give the controllers that keep provider configs while they are used."""
        return [
            UsageController(config, self._resources(legacy=legacy), self._context)
            for config, legacy in (
                (CLUSTER_PROVIDER_CONFIGS, False),
                (PROVIDER_CONFIGS, False),
                (LEGACY_PROVIDER_CONFIGS, True),
            )
        ]

    async def reconcile(self, request: Request) -> Result:
        """Start or stop the controller of one kind."""
        manager = self._context.manager
        definition = await self._context.client.find(CUSTOMRESOURCEDEFINITIONS, request.name)
        wanted = (
            definition is not None and is_true(definition, "Established") and not is_terminating(definition)
        )
        name = f"managed/{request.name}"
        if wanted and not manager.is_running(name):
            manager.start(self._made(name, *self._kinds[request.name]))
        elif not wanted and manager.is_running(name):
            await manager.stop(name)
        return Result()

    def _ours(self, definition: Object) -> Iterable[Request]:
        name = name_of(definition)
        return (Request("", name),) if name in self._kinds else ()

    def _made(self, name: str, adapter: Adapter, legacy: bool) -> Controller:
        context = self._context
        kind = managed_kind(adapter, legacy=legacy)
        connector = AwsConnector(adapter, self._accounts, context.client, legacy=legacy)
        reconciler = ManagedReconciler(
            kind, connector, client=context.client, recorder=context.recorder, clock=context.clock
        )
        helpers = [*(reference.to for reference in kind.references), *kind.users]
        resources = {kind_key(other.gvk): other for other in self._resources(legacy=legacy)}
        woken_by = [resources[key] for key in dict.fromkeys(map(kind_key, helpers)) if key in resources]
        watches = [
            Watch(kind.resource, predicate=matters),
            *(_waking(reconciler.waiting, resource, helps) for resource in woken_by),
            *(_waking(reconciler.waiting, resource, matters) for resource in connector.configs),
        ]
        return ManagedController(name, reconciler, watches, self._accounts)

    def _resources(self, *, legacy: bool) -> list[Resource]:
        return [adapter.kind.resource(legacy=legacy) for adapter in ADAPTERS]


class ManagedController(Controller):
    """A controller that holds the accounts open while it runs."""

    def __init__(
        self, name: str, reconciler: Reconciler, watches: Sequence[Watch], accounts: Accounts
    ) -> None:
        super().__init__(name, reconciler, watches, workers=WORKERS)
        self._accounts = accounts

    async def run(self, informers: Informers) -> None:
        """Work until cancelled."""
        self._accounts.use()
        try:
            await super().run(informers)
        finally:
            self._accounts.release()


def matters(old: Object | None, new: Object | None) -> bool:
    """Say whether a change may ask for work: anything a person or another controller says, but not status.

    Nor does the diary of attempts to create: each attempt writes it, and would ask at once for the next one,
    past every backoff. What a person takes out of it counts.
    """
    if old is None or new is None:
        return True
    return _said(old) != _said(new) or bool(
        _DIARY & (annotations_of(old).keys() - annotations_of(new).keys())
    )


def _said(obj: Object) -> tuple[object, ...]:
    meta = metadata(obj)
    return (
        meta.get("uid"),
        meta.get("generation"),
        meta.get("labels"),
        {name: value for name, value in annotations_of(obj).items() if name not in _DIARY},
        meta.get("finalizers"),
        meta.get("deletionTimestamp"),
    )


def helps(old: Object | None, new: Object | None) -> bool:
    """Say whether a change of one managed object may help another: it came, went, or got what others refer to."""
    if old is None or new is None:
        return True
    return _offered(old) != _offered(new)


def _offered(obj: Object) -> tuple[object, ...]:
    meta = metadata(obj)
    at_provider = (obj.get("status") or {}).get("atProvider")
    # Labels and owners are what selectors choose by.
    return (external_name(obj), at_provider, meta.get("labels"), meta.get("ownerReferences"))


def _waking(
    waiting: Waiting, resource: Resource, predicate: Callable[[Object | None, Object | None], bool]
) -> Watch:
    key = kind_key(resource.gvk)
    return Watch(resource, to_requests=lambda _: waiting.take(key), predicate=predicate)
