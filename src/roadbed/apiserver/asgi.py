"""HTTP face (placeholder until routing lands)."""

from __future__ import annotations
from typing import Any


class HttpFace:
    def __init__(self, *parts: Any) -> None: ...
