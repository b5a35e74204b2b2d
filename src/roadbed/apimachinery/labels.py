"""Label and field selectors: which objects a list, a watch or a reference means.

``Selector`` reads ``?labelSelector=`` and ``LabelSelector`` objects; ``fields.FieldSelector`` reads
``?fieldSelector=``. Both are parsed once and asked often: a watch asks for every event.

Source: k8s.io/apimachinery/pkg/labels/selector.go, whose parse errors are ours word for word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from .causes import aggregate, go_quote, invalid_value, text_of
from .errors import BadRequestError, Cause
from .names import label_key_errors, label_value_errors

Operator = Literal["in", "notin", "=", "==", "!=", "exists", "!", "gt", "lt"]

_OPERATORS: Final = "in, notin, =, ==, !=, gt, lt"
_SYMBOLS: Final[Mapping[str, Operator]] = {
    "=": "=", "==": "==", "!=": "!=", ">": "gt", "<": "lt", "in": "in", "notin": "notin",
}  # fmt: skip
_SPECIAL: Final = frozenset("=!(),<>")
_TOKEN = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+))")
_END: Final = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a selector; ``values`` is sorted and without repeats."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether the labels satisfy this term."""
        value = labels.get(self.key)
        match self.operator:
            case "in" | "=" | "==":
                return value is not None and value in self.values
            case "notin" | "!=":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case "gt" | "lt":
                return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        found = _integer(value)
        bound = _integer(self.values[0])
        if found is None or bound is None:
            return False
        return found > bound if self.operator == "gt" else found < bound

    def __str__(self) -> str:
        """Give the form that ``Selector.parse`` reads."""
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(self.values)})"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{self.values[0]}"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none means everything; ``nothing`` selects no object at all."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False
    _exact: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _rest: tuple[Requirement, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact = [term for term in self.requirements if term.operator in ("=", "==")]
        rest = [term for term in self.requirements if term.operator not in ("=", "==")]
        object.__setattr__(self, "_exact", tuple((term.key, term.values[0]) for term in exact))
        object.__setattr__(self, "_rest", tuple(rest))

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Read the string form: ``a=b,c!=d,e in (x,y),f notin (z),g,!h,i>1``.

        Raises:
            BadRequestError: not a selector, or a key or value that no label may have.
        """
        if not text:
            return EVERYTHING
        terms = _Parser(text).parse()
        return cls(tuple(sorted(terms, key=lambda term: term.key)))

    @classmethod
    def of(cls, selector: Mapping[str, Any] | None) -> Selector:
        """Read a ``LabelSelector`` object; absent selects nothing, empty selects everything.

        Raises:
            BadRequestError: an unknown operator, values where none may be, or an illegal key or value.
        """
        if selector is None:
            return NOTHING
        terms = [
            _requirement(key, "=", [value]) for key, value in (selector.get("matchLabels") or {}).items()
        ]
        for expression in selector.get("matchExpressions") or ():
            named = str(expression.get("operator", ""))
            operator = _NAMED.get(named)
            if operator is None:
                raise BadRequestError(f"{go_quote(named)} is not a valid label selector operator")
            values = expression.get("values") or []
            terms.append(_requirement(str(expression.get("key", "")), operator, values))
        return cls(tuple(sorted(terms, key=lambda term: term.key)))

    @property
    def is_everything(self) -> bool:
        """Say whether every object matches, so that looking at labels is needless."""
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether an object with these labels is selected."""
        if self.nothing:
            return False
        for key, value in self._exact:
            if labels.get(key) != value:
                return False
        for term in self._rest:  # noqa: SIM110 - a generator costs more than the terms themselves
            if not term.matches(labels):
                return False
        return True

    def __str__(self) -> str:
        """Give the form that ``parse`` reads; ``nothing`` has none."""
        return ",".join(str(term) for term in self.requirements)


EVERYTHING: Final = Selector()
NOTHING: Final = Selector(nothing=True)

_NAMED: Final[Mapping[str, Operator]] = {
    "In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!",
}  # fmt: skip


class _Parser:
    """One reading of a selector's string form, left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._position = 0

    def parse(self) -> list[Requirement]:
        terms: list[Requirement] = []
        if self._peek() == _END:
            return terms
        while True:
            if self._peek() != "!" and self._is_symbol():
                raise BadRequestError(f"found '{self._peek()}', expected: !, identifier, or 'end of string'")
            try:
                terms.append(self._term())
            except BadRequestError as error:
                raise BadRequestError(f"unable to parse requirement: {error.message}") from error
            after = self._take()
            if after == _END:
                return terms
            if after != ",":
                raise BadRequestError(f"found '{after}', expected: ',' or 'end of string'")
            if self._peek() != "!" and self._is_symbol():
                raise BadRequestError(f"found '{self._peek()}', expected: identifier after ','")

    def _term(self) -> Requirement:
        absent = self._peek() == "!"
        if absent:
            self._take()
        if self._is_symbol():
            raise BadRequestError(f"found '{self._peek()}', expected: identifier")
        key = self._take()
        wrong = label_key_errors(key)
        if wrong:
            cause = invalid_value("<nil>", key, "; ".join(wrong))
            raise BadRequestError(text_of(cause))
        if absent:
            return _requirement(key, "!", [])
        if self._peek() in (_END, ","):
            return _requirement(key, "exists", [])
        found = self._take()
        operator = _SYMBOLS.get(found)
        if operator is None:
            raise BadRequestError(f"found '{found}', expected: {_OPERATORS}")
        values = self._values() if operator in ("in", "notin") else [self._value()]
        return _requirement(key, operator, values)

    def _value(self) -> str:
        if self._peek() in (_END, ","):
            return ""
        if self._is_symbol():
            raise BadRequestError(f"found '{self._peek()}', expected: identifier")
        return self._take()

    def _values(self) -> list[str]:
        opening = self._take()
        if opening != "(":
            raise BadRequestError(f"found '{opening}' expected: '('")
        if self._is_symbol() and self._peek() not in (",", ")"):
            raise BadRequestError(f"found '{self._peek()}', expected: ',', ')' or identifier")
        values: list[str] = []
        while True:
            if values and self._is_symbol() and self._peek() not in (",", ")"):
                raise BadRequestError(f"found '{self._peek()}', expected: ',', or identifier")
            # Between commas an identifier may be missing: it is the empty value.
            values.append("" if self._is_symbol() else self._take())
            after = self._take()
            if after == ")":
                return values
            if after != ",":
                raise BadRequestError(f"found '{after}', expected: ',' or ')'")

    def _is_symbol(self) -> bool:
        token = self._peek()
        return token == _END or token[0] in _SPECIAL

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else _END

    def _take(self) -> str:
        token = self._peek()
        self._position += 1
        return token


def _tokens(text: str) -> list[str]:
    return [symbol or word for symbol, word in _TOKEN.findall(text)]


def _requirement(key: str, operator: Operator, values: Sequence[str]) -> Requirement:
    causes = [invalid_value("key", key, "; ".join(wrong))] if (wrong := label_key_errors(key)) else []
    causes += _count_causes(operator, values)
    for index, value in enumerate(values):
        if wrong := label_value_errors(value):
            causes.append(invalid_value(f"values[{index}][{key}]", value, "; ".join(wrong)))
    if causes:
        raise BadRequestError(aggregate(text_of(cause) for cause in causes), causes=causes)
    return Requirement(key, operator, tuple(sorted(set(values))))


def _count_causes(operator: Operator, values: Sequence[str]) -> list[Cause]:
    shown = list(values)
    match operator:
        case "in" | "notin":
            detail = "" if values else "for 'in', 'notin' operators, values set can't be empty"
        case "=" | "==" | "!=":
            detail = "" if len(values) == 1 else "exact-match compatibility requires one single value"
        case "exists" | "!":
            detail = "values set must be empty for exists and does not exist" if values else ""
        case "gt" | "lt":
            detail = "" if len(values) == 1 else "for 'Gt', 'Lt' operators, exactly one value is required"
            if not detail and _integer(values[0]) is None:
                detail = "for 'Gt', 'Lt' operators, the value must be an integer"
                return [invalid_value("values[0]", values[0], detail)]
    return [invalid_value("values", shown, detail)] if detail else []


def _integer(text: str) -> int | None:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None
