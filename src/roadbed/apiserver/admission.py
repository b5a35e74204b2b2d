"""The admission chain: who is asked before a write, and in which order.

Held by ``Core``; asked by ``writing`` and ``handlers.delete``. First the mutators (defaults of Kubernetes' own
plug-ins, mutating policies, mutating webhooks), all of them once more when a later one changed what an earlier one
saw; then the admitters of this platform (engines' rules), so that nothing changes behind their backs; then, once
the object is complete and valid, the validators (escalation checks, policies, webhooks, quotas). A resource that
nobody looks at costs a few comparisons and nothing else.

Source: k8s.io/apiserver/pkg/admission (chain, reinvocation) and pkg/kubeapiserver/options/plugins.go (order).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Protocol

from roadbed.apimachinery.admission import AdmissionRequest, Admitter
from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import Object

from .metrics import Metrics


@dataclass(slots=True)
class Reinvocation:
    """Which round of mutation this is, and what each mutator remembers of the first.

    ``wanted`` is set by a mutator that changed the object after others had seen it.
    """

    is_second: bool = False
    wanted: bool = False
    memory: dict[str, Invoked] = field(default_factory=dict)

    def of(self, mutator: str) -> Invoked:
        """Give the memory of one mutator."""
        return self.memory.setdefault(mutator, Invoked())


@dataclass(slots=True)
class Invoked:
    """Which hooks of one mutator were asked and may be asked again, and what the object was afterwards."""

    before: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    output: Object | None = None

    def require_all(self) -> None:
        """Let every hook that was asked before be asked again."""
        self.again |= self.before
        self.before.clear()


class Mutator(Protocol):
    """May change a write, or refuse it."""

    def sees(self, resource: Resource) -> bool:
        """Say, quickly, whether writes of this resource concern it."""
        ...

    async def mutate(self, request: AdmissionRequest, round_: Reinvocation) -> Object | None:
        """Give the object to go on with, or None to leave it as it is; never changes the request's own.

        Raises:
            ApiError: the write is refused.
        """
        ...


class Settlement(Protocol):
    """Something held for a write that was let through; told once how the write ended."""

    async def kept(self) -> None:
        """The write was stored."""
        ...

    def undone(self) -> None:
        """The write was not stored."""
        ...


class Validator(Protocol):
    """May refuse a complete and valid write."""

    def sees(self, resource: Resource) -> bool:
        """Say, quickly, whether writes of this resource concern it."""
        ...

    async def validate(self, request: AdmissionRequest) -> Settlement | None:
        """Return, with what has to be settled after the write, if anything.

        Raises:
            ApiError: the write is refused.
        """
        ...


class Generations(Protocol):
    """What is served; ``generation`` grows with every change."""

    generation: int


class _Still:
    """Nothing ever changes: before the chain is set."""

    generation = 0


class Admission:
    """Asks each that wants to see a resource, and counts how long it took."""

    def __init__(self, admitters: Iterable[Admitter] = (), metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._mutators: tuple[tuple[str, Mutator], ...] = ()
        self._validators: tuple[tuple[str, Validator], ...] = ()
        self._admitters = list(admitters)
        self._by_resource: dict[str, tuple[Admitter, ...]] = {}
        self._kinds: Generations = _Still()
        self._generation = 0
        self._concerns: dict[int, tuple[bool, bool, bool]] = {}

    def chain(
        self,
        mutators: Sequence[tuple[str, Mutator]],
        validators: Sequence[tuple[str, Validator]],
        kinds: Generations,
    ) -> None:
        """Set who mutates and who validates, in this order, each with its name in metrics.

        ``kinds`` tells when other resources are served.
        """
        self._kinds = kinds
        self.forget()
        self._mutators = tuple(mutators)
        self._validators = tuple(validators)

    def add(self, admitter: Admitter) -> None:
        """Ask one more, after the others."""
        self._admitters.append(admitter)
        self._by_resource.clear()
        self.forget()

    def mutates(self, resource: Resource) -> bool:
        """Say whether anyone wants to see writes before they are complete."""
        return self._concern(resource)[0]

    def validates(self, resource: Resource) -> bool:
        """Say whether anyone wants to see complete writes."""
        return self._concern(resource)[1]

    def calls_out(self, resource: Resource) -> bool:
        """Say whether writes are shown to somebody outside, who may write meanwhile, even to the same object."""
        return self._concern(resource)[2]

    def forget(self) -> None:
        """Ask every stage anew what it wants to see: what is configured changed."""
        self._concerns.clear()

    def _concern(self, resource: Resource) -> tuple[bool, bool, bool]:
        if self._generation != self._kinds.generation:
            self._generation = self._kinds.generation
            self._concerns.clear()
        # By identity: every write asks, and a resource lives as long as the generation that it is served in.
        found = self._concerns.get(id(resource))
        if found is None:
            mutates = bool(self._interested(resource.qualified)) or any(
                each.sees(resource) for _, each in self._mutators
            )
            validators = [each for _, each in self._validators if each.sees(resource)]
            mutators = [each for _, each in self._mutators if each.sees(resource)]
            is_outside = any(getattr(each, "calls_out", False) for each in (*mutators, *validators))
            found = (mutates, bool(validators), is_outside)
            self._concerns[id(resource)] = found
        return found

    async def mutate(self, request: AdmissionRequest) -> Object | None:
        """Give the object to go on with (the one in the request unless someone changed it).

        Raises:
            ApiError: the write is refused.
        """
        with self._timed("", "admit", request):
            return await self._mutate(request)

    async def _mutate(self, request: AdmissionRequest) -> Object | None:
        round_ = Reinvocation()
        mutators = [(name, each) for name, each in self._mutators if each.sees(request.resource)]
        while True:
            for name, mutator in mutators:
                with self._timed(name, "admit", request):
                    request = _with(request, await mutator.mutate(request, round_))
            if round_.is_second or not round_.wanted:
                break
            round_.is_second = True
        for admitter in self._interested(request.resource.qualified):
            if request.operation in admitter.operations:
                with self._timed(admitter.name, "admit", request):
                    request = _with(request, await admitter.admit(request))
        return request.object

    async def validate(self, request: AdmissionRequest) -> list[Settlement]:
        """Return what has to be settled after the write.

        Raises:
            ApiError: the write is refused; what was held for it is let go.
        """
        held: list[Settlement] = []
        try:
            with self._timed("", "validate", request):
                for name, validator in self._validators:
                    if validator.sees(request.resource):
                        with self._timed(name, "validate", request):
                            found = await validator.validate(request)
                        if found is not None:
                            held.append(found)
        except BaseException:
            for each in held:
                each.undone()
            raise
        return held

    @contextmanager
    def _timed(self, name: str, kind: str, request: AdmissionRequest) -> Iterator[None]:
        """Count what the block takes, for one stage or, without a name, for all of a kind."""
        began, is_rejected = perf_counter(), True
        try:
            yield
            is_rejected = False
        finally:
            took_s = perf_counter() - began
            self._metrics.admitted((name, kind, request.operation), took_s, is_rejected=is_rejected)

    def _interested(self, qualified: str) -> tuple[Admitter, ...]:
        found = self._by_resource.get(qualified)
        if found is None:
            found = tuple(
                each for each in self._admitters if "*" in each.resources or qualified in each.resources
            )
            self._by_resource[qualified] = found
        return found


def _with(request: AdmissionRequest, changed: Object | None) -> AdmissionRequest:
    return request if changed is None else replace(request, object=changed)
