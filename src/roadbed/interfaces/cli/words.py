"""Small words of output: ages, durations as typed, sentences. Pure functions."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from roadbed.apimachinery.timestamps import human_duration, parse_time

from .failures import legible, usage

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def age(text: object) -> str:
    """Give the time since a time stamp, ``<unknown>`` where it is none."""
    try:
        moment = parse_time(str(text or ""))
    except ValueError:
        return "<unknown>"
    return human_duration((datetime.now(UTC) - moment).total_seconds())


def seconds(text: str) -> float:
    """Read a duration such as ``90``, ``90s``, ``5m`` or ``1h30m``.

    Raises:
        Failure: it is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise usage(f"cannot read the duration {text!r}", hint="write it as 90s, 5m or 1h30m")
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return hours * 3600.0 + minutes * 60.0 + rest


def sentence(text: str) -> str:
    """Give a message on one line, safe to print."""
    return legible(" ".join(text.split()))
