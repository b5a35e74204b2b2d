"""What evaluating an expression costs at most, before anyone evaluates it: as Kubernetes estimates it.

``cel_check`` asks for every rule of a definition. A unit is about one look at a variable; texts cost by their
length, loops by the size of what they run over, and sizes come from the limits in the schema (or from the
largest request, where it sets none). Only the upper bound is kept: it is what limits are compared with.

Sources: github.com/google/cel-go/checker/cost.go; k8s.io/apiserver/pkg/cel/library/cost.go.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from . import calls
from .ast import Checked, Expr, Kind
from .calls import MOST, Call, Size, plus, times
from .shapes import Shape

UNKNOWN: Final = Size(0, MOST)
_SCALARS: Final = ("bool", "double", "duration", "int", "timestamp", "uint")
_CREATE_LIST, _CREATE_MAP, _CREATE_STRUCT = 10, 30, 40
_ACCUMULATORS: Final = ("@result", "__result__")
Path = tuple[str, ...]


def estimate(checked: Checked, root: Shape) -> int:
    """Give the most that an expression over a value of shape ``root`` can cost; 2^64-1 if without bound."""
    return _Estimate(checked, root).cost(checked.root)


@dataclass(frozen=True, slots=True)
class _Entry:
    """The sizes of a container's keys and values."""

    container: str
    key: Size
    value: Size


@dataclass(frozen=True, slots=True)
class _Variable:
    path: Path
    size: Size | None
    entry: _Entry | None


class _Estimate:
    """One walk over one expression."""

    def __init__(self, checked: Checked, root: Shape) -> None:
        self._checked = checked
        self._root = root
        self._paths: dict[int, Path] = {}
        self._sizes: dict[int, Size] = {}
        self._entries: dict[int, _Entry] = {}
        self._variables: dict[str, list[_Variable]] = {}

    def cost(self, expr: Expr) -> int:
        match expr.kind:
            case "ident":
                self._paths[expr.id] = self._path(expr) or (expr.name,)
                return 1
            case "select":
                return self._select(expr)
            case "call":
                return self._call(expr)
            case "list":
                return self._list(expr)
            case "struct":
                return self._struct(expr)
            case "loop":
                return self._bind(expr) if self._is_bind(expr) else self._loop(expr)
        return 0

    def _select(self, expr: Expr) -> int:
        if expr.operand is None:
            return 0
        cost = self.cost(expr.operand)
        if expr.is_test:
            return cost
        if self._checked.type_of(expr.operand).name in ("map", "struct"):
            cost = plus(cost, 1)
        self._paths[expr.id] = (*self._path(expr.operand), expr.name)
        return cost

    def _list(self, expr: Expr) -> int:
        cost = 0
        size = Size(0 if not expr.parts else MOST, 0)
        for each in expr.parts:
            cost = plus(cost, self.cost(each))
            size = size.union(self._size(each) or UNKNOWN)
        self._entries[expr.id] = _Entry("list", Size(1, 1), size)
        return plus(cost, _CREATE_LIST)

    def _struct(self, expr: Expr) -> int:
        cost = 0
        least = 0 if not expr.parts else MOST
        sizes = [Size(least, 0), Size(least, 0)]
        for index, each in enumerate(expr.parts):
            cost = plus(cost, self.cost(each))
            sizes[index % 2] = sizes[index % 2].union(self._size(each) or UNKNOWN)
        if expr.name:
            return plus(cost, _CREATE_STRUCT)
        self._entries[expr.id] = _Entry("map", *sizes)
        return plus(cost, _CREATE_MAP)

    @staticmethod
    def _is_bind(expr: Expr) -> bool:
        over, condition = expr.loop["range"], expr.loop["condition"]
        is_never = condition.kind == "const" and condition.constant[0] == "bool" and not condition.constant[1]
        return over.kind == "list" and not over.parts and is_never and expr.loop["accu"] not in _ACCUMULATORS

    def _bind(self, expr: Expr) -> int:
        init, result = expr.loop["init"], expr.loop["result"]
        cost = plus(self.cost(expr.loop["range"]), self.cost(init))
        self._push(expr.loop["accu"], _Variable(self._path(init), self._size(init), self._entry(init)))
        cost = plus(cost, self.cost(result))
        self._pop(expr.loop["accu"])
        self._copy(expr, result)
        is_sort = expr.loop["accu"].startswith("__input") and init.kind != "list"
        return plus(cost, 1) if is_sort else cost

    def _loop(self, expr: Expr) -> int:
        over, init = expr.loop["range"], expr.loop["init"]
        cost = plus(self.cost(over), self.cost(init))
        self._push(expr.loop["accu"], _Variable(self._path(init), self._size(init), self._entry(init)))
        self._push(expr.loop["var"], self._item(over))
        each = plus(self.cost(expr.loop["condition"]), self.cost(expr.loop["step"]))
        self._pop(expr.loop["var"])
        cost = plus(cost, self.cost(expr.loop["result"]))
        self._pop(expr.loop["accu"])
        count = self._size(over) or UNKNOWN
        if init.kind == "const":
            self._set_size(expr, self._size(init))
        elif init.kind in ("list", "struct"):
            self._set_size(expr, count)
            entry = self._entry(expr.loop["step"])
            if entry is not None:
                self._entries[expr.id] = entry
        return plus(cost, times(count.most, each))

    def _item(self, over: Expr) -> _Variable:
        entry = self._entry(over)
        container = self._checked.type_of(over).name if entry is None else entry.container
        is_list = container == "list"
        size = None if entry is None else entry.value if is_list else entry.key
        return _Variable((*self._path(over), "@items" if is_list else "@keys"), size, None)

    def _call(self, expr: Expr) -> int:
        if expr.name == "dyn" and expr.operand is None:
            cost = plus(1, self.cost(expr.parts[0]))
            self._copy(expr, expr.parts[0])
            return cost
        costs = [self.cost(each) for each in expr.parts]
        overloads = self._checked.overloads.get(expr.id, ())
        if not overloads:
            return 0
        target = 0 if expr.operand is None else self.cost(expr.operand)
        sizes = [self._size(each) for each in expr.parts]
        most = 0
        size: Size | None = None
        if any(self._is_number(each) for each in expr.parts):
            overloads = tuple(each for each in overloads if not each.endswith(_OF_SIZE)) or overloads
        for overload in overloads:
            found, result = self._overload(expr, overload, sizes, costs)
            most = max(most, found)
            if result is not None:
                size = result if size is None else size.union(result)
            if overload in ("index_list", "index_map"):
                entry = self._entry(expr.parts[0])
                size = None if entry is None else entry.value
                step = "@items" if overload == "index_list" else "@values"
                self._paths[expr.id] = (*self._path(expr.parts[0]), step)
            if size is None:
                size = self._size(expr)
        self._set_size(expr, size)
        return plus(target, most)

    def _overload(
        self, expr: Expr, overload: str, sizes: list[Size | None], costs: list[int]
    ) -> tuple[int, Size | None]:
        if overload == "conditional":
            one, other = (self._entry(each) for each in expr.parts[1:])
            if one is not None and other is not None:
                self._entries[expr.id] = _Entry(
                    one.container, one.key.union(other.key), one.value.union(other.value)
                )
            either = (sizes[1] or UNKNOWN).union(sizes[2] or UNKNOWN)
            return plus(costs[0], max(costs[1], costs[2])), either
        if overload in ("equals", "not_equals") and any(_is_opaque(each) for each in expr.parts):
            return plus(1, plus(*costs)), None
        if overload in ("add_list", "add_string", "add_bytes"):
            one, other = (self._entry(each) for each in expr.parts)
            if one is not None and other is not None:
                self._entries[expr.id] = _Entry(
                    one.container, one.key.union(other.key), one.value.union(other.value)
                )
        target = expr.operand
        is_ours = expr.name == "optional.ofNonZeroValue" and expr.parts[0].name in (
            "__validate",
            "format.named",
        )
        call = Call(
            name="__optional" if is_ours else expr.name,
            overload=overload,
            target=None if target is None else (self._size(target) or UNKNOWN),
            target_kind=Kind("") if target is None else self._checked.type_of(target),
            args=[each or UNKNOWN for each in sizes],
            element=UNKNOWN if target is None else self._element(target),
            literals=tuple(map(_number, expr.parts)),
            kinds=tuple(self._item_kind(each) for each in (target, *expr.parts) if each is not None),
        )
        own, size = calls.cost(call)
        total = 0
        for each in costs:
            total = plus(total, each)
        return plus(own, total), size

    def _is_number(self, expr: Expr) -> bool:
        """Say whether a value is a number although its type is not told: what is made of the items of a list is."""
        if expr.kind != "call":
            return False
        if expr.name == "_+_":
            return any(self._is_number(each) for each in expr.parts)
        return (
            expr.name in _OF_ITEMS and expr.operand is not None and self._item_kind(expr.operand) in _NUMBERS
        )

    def _item_kind(self, expr: Expr) -> str:
        kind = self._checked.type_of(expr)
        return kind.parameters[0].name if kind.name == "list" and kind.parameters else ""

    def _element(self, target: Expr) -> Size:
        path = self._path(target)
        return (self._declared((*path, "@items")) if path else None) or UNKNOWN

    def _size(self, expr: Expr) -> Size | None:
        found = self._sizes.get(expr.id) or _literal_size(expr)
        if found is not None:
            return found
        declared = self._declared(self._path(expr))
        if declared is not None:
            self._sizes[expr.id] = declared
            return declared
        if _is_scalar(self._checked.type_of(expr)):
            return Size(1, 1)
        variable = self._variable(expr)
        return None if variable is None else variable.size

    def _declared(self, path: Path) -> Size | None:
        """Give the size that the schema allows what lies at a path."""
        if not path or path[0] in _ACCUMULATORS:
            return None
        at: Shape | None = self._root
        for step in path[1:]:
            if at is None:
                return None
            if step in ("@items", "@values"):
                at = at.element
            elif step == "@keys":
                at = at.key
            else:
                at = at.fields.get(step)
        return None if at is None else Size(0, at.most)

    def _entry(self, expr: Expr) -> _Entry | None:
        found = self._entries.get(expr.id)
        if found is None:
            variable = self._variable(expr)
            found = None if variable is None else variable.entry
        return found

    def _variable(self, expr: Expr) -> _Variable | None:
        stack = self._variables.get(expr.name) if expr.kind == "ident" else None
        return stack[-1] if stack else None

    def _path(self, expr: Expr) -> Path:
        variable = self._variable(expr)
        return self._paths.get(expr.id, ()) if variable is None else variable.path

    def _push(self, name: str, variable: _Variable) -> None:
        self._variables.setdefault(name, []).append(variable)

    def _pop(self, name: str) -> None:
        self._variables[name].pop()

    def _set_size(self, expr: Expr, size: Size | None) -> None:
        if size is not None:
            self._sizes[expr.id] = size

    def _copy(self, into: Expr, source: Expr) -> None:
        self._set_size(into, self._size(source))
        entry = self._entry(source)
        if entry is not None:
            self._entries[into.id] = entry


def _literal_size(expr: Expr) -> Size | None:
    if expr.kind == "const":
        kind, value = expr.constant
        count = len(value) if kind in ("string", "bytes") else 1
    elif expr.kind == "list":
        count = len(expr.parts)
    elif expr.kind == "struct" and not expr.name:
        count = len(expr.parts) // 2
    else:
        return None
    return Size(count, count)


_OF_ITEMS: Final = frozenset(("sum", "min", "max"))
_NUMBERS: Final = frozenset(("int", "uint", "double"))
_OF_SIZE: Final = ("_list", "_string", "_bytes")  # how overloads end whose cost grows with their values
_OPAQUE: Final = frozenset(("quantity", "semver", "ip", "cidr", "masked", "add", "sub"))


def _is_opaque(expr: Expr) -> bool:
    """Say whether an expression gives a value that is compared at once: a quantity, version or address."""
    return expr.kind == "call" and expr.name in _OPAQUE


def _is_scalar(kind: Kind) -> bool:
    if kind.name == "optional_type" and kind.parameters:
        return _is_scalar(kind.parameters[0])
    return kind.name in _SCALARS


def _number(expr: Expr) -> int | None:
    return int(expr.constant[1]) if expr.kind == "const" and expr.constant[0] == "int" else None


def factor_text(cost: int, limit: int) -> str:
    """Say by how much a cost exceeds its limit."""
    factor = cost / limit
    if factor > 100:
        return "more than 100x"
    return f"{factor:f}x" if factor < 1.5 else f"{math.floor(factor * 10 + 0.5) / 10:.1f}x"
