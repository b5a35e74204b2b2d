"""Sets of fields, kept in the very shape that ``fieldsV1`` has on the wire.

A set is a trie of plain dicts: keys are path elements (``f:spec``, ``k:{"name":"web"}``, ``v:"x"``,
``i:0``), an empty dict is a field that is in the set, ``"."`` beside children puts their parent in
too. So nothing is decoded or encoded when a set is read from an object or written to one. Sets are
values: every function here builds new dicts, shares the unchanged ones, and changes none.

Used by ``merging``, ``managedfields`` and ``apply`` only.

Source: https://pkg.go.dev/sigs.k8s.io/structured-merge-diff/v6/fieldpath
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

Trie = dict[str, Any]
Path = tuple[str, ...]

SELF: Final = "."
LEAF: Final[Trie] = {}  # shared by all sets; never written to

MAX_DEPTH: Final = 200  # objects are bounded far below; a hostile managedFields must not recurse for ever

_RANK: Final = {"f": 0, "k": 1, "v": 2, "i": 3}


def field_set(*paths: Sequence[str]) -> Trie:
    """Give the set of the fields at these paths of field names."""
    found: Trie = {}
    for path in paths:
        node: Trie = LEAF
        for name in reversed(path):
            node = {"f:" + name: node}
        found = union(found, node)
    return found


def is_member(node: Trie) -> bool:
    """Say whether the field at this node, not only some field below it, is in the set."""
    return not node or SELF in node


def with_self(node: Trie | None) -> Trie:
    """Give a node with its own field added to what is below it."""
    if not node:
        return LEAF
    return node if SELF in node else {SELF: LEAF, **node}


def union(one: Trie, other: Trie) -> Trie:
    """Give the set of the fields in either set."""
    if not one:
        return other
    return _union(one, other) if other else one


def _union(one: Trie, other: Trie) -> Trie:
    if not one:
        return with_self(other)
    if not other:
        return with_self(one)
    both = dict(one)
    for element, theirs in other.items():
        ours = both.get(element)
        both[element] = theirs if ours is None or ours is theirs else _union(ours, theirs)
    return both if len(both) == len(one) else in_order(both)


def in_order(node: Trie) -> Trie:
    """Give a node with its elements as Kubernetes writes them; clients compare the text of field sets."""
    return node if len(node) == 1 else {element: node[element] for element in sorted(node)}


def intersection(one: Trie, other: Trie) -> Trie:
    """Give the set of the fields in both sets."""
    return (_intersection(one, other) or {}) if one and other else {}


def _intersection(one: Trie, other: Trie) -> Trie | None:
    if not one:
        return LEAF if is_member(other) else None
    if not other:
        return LEAF if SELF in one else None
    both = {}
    for element, ours in one.items():
        theirs = other.get(element)
        if theirs is not None:
            shared = _intersection(ours, theirs)
            if shared is not None:
                both[element] = shared
    return _normal(both)


def difference(one: Trie, other: Trie) -> Trie:
    """Give the set of the fields in ``one`` that are not in ``other``; a parent does not take its children."""
    if one == other:
        return {}
    return (_difference(one, other) or {}) if one and other else one


def _difference(one: Trie, other: Trie) -> Trie | None:
    if not one:
        return None if is_member(other) else LEAF
    if not other:
        return _normal({element: ours for element, ours in one.items() if element != SELF})
    rest = {}
    for element, ours in one.items():
        theirs = other.get(element)
        left = ours if theirs is None else _difference(ours, theirs)
        if left is not None:
            rest[element] = left
    return _normal(rest)


def without(one: Trie, other: Trie) -> Trie:
    """Give the set of the fields in ``one`` that are neither in ``other`` nor below a field in it."""
    return (_without(one, other) or {}) if one and other else one


def _without(one: Trie, other: Trie) -> Trie | None:
    rest = {}
    for element, ours in one.items():
        theirs = other.get(element)
        if theirs is None:
            rest[element] = ours
        elif not is_member(theirs):
            left = _without(ours, theirs) if ours else ours
            if left is not None:
                rest[element] = left
    return _normal(rest)


def _normal(node: Trie) -> Trie | None:
    """Give a node in its one form: None without fields, an empty dict for only its own field."""
    if not node:
        return None
    return LEAF if len(node) == 1 and SELF in node else node


def paths(node: Trie, prefix: Path = ()) -> Iterator[Path]:
    """Yield the fields in a set: those of one level first, then those below; names before keys."""
    elements = sorted((each for each in node if each != SELF), key=lambda each: (_RANK[each[0]], each))
    for element in elements:
        if is_member(node[element]):
            yield (*prefix, element)
    for element in elements:
        if node[element]:
            yield from paths(node[element], (*prefix, element))


def text_of(path: Path) -> str:
    """Give a path as Kubernetes writes it: ``.spec.containers[name="web"].image``."""
    return "".join(map(_element_text, path))


def _element_text(element: str) -> str:
    kind, rest = element[0], element[2:]
    if kind == "f":
        return "." + rest
    if kind == "i":
        return f"[{rest}]"
    value = orjson.loads(rest)
    if kind == "v":
        return f"[={_value_text(value)}]"
    return "[" + ",".join(f"{name}={_value_text(each)}" for name, each in value.items()) + "]"


def _value_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def element_of(kind: str, value: Any) -> str:
    """Give the path element for a list item: ``k`` with its key fields (sorted), ``v`` with its value."""
    encoded = orjson.dumps(value).decode()
    if "<" in encoded or ">" in encoded or "&" in encoded:
        # Go's encoder escapes these three, and elements compare as text.
        encoded = encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return f"{kind}:{encoded}"


def check_trie(node: Any, depth: int = 0) -> None:
    """Check a ``fieldsV1`` that came from outside.

    Raises:
        ValueError: it is no trie of path elements.
    """
    if not isinstance(node, dict) or depth > MAX_DEPTH:
        raise ValueError("fieldsV1 must be a map of path elements")
    for element, below in node.items():
        if element == SELF:
            if below != {}:
                raise ValueError('the value of "." in fieldsV1 must be {}')
            continue
        if len(element) < 2 or element[1] != ":" or element[0] not in _RANK:
            raise ValueError(f"fieldsV1 has the unknown path element {element!r}")
        if element[0] in "kv":
            value = orjson.loads(element[2:])  # JSONDecodeError is a ValueError
            if element[0] == "k" and not isinstance(value, dict):
                raise ValueError(f"fieldsV1 has the key {element!r}, which is no map")
        check_trie(below, depth + 1)
