"""From a schema and a value to a tree of fields, ready to be shown.

Called by the create pages for every rendering; ``reading.read`` is its inverse, so that a form and the
YAML it makes are two views of one value. Names of inputs are the paths that the API server uses in its
messages (``spec.subnets[0].cidr``), so a message finds its field by name. What a schema leaves open
(unknown fields, unions that are no choice of fields) becomes a YAML input rather than a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from roadbed.interfaces.web.words import label
from roadbed.interfaces.web.yamlview import dump

Schema = Mapping[str, Any]
FieldKind = Literal[
    "text", "secret", "textarea", "number", "boolean", "select", "object", "array", "map", "yaml"
]

MOST_DEPTH = 16
LONG_TEXT = 256  # a text that may be longer gets several lines
# Crossplane's own fields in a composite's spec: there for the platform engineer, folded for everyone else.
MACHINERY = frozenset(
    [
        "crossplane",
        "compositionRef",
        "compositionSelector",
        "compositionRevisionRef",
        "compositionRevisionSelector",
        "compositionUpdatePolicy",
        "compositeDeletePolicy",
        "publishConnectionDetailsTo",
        "writeConnectionSecretToRef",
        "resourceRefs",
        "resourceRef",
        "claimRef",
    ]
)
_SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


@dataclass(slots=True)
class Alternative:
    """One of several ways to fill in an object: the fields that belong to it alone."""

    label: str
    names: tuple[str, ...]


@dataclass(slots=True)
class Field:
    """One input, or a group of them. ``path`` is the input's name; ``value`` what it shows."""

    path: str
    name: str
    label: str
    kind: FieldKind
    description: str = ""
    required: bool = False
    advanced: bool = False
    value: Any = None
    placeholder: str = ""
    options: list[str] = field(default_factory=list)
    limits: dict[str, Any] = field(default_factory=dict)
    children: list[Field] = field(default_factory=list)
    template: Field | None = None
    alternatives: list[Alternative] = field(default_factory=list)
    chosen: int = -1
    alternative: int = -1
    errors: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The path as an element's id."""
        return "f-" + re.sub(r"[^A-Za-z0-9_]+", "-", self.path).strip("-")

    @property
    def hint(self) -> str:
        """What may be entered, in words, from the limits."""
        return _hint(self)


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    name: str
    required: bool
    depth: int


def build(schema: Schema, value: Any, *, path: str = "", name: str = "", required: bool = True) -> Field:
    """Give the field for ``schema`` holding ``value`` (None where nothing is set)."""
    return _build(schema, value, _Place(path, name, required, 0))


def kind_of(schema: Schema) -> FieldKind:
    """Say which input a schema asks for."""
    if schema.get("x-kubernetes-int-or-string"):
        return "text"
    if schema.get("enum"):
        return "select"
    kind = schema.get("type")
    if kind == "object":
        return _object_kind(schema)
    if kind == "array":
        items = schema.get("items")
        return "array" if isinstance(items, dict) and kind_of(items) != "array" else "yaml"
    if kind == "boolean":
        return "boolean"
    if kind in ("integer", "number"):
        return "number"
    if kind != "string":
        return "yaml"
    if schema.get("format") in ("password", "secret"):
        return "secret"
    return "textarea" if (schema.get("maxLength") or 0) > LONG_TEXT else "text"


def _object_kind(schema: Schema) -> FieldKind:
    if schema.get("x-kubernetes-embedded-resource"):
        return "yaml"
    if schema.get("properties"):
        return "object"
    values = schema.get("additionalProperties")
    if isinstance(values, dict) and kind_of(values) in ("text", "number", "boolean", "select"):
        return "map"
    return "yaml"


def child_path(path: str, name: str) -> str:
    """Give the path of a property, as the API server writes it."""
    if not _SIMPLE_NAME.match(name):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def alternatives_of(schema: Schema) -> list[Alternative]:
    """Give the choices of an object's ``oneOf``; none where it is no choice between its own fields."""
    choices = schema.get("oneOf") or []
    names = [tuple(choice.get("required") or ()) if isinstance(choice, dict) else () for choice in choices]
    known = schema.get("properties") or {}
    if len(names) < 2 or not all(group and all(name in known for name in group) for group in names):
        return []
    return [
        Alternative(str(choice.get("title") or " and ".join(label(name) for name in group)), group)
        for choice, group in zip(choices, names, strict=True)
    ]


def chosen_of(alternatives: Sequence[Alternative], value: Any) -> int:
    """Say which choice a value has made: the first whose fields it has, else the first of all."""
    have = value if isinstance(value, dict) else {}
    matching = [number for number, way in enumerate(alternatives) if all(name in have for name in way.names)]
    return matching[0] if matching else 0


def _build(schema: Schema, value: Any, place: _Place) -> Field:
    kind = kind_of(schema) if place.depth < MOST_DEPTH else "yaml"
    shown = schema.get("default") if value is None else value
    made = Field(
        path=place.path,
        name=place.name,
        label=str(schema.get("title") or label(place.name)),
        kind=kind,
        description=str(schema.get("description") or "").strip(),
        required=place.required,
        advanced=place.name in MACHINERY,
        value=shown,
        limits=_limits(schema),
    )
    if kind == "object":
        _fill_object(made, schema, value, place)
    elif kind == "array":
        _fill_array(made, schema, shown, place)
    elif kind == "map":
        _fill_map(made, schema, shown)
    elif kind == "yaml":
        made.value = "" if shown is None else shown if isinstance(shown, str) else dump(shown).rstrip("\n")
    elif kind == "select":
        made.options = [_plain(option) for option in schema["enum"]]
        made.value = "" if shown is None else _plain(shown)
    elif kind != "boolean":
        made.value = "" if shown is None else _plain(shown)
        example = schema.get("example")
        made.placeholder = _plain(example) if isinstance(example, (str, int, float)) else ""
    return made


def _fill_object(made: Field, schema: Schema, value: Any, place: _Place) -> None:
    have = (
        value
        if isinstance(value, dict)
        else schema.get("default")
        if isinstance(schema.get("default"), dict)
        else {}
    )
    required = set(schema.get("required") or ())
    made.value = have
    made.alternatives = alternatives_of(schema)
    made.chosen = chosen_of(made.alternatives, have) if made.alternatives else -1
    for name, inner in schema["properties"].items():
        if not isinstance(inner, dict):
            continue
        way = next((number for number, found in enumerate(made.alternatives) if name in found.names), -1)
        at = _Place(child_path(made.path, name), name, name in required or way >= 0, place.depth + 1)
        child = _build(inner, (have or {}).get(name), at)
        child.alternative = way
        made.children.append(child)


def _fill_array(made: Field, schema: Schema, shown: Any, place: _Place) -> None:
    items = schema["items"]
    rows = list(shown) if isinstance(shown, list) else []
    rows += [None] * max(0, int(schema.get("minItems") or 0) - len(rows))
    for number, row in enumerate(rows):
        at = _Place(f"{made.path}[{number}]", "", True, place.depth + 1)
        made.children.append(_build(items, row, at))
    # The browser puts the next number where this stands; depth keeps nested lists apart.
    at = _Place(f"{made.path}[__{place.depth}__]", "", True, place.depth + 1)
    made.template = _build(items, None, at)


def token_of(template: Field) -> str:
    """Give what the browser replaces with a row's number in a list's template."""
    return str(re.findall(r"__\d+__", template.path)[-1])


def _fill_map(made: Field, schema: Schema, shown: Any) -> None:
    rows = list(shown.items()) if isinstance(shown, dict) else []
    values = schema["additionalProperties"]
    made.children = [
        _pair(made.path, str(number), key, values, value) for number, (key, value) in enumerate(rows)
    ]
    made.template = _pair(made.path, "__map__", "", values, None)


def _pair(path: str, number: str, key: str, schema: Schema, value: Any) -> Field:
    pair = _build(schema, value, _Place(f"{path}{{{number}}}.value", "", True, MOST_DEPTH - 1))
    pair.name = str(key)
    return pair


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else dump(value).strip()


def _limits(schema: Schema) -> dict[str, Any]:
    names = (
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
    )
    found = {
        name: schema[name] for name in (*names, "minItems", "maxItems", "pattern", "format") if name in schema
    }
    if schema.get("type") == "integer":
        found["step"] = schema.get("multipleOf") or 1
    return found


def _hint(made: Field) -> str:
    limits = made.limits
    low, high = limits.get("minimum"), limits.get("maximum")
    parts: list[str] = []
    if low is not None and high is not None:
        parts.append(f"{low} to {high}")
    elif low is not None:
        parts.append(f"at least {low}")
    elif high is not None:
        parts.append(f"at most {high}")
    if limits.get("minItems") or limits.get("maxItems"):
        few, many = limits.get("minItems", 0), limits.get("maxItems")
        parts.append(
            f"{few} to {many} entries" if many else f"at least {few} {'entry' if few == 1 else 'entries'}"
        )
    if limits.get("maxLength") and limits["maxLength"] <= LONG_TEXT:
        parts.append(f"at most {limits['maxLength']} characters")
    if limits.get("pattern"):
        parts.append(f"must match {limits['pattern']}")
    return "; ".join(parts)
