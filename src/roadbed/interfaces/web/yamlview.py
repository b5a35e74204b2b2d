"""YAML for people: written as they would, and marked up for reading. Pure functions.

``dump`` and ``load`` are what forms and viewers show and take back; ``highlight`` gives lines of safe HTML.
"""

from __future__ import annotations

import re
from typing import Any

from markupsafe import Markup, escape

from roadbed.apimachinery import yamldump
from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.yamlload import load_object

_LINE = re.compile(
    r"^(?P<indent>\s*(?:- )*)(?P<key>(?:\"[^\"]*\"|'[^']*'|[^\s'\"#:][^#:]*?))(?P<colon>:)(?P<rest>\s.*|)$"
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?\Z")
_WORDS = frozenset({"true", "false", "null", "~", "{}", "[]"})


class YamlError(ValueError):
    """The text is not one YAML mapping; the message says where."""


def dump(obj: Any) -> str:
    """Write a value as YAML, keys in their order."""
    return yamldump.dump(obj, width=100)


def load(text: str) -> dict[str, Any]:
    """Read one mapping, as the API server would.

    Raises:
        YamlError: not YAML, a key twice, not a mapping, or too large once its aliases are followed.
    """
    try:
        return load_object(text)
    except BadRequestError as error:
        raise YamlError(error.message.removeprefix("couldn't read the body as YAML: ")) from error


def highlight(text: str) -> list[Markup]:
    """Give the lines as HTML with keys, texts, numbers and comments marked."""
    return [_line(line) for line in text.rstrip("\n").split("\n")]


def _line(line: str) -> Markup:
    if line.lstrip().startswith("#"):
        return Markup('<span class="y-c">{}</span>').format(line)
    found = _LINE.match(line)
    if found is None:
        stripped = line.lstrip(" ")
        dash = "- " if stripped.startswith("- ") else ""
        indent = line[: len(line) - len(stripped)] + dash
        return escape(indent) + _value(line[len(indent) :])
    return Markup('{}<span class="y-k">{}</span><span class="y-p">:</span>{}').format(
        found["indent"], found["key"], _value(found["rest"])
    )


def _value(text: str) -> Markup:
    bare = text.strip()
    if not bare:
        return escape(text)
    kind = (
        "n"
        if _NUMBER.match(bare)
        else "w"
        if bare in _WORDS
        else "p"
        if bare in ("|", "|-", ">", ">-")
        else "s"
    )
    return escape(text[: len(text) - len(text.lstrip())]) + Markup('<span class="y-{}">{}</span>').format(
        kind, text.lstrip()
    )
