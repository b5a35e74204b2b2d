"""What an entity is called and when it is well formed: Backstage's envelope, its rules, its relations.

Pure functions of decoded YAML; called by the folder reader for every document, on a worker thread.
It knows nothing of where entities come from or where they are kept.

Source: https://backstage.io/docs/features/software-catalog/descriptor-format
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Entity = dict[str, Any]

DEFAULT_NAMESPACE = "default"
API_VERSIONS = frozenset({"backstage.io/v1alpha1", "backstage.io/v1beta1", "scaffolder.backstage.io/v1beta3"})
# The name space of the uids that follow from references; fixed for ever, or every link to an entity breaks.
_UID_SPACE = uuid.UUID("6f1d3c1e-5f0a-5b52-9a3e-0d6f4f6d8b11")

_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_NAMESPACE = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*\Z")
_KIND = re.compile(r"[a-zA-Z][a-z0-9A-Z]*\Z")
_TAG = re.compile(r"[a-z0-9:+#]+(-[a-z0-9:+#]+)*\Z")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")


class EntityError(ValueError):
    """An entity breaks a rule; ``field`` says which one, the message why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """A reference to an entity, always lower case: ``kind:namespace/name``."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Give the canonical text."""
        return f"{self.kind}:{self.namespace}/{self.name}"

    @property
    def uid(self) -> str:
        """The uid of the entity so named: it follows from the reference, so it survives a rebuild."""
        return str(uuid.uuid5(_UID_SPACE, str(self)))

    @classmethod
    def parse(cls, text: str, *, kind: str = "", namespace: str = DEFAULT_NAMESPACE) -> Ref:
        """Read ``[kind:][namespace/]name``; ``a:b:c`` is kind ``a``, name ``b:c``.

        Raises:
            ValueError: no kind in the text nor given, or an empty part.
        """
        head, colon, tail = text.strip().partition(":")
        found_kind, rest = (head, tail) if colon else (kind, head)
        before, slash, after = rest.partition("/")
        found_namespace, name = (before, after) if slash else (namespace, before)
        if not (found_kind and found_namespace and name):
            raise ValueError(f"cannot read the reference {text!r}: want [kind:][namespace/]name")
        return cls(found_kind.lower(), found_namespace.lower(), name.lower())


@dataclass(frozen=True, slots=True)
class Relation:
    """One directed edge; the catalog always holds its reverse too."""

    source: Ref
    type: str
    target: Ref

    def reverse(self) -> Relation:
        """Give the edge as seen from the target."""
        return Relation(self.target, OPPOSITES[self.type], self.source)


_PAIRS = [
    ("ownedBy", "ownerOf"),
    ("providesApi", "apiProvidedBy"),
    ("consumesApi", "apiConsumedBy"),
    ("dependsOn", "dependencyOf"),
    ("parentOf", "childOf"),
    ("memberOf", "hasMember"),
    ("partOf", "hasPart"),
]
OPPOSITES = {**dict(_PAIRS), **{back: forth for forth, back in _PAIRS}}

# Kind → the fields of spec that must be there. Location's target or targets are checked by the reader.
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "component": ("type", "lifecycle", "owner"),
    "api": ("type", "lifecycle", "owner", "definition"),
    "resource": ("type", "owner"),
    "system": ("owner",),
    "domain": ("owner",),
    "group": ("type", "children"),
    "user": ("memberOf",),
    "template": ("type", "steps"),
    "location": (),
}


@dataclass(frozen=True, slots=True)
class _Field:
    """How one field of spec becomes relations: the relation, and the kind its references default to."""

    kinds: frozenset[str]
    name: str
    relation: str
    default_kind: str


_ANY = frozenset(_REQUIRED)
_FIELDS = [
    _Field(_ANY, "owner", "ownedBy", "group"),
    _Field(frozenset({"component", "api", "resource"}), "system", "partOf", "system"),
    _Field(frozenset({"component"}), "subcomponentOf", "partOf", "component"),
    _Field(frozenset({"component"}), "providesApis", "providesApi", "api"),
    _Field(frozenset({"component"}), "consumesApis", "consumesApi", "api"),
    _Field(frozenset({"component", "resource"}), "dependsOn", "dependsOn", ""),
    _Field(frozenset({"component", "resource"}), "dependencyOf", "dependencyOf", ""),
    _Field(frozenset({"system"}), "domain", "partOf", "domain"),
    _Field(frozenset({"domain"}), "subdomainOf", "partOf", "domain"),
    _Field(frozenset({"group"}), "parent", "childOf", "group"),
    _Field(frozenset({"group"}), "children", "parentOf", "group"),
    _Field(frozenset({"group"}), "members", "hasMember", "user"),
    _Field(frozenset({"user"}), "memberOf", "memberOf", "group"),
]


def ref_of(entity: Entity) -> Ref:
    """Name a well-formed entity."""
    meta = entity["metadata"]
    return Ref(
        entity["kind"].lower(), str(meta.get("namespace") or DEFAULT_NAMESPACE).lower(), meta["name"].lower()
    )


def plural_of(kind: str) -> str:
    """Give the plural by which RBAC names a kind in ``backstage.io``."""
    lowered = kind.lower()
    if lowered.endswith("y") and lowered[-2:-1] not in "aeiou":
        return f"{lowered[:-1]}ies"
    return f"{lowered}es" if lowered.endswith(("s", "x", "ch", "sh")) else f"{lowered}s"


def validate(entity: Any) -> None:
    """Check the envelope and the required fields of the kinds we know; other kinds pass on the envelope.

    Raises:
        EntityError: the first rule that is broken, with its field.
    """
    if not isinstance(entity, dict):
        raise EntityError("document", f"must be a mapping, is {type(entity).__name__}")
    _check(entity.get("apiVersion"), "apiVersion", None, "be a text such as backstage.io/v1alpha1", 253)
    _check(entity.get("kind"), "kind", _KIND, "start with a letter and hold only letters and digits")
    meta = entity.get("metadata")
    if not isinstance(meta, dict):
        raise EntityError("metadata", "is required and must be a mapping")
    _check_metadata(meta)
    spec = entity.get("spec", {})
    if not isinstance(spec, dict):
        raise EntityError("spec", "must be a mapping")
    if entity["apiVersion"] in API_VERSIONS:
        _check_spec(entity["kind"].lower(), spec)


def _check_metadata(meta: dict[str, Any]) -> None:
    _check(
        meta.get("name"),
        "metadata.name",
        _NAME,
        "hold letters, digits, -, _ and . and end on a letter or digit",
    )
    if meta.get("namespace") is not None:
        _check(
            meta["namespace"],
            "metadata.namespace",
            _NAMESPACE,
            "hold lower-case letters, digits and single -",
        )
    for field in ("title", "description"):
        if not isinstance(meta.get(field, ""), str):
            raise EntityError(f"metadata.{field}", "must be a text")
    tags = meta.get("tags") or []
    if not isinstance(tags, list):
        raise EntityError("metadata.tags", "must be a list")
    for position, tag in enumerate(tags):
        _check(
            tag, f"metadata.tags[{position}]", _TAG, "hold lower-case letters, digits, :, +, # and single -"
        )
    for field in ("labels", "annotations"):
        _check_map(meta.get(field) or {}, f"metadata.{field}")
    for position, link in enumerate(_list(meta.get("links"), "metadata.links")):
        if not isinstance(link, dict) or not isinstance(link.get("url"), str) or not link["url"]:
            raise EntityError(f"metadata.links[{position}].url", "is required and must be a text")


def _check_map(found: Any, field: str) -> None:
    if not isinstance(found, dict):
        raise EntityError(field, "must be a mapping")
    for key, value in found.items():
        prefix, slash, name = str(key).rpartition("/")
        if slash and not (_PREFIX.match(prefix) and len(prefix) <= 253):
            raise EntityError(f"{field}[{key}]", "has a prefix that is not a DNS name")
        _check(name, f"{field}[{key}]", _NAME, "have a name of letters, digits, -, _ and .")
        if not isinstance(value, str):
            raise EntityError(
                f"{field}[{key}]", f"must be a text, is {type(value).__name__}: put it in quotes"
            )


def _check_spec(kind: str, spec: dict[str, Any]) -> None:
    for field in _REQUIRED.get(kind, ()):
        if field in ("children", "memberOf", "steps"):
            _list(spec.get(field), f"spec.{field}", required=True)
        elif not isinstance(spec.get(field), str) or not spec[field].strip():
            raise EntityError(f"spec.{field}", f"is required for kind {kind.capitalize()} and must be a text")
    for rule in _FIELDS:
        if kind in rule.kinds and spec.get(rule.name) is not None:
            for position, text in enumerate(_texts(spec[rule.name], f"spec.{rule.name}")):
                try:
                    Ref.parse(text, kind=rule.default_kind)
                except ValueError as error:
                    raise EntityError(f"spec.{rule.name}[{position}]", str(error)) from error


def relations_of(entity: Entity) -> Iterator[Relation]:
    """Give the edges that a validated entity declares; the caller adds each one's reverse."""
    source = ref_of(entity)
    spec = entity.get("spec") or {}
    for rule in _FIELDS:
        if source.kind in rule.kinds and spec.get(rule.name) is not None:
            for text in _texts(spec[rule.name], rule.name):
                target = Ref.parse(text, kind=rule.default_kind, namespace=source.namespace)
                if target != source:
                    yield Relation(source, rule.relation, target)


def _texts(found: Any, field: str) -> list[str]:
    several = found if isinstance(found, list) else [found]
    for position, text in enumerate(several):
        if not isinstance(text, str):
            raise EntityError(f"{field}[{position}]", "must be a reference, a text")
    return several


def _list(found: Any, field: str, *, required: bool = False) -> list[Any]:
    if found is None and not required:
        return []
    if not isinstance(found, list):
        raise EntityError(field, "is required and must be a list" if required else "must be a list")
    return found


def _check(found: Any, field: str, pattern: re.Pattern[str] | None, rule: str, limit: int = 63) -> None:
    if not isinstance(found, str) or not found:
        raise EntityError(field, f"is required and must be a text; it must {rule}")
    if len(found) > limit:
        raise EntityError(field, f"must be at most {limit} characters, has {len(found)}")
    if pattern is not None and not pattern.match(found):
        raise EntityError(field, f"must {rule}, is {found!r}")
