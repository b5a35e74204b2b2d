"""The group ``catalog.roadbed.dev``: where the catalog's entities come from."""

from __future__ import annotations

from roadbed.apimachinery.gvk import Resource

GROUP = "catalog.roadbed.dev"

SOURCES = Resource(
    GROUP,
    "v1alpha1",
    "sources",
    "Source",
    namespaced=False,
    singular="source",
    short_names=("src",),
    categories=("catalog",),
    subresources=("status",),
)

__all__ = ["GROUP", "SOURCES"]
