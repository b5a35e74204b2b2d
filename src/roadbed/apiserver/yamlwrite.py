"""Answers as YAML, as Kubernetes writes it: members by name, long texts on lines of their own. Pure."""

from __future__ import annotations

from typing import Any

from roadbed.apimachinery import yamldump


def dump(value: Any) -> bytes:
    """Give a JSON value as one YAML document."""
    return yamldump.dump(value, is_sorted=True).encode()
