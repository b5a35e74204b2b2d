"""The compiled form of an OpenAPI v3 schema: a tree of nodes that the schema algebra walks.

Built once per CRD version or built-in kind by ``compile_node``; read by ``pruning``, ``defaulting``,
``validation``, server-side apply (list and map types) and CEL (``rules``). Nodes never change after
compilation, so any number of readers may share them. A recursive ``$ref`` (``JSONSchemaProps`` holds
itself) becomes a node that refers to itself: a walk over a schema must follow a value, or remember.

Does not judge the schema: ``structural.check_structural`` does, before a CRD is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

Resolver = Callable[[str], Mapping[str, Any]]

MAX_DEPTH: Final = 100  # twice any real schema; compiling takes several frames a level

_NO_MEMBERS: Final[Mapping[str, Any]] = MappingProxyType({})


def _no_members() -> Mapping[str, Any]:
    return _NO_MEMBERS  # a dataclass takes no unhashable default


@dataclass(frozen=True, slots=True, eq=False)
class Checks:
    """The value validations of one node; ``None`` means unchecked. Numbers keep their JSON type."""

    format: str = ""
    pattern: str = ""
    enum: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    min_properties: int | None = None
    max_properties: int | None = None
    unique_items: bool = False


NO_CHECKS: Final = Checks()


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """What the schema says of one value.

    ``type`` is empty where the schema names none (preserve-unknown, int-or-string, nested validations).
    ``additional`` is the schema of map values; ``additionalProperties: true`` gives ``OPAQUE`` (the keys
    are known, what is inside the values is not), ``false`` gives it too and sets ``closed``.
    ``default`` None means none (Kubernetes reads ``default: null`` so, too).
    ``list_type`` (``atomic``, ``set``, ``map``) and ``map_type`` (``granular``, ``atomic``) are empty where
    the schema is silent: lists are then atomic, maps granular. ``rules`` are the raw entries of
    ``x-kubernetes-validations``. ``merge_key`` and ``merge_strategy`` serve strategic merge of built-ins.
    ``holds_rules`` says whether this node or one below has rules; ``holds_marks`` the same of set and map
    lists and embedded resources. ``defaulted`` are the properties that have a default.
    """

    type: str = ""
    properties: Mapping[str, Node] = field(default_factory=_no_members)
    additional: Node | None = None
    items: Node | None = None
    required: tuple[str, ...] = ()
    nullable: bool = False
    preserve_unknown: bool = False
    embedded_resource: bool = False
    int_or_string: bool = False
    list_type: str = ""
    list_keys: tuple[str, ...] = ()
    map_type: str = ""
    default: Any = None
    closed: bool = False
    checks: Checks = NO_CHECKS
    all_of: tuple[Node, ...] = ()
    any_of: tuple[Node, ...] = ()
    one_of: tuple[Node, ...] = ()
    not_: Node | None = None
    rules: tuple[Mapping[str, Any], ...] = ()
    merge_key: str = ""
    merge_strategy: str = ""
    defaulted: tuple[tuple[str, Node], ...] = ()
    holds_rules: bool = False
    holds_marks: bool = False
    source: Mapping[str, Any] = field(default_factory=_no_members, repr=False)

    def child(self, name: str) -> Node | None:
        """Give the node for a member of an object: the property, else the map value's schema."""
        found = self.properties.get(name)
        return self.additional if found is None else found


OPAQUE: Final = Node()


def compile_node(openapi: Mapping[str, Any], resolve: Resolver | None = None) -> Node:
    """Compile one schema and all below it; ``resolve`` gives the schema that a ``$ref`` names.

    Raises:
        ValueError: a ``$ref`` without ``resolve``, or a schema nested deeper than 100.
    """
    return _Compiler(resolve).compile(openapi, 0)


class _Compiler:
    """One compilation; remembers the nodes of references, so that recursion closes."""

    def __init__(self, resolve: Resolver | None) -> None:
        self._resolve = resolve
        self._known: dict[tuple[str, int], Node] = {}

    def compile(self, schema: Mapping[str, Any], depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ValueError(f"schema is nested deeper than {MAX_DEPTH} levels; flatten it")
        reference, beside = _reference(schema)
        if not reference:
            return Node(**self._members(schema, depth))
        # A bare reference is one node wherever it stands; one with a default beside it is a node per place.
        key = (reference, id(schema) if beside else 0)
        known = self._known.get(key)
        if known is not None:
            return known
        # The empty node is known before its members are compiled, and filled afterwards.
        node: Node = object.__new__(Node)
        self._known[key] = node
        # Published built-ins say {"allOf": [{"$ref": …}], "default": {}}: both count.
        Node.__init__(node, **self._members({**self._target(reference), **beside}, depth))
        return node

    def _target(self, reference: str) -> Mapping[str, Any]:
        if self._resolve is None:
            raise ValueError(f"schema refers to {reference!r}, and nothing resolves references here")
        target = self._resolve(reference)
        if target.get("type", "object") != "object" or not _OPAQUE_UNLESS.isdisjoint(target):
            return target
        # A built-in definition without members (RawExtension, JSON, JSONSchemaPropsOrArray) hides any value.
        return {**target, "x-kubernetes-preserve-unknown-fields": True}

    def _members(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        def one(member: str) -> Node | None:
            found = schema.get(member)
            return self.compile(found, depth + 1) if isinstance(found, Mapping) else None

        def several(member: str) -> tuple[Node, ...]:
            return tuple(self.compile(each, depth + 1) for each in schema.get(member) or ())

        allowed = schema.get("additionalProperties")
        additional = OPAQUE if isinstance(allowed, bool) else one("additionalProperties")
        checks = _checks(schema)
        if self._resolve is not None:  # of a built-in kind, whose bytes are decoded, with words of their own
            if checks.format == "byte":
                checks = replace(checks, format="")
            if isinstance(allowed, Mapping) and allowed.get("format") == "byte":
                additional = self.compile({**allowed, "default": ""}, depth + 1)  # null is no bytes
        properties = {
            name: self.compile(each, depth + 1) for name, each in (schema.get("properties") or {}).items()
        }
        items = one("items")
        below = [node for node in (*properties.values(), additional, items) if node is not None]
        rules = tuple(schema.get("x-kubernetes-validations") or ())
        list_type = str(schema.get("x-kubernetes-list-type") or "")
        embedded = bool(schema.get("x-kubernetes-embedded-resource"))
        return {
            "type": str(schema.get("type") or ""),
            "properties": properties,
            "additional": additional,
            "items": items,
            "required": tuple(schema.get("required") or ()),
            "nullable": bool(schema.get("nullable")),
            "preserve_unknown": bool(schema.get("x-kubernetes-preserve-unknown-fields")),
            "embedded_resource": embedded,
            "int_or_string": bool(schema.get("x-kubernetes-int-or-string"))
            or schema.get("format") == "int-or-string",
            "list_type": list_type,
            "list_keys": tuple(schema.get("x-kubernetes-list-map-keys") or ()),
            "map_type": str(schema.get("x-kubernetes-map-type") or ""),
            "default": schema.get("default"),
            "closed": allowed is False,
            "checks": checks,
            "all_of": several("allOf"),
            "any_of": several("anyOf"),
            "one_of": several("oneOf"),
            "not_": one("not"),
            "rules": rules,
            "merge_key": str(schema.get("x-kubernetes-patch-merge-key") or ""),
            "merge_strategy": str(schema.get("x-kubernetes-patch-strategy") or ""),
            "defaulted": tuple(
                (name, node)
                for name, node in properties.items()
                if getattr(node, "default", None) is not None
            ),
            "holds_rules": bool(rules) or any(_holds(node, "holds_rules") for node in below),
            "holds_marks": list_type in ("set", "map")
            or embedded
            or any(_holds(node, "holds_marks") for node in below),
            "source": schema,
        }


_OPAQUE_UNLESS: Final = frozenset(
    ("properties", "additionalProperties", "items", "allOf", "oneOf", "anyOf", "$ref", "format")
)


def _holds(node: Node, flag: str) -> bool:
    """Read a flag of a node that may still be under compilation; a recursive one is taken to hold."""
    return bool(getattr(node, flag, True))


def _reference(schema: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give the ``$ref`` of a schema and what stands beside it, reading ``allOf`` of one reference too."""
    direct = schema.get("$ref")
    if direct:
        return str(direct), {}
    parts: list[Any] = list(schema.get("allOf") or ())
    if len(parts) == 1 and isinstance(parts[0], Mapping) and "$ref" in parts[0]:
        beside = {name: value for name, value in schema.items() if name not in ("allOf", "description")}
        return str(parts[0]["$ref"]), beside
    return "", {}


def _checks(schema: Mapping[str, Any]) -> Checks:
    # An empty text or false says nothing; zero does (at most 0 items), and 0 == False in Python.
    found: dict[str, Any] = {
        ours: schema[theirs]
        for theirs, ours in _CHECKS.items()
        if schema.get(theirs) not in (None, "") and schema[theirs] is not False
    }
    if "enum" in found:
        found["enum"] = tuple(found["enum"])
    return Checks(**found) if found else NO_CHECKS


_CHECKS = {
    "format": "format",
    "pattern": "pattern",
    "enum": "enum",
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minProperties": "min_properties",
    "maxProperties": "max_properties",
    "uniqueItems": "unique_items",
}
