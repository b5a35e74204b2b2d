"""The OpenAPI documents, v3 and v2: what is served, told to clients.

What lives here turns kinds into documents and keeps them until the kinds change. It knows no requests
(``documents`` asks) and no storage (the registry is a Protocol here).
"""

from .serving import ROOT, V2, Document, OpenApi, Published, WithReviews

__all__ = ["ROOT", "V2", "Document", "OpenApi", "Published", "WithReviews"]
