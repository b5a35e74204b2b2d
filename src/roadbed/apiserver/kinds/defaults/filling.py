"""The most common rule: constants where nothing stands. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roadbed.apimachinery.defaulting import copy_json

Rule = Callable[[dict[str, Any]], None]
"""Completes one struct in place."""


def fill(**constants: Any) -> Rule:
    """Give the rule that sets each member that is absent, or an empty text or zero."""

    def rule(value: dict[str, Any]) -> None:
        for name, constant in constants.items():
            if value.get(name) in (None, ""):
                value[name] = copy_json(constant)

    return rule


def fill_zeros(**constants: Any) -> Rule:
    """Give the rule that sets each member that is absent or zero, for members where zero says nothing."""

    def rule(value: dict[str, Any]) -> None:
        for name, constant in constants.items():
            if not value.get(name):
                value[name] = constant

    return rule
