"""What each built-in kind adds to the rules that all kinds share: defaults, its life, its judgement, its columns.

Only tables and pure functions about Kubernetes' own kinds may live here, one module per concern and group of
kinds; no storage, no requests. ``builtin`` puts them together into definitions; nothing else asks.
"""

from . import autoscaling
from .allocation import Services
from .columns import columns_of
from .facts import SCALES, strategy_of
from .shapes import empty_of, settle_of

__all__ = ["SCALES", "Services", "autoscaling", "columns_of", "empty_of", "settle_of", "strategy_of"]
