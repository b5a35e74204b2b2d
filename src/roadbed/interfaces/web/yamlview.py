"""YAML for people: written as they would, and marked up for reading. Pure functions.

``dump`` and ``load`` are what forms and viewers show and take back; ``highlight`` gives lines of safe HTML.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from markupsafe import Markup, escape

from roadbed.apimachinery.errors import BadRequestError
from roadbed.apimachinery.yamlload import load_object

_LINE = re.compile(
    r"^(?P<indent>\s*(?:- )*)(?P<key>(?:\"[^\"]*\"|'[^']*'|[^\s'\"#:][^#:]*?))(?P<colon>:)(?P<rest>\s.*|)$"
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?\Z")
_WORDS = frozenset({"true", "false", "null", "~", "{}", "[]"})


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """As kubectl writes: lists indented under their key, long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name PyYAML calls it by
        """Write a value that occurs twice twice: an anchor is not what people typed."""
        return True


def _text(dumper: Any, text: str) -> Any:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


class YamlError(ValueError):
    """The text is not one YAML mapping; the message says where."""


def dump(obj: Any) -> str:
    """Write a value as YAML, keys in their order."""
    return str(
        yaml.dump(
            obj, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
        )
    )


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
