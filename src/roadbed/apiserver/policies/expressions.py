"""Expressions of admission: compiled against what a write shows, cached by their text, evaluated to plain values.

Used by ``conditions``, ``validating`` and ``mutating`` (which run them) and by ``strategy`` (which judges them when
they are written). Values are left to run time, as in Kubernetes, where the kind of the object is not known; only
names are checked: of variables, of ``variables.x``, of functions.

An optional value cannot leave the runtime, so a variable that is one is evaluated as the list of what it holds, and who
reads it takes it out of that list again.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from roadbed.apimachinery.cel_costs import Expense
from roadbed.apimachinery.cel_expressions import RuleError, compile_in, evaluate, refuse_faults
from roadbed.apimachinery.cel_library import extensions, patching, runtime
from roadbed.apimachinery.expressions import expanded

from . import authorizer, literals

_ALWAYS: Final = ("object", "oldObject", "request", "namespaceObject")
_VARIABLE: Final = re.compile(r"\bvariables\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)")
_QUOTED: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_AUTHORIZER: Final = re.compile(r"(?<![\w.])authorizer\b")
_RESULTS: Final = {
    "BOOL": "must evaluate to bool",
    "STRING": "must evaluate to string",
    "STRING?": "must evaluate to one of [string null_type]",
    "MAP": "must evaluate to Object",
    "LIST": "must evaluate to list(JSONPatch)",
}
_GO_NAMES: Final = {"NULL": "null_type", "LIST<DYN>": "list(dyn)", "MAP<STRING, DYN>": "map(string, dyn)"}
_ALLOWED: Final = {
    "BOOL": ("BOOL",),
    "STRING": ("STRING",),
    "STRING?": ("STRING", "NULL", "DYN"),
    "MAP": ("MAP", "DYN"),
    "LIST": ("LIST", "DYN"),
}

_OPTIONAL: Final = "optional_type"
_SIMPLE: Final = frozenset(("BOOL", "BYTES", "DOUBLE", "INT", "STRING", "UINT"))


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression and the ``variables`` that it reads."""

    text: str
    program: Any
    reads: tuple[str, ...]
    expense: Expense
    kind: str = "DYN"  # the type of its value, in the runtime's word

    def run(self, activation: Any) -> tuple[Any, str]:
        """Give its plain value, or what went wrong."""
        value, trouble = evaluate(self.program, activation)
        if trouble:
            return None, trouble
        try:
            return plain(value), ""
        except TypeError:  # an optional value within a list or a map
            return None, f"type conversion error from 'optional_type' to a value outside: {value}"


def compiled(
    text: str,
    result: str = "",
    *,
    variables: Mapping[str, str] | None = None,
    has_params: bool = False,
    makes_objects: bool = False,
    is_message: bool = False,
) -> Expression:
    """Compile an expression that must give ``result`` (BOOL, STRING, ``STRING?``; empty for anything).

    A message has no ``authorizer``. ``variables`` are the names that ``variables.x`` may name, with the types of their
    values; None where there is no ``variables``.

    Raises:
        RuleError: it does not compile; the text says where and why, as Kubernetes does.
    """
    if is_message and _AUTHORIZER.search(_QUOTED.sub("''", text)):
        raise _unknown(text, "authorizer")
    reads = _reads(text)
    compile_this = functools.partial(
        _compiled,
        has_variables=variables is not None,
        has_params=has_params,
        makes_objects=makes_objects,
    )
    text, original = _with_optionals(text, variables or {}), text
    program, expense, kind = compile_this(text)
    for name in reads:
        if variables is not None and name not in variables:
            raise _undefined(original, name)
    typed = (
        tuple((name, variables[name]) for name in sorted(reads) if variables[name] in _SIMPLE)
        if variables
        else ()
    )
    if typed:
        kind = _kind_with(text, typed, has_params, makes_objects)
    if result and kind.partition("<")[0] not in _ALLOWED[result]:
        raise RuleError(f"{_RESULTS[result]} but got {_GO_NAMES.get(kind, kind.lower())}")
    if kind.startswith(_OPTIONAL) and not result:
        program, expense, _ = compile_this(f"[?({text}\n)]")
    return Expression(original, program, reads, expense, kind)


def kinds_of(variables: Iterable[Mapping[str, Any]], *, has_params: bool) -> dict[str, str]:
    """Give the types of a policy's variables by name; what does not compile may be anything."""
    found: dict[str, str] = {}
    for each in variables:
        try:
            kind = compiled(str(each.get("expression")), variables=dict(found), has_params=has_params).kind
        except RuleError:
            kind = "DYN"
        found[str(each.get("name"))] = kind
    return found


@functools.lru_cache(maxsize=1024)
def _compiled(
    text: str, has_variables: bool, has_params: bool, makes_objects: bool
) -> tuple[Any, Expense, str]:
    program = _program(text, _environment(has_variables, has_params, makes_objects), makes_objects)
    if not makes_objects:  # whose literals are messages in Kubernetes, with fields of all types
        refuse_faults(text, program)
    more = (authorizer.extension(), patching()) if makes_objects else (authorizer.extension(),)
    return program, Expense(text, program.serialize, more), program.return_type().name()


def _program(text: str, environment: Any, makes_objects: bool) -> Any:
    try:
        return compile_in(environment, expanded(literals.as_maps(text) if makes_objects else text))
    except RuntimeError as error:
        detail = re.sub(r"^[A-Z_]+: | ?\[[A-Z_]+\]$", "", str(error))
        raise RuleError(f"compilation failed: {detail}") from error


@functools.lru_cache(maxsize=1024)
def _kind_with(text: str, typed: tuple[tuple[str, str], ...], has_params: bool, makes_objects: bool) -> str:
    """Give the type of a value, the types of the variables that it reads being known.

    Raises:
        RuleError: it does not compile with these.
    """
    return str(
        _program(text, _environment(True, has_params, makes_objects, typed), makes_objects)
        .return_type()
        .name()
    )


@functools.lru_cache(maxsize=128)
def _environment(
    has_variables: bool,
    has_params: bool,
    makes_objects: bool,
    typed: tuple[tuple[str, str], ...] = (),
) -> Any:
    kinds = runtime().Type
    tagged = kinds.Map(kinds.STRING, kinds.STRING)
    variables = dict.fromkeys(_ALWAYS, kinds.DYN)
    variables |= {"authorizer": tagged, "authorizer.requestResource": tagged}
    if has_variables:
        variables["variables"] = kinds.DYN
    variables |= {f"variables.{name}": getattr(kinds, kind) for name, kind in typed}
    if has_params:
        variables["params"] = kinds.DYN
    more = [patching()] if makes_objects else []
    return runtime().NewEnv(
        None, variables=variables, extensions=[*extensions(), authorizer.extension(), *more]
    )


def activation(values: dict[str, Any]) -> Any:
    """Give what expressions see; names that an expression doesn't know do no harm."""
    return _environment(True, True, False).Activation(values)


def plain(value: Any) -> Any:
    """Give a value as JSON has it; what JSON has no word for comes as it is."""
    if isinstance(value, dict):
        return {str(plain(name)): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    shown = getattr(value, "plain_value", None)
    return value if shown is None else shown()


def _with_optionals(text: str, variables: Mapping[str, str]) -> str:
    """Take what is read of optional variables out of their lists; Kubernetes, too, knows no type of them."""
    if not any(kind.startswith(_OPTIONAL) for kind in variables.values()):
        return text
    quoted = [found.span() for found in _QUOTED.finditer(text)]

    def read(found: re.Match[str]) -> str:
        is_quoted = any(start <= found.start() < end for start, end in quoted)
        is_optional = variables.get(found.group(1), "").startswith(_OPTIONAL)
        return f"dyn({found.group()}[?0])" if is_optional and not is_quoted else found.group()

    return _VARIABLE.sub(read, text)


def _reads(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_VARIABLE.findall(_QUOTED.sub("''", text))))


def _undefined(text: str, name: str) -> RuleError:
    at = next(found for found in _VARIABLE.finditer(text) if found.group(1) == name)
    return _refused(text, at.end(1) - len(name) - 1, f"undefined field '{name}'")


def _unknown(text: str, name: str) -> RuleError:
    return _refused(text, text.index(name), f"undeclared reference to '{name}' (in container '')")


def _refused(text: str, place: int, why: str) -> RuleError:
    before = text[:place]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)
    shown = text.split("\n")[line - 1]
    return RuleError(
        f"compilation failed: ERROR: <input>:{line}:{column + 1}: {why}\n | {shown}\n | {'.' * column}^"
    )
