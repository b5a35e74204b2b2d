r"""The part of kubectl's JSONPath that printer columns use, parsed once and asked per object.

Reads ``.spec.x``, ``['a.b']``, ``.a\.b``, ``[0]``, ``[-1]``, ``[0:2]``, ``[*]``, ``[0,2]`` and filters
``[?(@.type=="Ready")]``; a missing key finds nothing, and ``..`` looks at every level. ``range`` is refused.

Source: https://kubernetes.io/docs/reference/kubectl/jsonpath/
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

Step = Callable[[Any], Iterator[Any]]

_NAME: Final = re.compile(r"((?:\\.|[^.\[\]{}()\s\\?=<>!])+)", re.DOTALL)
_QUOTED: Final = re.compile(r"'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\"", re.DOTALL)
_SLICE: Final = re.compile(r"\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?")
_INDEX: Final = re.compile(r"\s*(-?\d+)\s*")
_COMPARISON: Final = re.compile(r"(==|!=|<=|>=|<|>)")
_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class JsonPath:
    """One path; ``text`` is as written."""

    text: str
    _steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> JsonPath:
        """Read a path, with or without ``{}`` around it and ``$`` before it.

        Raises:
            ValueError: not a path, or a part of JSONPath that is not supported; says where.
        """
        return _parse(text)

    def find(self, obj: Any) -> list[Any]:
        """Give everything the path names, in order; a missing key or index finds nothing."""
        found = [obj]
        for step in self._steps:
            found = [below for value in found for below in step(value)]
            if not found:
                break
        return found

    def first(self, obj: Any) -> Any:
        """Give the first thing found, or None."""
        found = self.find(obj)
        return found[0] if found else None


@lru_cache(2048)
def _parse(text: str) -> JsonPath:
    inside = text.strip()
    if inside.startswith("{") and inside.endswith("}"):
        inside = inside[1:-1].strip()
    steps, end = _steps(inside.removeprefix("$"), text)
    if end:
        raise ValueError(f"cannot read JSONPath {text!r} from {end!r} on")
    return JsonPath(text, tuple(steps))


def _steps(path: str, whole: str) -> tuple[list[Step], str]:
    """Read steps from the left; give them and what is left over."""
    steps: list[Step] = []
    rest = path
    while rest:
        if rest.startswith(".."):
            if len(rest) == 2:
                break
            steps.append(_descendants)
            rest = rest[2:] if rest[2] == "[" else rest[1:]
        if rest.startswith("."):
            name = _NAME.match(rest, 1)
            if name is None:
                if rest == "." or rest[1] == "[":
                    rest = rest[1:]
                    continue
                break
            steps.append(_members if name[1] == "*" else _member(_unescaped(name[1])))
            rest = rest[name.end() :]
        elif rest.startswith("["):
            inside, rest = _bracket(rest, whole)
            steps.append(_subscript(inside, whole))
        elif rest == path and (name := _NAME.match(rest)):
            steps.append(_member(_unescaped(name[1])))  # a leading dot may be left out
            rest = rest[name.end() :]
        else:
            break
    return steps, rest


def _bracket(rest: str, whole: str) -> tuple[str, str]:
    """Split at the bracket that closes the first one; quotes and nested brackets don't count."""
    depth, position = 0, 0
    while position < len(rest):
        quoted = _QUOTED.match(rest, position)
        if quoted:
            position = quoted.end()
            continue
        depth += {"[": 1, "]": -1}.get(rest[position], 0)
        if depth == 0:
            return rest[1:position], rest[position + 1 :]
        position += 1
    raise ValueError(f"cannot read JSONPath {whole!r}: unterminated array")


def _subscript(inside: str, whole: str) -> Step:
    text = inside.strip()
    if text == "*":
        return _members
    if text.startswith("?"):
        return _filter(text[1:].strip(), whole)
    if sliced := _SLICE.fullmatch(text):
        start, stop, stride = (int(part) if part else None for part in sliced.groups())
        if stride is not None and stride <= 0:
            raise ValueError(f"cannot read JSONPath {whole!r}: step must be > 0")
        return _slice(slice(start, stop, stride))
    union = [_one(part.strip(), whole) for part in _parts(text)]
    return union[0] if len(union) == 1 else _union(union)


def _parts(text: str) -> list[str]:
    parts, start, position = [], 0, 0
    while position < len(text):
        quoted = _QUOTED.match(text, position)
        position = quoted.end() if quoted else position
        if position < len(text) and text[position] == ",":
            parts.append(text[start:position])
            start = position + 1
        position += 1 if not quoted or position < len(text) else 0
    return [*parts, text[start:]]


def _one(text: str, whole: str) -> Step:
    if _INDEX.fullmatch(text):
        return _index(int(text))
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        raise ValueError(f"cannot read JSONPath {whole!r}: invalid array index {text!r}")
    return _member(_unescaped(quoted[1] if quoted[1] is not None else quoted[2]))


def _filter(text: str, whole: str) -> Step:
    if not (text.startswith("(") and text.endswith(")")):
        raise ValueError(f"cannot read JSONPath {whole!r}: a filter is written [?(...)]")
    inside = text[1:-1].strip()
    pieces = _split_comparison(inside)
    left = _operand(pieces[0], whole)
    if len(pieces) == 1:
        return lambda value: (each for each in _list(value) if left(each))
    compare, right = _OPERATORS[pieces[1]], _operand(pieces[2], whole)

    def passing(value: Any) -> Iterator[Any]:
        for each in _list(value):
            one, other = left(each), right(each)
            if one and other and _comparable(one[0], other[0]) and compare(one[0], other[0]):
                yield each

    return passing


def _split_comparison(text: str) -> list[str]:
    """Split at the comparison outside of quotes; one piece means that the filter asks for existence."""
    position = 0
    while position < len(text):
        quoted = _QUOTED.match(text, position)
        if quoted:
            position = quoted.end()
            continue
        found = _COMPARISON.match(text, position)
        if found:
            return [text[:position].strip(), found[1], text[found.end() :].strip()]
        position += 1
    return [text]


def _operand(text: str, whole: str) -> Callable[[Any], Sequence[Any]]:
    if text.startswith("@"):
        steps, end = _steps(text[1:], whole)
        if end:
            raise ValueError(f"cannot read JSONPath {whole!r} from {end!r} on")
        return JsonPath(text, tuple(steps)).find
    quoted = _QUOTED.fullmatch(text)
    if quoted:
        constant: Any = _unescaped(quoted[1] if quoted[1] is not None else quoted[2])
    elif text in ("true", "false"):
        constant = text == "true"
    else:
        try:
            constant = float(text) if "." in text else int(text)
        except ValueError:
            raise ValueError(f"cannot read JSONPath {whole!r}: {text!r} in a filter") from None
    return lambda _: [constant]


def _comparable(one: Any, other: Any) -> bool:
    numbers = (int, float)
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool)
    return (isinstance(one, numbers) and isinstance(other, numbers)) or (
        isinstance(one, str) and isinstance(other, str)
    )


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _member(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _members(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _descendants(value: Any) -> Iterator[Any]:
    """Give a value and everything below it, outermost first."""
    yield value
    for each in _members(value):
        yield from _descendants(each)


def _index(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _slice(part: slice) -> Step:
    return lambda value: iter(_list(value)[part])


def _union(steps: Sequence[Step]) -> Step:
    return lambda value: (each for step in steps for each in step(value))
