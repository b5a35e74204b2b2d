"""Quotas and limits of namespaces: how much may be there, and what one object must say of itself.

What lives here reads ResourceQuotas and LimitRanges and counts objects. It decides on writes as an ``Admission``
stage does and keeps ``status.used`` of quotas; it knows nothing of who asks.
"""

from .enforcement import Quotas

__all__ = ["Quotas"]
