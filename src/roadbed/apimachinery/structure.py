"""How values merge: the part of a schema that field ownership and server-side apply look at.

Compiled once per served version from the nodes of ``schema`` and kept beside it. Types are recursive
(a CRD's schema describes schemas), so children are compiled on first use.
"""

from __future__ import annotations

from typing import Any


class Structure:
    """The merge type of one value: a scalar, a list or a map, atomic or not."""

    @staticmethod
    def of(node: Any) -> Structure:
        """Compile the root node of a kind's schema; None gives a structure deduced from the values."""
        raise NotImplementedError
