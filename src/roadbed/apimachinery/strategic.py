"""Strategic merge patch, for built-in kinds."""

from __future__ import annotations

from typing import Any

from .request import Object


def strategic_merge(original: Object, patch: Object, node: Any) -> Object:
    """Give ``original`` with a strategic merge patch applied; neither argument is changed.

    ``node`` is the kind's schema node, with ``patch_strategy`` and ``patch_merge_key``.

    Raises:
        BadRequestError: the patch's directives or types make no sense.
    """
    raise NotImplementedError
