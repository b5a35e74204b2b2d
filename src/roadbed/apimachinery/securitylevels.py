"""The levels of pod security that a namespace's labels may name. Pure.

Asked by the strategy of namespaces on every write. Whether pods keep to their level is not judged here: none runs.

Source: k8s.io/pod-security-admission/api/helpers.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from .causes import invalid_value
from .errors import Cause

_PREFIX: Final = "pod-security.kubernetes.io/"
_LEVELS: Final = ("privileged", "baseline", "restricted")
_VERSION: Final = re.compile(r"latest|v1\.(0|[1-9][0-9]*)")


def level_causes(labels: Mapping[str, Any]) -> list[Cause]:
    """Give what is wrong with the labels that name levels, and versions of them."""
    causes: list[Cause] = []
    for mode in ("enforce", "audit", "warn"):
        level, version = labels.get(f"{_PREFIX}{mode}"), labels.get(f"{_PREFIX}{mode}-version")
        if level is not None and level not in _LEVELS:
            where = f"metadata.labels[{_PREFIX}{mode}]"
            causes.append(invalid_value(where, level, f"must be one of {', '.join(_LEVELS)}"))
        if version is not None and not _VERSION.fullmatch(str(version)):
            where = f"metadata.labels[{_PREFIX}{mode}-version]"
            causes.append(invalid_value(where, version, 'must be "latest" or "v1.x"'))
    return causes
