"""Schemas of custom resources: random definitions, most of them nearly structural, judged in dry runs.

Only the judgement is compared, all causes of it: a dry run takes no time to be established.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from tests.contract.corpus import Step
from tests.oracle.differential.growing import ODD, inside, places, put

from .making import Area, step

_TYPES = ("object", "array", "string", "integer", "number", "boolean")
_RULES = (
    "true", "self == self", "self.a == 'x'", "has(self.a)", "self.size() < 3", "self > 1", "self == oldSelf",
    "self.all(x, x > 0)", "self.matches('[')", "1", "self.", "'a' in self", "self.exists(x, x == 'a')",
    "oldSelf.hasValue() ? self >= oldSelf.value() : true", "isURL(self)", "quantity(self).isGreaterThan(quantity('1'))",
    "self.b.c == 1", "int(self) > 0", "self.map(x, x * 2).sum() < 10", "self.isSorted()", "type(self) == string",
)  # fmt: skip
_FORMATS = (
    "date",
    "date-time",
    "int32",
    "int64",
    "uuid",
    "byte",
    "email",
    "ipv4",
    "odd",
    "duration",
    "double",
)


def _schema(rng: Random, depth: int = 0) -> dict[str, Any]:
    kind = rng.choice(_TYPES if depth < 3 else _TYPES[2:])
    found: dict[str, Any] = {"type": kind}
    if kind == "object":
        if rng.random() < 0.75:
            found["properties"] = {
                name: _schema(rng, depth + 1)
                for name in rng.sample(("a", "b", "c", "d"), rng.randrange(1, 4))
            }
            if rng.random() < 0.4:
                found["required"] = rng.sample(("a", "b", "z"), rng.randrange(1, 3))
        else:
            found["additionalProperties"] = (
                _schema(rng, depth + 1) if rng.random() < 0.8 else rng.random() < 0.5
            )
        if rng.random() < 0.15:
            found["x-kubernetes-preserve-unknown-fields"] = rng.random() < 0.8
        if rng.random() < 0.1:
            found["x-kubernetes-map-type"] = rng.choice(("atomic", "granular", "odd"))
        if rng.random() < 0.1:
            found["maxProperties"] = rng.choice((0, 1, 3, -1))
        if rng.random() < 0.05:
            found["x-kubernetes-embedded-resource"] = True
    elif kind == "array":
        if rng.random() < 0.95:
            found["items"] = _schema(rng, depth + 1)
        if rng.random() < 0.4:
            found["x-kubernetes-list-type"] = rng.choice(("atomic", "set", "map", "map", "odd"))
            if rng.random() < 0.6:
                found["x-kubernetes-list-map-keys"] = rng.sample(("a", "b", "c"), rng.randrange(1, 3))
        for name in ("minItems", "maxItems"):
            if rng.random() < 0.2:
                found[name] = rng.choice((0, 1, 5, -1))
    elif kind == "string":
        for name, values in (
            ("format", _FORMATS), ("pattern", ("^a+$", "[", "a|b", "(?=a)")), ("maxLength", (0, 3, -1)), ("minLength", (0, 2)),
            ("enum", (["a", "b"], ["a", "a"], [], ["a", 1], [None])),
        ):  # fmt: skip
            if rng.random() < 0.2:
                found[name] = rng.choice(values)
    elif kind in ("integer", "number"):
        for name, values in (
            ("minimum", (0, 1.5, -3)), ("maximum", (10, 0)), ("exclusiveMinimum", (True, False)), ("multipleOf", (2, 0, 0.5)),
            ("format", ("int32", "int64", "float", "double")), ("enum", ([1, 2], ["1"])),
        ):  # fmt: skip
            if rng.random() < 0.2:
                found[name] = rng.choice(values)
    return _marked(rng, found, depth)


def _marked(rng: Random, found: dict[str, Any], depth: int) -> dict[str, Any]:
    if rng.random() < 0.12:
        found["default"] = rng.choice((*ODD, {"a": "x"}, ["a"]))
    if rng.random() < 0.1:
        found["nullable"] = rng.random() < 0.8
    if rng.random() < 0.15:
        rule: dict[str, Any] = {"rule": rng.choice(_RULES)}
        for name, values in (
            ("message", ("no", "", "a\nb")), ("messageExpression", ("'x'", "1", "self")), ("fieldPath", (".a", "a", ".z")),
            ("reason", ("FieldValueInvalid", "Odd")), ("optionalOldSelf", (True, False)),
        ):  # fmt: skip
            if rng.random() < 0.2:
                rule[name] = rng.choice(values)
        found["x-kubernetes-validations"] = [rule]
    if rng.random() < 0.06:
        name = rng.choice(("allOf", "anyOf", "oneOf"))
        found[name] = [_inner(rng) for _ in range(rng.randrange(1, 3))]
    if rng.random() < 0.03:
        found["not"] = _inner(rng)
    if rng.random() < 0.04:
        found.pop("type")
        found["x-kubernetes-int-or-string"] = True
    if rng.random() < 0.03 and depth:
        odd = rng.choice(
            (
                "type",
                "uniqueItems",
                "$ref",
                "definitions",
                "additionalItems",
                "title",
                "x-odd",
                "discriminator",
            )
        )
        found[odd] = rng.choice(ODD) if odd in ("type", "uniqueItems") else "x"
    return found


def _inner(rng: Random) -> dict[str, Any]:
    return rng.choice(
        (
            {"required": ["a"]},
            {"properties": {"a": {"minimum": 1}}},
            {"type": "string"},
            {"minimum": 3},
            {"properties": {"a": {"type": "string"}}},
            {"enum": ["a"]},
            {"properties": {"z": {}}},
            {"default": 1},
            {},
        )
    )


def definition(rng: Random, group: str, plural: str) -> dict[str, Any]:
    """Give a definition with a random schema."""
    properties = {
        "spec": _schema(rng),
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    version: dict[str, Any] = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
    }
    if rng.random() < 0.3:
        version["subresources"] = {"status": {}}
    if rng.random() < 0.15:
        column = {
            "name": "A",
            "type": rng.choice(("string", "integer", "date", "odd")),
            "jsonPath": rng.choice((".spec.a", "a", ".spec[")),
        }
        version["additionalPrinterColumns"] = [column]
    if rng.random() < 0.1:
        version["selectableFields"] = [{"jsonPath": rng.choice((".spec.a", ".spec", "spec.a", ".status.x"))}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": "Thing", "singular": "thing", "listKind": "ThingList"},
            "versions": [version],
        },
    }


def _steps(rng: Random) -> Iterable[Step]:
    made = definition(rng, "$ns.differ.dev", "things")
    if rng.random() < 0.2:
        below = [place for place in places(made["spec"]) if place]
        place = rng.choice(below)
        if inside(made["spec"], place[:-1]) is not None:
            made["spec"] = put(made["spec"], place, rng.choice(ODD))
    yield step("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", made, dryRun="All")


AREA = Area("schemas", _steps)
