"""What each built-in kind adds to the rules that all kinds share: defaults, its life, its judgement, its columns.

Only tables and pure functions about Kubernetes' own kinds may live here, one module per concern and group of
kinds; no storage, no requests. ``builtin`` puts them together into definitions; nothing else asks.
"""

from .facts import strategy_of
from .shapes import settle_of

__all__ = ["settle_of", "strategy_of"]
