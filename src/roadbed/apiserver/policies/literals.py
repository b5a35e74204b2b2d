"""Message literals of mutating policies (``Object{spec: Object.spec{replicas: 1}}``, ``JSONPatch{…}``) as maps.

The types behind these names depend on the object and exist in no schema that this CEL runtime has; what they build
is JSON. So each literal is written as the map that it means, before compiling, and the result is merged or applied
as JSON. Field names are checked when the mutated object is validated. Pure; used by ``expressions``.

Source: https://kubernetes.io/docs/reference/access-authn-authz/mutating-admission-policy/
"""

from __future__ import annotations

import re
from typing import Final

from roadbed.apimachinery.cel_expressions import RuleError

_TOKEN: Final = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))"""
    r"""|(?P<type>\b(?:Object(?:\.[A-Za-z_][A-Za-z0-9_]*)*|JSONPatch)\s*\{)"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<mark>[][(){},:?])"""
    r"""|(?P<rest>[\s\S])"""
)
_SPELLED: Final = {"__underscores__": "__", "__dot__": ".", "__dash__": "-", "__slash__": "/"}
_OPENED: Final = {"(": ")", "[": "]", "{": "}"}


def as_maps(text: str) -> str:
    """Give the expression with its message literals as map literals.

    Raises:
        RuleError: brackets do not fit.
    """
    written: list[str] = []
    stack: list[list[str]] = []  # closing bracket, and "field" while the next name is a field of a message
    for found in _TOKEN.finditer(text):
        word = found.group()
        if found.lastgroup == "type":
            written.append("{")
            stack.append(["}", "field"])
        elif found.lastgroup == "name" and stack and stack[-1][1] == "field":
            written.append(f"'{unescaped(word)}'")
            stack[-1][1] = "value"
        elif found.lastgroup == "mark":
            _mark(word, stack)
            written.append(word)
        else:
            written.append(word)
    if stack:
        raise RuleError("compilation failed: ERROR: <input>: Syntax error: missing closing bracket")
    return "".join(written)


def _mark(word: str, stack: list[list[str]]) -> None:
    if word in _OPENED:
        stack.append([_OPENED[word], "plain"])
    elif word in ")]}":
        if not stack or stack.pop()[0] != word:
            raise RuleError(f"compilation failed: ERROR: <input>: Syntax error: mismatched input '{word}'")
    elif word == "," and stack and stack[-1][1] == "value":
        stack[-1][1] = "field"


def unescaped(name: str) -> str:
    """Give the JSON name of a field that CEL can't name as it is."""
    if name.startswith("__") and name.endswith("__") and name[2:-2].isalpha() and name not in _SPELLED:
        return name[2:-2]
    return re.sub("|".join(_SPELLED), lambda found: _SPELLED[found.group()], name)
