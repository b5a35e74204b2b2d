"""The admission chain: who is asked before a write, in the order they were added.

Held by ``Core``; asked by ``writing`` and ``handlers.delete`` between preparing and validating. Built-in
rules (namespace existence) are the handlers'; escalation checks and engines' rules are admitters.
"""

from __future__ import annotations

from collections.abc import Iterable

from roadbed.apimachinery.admission import AdmissionRequest, Admitter
from roadbed.apimachinery.request import Object


class Admission:
    """Asks each admitter that wants to see a resource."""

    def __init__(self, admitters: Iterable[Admitter] = ()) -> None:
        self._admitters = list(admitters)
        self._by_resource: dict[str, tuple[Admitter, ...]] = {}

    def add(self, admitter: Admitter) -> None:
        """Ask one more, after the others."""
        self._admitters.append(admitter)
        self._by_resource.clear()

    def sees(self, qualified: str) -> bool:
        """Say whether anyone wants to see writes of ``plural.group``."""
        return bool(self._interested(qualified))

    async def admit(self, request: AdmissionRequest) -> Object | None:
        """Give the object to go on with (the one in the request unless an admitter changed it).

        Raises:
            ApiError: an admitter refuses the write.
        """
        obj = request.object
        for admitter in self._interested(request.resource.qualified):
            if request.operation not in admitter.operations:
                continue
            changed = await admitter.admit(request)
            if changed is not None:
                obj = changed
                request = AdmissionRequest(
                    operation=request.operation,
                    resource=request.resource,
                    namespace=request.namespace,
                    name=request.name,
                    user=request.user,
                    object=changed,
                    old=request.old,
                    subresource=request.subresource,
                    dry_run=request.dry_run,
                )
        return obj

    def _interested(self, qualified: str) -> tuple[Admitter, ...]:
        found = self._by_resource.get(qualified)
        if found is None:
            found = tuple(
                each for each in self._admitters if "*" in each.resources or qualified in each.resources
            )
            self._by_resource[qualified] = found
        return found
