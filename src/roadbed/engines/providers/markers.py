"""The annotations by which a managed object remembers its external resource, and what users steer with.

Pure functions of an object's metadata; times are UTC with microseconds, which Crossplane reads too (a whole
second could not order a retry that comes faster).

Source: github.com/crossplane/crossplane-runtime pkg/meta/meta.go.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from roadbed.apimachinery.objects import annotations_of
from roadbed.apimachinery.request import Object

EXTERNAL_NAME: Final = "crossplane.io/external-name"
CREATE_PENDING: Final = "crossplane.io/external-create-pending"
CREATE_SUCCEEDED: Final = "crossplane.io/external-create-succeeded"
CREATE_FAILED: Final = "crossplane.io/external-create-failed"
PAUSED: Final = "crossplane.io/paused"
POLL_INTERVAL: Final = "crossplane.io/poll-interval"
RECONCILE_REQUESTED_AT: Final = "crossplane.io/reconcile-requested-at"

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)")
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def external_name(obj: Object) -> str:
    """Give the name of the external resource, or the empty string."""
    return annotations_of(obj).get(EXTERNAL_NAME, "")


def annotate(obj: Object, key: str, value: str) -> None:
    """Set one annotation, in place."""
    meta = obj.setdefault("metadata", {})
    meta["annotations"] = {**(meta.get("annotations") or {}), key: value}


def is_paused(obj: Object) -> bool:
    """Say whether reconciliation is paused by annotation."""
    return annotations_of(obj).get(PAUSED) == "true"


def pending_since(obj: Object) -> datetime | None:
    """Give when a creation began whose result was never stored, or None if there is none such."""
    pending = _moment(obj, CREATE_PENDING)
    ended = max(_moment(obj, CREATE_SUCCEEDED), _moment(obj, CREATE_FAILED))
    return pending if pending > ended else None


def created_at(obj: Object) -> datetime | None:
    """Give when the last creation succeeded, or None if there was none or the last one did not."""
    moment = _moment(obj, CREATE_SUCCEEDED)
    tried = max(_moment(obj, CREATE_PENDING), _moment(obj, CREATE_FAILED))
    return None if moment == _LONG_AGO or tried > moment else moment


def poll_interval_s(obj: Object) -> float | None:
    """Give the poll interval that the object asks for, or None if it asks for none or unreadably."""
    return duration_s(annotations_of(obj).get(POLL_INTERVAL, ""))


def duration_s(text: str) -> float | None:
    """Read a duration as Go writes it (``1h30m``, ``45s``), or None."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)


def _moment(obj: Object, key: str) -> datetime:
    text = annotations_of(obj).get(key, "")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _LONG_AGO  # absent or unreadable counts as never, as upstream
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
