"""Whether a CRD's schema is structural: every value has one known type, wherever one looks.

Called before a CRD is accepted. Gives causes with the path in the CRD, in Kubernetes' words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import Cause


def check_structural(
    openapi: Mapping[str, Any], path: str = "spec.validation.openAPIV3Schema"
) -> list[Cause]:
    """Give what keeps a schema from being structural; empty means it is."""
    raise NotImplementedError
