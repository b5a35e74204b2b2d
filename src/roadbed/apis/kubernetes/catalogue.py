"""Reading the generated data: OpenAPI schemas and protobuf descriptors, decompressed on first use.

Called by the API server (validation, defaulting, apply, OpenAPI documents, protobuf bodies). The data is
immutable and shared by all callers, who must not change it. Nothing here knows which kinds are served.
"""

from __future__ import annotations

import lzma
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import orjson

from roadbed.apimachinery.gvk import GVK
from roadbed.apis import review

_FOLDER = Path(__file__).parent
REF_PREFIX = "#/components/schemas/"


class Builtins:
    """The schemas and message descriptors of Kubernetes' own kinds, and the schemas of our review kinds."""

    @cached_property
    def _document(self) -> dict[str, Any]:
        packed = (_FOLDER / "schemas.json.xz").read_bytes()
        document: dict[str, Any] = orjson.loads(lzma.decompress(packed))
        document["schemas"].update(review.DEFINITIONS)
        return document

    @property
    def version(self) -> str:
        """The Kubernetes release that the data was generated from, such as ``v1.35.4``."""
        return str(self._document["version"])

    @property
    def definitions(self) -> dict[str, dict[str, Any]]:
        """All schemas by definition name (``io.k8s.api.core.v1.ConfigMap``)."""
        found: dict[str, dict[str, Any]] = self._document["schemas"]
        return found

    @cached_property
    def _names(self) -> dict[GVK, str]:
        return {
            GVK(kind["group"], kind["version"], kind["kind"]): name
            for name, schema in self.definitions.items()
            for kind in schema.get("x-kubernetes-group-version-kind", ())
            if len(schema["x-kubernetes-group-version-kind"]) == 1
        }

    def definition_name(self, gvk: GVK) -> str | None:
        """Give the definition's name for a kind, or None where Kubernetes has no such kind."""
        return self._names.get(gvk)

    def schema(self, gvk: GVK) -> dict[str, Any] | None:
        """Give the OpenAPI v3 schema of a kind; its ``$ref``s are read by ``resolve``."""
        name = self._names.get(gvk)
        return None if name is None else self.definitions[name]

    def resolve(self, ref: str) -> dict[str, Any]:
        """Give the schema behind a ``#/components/schemas/NAME`` reference (or a bare definition name).

        Raises:
            KeyError: there is no such definition.
        """
        return self.definitions[ref.removeprefix(REF_PREFIX)]

    @cached_property
    def descriptors(self) -> bytes:
        """The serialised ``FileDescriptorSet`` of Kubernetes' ``generated.proto`` files."""
        return lzma.decompress((_FOLDER / "descriptors.pb.xz").read_bytes())

    @cached_property
    def messages(self) -> dict[str, Any]:
        """What JSON makes of each protobuf message, by full name; ``tools/generate_kubernetes.py`` says how."""
        packed = (_FOLDER / "messages.json.xz").read_bytes()
        found: dict[str, Any] = orjson.loads(lzma.decompress(packed))
        return found


@cache
def load() -> Builtins:
    """Give the one shared instance; nothing is read from disk before its first use."""
    return Builtins()
