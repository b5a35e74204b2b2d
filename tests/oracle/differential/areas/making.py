"""What areas are made of: an ``Area``, and steps in few words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from tests.contract.corpus import MEDIA_TYPES, Step


@dataclass(frozen=True, slots=True)
class Area:
    """``steps`` makes one sequence; ``setup`` is played once before, on both servers, and must succeed."""

    name: str
    steps: Callable[[Random], Iterable[Step]]
    setup: Sequence[Step] = ()


def step(method: str, path: str, body: Any = None, form: str = "json", **query: Any) -> Step:
    """Give one request; ``form`` is a word of ``MEDIA_TYPES`` or a whole media type."""
    asked = {name: each for name, each in query.items() if each not in (None, "")}
    address = path + ("?" + urlencode(asked, quote_via=quote) if asked else "")
    headers = {"content-type": MEDIA_TYPES.get(form, form)} if body is not None else {}
    return Step(method, address, body, headers)
