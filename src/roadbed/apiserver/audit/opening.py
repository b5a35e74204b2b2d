"""Opening the audit log that an operator asked for.

Called by the composition roots before the server starts; whoever opens one closes its log at the end.
"""

from __future__ import annotations

from pathlib import Path

from roadbed.apiserver.ports import Clock

from .auditor import Auditor, Explain
from .log import AuditLog, Rotation
from .policy import Policy, PolicyError


def open_auditor(
    policy: Path | None, path: Path | None, rotation: Rotation, *, clock: Clock, explain: Explain
) -> Auditor | None:
    """Give an auditor, or None where neither policy nor path is named.

    Raises:
        PolicyError: one is missing, or can't be used; the message says what to do.
    """
    if policy is None and path is None:
        return None
    if policy is None or path is None:
        missing = "--audit-policy-file" if policy is None else "--audit-log-path"
        raise PolicyError(f"{missing} is missing: an audit log needs a policy and a place")
    rules = Policy.read(policy)
    try:
        return Auditor(rules, AuditLog(path, rotation), clock, explain)
    except OSError as error:
        raise PolicyError(f"cannot write the audit log {path}: {error.strerror}") from error
