"""The OpenAPI documents that clients fetch before they create, apply, diff or explain.

``documents`` hands ``/openapi/v3``, what is below it, and ``/openapi/v2`` to ``OpenApi``. The v3 index names each group version with a
hash of its content; clients keep a document until its hash changes, so a document is built only when asked for
and kept until its kinds change. Paths carry what clients look for (which verbs a kind has, which patches, the
parameters dryRun, fieldValidation and so on) and no more. v2 is given as protobuf and as JSON, v3 as JSON only.

``get`` builds what it needs on the event loop; the largest group version takes a few milliseconds. v2 is all of them
together: ``building`` gives what is left to build for an answer, which ``documents`` runs in a thread first.

Source: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.request import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from roadbed.apis.kubernetes import WORDS, load, published
from roadbed.apiserver import negotiation

from . import general, operations, swagger, swaggerjson

ROOT: Final = "/openapi/v3"
V2: Final = "/openapi/v2"
_REF: Final = "#/components/schemas/"
_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_YEAR_S: Final = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Published:
    """One served kind as it is published; ``schema`` None means a built-in kind, read from the generated data."""

    resource: Resource
    schema: Mapping[str, Any] | None = None


class RegistryView(Protocol):
    """What OpenApi asks the registry."""

    @property
    def generation(self) -> int:
        """Grows whenever what is served changes."""
        ...

    def published(self) -> Iterable[Published]:
        """Give every served kind (all versions), in any order."""
        ...


class WithReviews:
    """A registry together with the review kinds, which are answered and so not in it."""

    def __init__(self, registry: RegistryView, reviews: Callable[[], Iterable[Resource]]) -> None:
        self._registry = registry
        self._reviews = reviews

    @property
    def generation(self) -> int:
        """The registry's; it grows with every new reviewer too."""
        return self._registry.generation

    def published(self) -> Iterable[Published]:
        """Give the registry's kinds and every review kind."""
        return [*self._registry.published(), *(Published(resource) for resource in self._reviews())]


@dataclass(frozen=True, slots=True)
class Document:
    """One answer: 200 with a body, 301 to the document's present address, or 304 without a body.

    ``headers`` hold Content-Type, ETag, Cache-Control and so on, as sent.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]


_UNACCEPTABLE: Final = Document(406, b"", {"Vary": "Accept", "Cache-Control": "no-cache, private"})
_V2_TYPES: Final = (negotiation.JSON, swagger.MEDIA_TYPE, swagger.ASKED_TYPE)


@dataclass(slots=True)
class _Version:
    """One group version: its kinds, their hash, and the document once somebody asked for it.

    What is of no kind has ``paths`` instead.
    """

    kinds: list[Published]
    hash: str
    paths: Mapping[str, Any] = field(default_factory=dict)
    document: bytes = b""
    fragments: dict[str, _Fragment] = field(default_factory=dict)  # of v2, by media type


@dataclass(frozen=True, slots=True)
class _Fragment:
    """One group version's part of a v2 document, and the built-in definitions that must join it."""

    paths: bytes
    definitions: bytes
    shared: frozenset[str]


class OpenApi:
    """Serves ``/openapi/v2``, ``/openapi/v3`` and ``/openapi/v3/<group version>``."""

    def __init__(self, registry: RegistryView) -> None:
        self._registry = registry
        self._generation: int | None = None
        self._versions: dict[str, _Version] = {}
        self._index = b""
        self._whole: dict[str, bytes] = {}  # v2, by media type
        self._digests: dict[Resource, tuple[Published, bytes]] = {}
        self.elsewhere: Callable[[], Mapping[str, str]] = dict  # documents of other servers: address by name

    def get(
        self, path: str, *, hash_: str = "", if_none_match: str = "", accept: str = ""
    ) -> Document | None:
        """Give the document at ``path`` (``/openapi/v3``, ``/openapi/v3/apis/apps/v1``), None where there is none.

        ``hash_`` is the query's ``hash``: the right one makes the answer good for ever, a stale one is sent on.
        A form that can't be given is a 406 without a body, as in Kubernetes.
        """
        self._refresh()
        if path == V2:
            return self._get_v2(if_none_match, accept)
        name = path.removeprefix(ROOT).strip("/")
        if not name:
            return _answer(self._index, _hash(self._index), if_none_match)
        version = self._versions.get(name)
        if version is None:
            return None
        if not negotiation.chosen(accept, (negotiation.JSON,)):
            return _UNACCEPTABLE
        if hash_ and hash_ != version.hash:
            headers = {"Location": f"{ROOT}/{name}?hash={version.hash}", "ETag": f'"{version.hash}"'}
            return Document(301, b"", headers)
        if not version.document:
            version.document = orjson.dumps(_document(version))
        return _answer(version.document, version.hash, if_none_match, is_lasting=bool(hash_))

    def building(self, path: str, accept: str) -> Callable[[], None] | None:
        """Give what to run, in a thread, before ``get`` is quick for this address; None where it is already."""
        if path != V2:
            return None
        self._refresh()
        media_type = negotiation.chosen(accept, _V2_TYPES)
        missing = [each for each in self._versions.values() if media_type not in each.fragments]
        if not media_type or not missing:
            return None

        def build() -> None:
            for version in missing:
                version.fragments[media_type] = _fragment(version, media_type)

        return build

    def _get_v2(self, if_none_match: str, accept: str) -> Document:
        media_type = negotiation.chosen(accept, _V2_TYPES)
        if not media_type:
            return _UNACCEPTABLE
        whole = self._whole.get(media_type)
        if whole is None:
            for version in self._versions.values():
                if media_type not in version.fragments:
                    version.fragments[media_type] = _fragment(version, media_type)
            fragments = [version.fragments[media_type] for version in self._versions.values()]
            whole = self._whole[media_type] = _joined(fragments, media_type)
        sent_as = negotiation.JSON if media_type == negotiation.JSON else swagger.MEDIA_TYPE
        found = _answer(whole, _hash(whole), if_none_match)
        return Document(found.status, found.body, {**found.headers, "Content-Type": sent_as})

    def _refresh(self) -> None:
        """Bring the index up to what is served; documents of unchanged group versions stay."""
        generation = self._registry.generation
        if generation == self._generation:
            return
        grouped: dict[str, list[Published]] = {}
        digests: dict[Resource, tuple[Published, bytes]] = {}
        for kind in sorted(self._registry.published(), key=lambda kind: kind.resource.plural):
            group, api_version = kind.resource.group, kind.resource.api_version
            grouped.setdefault(f"apis/{api_version}" if group else f"api/{api_version}", []).append(kind)
            digests[kind.resource] = (kind, self._digest(kind))
        fresh: dict[str, _Version] = {}
        for name, kinds in sorted(grouped.items()):
            hash_ = _hash(b"".join(digests[kind.resource][1] for kind in kinds))
            before = self._versions.get(name)
            fresh[name] = before if before and before.hash == hash_ else _Version(kinds, hash_)
        groups = {kind.group for kind in digests if kind.group and digests[kind][0].schema is None}
        for name, paths in general.paths(groups).items():
            fresh[name] = _Version([], _hash(orjson.dumps(paths)), paths)
        index = {
            name: {"serverRelativeURL": f"{ROOT}/{name}?hash={version.hash}"}
            for name, version in fresh.items()
        }
        index |= {name: {"serverRelativeURL": address} for name, address in self.elsewhere().items()}
        self._versions, self._digests = fresh, digests
        self._index = orjson.dumps({"paths": dict(sorted(index.items()))})
        self._whole = {}
        self._generation = generation

    def _digest(self, kind: Published) -> bytes:
        """Hash one kind, or give the known hash where neither resource nor schema is another."""
        known = self._digests.get(kind.resource)
        if known is not None and known[0].schema is kind.schema and _facts(known[0]) == _facts(kind):
            return known[1]
        return hashlib.sha256(orjson.dumps([_facts(kind), kind.schema])).digest()


def _facts(kind: Published) -> list[Any]:
    resource = kind.resource
    named = [resource.group, resource.version, resource.plural, resource.kind, resource.namespaced]
    return [*named, list(resource.verbs), list(resource.subresources)]


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest().upper()


def _answer(body: bytes, hash_: str, if_none_match: str, *, is_lasting: bool = False) -> Document:
    etag = f'"{hash_}"'
    headers = {"ETag": etag, "Vary": "Accept-Encoding, Accept"}
    headers["Cache-Control"] = f"public, immutable, max-age={_YEAR_S}" if is_lasting else "no-cache, private"
    if negotiation.is_known(etag, if_none_match):
        return Document(304, b"", headers)
    return Document(200, body, {"Content-Type": "application/json", **headers})


def _document(version: _Version) -> dict[str, Any]:
    """Build the v3 document of one group version."""
    paths, schemas = _content(version)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": load().version},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _fragment(version: _Version, media_type: str) -> _Fragment:
    """Build the v2 fragment of one group version."""
    paths, schemas = _content(version)
    shared = frozenset(name for name in schemas if name in load().definitions)
    own = {name: _open_in_v2(schema) for name, schema in schemas.items() if name not in shared}
    if media_type != negotiation.JSON:
        definitions = b"".join(swagger.definition(name, schema) for name, schema in own.items())
        return _Fragment(swagger.paths(paths), definitions, shared)
    defined = {name: swaggerjson.definition(schema) for name, schema in own.items()}
    return _Fragment(_members(swaggerjson.paths(paths)), _members(defined), shared)


def _open_in_v2(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a kind that may have any members as an object of which no more is said: clients would refuse all others.

    Source: k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder.
    """
    if not schema.get("x-kubernetes-preserve-unknown-fields"):
        return schema
    kept = ("x-kubernetes-group-version-kind", "x-kubernetes-selectable-fields")
    return {"type": "object", **{word: schema[word] for word in kept if word in schema}}


def _joined(fragments: list[_Fragment], media_type: str) -> bytes:
    """Give the whole v2 document: protobuf messages that stand behind each other are one, JSON members follow on."""
    shared = sorted(frozenset().union(*(fragment.shared for fragment in fragments)))
    if media_type != negotiation.JSON:
        known = [swagger.known_definition(name) for name in shared]
        parts = [part for fragment in fragments for part in (fragment.paths, fragment.definitions)]
        return b"".join([swagger.head(load().version), *known, *parts])
    known = [_members({name: swaggerjson.definition(published(name) or {})}) for name in shared]
    return b'{"swagger":"2.0","info":%b,"paths":{%b},"definitions":{%b}}' % (
        orjson.dumps({"title": "Kubernetes", "version": load().version}),
        b",".join(fragment.paths for fragment in fragments if fragment.paths),
        b",".join([*known, *(fragment.definitions for fragment in fragments if fragment.definitions)]),
    )


def _members(value: dict[str, Any]) -> bytes:
    """Give the members of a JSON object without its braces."""
    return orjson.dumps(value)[1:-1]


def _content(version: _Version) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give paths, and every schema that they or the kinds refer to."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {**version.paths}
    for kind in version.kinds:
        name, schema = _definition(kind)
        schemas[name] = schema
        if "list" in kind.resource.verbs:
            schemas[f"{name}List"] = published(f"{name}List") or _list_of(kind.resource, name)
        paths.update(
            operations.paths(kind.resource, name, is_custom=kind.schema is not None, patches=_patches(kind))
        )
    _gather(schemas, [*schemas.values(), *paths.values()])
    return paths, schemas


def _patches(kind: Published) -> tuple[str, ...]:
    """List the patches a kind takes; strategic merge needs facts that only built-in kinds have."""
    every = (APPLY_PATCH, JSON_PATCH, MERGE_PATCH)
    return every if kind.schema is not None else (*every, STRATEGIC_PATCH)


def _definition(kind: Published) -> tuple[str, Mapping[str, Any]]:
    """Give a kind's definition name and schema; a review kind without a schema takes any members."""
    known = load().definition_name(kind.resource.gvk)
    if kind.schema is None and known is not None:
        return known, published(known) or {}
    resource = kind.resource
    reverse = ".".join(reversed(resource.group.split(".")))
    name = f"{reverse}.{resource.version}.{resource.kind}"
    if kind.schema is None:
        return name, _custom(resource, {"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    return name, _custom(resource, kind.schema)


def _custom(resource: Resource, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Publish a CRD's schema: with the members that every object has, and its name."""
    properties = {
        **(schema.get("properties") or {}),
        "apiVersion": {"description": WORDS["apiVersion"], "type": "string"},
        "kind": {"description": WORDS["kind"], "type": "string"},
        "metadata": {"description": WORDS["metadata"], "allOf": [{"$ref": f"{_REF}{_META}ObjectMeta"}]},
    }
    return {**schema, "type": "object", "properties": properties, **_named(resource, resource.kind)}


def _list_of(resource: Resource, name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "items": {"type": "array", "items": {"allOf": [{"$ref": f"{_REF}{name}"}]}},
            "metadata": {"allOf": [{"$ref": f"{_REF}{_META}ListMeta"}]},
        },
        **_named(resource, f"{resource.kind}List"),
    }


def _named(resource: Resource, kind: str) -> dict[str, Any]:
    gvk = {"group": resource.group, "kind": kind, "version": resource.version}
    return {"x-kubernetes-group-version-kind": [gvk]}


def _gather(schemas: dict[str, Any], roots: Iterable[Any]) -> None:
    """Add to ``schemas`` whatever ``roots`` refer to, through any number of steps."""
    waiting = list(roots)
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str) and reference.startswith(_REF):
                name = reference.removeprefix(_REF)
                if name not in schemas and name in load().definitions:
                    schemas[name] = published(name)
                    waiting.append(schemas[name])
            waiting += [inner for inner in value.values() if isinstance(inner, dict | list)]
