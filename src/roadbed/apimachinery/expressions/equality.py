"""Equality and sums of lists that are sets or keyed, where order doesn't count: rewritten into functions.

The runtime knows lists only. ``cel`` asks once for each rule whose schema has such lists: the checked tree says
which operand lies where in the schema, the text is rewritten there (``__same``, ``__joined``), and what a list
is goes along as JSON.

Source: k8s.io/apiserver/pkg/cel/common/values.go.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from roadbed.apimachinery.nodes import Node

from .ast import Checked, Expr
from .tokens import OPENING, Token, joined, tokens_of

_OPERATORS: Final = {"_==_": "==", "_!=_": "!=", "_+_": "+"}
_ENDS: Final = frozenset(("&&", "||", "?", ":", ",", "==", "!=", "<", "<=", ">", ">=", ")", "]", "}"))
_SUM_ENDS: Final = _ENDS | {"+", "-"}
Types = Mapping[str, Any]


def with_list_types(text: str, checked: Checked, variables: Mapping[str, Node]) -> str:
    """Give the text with the operators rewritten that stand behind a set or a keyed list."""
    found: dict[int, tuple[str, str]] = {}
    _Walk(checked, found).visit(checked.root, dict(variables))
    if not found:
        return text
    tokens = tokens_of(text)
    depths = _depths(tokens)
    order = sorted(found, key=lambda at: (-depths.get(at, 0), found[at][0] != "+", at))
    for at in order:
        tokens = _rewritten(tokens, at, *found[at])
    return joined(tokens)


class _Walk:
    """Finds operators whose left side is a list with a type, by their place in the text."""

    def __init__(self, checked: Checked, found: dict[int, tuple[str, str]]) -> None:
        self._checked = checked
        self._found = found

    def visit(self, expr: Expr, scope: Mapping[str, Node]) -> None:
        if expr.kind == "call" and expr.name in _OPERATORS and len(expr.parts) == 2:
            node = _node(expr.parts[0], scope)
            types = None if node is None else _types(node)
            is_sum = expr.name == "_+_"
            if types is not None and (not is_sum or set(types) & {"s", "k"}):
                place = self._checked.positions.get(expr.id, -1)
                self._found[place] = (_OPERATORS[expr.name], orjson.dumps(types).decode())
        for each in (expr.operand, *expr.parts):
            if each is not None:
                self.visit(each, scope)
        if expr.kind == "loop":
            below = {name: node for name, node in scope.items() if name != expr.loop["var"]}
            over = _node(expr.loop["range"], scope)
            if over is not None and over.items is not None:
                below[expr.loop["var"]] = over.items
            for name in ("range", "init"):
                self.visit(expr.loop[name], scope)
            accu = expr.loop["accu"]
            bound = _node(expr.loop["init"], scope)
            if bound is not None:
                below[accu] = bound
            for name in ("condition", "step", "result"):
                self.visit(expr.loop[name], below)


def _node(expr: Expr, scope: Mapping[str, Node]) -> Node | None:
    """Give the schema of what an expression gives, where it is a path into the schema."""
    if expr.kind == "ident":
        return scope.get(expr.name)
    if expr.kind == "select" and expr.operand is not None and not expr.is_test:
        parent = _node(expr.operand, scope)
        return None if parent is None else parent.child(_plain(expr.name))
    if expr.kind == "call" and expr.name == "_[_]":
        parent = _node(expr.parts[0], scope)
        return None if parent is None else parent.items or parent.additional
    if expr.kind == "call" and expr.name == "_+_":
        return _node(expr.parts[0], scope)
    return None


def _plain(name: str) -> str:
    for spelled, plain in (
        ("__dot__", "."),
        ("__dash__", "-"),
        ("__slash__", "/"),
        ("__underscores__", "__"),
    ):
        name = name.replace(spelled, plain)
    return name


def _types(node: Node) -> dict[str, Any] | None:
    """Give what is special about the lists in a value; None when nothing is."""
    found: dict[str, Any] = {}
    if node.list_type == "set":
        found["s"] = 1
    elif node.list_type == "map":
        found["k"] = list(node.list_keys)
    items = None if node.items is None else _types(node.items)
    if items:
        found["i"] = items
    members = {name: types for name, each in node.properties.items() if (types := _types(each))}
    if members:
        found["m"] = members
    additional = None if node.additional is None else _types(node.additional)
    if additional:
        found["a"] = additional
    return found or None


def _depths(tokens: Sequence[Token]) -> dict[int, int]:
    depth = 0
    found = {}
    for token in tokens:
        if token.kind == "sign" and token.text in OPENING:
            depth += 1
        elif token.kind == "sign" and token.text in OPENING.values():
            depth -= 1
        found[token.at] = depth
    return found


def _rewritten(tokens: list[Token], place: int, operator: str, types: str) -> list[Token]:
    at = next((index for index, each in enumerate(tokens) if each.at == place and each.text == operator), -1)
    if at < 0:
        return tokens
    start = reach(tokens, at, -1, _ENDS | {"!"} if operator == "+" else _ENDS)
    end = reach(tokens, at, 1, _SUM_ENDS if operator == "+" else _ENDS)
    one, other = joined(tokens[start:at]), joined(tokens[at + 1 : end])
    name = {"==": "__same", "!=": "!__same", "+": "__joined"}[operator]
    written = f"{name}({one}, {other}, {orjson.dumps(types).decode()})"
    whole = Token("name", written, tokens[start].at, tokens[start].before)
    return [*tokens[:start], whole, *tokens[end:]]


def reach(tokens: Sequence[Token], at: int, step: int, ends: frozenset[str] = _ENDS) -> int:
    """Give where an operator's left side starts, or its right side ends (exclusive)."""
    depth = 0
    index = at + step
    opens = OPENING if step > 0 else OPENING.values()
    closes = OPENING.values() if step > 0 else OPENING
    while 0 <= index < len(tokens):
        token = tokens[index]
        if token.kind == "sign":
            if token.text in opens:
                depth += 1
            elif token.text in closes:
                if not depth:
                    break
                depth -= 1
            elif not depth and token.text in ends:
                break
        elif not depth and token.text == "in":
            break
        index += step
    return index + 1 if step < 0 else index


@functools.lru_cache(maxsize=1024)
def _read(types: str) -> Types:
    found: Types = orjson.loads(types)
    return found


def same(one: Any, other: Any, types: str) -> bool:
    """Say whether two values are equal, with the order of sets and keyed lists left aside."""
    return _same(one, other, _read(types))


def _same(one: Any, other: Any, types: Types) -> bool:
    if isinstance(one, Sequence) and not isinstance(one, str | bytes):
        if not isinstance(other, Sequence) or isinstance(other, str | bytes) or len(one) != len(other):
            return False
        items: Types = types.get("i") or {}
        if "s" in types:
            return all(any(_same(each, that, items) for that in other) for each in one)
        if "k" in types:
            known = {_key(that, types["k"]): that for that in other}
            return all(
                (key := _key(each, types["k"])) in known and _same(each, known[key], items) for each in one
            )
        return all(_same(each, that, items) for each, that in zip(one, other, strict=True))
    if isinstance(one, Mapping):
        if not isinstance(other, Mapping) or set(one) != set(other):
            return False
        members: Types = types.get("m") or {}
        return all(
            _same(value, other[name], members.get(name) or types.get("a") or {})
            for name, value in one.items()
        )
    return bool(one == other)


def _key(item: Any, keys: Sequence[str]) -> str:
    return repr([item.get(key) for key in keys])


def together(one: Sequence[Any], other: Sequence[Any], types: str) -> list[Any]:
    """Give the union of two sets, or a keyed list with the other's items put in by their keys."""
    read = _read(types)
    found = list(one)
    if "s" in read:
        found += [each for each in other if each not in found]
        return found
    places = {_key(each, read["k"]): index for index, each in enumerate(found)}
    for each in other:
        at = places.get(_key(each, read["k"]))
        if at is None:
            places[_key(each, read["k"])] = len(found)
            found.append(each)
        else:
            found[at] = each
    return found
