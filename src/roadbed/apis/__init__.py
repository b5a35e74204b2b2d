"""The kinds: one module per API group, one CRD per file in ``crds``, and the built-in kinds as data.

Facts only: what a kind is called, what its fields are. Whatever acts on a kind lives in an engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import yaml

__all__ = ["load_crds"]


def load_crds() -> Iterator[dict[str, Any]]:
    """Give every CustomResourceDefinition that Roadbed brings, in the order of their file names."""
    folder = resources.files(__name__) / "crds"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            # Files of our own, checked by tests: the plain safe loader in C is enough.
            yield from yaml.load_all(file.read_text(), Loader=yaml.CSafeLoader)
