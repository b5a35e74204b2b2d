"""What Kubernetes refuses in an expression and the runtime takes: mixed lists and maps, literals that mean nothing.

Asked when an expression is written, on its checked tree with the types that its values have. Pure.

Sources: github.com/google/cel-go/cel/validator.go; k8s.io/apiserver/pkg/cel/environment/base.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from .ast import DYN, Checked, Expr, Kind
from .tokens import tokens_of

_FOREIGN: Final = ("cel", "bind")  # ``rewriting`` needs it
_LITERALS: Final = ("duration", "timestamp", "matches")
Try = Callable[[str, Any], bool]


def foreign(text: str) -> str:
    """Say which function an expression calls that Kubernetes does not know; empty for none."""
    if _FOREIGN[1] not in text:
        return ""
    tokens = tokens_of(text)
    for at in range(len(tokens) - 3):
        first, dot, second, opened = (each.text for each in tokens[at : at + 4])
        is_start = at == 0 or tokens[at - 1].text not in (".", ".?")
        if is_start and dot == "." and opened == "(" and (first, second) == _FOREIGN:
            place = (tokens[at].at, tokens[at + 3].at)
            whose = (f"undeclared reference to '{name}' (in container '')" for name in (first, second))
            return "\n".join(_told(text, where, why) for where, why in zip(place, whose, strict=True))
    return ""


def faults(text: str, checked: Checked, works: Try) -> str:
    """Say what Kubernetes would refuse in a checked expression; empty for nothing.

    ``works`` says whether a conversion, or a pattern, takes a literal.
    """
    found = [*_literals(checked.root, works), *_mixtures(checked.root, checked)]
    return "\n".join(_told(text, checked.positions.get(expr.id, 0), why) for expr, why in found)


def _literals(expr: Expr, works: Try) -> Iterator[tuple[Expr, str]]:
    for each in _below(expr):
        if each.kind != "call" or each.name not in _LITERALS or not each.parts:
            continue
        argument = each.parts[-1]
        is_text = argument.kind == "const" and argument.constant[0] == "string"
        if is_text and not works(each.name, argument.constant[1]):
            yield argument, f"invalid {each.name} argument"


def _mixtures(expr: Expr, checked: Checked) -> Iterator[tuple[Expr, str]]:
    for each in _below(expr, "format"):
        if each.kind == "list":
            yield from _mixed(each.parts, checked)
        elif each.kind == "struct" and not each.name:
            yield from _mixed(each.parts[::2], checked)
            yield from _mixed(each.parts[1::2], checked)


def _mixed(parts: list[Expr], checked: Checked) -> Iterator[tuple[Expr, str]]:
    wanted: Kind | None = None
    for each in parts:
        kind = _kind(each, checked)
        if wanted is None:
            wanted = kind
        elif kind != wanted:
            yield each, f"expected type '{_shown(wanted)}' but found '{_shown(kind)}'"
            return


def _kind(expr: Expr, checked: Checked) -> Kind:
    kind = Kind(expr.constant[0]) if expr.kind == "const" else checked.types.get(expr.id, DYN)
    return kind.parameters[0] if kind.name == "optional_type" and kind.parameters else kind


def _shown(kind: Kind) -> str:
    name = "object" if kind.name == "struct" else kind.name
    return f"{name}({', '.join(map(_shown, kind.parameters))})" if kind.parameters else name


def _below(expr: Expr, spared: str = "") -> Iterator[Expr]:
    """Yield an expression and all in it, but what stands in a call of ``spared``."""
    if spared and expr.kind == "call" and expr.name == spared:
        return
    yield expr
    for each in (expr.operand, *expr.parts):
        if each is not None:
            yield from _below(each, spared)
    if expr.kind == "loop":
        for name in ("range", "init", "condition", "step", "result"):
            yield from _below(expr.loop[name], spared)


def _told(text: str, at: int, why: str) -> str:
    before = text[:at]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)
    shown = text.split("\n")[line - 1]
    return f"ERROR: <input>:{line}:{column + 1}: {why}\n | {shown}\n | {'.' * column}^"
