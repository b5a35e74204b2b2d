"""Who waits for whom: so that an object goes on the moment what it needs appears, not at its next retry.

Filled by reconcilers, emptied by watch handlers, both on the loop. An entry is taken when it wakes somebody;
a reconcile that still can't go on puts it back. Bounded by the objects in trouble.
"""

from __future__ import annotations

from collections.abc import Iterable

from roadbed.apimachinery.gvk import GVK
from roadbed.controller import Request

KindKey = tuple[str, str]
"""Group and kind; versions do not matter to who waits."""


def kind_key(gvk: GVK) -> KindKey:
    """Give the key of a kind."""
    return (gvk.group, gvk.kind)


class Waiting:
    """The waiting objects of one kind, by the kind of object that may help them."""

    def __init__(self) -> None:
        self._requests: dict[KindKey, set[Request]] = {}

    def add(self, kinds: Iterable[KindKey], request: Request) -> None:
        """Look at ``request`` again when an object of one of ``kinds`` changes."""
        for kind in kinds:
            self._requests.setdefault(kind, set()).add(request)

    def discard(self, kinds: Iterable[KindKey], request: Request) -> None:
        """Wait no more for these."""
        for kind in kinds:
            self._requests.get(kind, set()).discard(request)

    def take(self, kind: KindKey) -> set[Request]:
        """Give, and forget, who waits for a kind."""
        return self._requests.pop(kind, set())
