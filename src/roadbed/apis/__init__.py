"""The kinds: one module per API group, one CRD per file in ``crds``, AWS's as tables, the built-in ones as data.

Facts only: what a kind is called, what its fields are. Whatever acts on a kind lives in an engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import orjson
import yaml

__all__ = ["load_crds"]


def load_crds() -> Iterator[dict[str, Any]]:
    """Give every CustomResourceDefinition that Roadbed brings, sorted by name; nothing in them is shared."""
    from .aws import KINDS, definitions

    found = [orjson.loads(orjson.dumps(definition)) for definition in definitions(KINDS)]
    files = (file for file in (resources.files(__name__) / "crds").iterdir() if file.name.endswith(".yaml"))
    # Files of our own, checked by tests: the plain safe loader in C is enough.
    found += [yaml.load(file.read_text(), Loader=yaml.CSafeLoader) for file in files]
    yield from sorted(found, key=lambda definition: str(definition["metadata"]["name"]))
