"""The areas of the differential tester, each a way to make random sequences of requests.

An area is one module with an ``AREA``; it may make steps only, ask nobody, and take all chance from the ``Random``
it is given.
"""

from __future__ import annotations

from . import apply, kinds, lists, objects, patches, schemas
from .making import Area

__all__ = ["AREAS", "Area"]

AREAS: dict[str, Area] = {
    each.name: each for each in (apply.AREA, patches.AREA, kinds.AREA, schemas.AREA, objects.AREA, lists.AREA)
}
