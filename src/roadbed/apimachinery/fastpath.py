"""A quick yes for objects that are plainly valid: the schema handed to a Rust validator.

Called by ``Schema.validate`` before the walk that finds words for errors (3 µs instead of 200). It may
say no to something valid, and the walk then decides; it must never say yes to something invalid. So
whatever Rust might judge more kindly than Kubernetes is translated into "never", and patterns and
formats are checked by our own functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import jsonschema_rs

from .formats import Check, check_of
from .nodes import OPAQUE, Checks, Node
from .validation import matcher

_NEVER: Final[dict[str, Any]] = {"not": {}}
_PLAIN: Final = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusive_minimum": "exclusiveMinimum",
    "exclusive_maximum": "exclusiveMaximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "unique_items": "uniqueItems",
}


def quick_check(root: Node) -> Callable[[Any], bool]:
    """Give a function that says yes to most valid values and to no invalid one."""
    translation = _Translation()
    schema = translation.of(root)
    if translation.definitions:
        schema = {"allOf": [schema], "definitions": translation.definitions}
    try:
        validator = jsonschema_rs.Draft4Validator(
            schema,
            formats=translation.formats,
            validate_formats=True,
            pattern_options=jsonschema_rs.RegexOptions(),  # the linear engine: no pattern can hang a write
        )
    except ValueError:
        return lambda _: False  # a schema that Rust can't compile: always walk

    def is_valid(value: Any) -> bool:
        try:
            return validator.is_valid(value)
        except ValueError:
            return False  # a number or a nesting that Rust can't hold

    return is_valid


class _Translation:
    """One translation; recursive nodes become definitions, patterns and formats functions."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self.formats: dict[str, Check] = {}
        self._active: dict[int, bool] = {}

    def of(self, node: Node) -> dict[str, Any]:
        key = id(node)
        reference = {"$ref": f"#/definitions/{key}"}
        if key in self._active:
            self._active[key] = True
            return reference
        if str(key) in self.definitions:
            return reference
        self._active[key] = False
        schema = self._members(node)
        if self._active.pop(key):
            self.definitions[str(key)] = schema
            return reference
        return schema

    def _members(self, node: Node) -> dict[str, Any]:
        if not all(_is_exact(branch) for branch in (*node.one_of, *([node.not_] if node.not_ else ()))):
            return _NEVER
        if node.checks.multiple_of is not None:
            return _NEVER  # Kubernetes takes the factor in the type of the value: 0.5 is 0 for 3
        schema = self._checks(node.checks)
        types = ["integer", "string"] if node.int_or_string else [node.type] if node.type else []
        if not types and node.checks.format and check_of(node.checks.format):
            types = ["string", "array", "null"]  # a format alone refuses the other types
        if types:
            schema["type"] = [*types, "null"] if node.nullable else types
        if node.properties:
            schema["properties"] = {name: self.of(child) for name, child in node.properties.items()}
        if node.closed:
            schema["additionalProperties"] = False
        elif node.additional is not None and node.additional is not OPAQUE:
            schema["additionalProperties"] = self.of(node.additional)
        if node.items is not None:
            schema["items"] = self.of(node.items)
        if node.required:
            schema["required"] = list(dict.fromkeys(node.required))
        for keyword, branches in (("anyOf", node.any_of), ("oneOf", node.one_of), ("allOf", node.all_of)):
            if branches:
                schema[keyword] = [self.of(branch) for branch in branches]
        if node.not_ is not None:
            schema["not"] = self.of(node.not_)
        return schema

    def _checks(self, checks: Checks) -> dict[str, Any]:
        schema = {
            theirs: value
            for ours, theirs in _PLAIN.items()
            if (value := getattr(checks, ours)) is not None and value is not False
        }
        for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if bound not in schema:
                schema.pop(exclusive, None)
        if checks.enum:
            schema["enum"] = [each for each in checks.enum if each is not None] or [_NEVER]
        pattern = checks.pattern
        if pattern and _SIMPLE.fullmatch(pattern) and matcher(pattern)[0] is not None:
            schema["pattern"] = pattern
            pattern = ""
        check = _text_check(checks.format, pattern)
        if check is not None:
            name = f"roadbed-{len(self.formats)}"
            self.formats[name] = check
            schema["format"] = name
        return schema


# What Rust and RE2 read alike: no classes like \w (Rust's know all scripts), no flags, no sets in sets.
_SIMPLE: Final = re.compile(
    r"(?:[^\\\[\](]|\((?!\?)|\\[.\-/_$+*?|(){}^\[\]\\]|\[\^?(?:[^\\\[\]&~-]|-(?!-)|\\[.\-/_$+*?|(){}^])+\])*"
)


def _text_check(named: str, pattern: str) -> Check | None:
    form = check_of(named) if named else None
    if not pattern:
        return form
    matches, _ = matcher(pattern)
    if matches is None:
        return lambda _: False
    if form is None:
        return lambda text: matches(text) is not None
    return lambda text: matches(text) is not None and form(text)


def _is_exact(branch: Node) -> bool:
    """Say whether Rust judges a branch exactly as the walk does; under a negation a no could become a yes.

    Types differ on ``1.0``, fractions on rounding, and branches on null.
    """
    if branch.type or branch.int_or_string or branch.checks.multiple_of is not None:
        return False
    if branch.any_of or branch.one_of or branch.all_of or branch.not_ is not None:
        return False
    below = [*branch.properties.values(), branch.additional, branch.items]
    return all(_is_exact(node) for node in below if node is not None)
