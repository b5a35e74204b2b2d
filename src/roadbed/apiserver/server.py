"""The API server: Kubernetes API semantics over a ``Storage``, for HTTP clients and in process.

``app`` makes one, adds reviewers and admitters, starts it, hands ``asgi`` to a ``Listener`` and
``local(user)`` to every engine. Everything runs on one event loop; the server owns five tasks: one cleans
up after deleted CustomResourceDefinitions, one expires events, three write the status of quotas, policies and
FlowSchemas.
``stop`` ends them and every watch.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import orjson

from roadbed.apimachinery.admission import Admitter, Reviewer
from roadbed.apimachinery.errors import ApiError, InvalidError, NotFoundError
from roadbed.apimachinery.gvk import GVK
from roadbed.apimachinery.instruments import Instrument, Labels
from roadbed.apimachinery.objects import gvk_of, name_of, namespace_of
from roadbed.apimachinery.request import ApiRequest, Object, User
from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.storage import Storage

from . import bootstrap, builtin, flow
from .admission import Admission
from .asgi import Document, HttpFace
from .audit import Auditor
from .context import Call, Core
from .crd import CLEANUP, CrdInstaller
from .crdstrategy import CrdStrategy
from .dispatch import Dispatcher, Poster
from .encryption import SealError
from .expiry import LIFE_S, sweep_forever
from .flow import FlowControl
from .handlers.delete import delete_collection
from .interception import intercept
from .local import LocalTransport
from .metrics import Metrics
from .metrics.access import CountedAuthenticator, CountedAuthorizer
from .openapi import OpenApi, WithReviews
from .pods import Bindings, bind, evict
from .ports import Authenticator, Authorizer, Clock, Sealer
from .registry import Registry, Served
from .store import Store
from .uids import uids
from .watchcache import Hub
from .webhooks import Caller

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from .aggregation import Identity

SYSTEM = User("system:apiserver", ("system:masters", "system:authenticated"))
SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class ApiServer:
    """Serves every built-in kind and every CustomResourceDefinition.

    ``crds`` are installed at start (created, or updated where they differ). ``clock`` gives aware UTC;
    ``webhooks`` asks admission and conversion webhooks, and is closed with the server. Events are kept for
    ``event_life_s`` after they were last written, 0 for ever; set it before the start.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        authenticator: Authenticator,
        authorizer: Authorizer,
        sealer: Sealer,
        crds: Iterable[Object] = (),
        clock: Clock,
        webhooks: Caller | None = None,
    ) -> None:
        self._webhooks = webhooks or Caller()
        self.event_life_s = LIFE_S
        self._hub = Hub(storage)
        self._registry = Registry(self._hub, lambda value, key: _opened(sealer, value, key))
        metrics = Metrics()
        metrics.add_counts(
            "apiserver_storage_objects", "Objects that are stored.", "resource", self._stored_objects
        )
        counted = CountedAuthorizer(authorizer)
        self._core = Core(
            registry=self._registry,
            store=Store(storage, sealer, metrics),
            hub=self._hub,
            admission=Admission(metrics=metrics),
            authorizer=counted,
            clock=clock,
            choose=secrets.choice,
            new_uid=uids().__next__,
            metrics=metrics,
        )
        self._authenticator = authenticator
        self._dispatcher = Dispatcher(self._core)
        self._installer = CrdInstaller(self._registry, self._hub, self._webhooks)
        self._crds = tuple(crds)
        self._checks: dict[str, Callable[[], str]] = {"server": lambda: self._state}
        self._state = "the server has not started"
        self._dispatcher.refusal = lambda: self._state
        self._tasks: list[asyncio.Task[None]] = []
        openapi = OpenApi(WithReviews(self._registry, lambda: self._dispatcher.reviews))
        self._flow = FlowControl(storage)
        entrance = CountedAuthenticator(authenticator)
        metrics.add(*entrance.instruments, *counted.instruments, *self._flow.counts.instruments)
        self._http = HttpFace(self._core, self._dispatcher, entrance, openapi, self._checks, self._flow)
        self._definitions = CrdStrategy(self._installer.names, self._core.now)
        for definition in builtin.definitions(self._definitions, self._services):
            self._registry.install(definition)
        schemas = flow.SchemaStatus(storage, self._core.now)
        self.add_poster("", "pods", "binding", bind)
        self.add_poster("", "pods", "eviction", evict)
        self.add_reviewer(Bindings(self._core))
        self._of_kind: dict[GVK, Served] = {}  # while the server starts
        self._published: list[Object] = []  # our own objects beside roles and flows
        self._keepers = (*intercept(self._core, self._webhooks, authorizer), schemas.run)

    async def start(self) -> None:
        """Load what is stored, install CRDs, namespaces and roles; requests are served afterwards."""
        self._installer.start()
        self._state = ""
        system = self.local(SYSTEM)
        self._of_kind = {each.resource.gvk: each for each in self._registry.all()}
        # Together, so that the store commits them together.
        await asyncio.gather(*(self._ensure(system, _namespace(name)) for name in SYSTEM_NAMESPACES))
        ours = [*bootstrap.policy(), *flow.objects(), *self._published]
        await asyncio.gather(*(self._ensure(system, obj, updates=True) for obj in ours))
        try:
            await self._ensure(system, bootstrap.service())
        except InvalidError as error:  # somebody's service has its address
            logger.warning("the service of this server is not made", extra={"reason": str(error)})
        with self._definitions.trusting():  # nothing but our own is served before the start ends
            await asyncio.gather(*(self._ensure(system, crd, updates=True) for crd in self._crds))
        cleaning = self._installer.clean(self._delete_all, self._release, self._rewrite)
        expiring = sweep_forever(self._core, system, self.event_life_s)
        self._tasks = [
            asyncio.create_task(cleaning, name="crd-cleaner"),
            asyncio.create_task(expiring, name="event-expiry"),
            *(asyncio.create_task(keep(system), name="status-keeper") for keep in self._keepers),
        ]

    async def stop(self) -> None:
        """End every watch, refuse what comes after with ServiceUnavailableError. The storage stays open."""
        self._state = "the server is stopping"
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._flow.close()
        self._hub.close()
        self._core.beside.close()
        await self._webhooks.close()

    @property
    def asgi(self) -> HttpFace:
        """The ASGI application for a ``Listener``."""
        return self._http

    def local(self, user: User) -> LocalTransport:
        """Give the in-process ``Transport`` acting as ``user``: the same admission and authorisation."""
        return LocalTransport(self._core, self._dispatcher, self._authenticator, user, self._http.auditor)

    def audit(self, auditor: Auditor) -> None:
        """Record requests from now on, those in process by transports that are taken from now on."""
        self._http.auditor = auditor
        self._core.metrics.add(*auditor.instruments)

    def register_groups(self) -> None:
        """Keep an APIService for each group version that is served, from the start on."""
        from .registration import Registrations

        self._keepers += (Registrations(self._registry, self._hub, lambda: self._dispatcher.reviews).run,)

    def aggregate(self, identity: Identity, published: Object) -> None:
        """Let other servers answer the groups that APIServices give them, from the start on.

        ``identity`` is shown to them; ``published`` is the object from which they learn to believe it.
        """
        from .aggregation import Aggregation

        others = Aggregation(self._registry, self._hub, self._webhooks.services, identity, self._core.clock)
        self._http.join(others)
        self._published.append(published)
        self._keepers += (others.run,)

    def add_reviewer(self, reviewer: Reviewer) -> None:
        """Serve one more review kind; discovery shows it at once."""
        self._dispatcher.add_reviewer(reviewer)
        self._registry.generation += 1

    def add_admitter(self, admitter: Admitter) -> None:
        """Ask one more admitter before writes, after those added before."""
        self._core.admission.add(admitter)

    def add_poster(self, group: str, plural: str, subresource: str, poster: Poster) -> None:
        """Let ``poster`` answer creates on a subresource of a built-in kind."""
        self._dispatcher.add_poster(group, plural, subresource, poster)

    def add_document(self, path: str, document: Document) -> None:
        """Serve one more document that is no resource; RBAC asks for its path."""
        self._http.documents[path] = document

    def add_readiness(self, name: str, check: Callable[[], str]) -> None:
        """Let ``/readyz`` ask ``check``; it gives the empty string, or what is not ready yet."""
        self._checks[name] = check

    def add_instrument(self, instrument: Instrument) -> None:
        """Print one more family of numbers at ``/metrics``."""
        self._core.metrics.add(instrument)

    def _stored_objects(self) -> dict[Labels, float]:
        """Count what is stored, by resource; a cache that nobody needed yet is not made for this."""
        found: dict[Labels, float] = {}
        for served in self._registry.all():
            name = (served.resource.qualified,)
            if name not in found:
                is_loaded = served.is_loaded
                found[name] = len(served.cache if is_loaded else self._hub.storage.scan(served.home))
        return found

    def _services(self) -> Iterable[Object]:
        served = self._registry.get("", "v1", "services")
        return (orjson.loads(entry.value) for entry in served.cache.entries(""))

    async def _delete_all(self, served: Served) -> None:
        request = ApiRequest.on("deletecollection", served.resource)
        # As in Kubernetes, who deleted the definition was asked for, nobody is for its objects.
        await delete_collection(self._core, Call(served, SYSTEM, request), asks_admission=False)

    async def _release(self, name: str) -> None:
        """Remove our finalizer from a deleted CRD; the last one lets it go."""
        system = self.local(SYSTEM)
        try:
            answer = await system.call(ApiRequest.on("get", CUSTOMRESOURCEDEFINITIONS, name=name))
            crd = orjson.loads(answer.body)
            crd["metadata"]["finalizers"] = [
                each for each in crd["metadata"].get("finalizers") or () if each != CLEANUP
            ]
            await system.call(ApiRequest.on("update", CUSTOMRESOURCEDEFINITIONS, name=name, body=crd))
        except NotFoundError:
            return  # gone already

    async def _rewrite(self, name: str) -> None:
        """Write a CRD again as it is, so that its names are judged anew."""
        system = self.local(SYSTEM)
        answer = await system.call(ApiRequest.on("get", CUSTOMRESOURCEDEFINITIONS, name=name))
        body = orjson.loads(answer.body)
        await system.call(ApiRequest.on("update", CUSTOMRESOURCEDEFINITIONS, name=name, body=body))

    async def _ensure(self, system: LocalTransport, obj: Object, *, updates: bool = False) -> None:
        """Create an object; where it exists, leave it or bring it up to date."""
        gvk, name, namespace = gvk_of(obj), name_of(obj), namespace_of(obj)
        served = self._of_kind[gvk]
        resource, options = served.resource, {"fieldManager": "roadbed"}
        stored = served.cache.get(served.path(namespace, name))
        place = {"namespace": namespace, "options": options}
        if stored is None:
            await system.call(ApiRequest.on("create", resource, body=obj, **place))
        elif updates:
            present = orjson.loads(stored.value)
            wanted = bootstrap.brought_up_to_date(present, obj)
            if wanted is present:
                return
            await system.call(ApiRequest.on("update", resource, name=name, body=wanted, **place))


def _opened(sealer: Sealer, value: bytes, key: str) -> bytes:
    try:
        return sealer.open(value, context=key)
    except SealError as error:
        raise ApiError(str(error)) from error


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
