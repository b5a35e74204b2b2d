"""Values that are a number or a text: ports by number or name, amounts or percentages.

Source: k8s.io/apimachinery/pkg/util/intstr.
"""

from __future__ import annotations

import re
from typing import Any

_PERCENT = re.compile(r"([0-9]+)%", re.ASCII)


def is_int_or_string(value: Any) -> bool:
    """Say whether a decoded value is an integer or a text; true is neither."""
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def scaled(value: int | str, total: int, *, round_up: bool = False) -> int:
    """Give a number as it is, and a percentage of ``total``.

    Raises:
        ValueError: a text that is not a percentage.
    """
    if isinstance(value, int):
        return value
    found = _PERCENT.fullmatch(value)
    if found is None:
        raise ValueError(
            f"invalid value for IntOrString: invalid type: string is not a percentage: {value!r}"
        )
    share = int(found[1]) * total
    return -(-share // 100) if round_up else share // 100
