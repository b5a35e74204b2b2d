"""What is said of a managed object: the conditions Synced and Ready, with Crossplane's reasons.

Pure. Messages are cut: a cloud's error may quote a whole request, and people read the beginning.

Source: github.com/crossplane/crossplane apis/core/v2 conditions.
"""

from __future__ import annotations

from typing import Literal

from roadbed.apimachinery.conditions import Condition

MESSAGE_LIMIT = 4096


def synced() -> Condition:
    """Say that the last reconcile did what it should."""
    return Condition("Synced", "True", "ReconcileSuccess")


def failed(message: str) -> Condition:
    """Say what the last reconcile could not do."""
    return Condition("Synced", "False", "ReconcileError", message[:MESSAGE_LIMIT])


def paused() -> Condition:
    """Say that nothing is done on purpose."""
    text = "Reconciliation is paused either through the `spec.managementPolicies` or the pause annotation"
    return Condition("Synced", "False", "ReconcilePaused", text)


def ready(
    reason: Literal["Creating", "Available", "Unavailable", "Deleting"], message: str = ""
) -> Condition:
    """Say how far the external resource is."""
    return Condition("Ready", "True" if reason == "Available" else "False", reason, message[:MESSAGE_LIMIT])
