"""How values merge: the part of a schema that field ownership and server-side apply look at.

Compiled by the API server once per served version, from the root node of its schema, and kept beside it.
Types are recursive (a CRD's schema describes schemas), so children are compiled on first use; that is
safe from any number of threads, as two compilations of one child are alike.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, Protocol

import orjson

from .fieldset import element_of

Kind = Literal["map", "list", "scalar"]
_MOST_EXACT = 2**53  # of a float; and between these two Go writes one without an exponent
_LEAST_PLAIN, _MOST_PLAIN = 1e-6, 1e21


class SchemaNode(Protocol):
    """What is read of a schema node; ``nodes.Node`` is one."""

    @property
    def type(self) -> str: ...
    @property
    def properties(self) -> Mapping[str, Any]: ...
    @property
    def additional(self) -> Any: ...
    @property
    def items(self) -> Any: ...
    @property
    def preserve_unknown(self) -> bool: ...
    @property
    def embedded_resource(self) -> bool: ...
    @property
    def int_or_string(self) -> bool: ...
    @property
    def list_type(self) -> str: ...
    @property
    def list_keys(self) -> tuple[str, ...]: ...
    @property
    def map_type(self) -> str: ...
    @property
    def merge_key(self) -> str: ...
    @property
    def merge_strategy(self) -> str: ...
    @property
    def default(self) -> Any: ...


_FITS: dict[str, frozenset[type]] = {
    "": frozenset(),
    "numeric": frozenset((int, float)),
    "string": frozenset((str,)),
    "boolean": frozenset((bool,)),
    "untyped": frozenset((int, float, str, bool)),
}


class UnkeyedItemError(ValueError):
    """An item of an associative list has nothing by which to tell it from its neighbours."""


class Structure:
    """The merge type of one value: what it may be (scalar, list, map), and whether it is owned as a whole.

    ``fields`` are the declared members, each with its path element; ``element`` types all other members of
    a map (None: there may be none). ``keys`` is empty for a list that is a set. ``is_present`` marks the
    structs of built-in kinds that are never absent, only empty. ``fits`` are the Python types of the scalars that may stand here.
    """

    __slots__ = (
        "_builtin",
        "_node",
        "_preserve",
        "element",
        "fields",
        "fits",
        "is_list",
        "is_list_atomic",
        "is_map",
        "is_map_atomic",
        "is_present",
        "items",
        "keys",
        "scalar",
    )

    scalar: str
    fits: frozenset[type]
    is_map: bool
    is_map_atomic: bool
    is_list: bool
    is_list_atomic: bool
    is_present: bool
    keys: tuple[str, ...]
    fields: dict[str, tuple[str, Structure]]
    element: Structure | None
    items: Structure

    def __init__(self, node: SchemaNode | None, *, preserve: bool = False, builtin: bool = False) -> None:
        self._node = node
        self._builtin = builtin
        self._preserve = preserve or (node is not None and node.preserve_unknown)
        kind = "" if node is None or node.int_or_string else node.type
        self.scalar = _scalar_of(node, builtin=builtin) if kind not in ("object", "array") else ""
        self.fits = _FITS[self.scalar]
        self.is_map = kind in ("", "object")
        self.is_list = kind in ("", "array")
        self.is_map_atomic = node is not None and node.map_type == "atomic"
        self.is_present = bool(builtin and node is not None and node.default == {} and node.properties)
        merges, self.keys = _list_merge(node)
        self.is_list_atomic = not merges
        self.keys = tuple(sorted(self.keys))

    @classmethod
    def of(cls, node: SchemaNode | None, *, builtin: bool = False) -> Structure:
        """Compile the root node of a kind's schema; None gives a structure deduced from the values.

        ``builtin`` says that the schema was published for a kind compiled into Kubernetes, whose structs
        are present even where JSON leaves them out. ``metadata`` is typed as ObjectMeta either way.
        """
        root = cls(node, builtin=builtin)
        root.fields = {**root.fields, **_TYPE_META}
        return root

    def __getattr__(self, name: str) -> Any:
        # Only called for the slots that __init__ leaves unset: the children, compiled on first use.
        if name == "fields":
            self.fields = self._compile_fields()
            return self.fields
        if name == "element":
            self.element = self._compile_element()
            return self.element
        if name == "items":
            items = None if self._node is None else self._node.items
            self.items = UNTYPED if items is None else self._below(items)
            return self.items
        raise AttributeError(name)

    def _below(self, node: SchemaNode) -> Structure:
        return Structure(node, preserve=self._preserve, builtin=self._builtin)

    def _compile_fields(self) -> dict[str, tuple[str, Structure]]:
        if self._node is None:
            return {}
        fields = {name: ("f:" + name, self._below(node)) for name, node in self._node.properties.items()}
        return {**fields, **_TYPE_META} if self._node.embedded_resource else fields

    def _compile_element(self) -> Structure | None:
        node = self._node
        if node is None:
            return DEDUCED
        if node.additional is not None:
            return self._below(node.additional)
        return DEDUCED if self._preserve or not node.properties else None

    def child(self, name: str) -> tuple[str, Structure]:
        """Give path element and type of a member; an undeclared one is deduced from its value."""
        found = self.fields.get(name)
        return found if found is not None else ("f:" + name, self.element or DEDUCED)

    def kind_of(self, value: Any) -> Kind:
        """Say as what a value counts here; null and misfits count as the first thing that is possible."""
        if isinstance(value, dict):
            if self.is_map:
                return "map"
        elif isinstance(value, list):
            if self.is_list:
                return "list"
        elif value is not None and self.scalar:
            return "scalar"
        return "map" if self.is_map else "scalar" if self.scalar else "list"

    def item_element(self, item: Any) -> str:
        """Give the path element of an item of this (associative) list.

        Raises:
            UnkeyedItemError: null, a nested list, or none of the keys.
        """
        if not self.keys:
            if item is None or isinstance(item, dict | list):
                raise UnkeyedItemError("associative list without keys has an element that is no scalar")
            return _text_element(item) if type(item) is str else element_of("v", _plain_number(item))
        if not isinstance(item, dict):
            raise UnkeyedItemError("associative list with keys may not have non-map elements")
        if len(self.keys) == 1 and type(item.get(self.keys[0])) is str:
            return _key_element(self.keys[0], item[self.keys[0]])
        found = {}
        for key in self.keys:
            value = item[key] if key in item else self._key_default(key)
            if value is not None:
                found[key] = _plain_number(value)
        if not found:
            names = " ".join(f'"{key}"' for key in self.keys)
            raise UnkeyedItemError(
                f"associative list with keys has an element that omits all key fields [{names}]"
                " (and doesn't have default values for any key fields)"
            )
        return element_of("k", found)

    def _key_default(self, key: str) -> Any:
        declared = self.items.fields.get(key)
        node = None if declared is None else declared[1]._node  # noqa: SLF001 - same class
        default = None if node is None else node.default
        return default if isinstance(default, str | int | float) else None


@functools.lru_cache(maxsize=8192)
def _key_element(key: str, value: str) -> str:
    """Give the element of an item with one key, which most lists have; names come again and again."""
    return element_of("k", {key: value})


@functools.lru_cache(maxsize=8192)
def _text_element(value: str) -> str:
    return element_of("v", value)


def _plain_number(value: Any) -> Any:
    """Give 1 for 1.0: Kubernetes compares numbers, not spellings. Others are spelled as Go's encoder does."""
    if not isinstance(value, float):
        return value
    if value.is_integer() and abs(value) < _MOST_EXACT:
        return int(value)
    text = repr(value)  # shortest, and with an exponent as Go writes it: 1e+300, 1e-07
    if _LEAST_PLAIN <= abs(value) < _MOST_PLAIN:
        text = format(Decimal(text), "f").removesuffix(".0")
    return orjson.Fragment(text)


def _scalar_of(node: SchemaNode | None, *, builtin: bool) -> str:
    if node is None or node.int_or_string:
        return "untyped"
    if node.type in ("integer", "number"):
        return "numeric"
    if node.type == "boolean":
        return "boolean"
    # Quantities are published as strings, and people write numbers.
    return "string" if node.type == "string" and not builtin else "untyped"


def _list_merge(node: SchemaNode | None) -> tuple[bool, tuple[str, ...]]:
    """Say whether a list is associative, and by which keys."""
    if node is None:
        return False, ()
    if node.list_type:
        return node.list_type in ("set", "map"), node.list_keys if node.list_type == "map" else ()
    if node.merge_strategy in ("merge", "merge,retainKeys"):
        return True, (node.merge_key,) if node.merge_key else ()
    return False, ()


def _plain(scalar: str) -> Structure:
    structure = Structure(None)
    structure.scalar, structure.is_map, structure.is_list = scalar, False, False
    structure.fits = _FITS[scalar]
    return structure


def _map_of(fields: Mapping[str, Structure], element: Structure | None = None) -> Structure:
    structure = Structure(None)
    structure.scalar, structure.fits, structure.is_list = "", _FITS[""], False
    structure.fields = {name: ("f:" + name, each) for name, each in fields.items()}
    structure.element = element
    return structure


def _list_of(items: Structure, *keys: str) -> Structure:
    structure = Structure(None)
    structure.scalar, structure.fits = "", _FITS[""]
    structure.is_map, structure.is_list_atomic = False, False
    structure.keys, structure.items = keys, items
    return structure


def _atomic() -> Structure:
    structure = Structure(None)
    structure.is_map_atomic = structure.is_list_atomic = True
    return structure


DEDUCED = Structure(None)  # maps are granular, lists atomic, at any depth
UNTYPED = _atomic()

_TEXT = _plain("string")
_TIME = _plain("untyped")
_NUMBER = _plain("numeric")

_OBJECT_META = _map_of(
    {
        "name": _TEXT,
        "generateName": _TEXT,
        "namespace": _TEXT,
        "selfLink": _TEXT,
        "uid": _TEXT,
        "resourceVersion": _TEXT,
        "generation": _NUMBER,
        "creationTimestamp": _TIME,
        "deletionTimestamp": _TIME,
        "deletionGracePeriodSeconds": _NUMBER,
        "labels": _map_of({}, _TEXT),
        "annotations": _map_of({}, _TEXT),
        "ownerReferences": _list_of(UNTYPED, "uid"),
        "finalizers": _list_of(_TEXT),
        "managedFields": UNTYPED,
    }
)
_OBJECT_META.is_present = True

_TYPE_META = {
    "apiVersion": ("f:apiVersion", _TEXT),
    "kind": ("f:kind", _TEXT),
    "metadata": ("f:metadata", _OBJECT_META),
}
