"""Times on the wire: RFC 3339 texts from and to ``datetime``, and ages for people. The clock is the caller's.

Sources: metav1.Time and MicroTime; k8s.io/apimachinery/pkg/util/duration (HumanDuration).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S


def format_time(moment: datetime) -> str:
    """Give the text of a ``Time``: UTC, whole seconds, ``2024-05-06T07:08:09Z``."""
    return f"{moment.astimezone(UTC).isoformat(timespec='seconds')[:-6]}Z"


def format_micro_time(moment: datetime) -> str:
    """Give the text of a ``MicroTime``: UTC, six decimals, ``2024-05-06T07:08:09.123456Z``."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"


def parse_time(text: str) -> datetime:
    """Read any RFC 3339 time; digits beyond microseconds are cut.

    Raises:
        ValueError: not RFC 3339, or no such day or hour.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not an RFC 3339 time such as 2024-05-06T07:08:09Z")
    fraction = (found[7] or "")[:6].ljust(6, "0")
    zone = "+00:00" if found[8] in "Zz" else found[8]
    return datetime.fromisoformat(
        f"{found[1]}-{found[2]}-{found[3]}T{found[4]}:{found[5]}:{found[6]}.{fraction}{zone}"
    )


@lru_cache(maxsize=1_024)  # objects written in the same second share their times
def is_timestamp(text: str) -> bool:
    """Say whether ``parse_time`` reads the text."""
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def human_duration(duration_s: float) -> str:
    """Give an age with two or three digits that matter: ``45s``, ``3m12s``, ``2d5h``, ``3y120d``.

    Below -2 s it is ``<invalid>`` (the clocks differ); up to 2 s in the future counts as now.
    """
    seconds = int(duration_s)
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // _MINUTE_S, seconds // _HOUR_S, seconds // _DAY_S
    years = days // 365
    if seconds < 2 * _MINUTE_S:
        return f"{seconds}s"
    if minutes < 10:
        return _two(minutes, "m", seconds % _MINUTE_S, "s")
    if minutes < 3 * 60:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"
