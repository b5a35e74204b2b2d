"""What makes an object of a built-in kind invalid, in Kubernetes' words: beyond what its schema says.

Only pure functions from an object (and what it was) to causes may live here, one module per group of kinds;
``JUDGES`` names the function of each kind. The common mistakes of each kind are judged, not every corner.

Source: k8s.io/kubernetes/pkg/apis/*/validation/validation.go.
"""

from __future__ import annotations

from collections.abc import Callable

from roadbed.apimachinery.errors import Cause
from roadbed.apimachinery.request import Object
from roadbed.apiserver.policies import judging as policies
from roadbed.apiserver.webhooks import judging as webhooks

__all__ = ["JUDGES"]

JUDGES: dict[tuple[str, str], Callable[[Object, Object | None], list[Cause]]] = {
    ("admissionregistration.k8s.io", plural): judge
    for plural, judge in (*policies.JUDGES.items(), *webhooks.JUDGES.items())
}
"""By group and plural."""
