"""CEL expressions looked at from outside: their checked syntax, their cost, and what the runtime lacks.

The runtime (``cel_library``) parses, checks and evaluates. What lives here reads its checked trees or
rewrites an expression's text before the runtime sees it; nothing here evaluates.
"""

from .costs import estimate
from .equality import with_list_types
from .rewriting import expanded

__all__ = ["estimate", "expanded", "with_list_types"]
