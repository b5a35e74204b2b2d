"""Git repositories: what Roadbed reads from them and writes into them, without a git binary.

Whatever knows a kind, a catalog or an application does not live here.
"""

from .creating import create_repository

__all__ = ["create_repository"]
