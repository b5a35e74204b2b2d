"""How long a deleted pod may take to end, and when it counts as ended. Pure.

Asked by the delete handler for kinds that end by and by. A pod on a node is marked with the time when it must have
ended; whoever runs it deletes it again, with no time left. Nobody would for a node that is not there.

Source: k8s.io/kubernetes/pkg/registry/core/pod/strategy.go (CheckGracefulDelete),
k8s.io/apiserver/pkg/registry/rest/delete.go (BeforeDelete).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import format_time, parse_time

_ENDED = ("Failed", "Succeeded")


def asked(options: dict[str, Any]) -> int | None:
    """Give the seconds that a deletion allows, or None; less than none count as one."""
    found = options.get("gracePeriodSeconds")
    if found is None:
        return None
    return 1 if found < 0 else int(found)


def allowed(pod: Object, options: dict[str, Any], *, has_node: bool) -> int:
    """Give the seconds that a pod which is not deleted yet may take."""
    if not has_node or (pod.get("status") or {}).get("phase") in _ENDED:
        return 0
    period = options.get("gracePeriodSeconds")
    if period is None:
        period = (pod.get("spec") or {}).get("terminationGracePeriodSeconds") or 0
    return 1 if period < 0 else int(period)


def shortened(pod: Object, options: dict[str, Any], *, has_node: bool) -> int | None:
    """Give the seconds that are left to a deleted pod if this deletion leaves it fewer; None: it changes nothing."""
    wanted = asked(options) if has_node else 0
    left = pod["metadata"].get("deletionGracePeriodSeconds") or 0
    return wanted if wanted is not None and wanted < left else None


def mark(pod: Object, period_s: int, now: datetime) -> None:
    """Write into a pod until when it must have ended; the first mark makes a new generation of it."""
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        began = parse_time(meta["deletionTimestamp"]) - timedelta(seconds=meta["deletionGracePeriodSeconds"])
    else:
        began = now
        if meta.get("generation"):
            meta["generation"] += 1
    meta["deletionTimestamp"] = format_time(began + timedelta(seconds=period_s))
    meta["deletionGracePeriodSeconds"] = period_s
