"""How the catalog joins the platform: one controller for Sources, one admitter for their paths.

``app`` registers a ``CatalogPlugin`` with the catalog that it gives to the interfaces, because both must
be the same one.
"""

from __future__ import annotations

from collections.abc import Sequence

from roadbed.apimachinery.admission import Admitter
from roadbed.apis.catalog import SOURCES
from roadbed.controller import Controller, Watch
from roadbed.plugins import EngineContext, hookimpl

from .catalog import Catalog
from .sources import LocalPaths, SourceReconciler


class CatalogPlugin:
    """The hook implementations, holding the catalog that they feed."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    @hookimpl
    def roadbed_controllers(self, context: EngineContext) -> Sequence[Controller]:
        """Keep the catalog true to its Sources."""
        reconciler = SourceReconciler(self._catalog, context.client, context.recorder, context.clock)
        return [Controller("catalog/sources", reconciler, [Watch(SOURCES)], workers=1)]

    @hookimpl
    def roadbed_admitters(self, context: EngineContext) -> Sequence[Admitter]:
        """Guard the files of this machine."""
        return [LocalPaths(context.connect)]
