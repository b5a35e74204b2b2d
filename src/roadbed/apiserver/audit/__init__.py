"""The audit log: who asked what, when, and what came of it, in the form of Kubernetes' ``audit.k8s.io/v1``.

What decides how much of a request is kept, makes its events, or writes them, lives here. Whether a request may go on
is never decided here: a log that can't be written is counted and said, and holds nothing up.
"""

from .auditor import Auditor, Heard, Record, annotate, work_on
from .log import AuditLog, Rotation
from .opening import open_auditor
from .policy import Policy, PolicyError

__all__ = [
    "AuditLog",
    "Auditor",
    "Heard",
    "Policy",
    "PolicyError",
    "Record",
    "Rotation",
    "annotate",
    "open_auditor",
    "work_on",
]
