"""The objects that the real API server makes at its first start: roles, their bindings, priority classes.

Recorded by ``tools/record_kinds.py``, whole: controllers written for Kubernetes, kube-controller-manager and
kube-scheduler among them, find the rights that they count on. Read when a server starts, and not kept. Flow schemas
and priority levels are not here: ``roadbed.apiserver.flow`` knows them by heart.

Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy, k8s.io/kubernetes/pkg/apis/scheduling
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

_FILE = Path(__file__).parent / "defaults.json"


def defaults() -> list[dict[str, Any]]:
    """Give the objects as they would be written, roles before what binds them."""
    found: list[dict[str, Any]] = orjson.loads(_FILE.read_bytes())
    return found
