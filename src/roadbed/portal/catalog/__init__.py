"""The software catalog: Backstage entities read from Sources, related, and asked under RBAC.

What reads entities or answers questions about them lives here; pages and routes do not, nor does SQL.
"""

from .access import EVERYTHING, Access, access_of
from .catalog import Catalog, EntityPage, Entry, Link, Query
from .entity import Entity, Ref
from .plugin import CatalogPlugin

__all__ = [
    "EVERYTHING",
    "Access",
    "Catalog",
    "CatalogPlugin",
    "Entity",
    "EntityPage",
    "Entry",
    "Link",
    "Query",
    "Ref",
    "access_of",
]
