"""Answers as YAML, as Kubernetes writes it: members by name, long texts on lines of their own. Pure."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes no anchors, and texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class calls it so
        return True


def _text(dumper: Any, value: str) -> Any:
    # Where a block can't hold the text (tabs or blanks at a line's end), the emitter falls back by itself.
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> bytes:
    """Give a JSON value as one YAML document."""
    text: bytes = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, encoding="utf-8"
    )
    return text
