"""Objects, schemas and changes to them, made of choices: most are right, so that what is odd in them is reached.

Used by the structured targets and by the story of requests. Pure; what is given is never changed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from .choices import Choices

ODD_TEXTS = (
    "",
    "a",
    "b-c.d",
    "true",
    "null",
    "0",
    "-1",
    "1e3",
    "100m",
    "1Gi",
    "10%",
    "2024-05-06T07:08:09Z",
    "2024-05-06T07:08:09.123456Z",
    "1h30m",
    "a=b,c in (d)",
    "*",
    "../..",
    "a/b",
    "example.org/a",
    "{{x}}",
    "$(X)",
    "\u0000",
    "\u202eé",
    "😀",
    "x" * 64,
    "x" * 300,
    "YQ==",
    "_",
    "A",
    "10.0.0.1",
    "::1",
    "10.0.0.0/8",
    "https://127.0.0.1:1/c",
    "uid-1",
    " a ",
    "a\nb",
    "~1~0",
    "f:a",
    "^(a+)+$",
    "(",
)
ODD_NUMBERS = (0, 1, 2, 3, -1, 10, 80, 65_536, 2**31 - 1, -(2**31), 2**53, 2**63 - 1, -(2**63))
ODD_FLOATS = (0.0, 1.0, 1.5, -0.0, 1e300, 5e-324, 0.1, 1e21, 2.0**63)
NAMES = ("a", "b", "c", "name", "key", "metadata", "spec", "status", "$patch", "apiVersion", "", "a.b", "a/b")
MOST_DEPTH = 4


def scalar(choices: Choices) -> Any:
    """Give a value without members."""
    match choices.below(8):
        case 0 | 1 | 2:
            return choices.pick(ODD_TEXTS)
        case 3 | 4:
            return choices.pick(ODD_NUMBERS)
        case 5:
            return choices.pick(ODD_FLOATS)
        case 6:
            return bool(choices.below(2))
        case _:
            return None


def value(choices: Choices, depth: int = 0) -> Any:
    """Give any JSON value."""
    kind = choices.below(8) if depth < MOST_DEPTH else 0
    if kind < 5:
        return scalar(choices)
    if kind == 5:
        return [value(choices, depth + 1) for _ in range(choices.below(4))]
    return {choices.pick(NAMES): value(choices, depth + 1) for _ in range(choices.below(4))}


def places(found: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Give the path of everything inside a value, itself first."""
    inside: list[tuple[str | int, ...]] = [path]
    members = (
        found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    )
    for name, member in members:
        inside += places(member, (*path, name))
    return inside


def changed(choices: Choices, given: Any, times: int = 0) -> Any:
    """Give the value with some of its places removed, replaced, doubled, renamed, swapped or nested."""
    result = copy.deepcopy(given)
    for _ in range(times or 1 + choices.below(3)):
        result = _changed_once(choices, result)
    return result


def reshaped(choices: Choices, given: dict[str, Any]) -> dict[str, Any]:
    """Give an object changed, but still an object."""
    result = changed(choices, given)
    return result if isinstance(result, dict) else given


def _changed_once(choices: Choices, result: Any) -> Any:
    path = choices.pick(places(result))
    if not path:
        return value(choices) if choices.once_in(20) else result
    holder, last = result, path[-1]
    for step in path[:-1]:
        holder = holder[step]
    match choices.below(9):
        case 0 | 1:
            holder[last] = scalar(choices)
        case 2:
            holder[last] = value(choices)
        case 3:
            del holder[last]
        case 4:
            holder[last] = [holder[last]] if choices.below(2) else {choices.pick(NAMES): holder[last]}
        case 5 if isinstance(holder, list):
            holder.insert(choices.below(len(holder) + 1), copy.deepcopy(holder[last]))
        case 6 if isinstance(holder, list):
            holder.reverse()
        case 5 | 6:
            holder[choices.pick(NAMES)] = copy.deepcopy(holder[last])
        case 7:
            holder[last] = copy.deepcopy(_at(result, choices.pick(places(result))))
        case _ if isinstance(holder, dict):
            holder[choices.pick(ODD_TEXTS)] = value(choices)
        case _:
            holder.append(value(choices))
    return result


def _at(found: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        found = found[step]
    return found


Resolve = Callable[[str], Mapping[str, Any]]


def like(choices: Choices, schema: Mapping[str, Any], resolve: Resolve, depth: int = 0) -> Any:
    """Give a value that an OpenAPI v3 schema describes, more or less: one in thirty places is something else."""
    if not isinstance(schema, Mapping):
        return value(choices, 2)  # a part of a random schema that is none
    every = schema.get("allOf")
    for part in (schema, *(every if isinstance(every, list) else ())):
        if isinstance(part, Mapping) and isinstance(part.get("$ref"), str):
            return like(choices, resolve(part["$ref"]), resolve, depth)
    if choices.once_in(30):
        return value(choices, 2)
    if schema.get("enum") and isinstance(schema["enum"], list):
        return choices.pick(schema["enum"])
    match schema.get("type"):
        case "object":
            return _object(choices, schema, resolve, depth)
        case "array":
            count = choices.below(4) if depth < 12 else 0
            return [like(choices, schema.get("items", {}), resolve, depth + 1) for _ in range(count)]
        case "string":
            return _text(choices, schema)
        case "integer":
            return choices.pick(ODD_NUMBERS[:7])
        case "number":
            return choices.pick(ODD_FLOATS)
        case "boolean":
            return bool(choices.below(2))
    if schema.get("x-kubernetes-int-or-string") or schema.get("oneOf") or schema.get("anyOf"):
        return choices.pick((1, 80, "10%", "http", "1Gi", -1))
    return value(choices, 2)


def _object(choices: Choices, schema: Mapping[str, Any], resolve: Resolve, depth: int) -> dict[str, Any]:
    made = {}
    members = schema.get("properties", {})
    members = members if isinstance(members, Mapping) else {}
    required = schema.get("required") or ()
    for name in required if isinstance(required, list) else ():
        if isinstance(name, str) and name in members:
            made[name] = _member(choices, name, members[name], resolve, depth + 1)
    optional = [name for name in members if name not in made]
    if optional and depth < 10:
        for _ in range(choices.below(4)):
            name = choices.pick(optional)
            made[name] = _member(choices, name, members[name], resolve, depth + 1)
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        for _ in range(choices.below(3)):
            made[choices.pick(("a", "b", "example.org/c", *ODD_TEXTS[:6]))] = like(
                choices, more, resolve, depth + 1
            )
    if schema.get("x-kubernetes-preserve-unknown-fields") and choices.below(2):
        made[choices.pick(NAMES)] = value(choices, 2)
    return made


def _member(choices: Choices, name: str, described: Mapping[str, Any], resolve: Resolve, depth: int) -> Any:
    """Give a member; where the name says what kind of text it is, that kind."""
    if isinstance(described, Mapping) and described.get("type") == "string":
        if name in _EXPRESSIONS and not choices.once_in(10):
            return expression(choices)
        if name in _KNOWN and not choices.once_in(5):
            return choices.pick(_KNOWN[name])
    if name == "openAPIV3Schema" and depth < 8:
        return schema(choices)
    return like(choices, described, resolve, depth)


_EXPRESSIONS = ("expression", "rule", "messageExpression", "valueExpression")
_KNOWN = {
    "operator": ("In", "Exists", "NotIn", "DoesNotExist", "Gt", "Equal"),
    "kind": ("ConfigMap", "Widget", "Role", "ServiceAccount", "Deployment", "User", "Group"),
    "apiVersion": ("v1", "apps/v1", "fuzz.example.org/v1", "rbac.authorization.k8s.io/v1"),
    "apiGroup": ("", "apps", "rbac.authorization.k8s.io", "fuzz.example.org"),
    "port": ("80", "http"),
    "name": ("a", "b", "c", "default"),
    "namespace": ("default", "a"),
    "jsonPath": (".spec.a", ".metadata.name", ".a[0]", "..a", "{.a}", ".a[?(@.b=='c')].d"),
    "fieldPath": (".a", ".spec.a", ".items[0]", "self"),
    "hostname": ("a.b", "*.a.b"),
    "path": ("/", "/a", "a"),
}


def _text(choices: Choices, schema: Mapping[str, Any]) -> str:
    match schema.get("format"):
        case "date-time":
            return choices.pick(("2024-05-06T07:08:09Z", "2024-05-06T07:08:09.000001Z", "yesterday"))
        case "byte":
            return choices.pick(("YQ==", "", "!"))
    return choices.pick(("a", "b", "c", "a", "b", "http", "TCP", *ODD_TEXTS))


def schema(choices: Choices, depth: int = 0) -> dict[str, Any]:
    """Give a structural schema; most would be taken for a CustomResourceDefinition."""
    made: dict[str, Any] = {}
    kind = choices.below(9) if depth < 4 else 5 + choices.below(4)
    if depth == 0:
        kind = 0
    match kind:
        case 0 | 1:
            names = ("a", "b", "c", "key", "items", "spec", "x-y", "__dunder__", "self", "namespace")
            members = {choices.pick(names): schema(choices, depth + 1) for _ in range(1 + choices.below(4))}
            made = {"type": "object", "properties": members}
            if choices.once_in(3):
                made["required"] = [choices.pick(sorted(members))]
            if choices.once_in(6):
                made["x-kubernetes-preserve-unknown-fields"] = True
            if choices.once_in(8):
                made["x-kubernetes-map-type"] = choices.pick(("atomic", "granular"))
        case 2:
            made = {"type": "object", "additionalProperties": schema(choices, depth + 1)}
        case 3:
            keys = {"key": {"type": choices.pick(("string", "integer")), "maxLength": 20}}
            entry = {"type": "object", "properties": {**keys, "value": schema(choices, depth + 2)}}
            entry["required"] = ["key"]
            made = {"type": "array", "items": entry, "x-kubernetes-list-type": "map"}
            made |= {"x-kubernetes-list-map-keys": ["key"], "maxItems": 5}
        case 4:
            made = {"type": "array", "items": schema(choices, depth + 1)}
            made["x-kubernetes-list-type"] = choices.pick(("atomic", "set"))
        case 5:
            made = {"type": choices.pick(("integer", "number")), "minimum": choices.pick(ODD_NUMBERS)}
            if choices.below(2):
                made["multipleOf"] = choices.pick((1, 2, 0.1, 1e-10))
        case 6:
            made = {"type": "string", "maxLength": choices.below(70)}
            extra = choices.below(4)
            if extra == 1:
                made["pattern"] = choices.pick(("^[a-z]+$", "(a|b)*", "\\d{2,}", "[", "(?=x)", "^\\p{L}$"))
            elif extra == 2:
                made["enum"] = ["a", "b", ""]
            elif extra == 3:
                made["format"] = choices.pick(("date-time", "email", "ipv4", "uuid", "byte", "duration", "x"))
        case 7:
            made = {"x-kubernetes-int-or-string": True}
        case _:
            made = {"type": "boolean"}
    return _adorned(choices, made, depth)


def _adorned(choices: Choices, made: dict[str, Any], depth: int) -> dict[str, Any]:
    """Add what any schema may have, and now and then what none may."""
    if choices.once_in(5):
        made["nullable"] = True
    if depth and choices.once_in(4):
        made["default"] = like(choices, made, lambda name: {})
    if choices.once_in(6):
        made["x-kubernetes-validations"] = [{"rule": expression(choices)}]
    if choices.once_in(12):
        junctor = choices.pick(("allOf", "anyOf", "oneOf", "not"))
        inner = choices.pick(({"minProperties": 1}, {"maximum": 3}, {"minLength": 1}, {"required": ["a"]}))
        made[junctor] = inner if junctor == "not" else [inner]
    if choices.once_in(25):
        return reshaped(choices, made)
    return made


_ATOMS = (
    "self",
    "self.a",
    "self.b",
    "self.key",
    "oldSelf",
    "self.items",
    "1",
    "-1",
    "1.5",
    "'a'",
    "''",
    "true",
    "null",
    "[1, 2]",
    "{'a': 1}",
    "duration('1h')",
    "timestamp('2024-01-01T00:00:00Z')",
    "quantity('1Gi')",
    "url('https://a.b')",
    "ip('10.0.0.1')",
    "cidr('10.0.0.0/8')",
    "semver('1.2.3')",
    "optional.of(1)",
    "b'a'",
    "9223372036854775807",
    "self.__dunder____",
)
_CALLS = (
    "size(%s)",
    "string(%s)",
    "int(%s)",
    "double(%s)",
    "type(%s)",
    "has(%s.a)",
    "%s.all(x, x == 1)",
    "%s.exists(x, x != self)",
    "%s.map(x, x + 1)",
    "%s.filter(x, x > 0)",
    "%s.startsWith('a')",
    "%s.matches('^(a|b)*$')",
    "%s.matches('(')",
    "%s.isSorted()",
    "%s.sum()",
    "%s.indexOf('a')",
    "%s.split(',')",
    "%s.join(',')",
    "%s.lowerAscii()",
    "%s.replace('a', 'b')",
    "%s.substring(1)",
    "%s.format([1])",
    "!%s",
    "-%s",
    "%s[0]",
    "%s['a']",
    "%s.?a.orValue(1)",
    "%s.find('[0-9]+')",
    "%s.asInteger()",
    "%s.getHours()",
    "dyn(%s)",
    "format.dns1123Label().validate(%s)",
    "cel.bind(y, %s, y == y)",
    "%s.containsIP('10.1.1.1')",
    "sets.contains(%s, [1])",
    "(%s).reverse()",
)
_PAIRS = ("==", "!=", "<", ">=", "+", "-", "*", "/", "%", "&&", "||", "in")


def expression(choices: Choices, depth: int = 0) -> str:
    """Give a CEL expression that parses; whether it has a type is another matter."""
    kind = choices.below(6) if depth < 4 else 0
    if kind < 2:
        return choices.pick(_ATOMS)
    if kind == 2:
        return choices.pick(_CALLS).replace("%s", expression(choices, depth + 1))
    if kind == 3:
        one, two, three = (expression(choices, depth + 2) for _ in range(3))
        return f"({one} ? {two} : {three})"
    return f"({expression(choices, depth + 1)} {choices.pick(_PAIRS)} {expression(choices, depth + 1)})"
