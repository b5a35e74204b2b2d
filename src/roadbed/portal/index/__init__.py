"""The projections' database: tables and statements, and nothing about where rows come from.

Only this package speaks SQL above the store; it knows rows, not objects, clients or permissions.
"""

from .database import Database
from .entities import Entities, EntityRow, Filter, Predicate, RelationRow

__all__ = ["Database", "Entities", "EntityRow", "Filter", "Predicate", "RelationRow"]
