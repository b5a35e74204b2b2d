"""Random values: from a schema, or odd ones for any place. Deterministic in the ``Random`` that is given.

Values come from small pools on purpose: sequences are interesting where writers meet at the same fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

WORDS = ("a", "b", "c", "web", "x-1")
NUMBERS = (0, 1, 2, 3, 80)
ODD: tuple[Any, ...] = (
    None, "", "a", "A_b", "-x", "x" * 64, "x" * 254, "a.b.c", "a/b", "a b", "é", "0", "-1", "10%", "1Gi", "1.5",
    0, 1, -1, 2, 65_535, 65_536, 2**31, 2**40, 1.5, True, False, [], {}, [""], ["a", "a"], {"a": "b"}, {"a": None},
    "2020-01-01T00:00:00Z", "10.1.2.3", "::1", "300.1.1.1", "http://x", "*", "TCP", "Always",
)  # fmt: skip
Place = tuple[str | int, ...]


def value(rng: Random, schema: Mapping[str, Any], *, density: float = 0.5, depth: int = 0) -> Any:
    """Give a value that fits a schema (its types, enumerations and required members; no more)."""
    if "enum" in schema:
        return rng.choice(list(schema["enum"]))
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return _object(rng, schema, density, depth)
    if kind == "array":
        return _array(rng, schema, density, depth)
    if kind == "integer":
        return rng.choice(schema.get("x-pool", NUMBERS))
    if kind == "number":
        return rng.choice((0, 1.5, 2, 3))
    if kind == "boolean":
        return rng.random() < 0.5
    if schema.get("x-kubernetes-int-or-string"):
        return rng.choice((1, 2, "1", "50%"))
    if kind == "string":
        return rng.choice(schema.get("x-pool", WORDS))
    return rng.choice(("a", 1, True, {"a": 1}, {"a": {"b": "c"}}, ["a"], {"b": [1]}))


def _object(rng: Random, schema: Mapping[str, Any], density: float, depth: int) -> dict[str, Any]:
    required = schema.get("required") or ()
    found = {
        name: value(rng, member, density=density, depth=depth + 1)
        for name, member in (schema.get("properties") or {}).items()
        if name in required or rng.random() < density
    }
    free = schema.get("additionalProperties")
    if isinstance(free, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        member = free if isinstance(free, dict) else {}
        for name in rng.sample(WORDS, rng.randrange(3)):
            found.setdefault(name, value(rng, member, density=density, depth=depth + 1))
    return found


def _array(rng: Random, schema: Mapping[str, Any], density: float, depth: int) -> list[Any]:
    items = schema.get("items") or {}
    found = [
        value(rng, items, density=density, depth=depth + 1)
        for _ in range(rng.randrange(schema.get("minItems", 0), 4))
    ]
    keys = schema.get("x-kubernetes-list-map-keys")
    if keys and rng.random() < 0.95:  # mostly as they should be
        found = list({tuple(str(each.get(key)) for key in keys): each for each in found}.values())
    elif schema.get("x-kubernetes-list-type") == "set" and rng.random() < 0.95:
        found = [each for index, each in enumerate(found) if each not in found[:index]]
    return found


def places(found: Any, place: Place = ()) -> Iterator[Place]:
    """Give the place of everything in a value, from the outside in."""
    members: Sequence[tuple[str | int, Any]] = ()
    if isinstance(found, dict):
        members = list(found.items())
    elif isinstance(found, list):
        members = list(enumerate(found))
    for name, member in members:
        yield (*place, name)
        yield from places(member, (*place, name))


def inside(found: Any, place: Place) -> Any:
    """Give what stands at a place; None where there is nothing."""
    for name in place:
        try:
            found = found[name]
        except (KeyError, IndexError, TypeError):
            return None
    return found


def put(found: Any, place: Place, new: Any) -> Any:
    """Give a copy of a value with something else at a place that exists, or as a new member of an object."""
    if not place:
        return new
    name, *rest = place
    inner = put(found[name], tuple(rest), new) if rest else new
    if isinstance(found, dict):
        return {**found, name: inner}
    return [*found[:name], inner, *found[int(name) + 1 :]]
