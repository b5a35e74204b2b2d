"""Random schemas that are right: each with defaults, limits, rules and list types, as definitions of kinds have them.

``schema`` gives what both servers must take; ``loose`` gives the same without what can be broken, so that an object may
be stored that the schema itself refuses. Rules are chosen by the type that they judge, so that all of them compile, and
texts and lists are bounded, so that none is refused for its cost.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.oracle.differential.growing import value

_NAMES = ("a", "b", "c", "d", "e")
_SCALARS = ("string", "integer", "boolean", "number")
_RULES: dict[str, tuple[str, ...]] = {
    "string": (
        "self.size() < 3", "self == oldSelf", "self.startsWith('a') || self.endsWith('b')", "self.matches('^[a-z]+$')",
        "self != 'web'", "self.size() >= oldSelf.size()", "!self.contains('-')", "self in ['a', 'b', 'web']",
        "isURL(self) || self.size() < 9", "self.lowerAscii() == self",
    ),
    "integer": (
        "self > 0", "self >= oldSelf", "self % 2 == 0", "self != 80", "self - oldSelf < 2", "self < 3 || self == 80",
        "1 / self >= 0", "string(self).size() < 2",
    ),
    "number": ("self > 0.5", "self >= oldSelf", "self < 3.0", "int(self) < 3"),
    "boolean": ("self", "!self || oldSelf", "self == true"),
    "array": (
        "self.size() < 3", "self.size() >= oldSelf.size()", "self == oldSelf", "size(self) != 2", "self.all(x, x == x)",
        "!self.exists(x, x != self[0])",
    ),
    "object": ("self == oldSelf", "self == self", "size(self) < 4"),
}  # fmt: skip
_LIMITS: dict[str, tuple[tuple[str, tuple[Any, ...]], ...]] = {
    "string": (
        ("pattern", ("^a", "b|x", "^[a-z-]+$")), ("minLength", (1, 2)), ("format", ("date-time", "ipv4", "byte", "uuid", "email")),
        ("enum", (["a", "b"], ["web", "c", ""])),
    ),
    "integer": (
        ("minimum", (0, 1)), ("maximum", (3, 79)), ("exclusiveMinimum", (True,)), ("multipleOf", (2, 3)),
        ("enum", ([1, 2], [0, 80])), ("format", ("int32", "int64")),
    ),
    "number": (("minimum", (0, 1.5)), ("maximum", (2, 2.5)), ("multipleOf", (0.5,))),
    "array": (("minItems", (1, 2)), ("uniqueItems", (False,))),
    "object": (("minProperties", (1, 2)), ("maxProperties", (1, 2, 4))),
    "boolean": (("enum", ([True],)),),
}  # fmt: skip
_BREAKABLE = frozenset(
    (
        "pattern", "minLength", "maxLength", "format", "enum", "minimum", "maximum", "exclusiveMinimum", "multipleOf", "minItems",
        "maxItems", "minProperties", "maxProperties", "required", "x-kubernetes-validations", "nullable", "default",
    )
)  # fmt: skip


def schema(rng: Random, depth: int = 0) -> dict[str, Any]:
    """Give a schema that both servers take."""
    kind = rng.choice(("object", "object", "array", *_SCALARS) if depth < 3 else _SCALARS)
    found = _OF[kind](rng, depth) if kind in _OF else {"type": kind}
    if kind == "string":
        found["maxLength"] = rng.choice((3, 6, 40))
    if rng.random() < 0.06 and depth:
        return {"x-kubernetes-int-or-string": True}
    for name, values in _LIMITS[kind]:
        if rng.random() < 0.15 and (name != "exclusiveMinimum" or "minimum" in found):
            found[name] = rng.choice(values)
    if rng.random() < 0.15:
        found["nullable"] = True
    if rng.random() < 0.35:
        found["x-kubernetes-validations"] = [_rule(rng, kind, found)]
    return found


def _object(rng: Random, depth: int) -> dict[str, Any]:
    if depth and rng.random() < 0.2:
        inner = {**schema(rng, depth + 2)}
        return {"type": "object", "maxProperties": 5, "additionalProperties": inner}
    names = rng.sample(_NAMES, rng.randrange(1, 5))
    found: dict[str, Any] = {"type": "object", "properties": {name: schema(rng, depth + 1) for name in names}}
    if rng.random() < 0.4:
        found["required"] = rng.sample(names, 1)
    if rng.random() < 0.12:
        found["x-kubernetes-preserve-unknown-fields"] = True
    if rng.random() < 0.1:
        found["x-kubernetes-map-type"] = "atomic"
    for name in names:
        member = found["properties"][name]
        if rng.random() < 0.2 and "type" in member:
            given = value(rng, loose(member), density=0.5)
            if fits(member, given):
                member["default"] = given
    return found


def _array(rng: Random, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "array", "maxItems": rng.choice((2, 4))}
    match rng.choice(("atomic", "plain", "set", "map", "map")):
        case "set":
            items = {"type": "string", "maxLength": 6}
            return {**found, "items": items, "x-kubernetes-list-type": "set"}
        case "map":
            items = {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 6},
                    "v": schema(rng, depth + 2),
                    "w": schema(rng, depth + 2),
                },
            }
            keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
            return {**found, "items": items, **keys}
        case _:
            return {**found, "items": schema(rng, depth + 1)}


_OF = {"object": _object, "array": _array}


def _rule(rng: Random, kind: str, found: dict[str, Any]) -> dict[str, Any]:
    text = rng.choice(_RULES[kind])
    if kind == "object" and "properties" in found:
        name = rng.choice(sorted(found["properties"]))
        text = rng.choice(
            (text if text != "size(self) < 4" else "true", f"has(self.{name})", f"!has(self.{name})")
        )
    rule: dict[str, Any] = {"rule": text}
    for member, values in (
        ("message", ("not so",)),
        ("reason", ("FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate")),
        ("messageExpression", ("'it is so'",)),
    ):
        if rng.random() < 0.2:
            rule[member] = rng.choice(values)
    if "oldSelf" in text and "." not in text and rng.random() < 0.3:
        rule["optionalOldSelf"] = True
        rule["rule"] = "oldSelf.hasValue() ? self == oldSelf.value() : true"
    return rule


def loose(found: Any) -> Any:
    """Give a schema without what a value of the right types can break."""
    if not isinstance(found, dict):
        return found
    kept = {name: each for name, each in found.items() if name not in _BREAKABLE}
    if "properties" in kept:
        kept["properties"] = {name: loose(each) for name, each in kept["properties"].items()}
    for name in ("items", "additionalProperties"):
        if name in kept:
            kept[name] = loose(kept[name])
    keys = kept.get("x-kubernetes-list-map-keys")
    if keys:
        kept["items"] = {**kept["items"], "required": list(keys)}
    return kept


def fits(found: dict[str, Any], given: Any) -> bool:
    """Say that a value is surely right: only scalars without rules and limits are, all others may be wrong."""
    limits = (_BREAKABLE - {"maxLength"}) & found.keys()
    return found["type"] in _SCALARS and not limits and (not isinstance(given, str) or len(given) <= 3)
