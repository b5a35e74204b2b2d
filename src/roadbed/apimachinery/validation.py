"""Saying what is wrong with an object under its schema, exactly as Kubernetes says it.

Called through ``Schema`` on every write. The walk follows kube-openapi's validator step by step, its
match counting included, because that decides which branch of a failed ``anyOf`` gets explained.

Deviates on purpose: bounds are compared exactly (Kubernetes cuts them to whole numbers for integers),
``type: string`` with a format refuses lists (Kubernetes lets them pass), and an enum never matches
across JSON types or fractions (there 1.5 matches 1, and a number may match a string).

Sources: k8s.io/kube-openapi/pkg/validation/validate; k8s.io/apiextensions-apiserver/pkg/apiserver/validation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import re2

from . import causes
from .causes import go_number, go_quote
from .errors import Cause
from .formats import check_of
from .nodes import Checks, Node

_TYPES: Final[dict[type, str]] = {
    dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", float: "number",
}  # fmt: skip
_GO_FORMATS: Final = {"integer": "int64", "number": "float64"}

_GO_WORDS: Final = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "trailing \\": "trailing backslash at end of expression",
    "invalid named capture group": "invalid named capture",
}

UNCORRELATED: Final = object()
"""Stands for an old value that nothing in the old object corresponds to."""


def validate_value(node: Node, value: Any, *, old: Any = UNCORRELATED) -> list[Cause]:
    """Give what the schema finds wrong; with ``old``, only inside what changed."""
    return _walk(node, value, "", old).causes


class _Findings:
    """What one schema found in one value: causes without repeats, and how many checks were passed."""

    __slots__ = ("causes", "matches")

    def __init__(self) -> None:
        self.causes: list[Cause] = []
        self.matches = 0

    def add(self, cause: Cause) -> None:
        if cause not in self.causes:
            self.causes.append(cause)

    def merge(self, other: _Findings) -> None:
        for cause in other.causes:
            self.add(cause)
        self.matches += other.matches


def _walk(node: Node, value: Any, path: str, old: Any) -> _Findings:
    """Judge one value, then forgive it everything if it is what it was (ratcheting)."""
    found = _judge(node, value, path, old)
    if found.causes and old is not UNCORRELATED and same_json(value, old):
        found.causes.clear()
    return found


def _judge(node: Node, value: Any, path: str, old: Any) -> _Findings:
    found = _Findings()
    if value is None:
        _judge_null(node, path, found)
        return found
    if node.type or node.int_or_string or (node.checks.format and check_of(node.checks.format)):
        _check_type(node, value, path, found)
        found.matches += 1
    if node.any_of or node.one_of or node.all_of or node.not_:
        _check_branches(node, value, path, old, found)
    found.matches += 2
    kind = type(value)
    if kind is str:
        _check_string(node.checks, value, path, found)
        found.matches += 2 if node.checks.format and check_of(node.checks.format) else 1
    elif kind is list:
        _check_array(node, value, path, old, found)
        found.matches += 2
    elif kind is int or kind is float:
        _check_number(node.checks, value, path, found)
        found.matches += 2
    if node.checks.enum:
        _check_enum(node.checks.enum, value, path, found)
    found.matches += 1
    if kind is dict:
        _check_object(node, value, path, old, found)
        found.matches += 1
    found.matches += 1
    return found


def _judge_null(node: Node, path: str, found: _Findings) -> None:
    if (node.type or node.int_or_string) and not node.nullable:
        found.add(_mistyped(path, _named(node), "null"))
    else:
        found.matches += 1
    if node.checks.enum:
        _add_enum(node.checks.enum, None, path, found)


def _named(node: Node) -> str:
    return "integer,string" if node.int_or_string else node.type


def _check_type(node: Node, value: Any, path: str, found: _Findings) -> None:
    actual = _TYPES.get(type(value), "")
    wanted = ("integer", "string") if node.int_or_string else (node.type,)
    if actual in wanted or (actual == "integer" and "number" in wanted):
        found.matches += 1
        return
    if actual == "number" and "integer" in wanted and value.is_integer():
        found.matches += 1
        return
    named_format = node.checks.format if node.checks.format and check_of(node.checks.format) else ""
    if named_format and actual not in ("string", "array"):
        found.add(_mistyped(path, named_format, _GO_FORMATS.get(actual, "")))
    elif node.type or node.int_or_string:
        found.add(_mistyped(path, _named(node), actual))
    else:
        found.matches += 1


def _mistyped(path: str, wanted: str, shown: str) -> Cause:
    detail = f"{path} in body must be of type {wanted}: {go_quote(shown)}"
    return causes.invalid_type(_field(path), shown, detail)


def _check_string(checks: Checks, value: str, path: str, found: _Findings) -> None:
    if checks.max_length is not None and len(value) > checks.max_length:
        found.add(causes.too_long(_field(path), checks.max_length))
    elif checks.min_length is not None and len(value) < checks.min_length:
        _refuse(found, path, value, f"should be at least {checks.min_length} chars long")
    elif checks.pattern:
        search, problem = matcher(checks.pattern)
        if search is None:
            _refuse(found, path, value, f"should match '{checks.pattern}, but pattern is invalid: {problem}'")
        elif not search(value):
            _refuse(found, path, value, f"should match '{checks.pattern}'")
    check = check_of(checks.format) if checks.format else None
    if check is not None and not check(value):
        found.add(_mistyped(path, checks.format, value))


@lru_cache(2048)
def matcher(pattern: str) -> tuple[Callable[[str], Any] | None, str]:
    """Give the search function of a pattern, or why there is none."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search, ""
    except re2.error as error:
        return None, go_words(error.args[0] if error.args else "")


def go_words(problem: Any) -> str:
    """Say what is wrong with a pattern as Go's regexp does; both are RE2, the words differ."""
    text = problem.decode(errors="replace") if isinstance(problem, bytes) else str(problem)
    words, _, part = text.partition(": ")
    words = _GO_WORDS.get(words, words)
    return f"error parsing regexp: {words}: `{part}`"


def _check_number(checks: Checks, value: float, path: str, found: _Findings) -> None:
    like = type(
        value
    )  # Kubernetes takes factors and prints bounds in the type of the value: 3e+06 beside 2.5e+07
    if checks.multiple_of is not None:
        factor = like(checks.multiple_of)
        if factor <= 0:
            cause = f"factor MultipleOf declared for {path} must be positive: {go_number(factor)}"
            found.add(causes.invalid_value(_field(path), factor, cause))
        elif not _is_multiple(value, factor):
            _refuse(found, path, value, f"should be a multiple of {go_number(factor)}")
    least, most = checks.minimum, checks.maximum
    if least is not None and (value < least or (checks.exclusive_minimum and value == least)):
        words = "greater than" if checks.exclusive_minimum else "greater than or equal to"
        _refuse(found, path, value, f"should be {words} {go_number(like(least))}")
    if most is not None and (value > most or (checks.exclusive_maximum and value == most)):
        words = "less than" if checks.exclusive_maximum else "less than or equal to"
        _refuse(found, path, value, f"should be {words} {go_number(like(most))}")


_MOST_EXACT = 2**53 - 1  # beyond it not every whole number is a float


def _is_multiple(value: float, factor: float) -> bool:
    if isinstance(value, int) and isinstance(factor, int):
        return value % factor == 0
    quotient = value * (1 / factor) if factor < 1 else value / factor
    if not abs(quotient) <= _MOST_EXACT:  # infinity and what is no number included
        return False
    # Binary fractions don't divide evenly: 0.3 / 0.1 is 2.9999999999999996.
    return abs(quotient - round(quotient)) < 1e-9 * abs(round(quotient)) or quotient == round(quotient)


def _check_enum(allowed: Sequence[Any], value: Any, path: str, found: _Findings) -> None:
    if not any(same_json(value, each) for each in allowed):
        _add_enum(allowed, value, path, found)


def _add_enum(allowed: Sequence[Any], value: Any, path: str, found: _Findings) -> None:
    shown = [each if isinstance(each, str) else causes.go_json(each) for each in allowed]
    found.add(causes.not_supported(_field(path), value, shown))


def _check_array(node: Node, value: list[Any], path: str, old: Any, found: _Findings) -> None:
    items, checks = node.items, node.checks
    if items is not None:
        earlier = _correlate(node, value, old)
        for index, each in enumerate(value):
            found.merge(_walk(items, each, f"{path}[{index}]", earlier(index)))
    if checks.min_items is not None and len(value) < checks.min_items:
        _refuse(found, path, len(value), f"should have at least {checks.min_items} items")
    if checks.max_items is not None and len(value) > checks.max_items:
        found.add(causes.too_many(_field(path), len(value), checks.max_items))
    if checks.unique_items and any(
        same_json(each, other) for i, each in enumerate(value) for other in value[:i]
    ):
        _refuse(found, path, "", "shouldn't contain duplicates")


def _correlate(node: Node, value: list[Any], old: Any) -> Callable[[int], Any]:
    """Give the old item that each index corresponds to: by keys in a map list, else none."""
    if not isinstance(old, list) or node.list_type != "map":
        return lambda _: UNCORRELATED

    def key(item: Any) -> str:
        return causes.go_json([item.get(name) for name in node.list_keys] if isinstance(item, dict) else None)

    earlier = {key(item): item for item in reversed(old)}
    return lambda index: earlier.get(key(value[index]), UNCORRELATED)


def _check_object(node: Node, value: dict[str, Any], path: str, old: Any, found: _Findings) -> None:
    checks = node.checks
    if checks.min_properties is not None and len(value) < checks.min_properties:
        _refuse(found, path, len(value), f"should have at least {checks.min_properties} properties")
    if checks.max_properties is not None and len(value) > checks.max_properties:
        found.add(causes.too_many(_field(path), len(value), checks.max_properties))
    before = old if isinstance(old, dict) and node.map_type != "atomic" else {}
    properties, additional = node.properties, node.additional
    for name, each in value.items():
        child = properties.get(name)
        if child is not None or additional is None:
            continue
        if node.closed:
            detail = f"{path}.{name} in body is a forbidden property"
            found.add(causes.invalid_value(_field(path), name, detail))
        else:
            found.merge(_walk(additional, each, f"{path}.{name}", before.get(name, UNCORRELATED)))
    for name, child in properties.items():
        if name in value:
            below = f"{path}.{name}" if path else name
            # What was written in another version is not comparable here.
            was = UNCORRELATED if below in ("apiVersion", "kind") else before.get(name, UNCORRELATED)
            found.merge(_walk(child, value[name], below, was))
    for name in node.required:
        if name not in value:
            found.add(causes.required(_field(f"{path}.{name}")))


def _check_branches(node: Node, value: Any, path: str, old: Any, found: _Findings) -> None:
    if node.any_of:
        _check_any(node.any_of, value, path, old, found)
    if node.one_of:
        _check_one(node.one_of, value, path, old, found)
    if node.all_of:
        valid = 0
        for branch in node.all_of:
            result = _judge(branch, value, path, old)
            valid += not result.causes
            found.merge(result)
        if valid != len(node.all_of):
            none = "" if valid else ". None validated"
            found.add(_composite(path, f"must validate all the schemas (allOf){none}"))
    if node.not_ is not None and not _judge(node.not_, value, path, old).causes:
        found.add(_composite(path, "must not validate the schema (not)"))


def _check_any(branches: Sequence[Node], value: Any, path: str, old: Any, found: _Findings) -> None:
    best: _Findings | None = None
    for branch in branches:
        result = _judge(branch, value, path, old)
        if not result.causes:
            found.merge(result)
            return
        if best is None or result.matches > best.matches:
            best = result
    found.add(_composite(path, "must validate at least one schema (anyOf)"))
    if best is not None:
        found.merge(best)


def _check_one(branches: Sequence[Node], value: Any, path: str, old: Any, found: _Findings) -> None:
    best: _Findings | None = None
    valid: list[_Findings] = []
    for branch in branches:
        result = _judge(branch, value, path, old)
        if not result.causes:
            valid.append(result)
        elif not valid and (best is None or result.matches > best.matches):
            best = result
    if len(valid) == 1:
        found.merge(valid[0])
        return
    words = f"Found {len(valid)} valid alternatives" if valid else "Found none valid"
    found.add(_composite(path, f"must validate one and only one schema (oneOf). {words}"))
    if best is not None and not valid:
        found.merge(best)


def _composite(path: str, words: str) -> Cause:
    # Kubernetes loses the path of these: the field is the whole object, the path is in the message.
    return causes.invalid_value(causes.ROOT, "", f"{go_quote(path)} {words}")


def _refuse(found: _Findings, path: str, value: Any, words: str) -> None:
    found.add(causes.invalid_value(_field(path), value, f"{path} in body {words}"))


def _field(path: str) -> str:
    return path.removeprefix(".") or causes.ROOT


def same_json(one: Any, other: Any) -> bool:
    """Say whether two decoded values are the same JSON: ``1`` is ``1.0``, but true is not 1."""
    if type(one) is dict and type(other) is dict:
        return one.keys() == other.keys() and all(same_json(each, other[name]) for name, each in one.items())
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(map(same_json, one, other))
    if type(one) is bool or type(other) is bool:
        return one is other
    return bool(one == other)
