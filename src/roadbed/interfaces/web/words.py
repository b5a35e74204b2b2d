"""Small words: ages, labels and counts as people read them. Pure functions, used as template filters."""

from __future__ import annotations

import re
from datetime import datetime

from roadbed.apimachinery.timestamps import parse_time

_UNITS = ((31_536_000, "y"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ACRONYMS = frozenset(
    [
        "api",
        "arn",
        "aws",
        "cidr",
        "cpu",
        "db",
        "dns",
        "gb",
        "gib",
        "http",
        "https",
        "iam",
        "id",
        "ip",
        "kms",
        "mb",
        "mib",
        "os",
        "rds",
        "s3",
        "sql",
        "ssh",
        "ssl",
        "tls",
        "ttl",
        "uid",
        "url",
        "vm",
        "vpc",
        "yaml",
    ]
)
_SPELLED = {
    "gb": "GB",
    "gib": "GiB",
    "mb": "MB",
    "mib": "MiB",
    "ids": "IDs",
    "cidrs": "CIDRs",
    "vpcs": "VPCs",
    "apis": "APIs",
}


def age(text: str, now: datetime) -> str:
    """Give the time since ``text``: ``45s``, ``12m``, ``3h20m``, ``12d``; nothing where it is no time.

    Coarser than kubectl's, because the browser counts on (``pieces.ts`` words it alike) and seconds would flicker.
    """
    try:
        then = parse_time(text)
    except ValueError:
        return ""
    seconds = max(0, int((now - then).total_seconds()))
    for position, (size, unit) in enumerate(_UNITS):
        count, rest = divmod(seconds, size)
        if count:
            # A second unit says something only while the first is small.
            if unit in "hm" and count < 10 and position + 1 < len(_UNITS):
                smaller, small_unit = _UNITS[position + 1]
                if unit == "h" and rest // smaller:
                    return f"{count}{unit}{rest // smaller}{small_unit}"
            return f"{count}{unit}"
    return "0s"


def label(name: str) -> str:
    """Make a field's name readable: ``storageGB`` → ``Storage GB``, ``vpcId`` → ``VPC ID``."""
    words = _WORD.findall(name)
    spelled = [_word(word) for word in words]
    if not spelled:
        return name
    first = spelled[0]
    return " ".join([first if first.isupper() else first[:1].upper() + first[1:], *spelled[1:]])


def _word(word: str) -> str:
    lowered = word.lower()
    if lowered in _SPELLED:
        return _SPELLED[lowered]
    return lowered.upper() if lowered in _ACRONYMS else lowered


def count(number: int, noun: str, plural: str = "") -> str:
    """Give ``1 resource``, ``2 resources``, with thousands set apart."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def shorten(text: str, limit: int) -> str:
    """Cut a text at a word, with an ellipsis, so that it has at most ``limit`` characters."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[limit // 2 :] else cut) + "…"
