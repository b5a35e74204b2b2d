"""Whose turn it is when something changes, and what is only the echo of our own writes.

Used by one composite controller: its watches ask here whether an event is news, its reconciler tells here
what it wrote. An event of an object at exactly the revision we wrote is an echo; anything else wakes the
composite. While a composite is being reconciled, events are kept and judged at the end, because an echo
may arrive before the write's own answer does. So no change is lost and no write causes a look at itself.

A composite that is woken too often is not deafened: its looks are spaced (``Bucket``), the last of them
always sees the newest state.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import (
    controller_of,
    labels_of,
    name_of,
    namespace_of,
    revision_of,
    uid_of,
)
from roadbed.apimachinery.request import Object
from roadbed.controller import Request

from .functions.protocol import ResourceSelector

BURST = 100.0  # looks in a row before they are spaced; Crossplane's burst of events
REFILL_PER_S = 1.0  # looks a second that go on for ever
CALM = 10.0  # tokens from which the circuit counts as closed again
REMEMBERED_WRITES = 256  # per composite: more than one reconcile writes
REMEMBERED_SOURCES = 16

_Mark = tuple[str, str]  # uid and revision


@dataclass(slots=True)
class Bucket:
    """A token bucket: ``BURST`` looks at once, then ``REFILL_PER_S``. Time is handed in."""

    tokens: float = BURST
    at_s: float = 0.0
    is_open: bool = False

    def take(self, now_s: float) -> float:
        """Take a token and give 0, or give the seconds until there is one."""
        elapsed_s = now_s - self.at_s if self.at_s else 0.0
        self.tokens = min(BURST, self.tokens + elapsed_s * REFILL_PER_S)
        self.at_s = now_s
        if self.tokens >= CALM:
            self.is_open = False
        if self.tokens < 1.0:
            self.is_open = True
            return (1.0 - self.tokens) / REFILL_PER_S
        self.tokens -= 1.0
        return 0.0


@dataclass(slots=True)
class State:
    """What is remembered of one composite between reconciles; losing it costs work, never truth.

    ``applied`` maps a composed resource's name to the digest of what was applied and the revision it got.
    ``composition`` is the one that was chosen, ``pinned`` the revision that it stays on by its user's wish.
    """

    bucket: Bucket = field(default_factory=Bucket)
    applied: dict[str, tuple[int, str]] = field(default_factory=dict)
    status: tuple[int, str] = (0, "")
    composition: str = ""
    pinned: str = ""
    told: dict[str, tuple[tuple[str, str, str], ...]] = field(default_factory=dict)
    required: tuple[tuple[Resource, ResourceSelector], ...] = ()
    sources: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_SOURCES))
    own: dict[_Mark, None] = field(default_factory=dict)
    is_active: bool = False
    pending: set[_Mark] = field(default_factory=set)
    missed: bool = False

    def wrote(self, obj: Object) -> None:
        """Remember a write by its answer."""
        self.own[(uid_of(obj), revision_of(obj))] = None

    def trigger(self) -> str:
        """Name what woke this composite most often of late."""
        counted = Counter(self.sources).most_common(1)
        return counted[0][0] if counted else "itself"


class Tracker:
    """The states of one kind's composites, and the mapping from events to them."""

    def __init__(self, composite: Resource) -> None:
        self._composite = composite
        self._states: dict[Request, State] = {}
        self._requirers: dict[Resource, dict[Request, tuple[ResourceSelector, ...]]] = {}
        self.failing: set[Request] = set()  # what a new kind may be the cure for

    def state(self, request: Request) -> State:
        """Give a composite's state, making it."""
        found = self._states.get(request)
        if found is None:
            found = self._states[request] = State()
        return found

    def forget(self, request: Request) -> None:
        """Drop the state of a composite that is gone."""
        self._states.pop(request, None)
        self.failing.discard(request)
        for requirers in self._requirers.values():
            requirers.pop(request, None)

    def begin(self, request: Request) -> State:
        """Note that a reconcile starts; what comes in from now on is judged by ``finish``."""
        state = self.state(request)
        state.is_active, state.missed = True, False
        state.pending.clear()
        return state

    def finish(self, request: Request) -> bool:
        """Note that a reconcile ended; say whether something happened meanwhile that it did not do itself."""
        state = self._states.get(request)
        if state is None:
            return False
        state.is_active = False
        news = state.missed or any(mark not in state.own for mark in state.pending)
        state.pending.clear()
        while len(state.own) > REMEMBERED_WRITES:
            del state.own[next(iter(state.own))]
        return news

    def require(
        self, request: Request, required: tuple[tuple[Resource, ResourceSelector], ...]
    ) -> list[Resource]:
        """Remember what a composite's functions want to see; gives the resources to watch."""
        state = self.state(request)
        if state.required == required:
            return []
        state.required = required
        for requirers in self._requirers.values():
            requirers.pop(request, None)
        resources = list(dict.fromkeys(resource for resource, _ in required))
        for resource in resources:
            selectors = tuple(selector for other, selector in required if other == resource)
            self._requirers.setdefault(resource, {})[request] = selectors
        return resources

    def users_of(self, composition: str, revision: str) -> list[Request]:
        """Give the composites that use a Composition, or none yet; those pinned to another revision are left out.

        One that was never reconciled is not known here, and has its first turn before it anyway.
        """
        return [
            request
            for request, state in self._states.items()
            if state.composition in ("", composition) and state.pinned in ("", revision)
        ]

    def composite_news(self, old: Object | None, new: Object | None) -> bool:
        """Say whether a change of a composite itself is news."""
        obj = new or old or {}
        return self._is_news(Request(namespace_of(obj), name_of(obj)), obj, gone=new is None)

    def composed_news(self, old: Object | None, new: Object | None) -> bool:
        """Say whether a change of a composed resource is news to a composite."""
        obj = new or old or {}
        # Both ends of a moved owner reference; each is asked, for asking also notes the event.
        requests = {request for side in (old, new) if side for request in self.composed_requests(side)}
        news = [self._is_news(request, obj, gone=new is None) for request in requests]
        return any(news)

    def composed_requests(self, obj: Object) -> Iterable[Request]:
        """Give the composite of this kind that controls an object."""
        owner = controller_of(obj)
        if owner is None or owner.get("kind") != self._composite.kind:
            return ()
        if str(owner.get("apiVersion", "")).partition("/")[0] != self._composite.group:
            return ()
        namespace = namespace_of(obj) if self._composite.namespaced else ""
        return (Request(namespace, str(owner.get("name", ""))),)

    def required_requests(self, resource: Resource, obj: Object) -> Iterable[Request]:
        """Give the composites whose functions want to see an object."""
        return [
            request
            for request, selectors in self._requirers.get(resource, {}).items()
            if any(selects(selector, obj) for selector in selectors)
        ]

    def _is_news(self, request: Request, obj: Object, *, gone: bool) -> bool:
        state = self._states.get(request)
        if state is None:
            return True
        mark = (uid_of(obj), revision_of(obj))
        if not gone and mark in state.own:
            return False
        if not state.is_active:
            state.sources.append(_described(obj))
            return True
        if gone or len(state.pending) >= REMEMBERED_WRITES:
            state.missed = True
        else:
            state.pending.add(mark)
        return False


def selects(selector: ResourceSelector, obj: Object) -> bool:
    """Say whether a requirement's selector means an object of its kind."""
    if selector.namespace and namespace_of(obj) != selector.namespace:
        return False
    if selector.match_name is not None:
        return name_of(obj) == selector.match_name
    return (selector.match_labels or {}).items() <= labels_of(obj).items()


def selector_text(selector: ResourceSelector) -> str:
    """Give the label selector of a requirement as a list request has it."""
    return ",".join(f"{name}={value}" for name, value in sorted((selector.match_labels or {}).items()))


def _described(obj: Object) -> str:
    where = f" ({namespace_of(obj)})" if namespace_of(obj) else ""
    return f"{obj.get('kind', '')}/{name_of(obj)}{where}"
