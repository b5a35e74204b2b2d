"""Expressions of validation rules: compiled, cached by their text, evaluated, their errors put in words.

Used by ``cel`` (which runs rules) and ``cel_check`` (which judges them). Programs are immutable and shared.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

import re2

from .cel_library import environment, runtime
from .expressions import expanded, numbers
from .expressions.ast import read
from .expressions.strictness import faults, foreign
from .validation import go_words


class RuleError(ValueError):
    """An expression does not compile; the text says where and why."""


@functools.cache
def untyped() -> Any:
    """Give the environment in which rules run: types are left to the values."""
    dynamic = runtime().Type.DYN
    return environment({"self": dynamic, "oldSelf": dynamic, "__old": dynamic})


@functools.cache
def untyped_without_old() -> Any:
    return environment({"self": runtime().Type.DYN})


@functools.lru_cache(maxsize=4096)
def program(text: str, kind: str) -> Any:
    return compile_text(untyped(), text, kind)


def compile_text(env: Any, text: str, kind: str) -> Any:
    """Compile an expression that must give ``kind`` (or what only the values tell)."""
    try:
        program = compile_in(env, expanded(text))
    except RuntimeError as error:
        detail = re.sub(r"^[A-Z_]+: | ?\[[A-Z_]+\]$", "", str(error))
        detail = re.sub(r"(undefined field '[^']*') not found in struct '[^']*'", r"\1", detail)
        detail = re.sub(
            r"expression of type ('[^']*') cannot be the operand of a select operation",
            r"type \1 does not support field selection",
            detail,
        )
        detail = _UNMATCHED.sub(lambda found: _as_member(found, text), detail)
        raise RuleError(f"compilation failed: {detail}") from error
    result = program.return_type().name()
    if result not in (kind, "DYN"):
        wanted = "cel expression must evaluate to a bool" if kind == "BOOL" else "must evaluate to a string"
        raise RuleError(wanted)
    return program


def compile_in(env: Any, text: str) -> Any:
    """Compile an expression, numbers of different kinds compared as in Kubernetes.

    Raises:
        RuntimeError: it does not compile, in the runtime's words.
    """
    wanted = text
    for _ in range(numbers.MOST):
        try:
            return env.compile(wanted)
        except RuntimeError as error:
            found = numbers.mended(wanted, str(error))
            if not found:
                break
            wanted = found
    return env.compile(text if wanted == text else wanted)


def refuse_faults(text: str, program: Any) -> None:
    """Return when Kubernetes would take an expression that compiled here, too; for when it is written.

    Raises:
        RuleError: it would not.
    """
    if found := foreign(text) or faults(text, read(program.serialize()), _works):
        raise RuleError(f"compilation failed: {found}")


@functools.cache
def _quietly() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _works(name: str, literal: str) -> bool:
    if name == "matches":
        try:
            re2.compile(literal, options=_quietly())
        except re2.error:
            return False
        return True
    converted = untyped().compile(f"{name}(self)")
    return not evaluate(converted, untyped().Activation({"self": literal}))[1]


_UNMATCHED: Final = re.compile(r"(found no matching overload for ')(\w+)(' applied to ')\((.*)\)'")


def _as_member(found: re.Match[str], text: str) -> str:
    """Show what a method was called on before its arguments; the runtime shows it as the first of them."""
    before, name, between, types = found.groups()
    if not re.search(rf"\.\s*{name}\s*\(", text):
        return found.group()
    depth = 0
    for at, each in enumerate(types):
        depth += (each == "(") - (each == ")")
        if each == "," and not depth:
            return f"{before}{name}{between}{types[:at]}.({types[at + 1 :].strip()})'"
    return f"{before}{name}{between}{types}.()'"


def with_old(text: str, wants_optional: bool) -> str:
    """Make ``oldSelf`` an optional value for a rule that asks for it."""
    return f"cel.bind(oldSelf, __old.?self, ({text}\n))" if wants_optional else text


def uses_old(text: str, env: Any) -> bool:
    """Say whether a rule that compiles refers to ``oldSelf``; ``env`` has no such variable."""
    try:
        env.compile(expanded(text))
    except RuntimeError:
        return True
    return False


def evaluate(program: Any, activation: Any) -> tuple[Any, str]:
    """Give the value of an expression, or what went wrong."""
    try:
        value = program.eval(activation)
        found = value.value()
    except RuntimeError as error:
        return None, _as_go_says(str(error))
    except TypeError:  # an optional value: the runtime has no object for it
        return None, f"type conversion error from 'optional_type' to a value outside: {value}"
    return (None, _as_go_says(str(found))) if value.type().name() == "ERROR" else (found, "")


def _as_go_says(text: str) -> str:
    text = re.sub(r"^[A-Z_]+: | ?\[[A-Z_]+\]$", "", text)
    missing = re.match(r'Key not found in map : "?(.*?)"?$', text)
    if missing:
        return f"no such key: {missing.group(1)}"
    if text.startswith("No matching overloads found"):
        return "no such overload"
    beyond = re.match(r"Index error: index=(-?\d+) size=", text)
    if beyond:
        return f"index out of bounds: {beyond.group(1)}"
    if text.startswith("invalid regular expression: "):
        return go_words(text.partition(": ")[2])
    return {"divide by zero": "division by zero", "modulus by zero": "modulus by zero"}.get(text, text)
