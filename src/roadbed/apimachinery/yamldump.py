"""Values as YAML that every reader takes for the same values: how the API server, the portal and the command write it.

No anchors, texts of several lines as blocks, and quotes around texts that YAML 1.1 or 1.2 would read as a number or a truth:
PyYAML leaves some of them bare that Go's library does not (``1e3``, ``0o7``, ``y``). Pure; each caller chooses order and width.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import yaml

from .errors import BadRequestError
from .yamlload import load_value

_SUSPECT: Final = re.compile(r"[-+.0-9]|[yYnN]$")


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name PyYAML calls it by
        """Write a value that occurs twice twice: an anchor is not what people typed."""
        return True


def _text(dumper: Any, text: str) -> Any:
    style = None
    if "\n" in text:
        # Where a block can't hold the text (tabs or blanks at a line's end), the emitter falls back by itself.
        style = "|"
    elif _SUSPECT.match(text) and not _reads_as_itself(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


@lru_cache(4_096)
def _reads_as_itself(text: str) -> bool:
    try:
        return bool(load_value(text) == text)
    except BadRequestError:
        return False  # PyYAML decides by itself how to quote what can't stand alone


_Dumper.add_representer(str, _text)


def dump(value: Any, *, is_sorted: bool = False, width: int = 80) -> str:
    """Give one YAML document; members in their order, or by name."""
    return str(
        yaml.dump(
            value,
            Dumper=_Dumper,
            sort_keys=is_sorted,
            default_flow_style=False,
            allow_unicode=True,
            width=width,
        )
    )
