"""Reviewers of the API server's own questions: access reviews, token reviews, portal sessions.

``app`` registers them; each answers on the event loop without waiting for anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from roadbed.apimachinery.admission import Reviewer

from .authn import RequestAuthenticator, Tokens
from .authz import Rbac


def reviewers(rbac: Rbac, authenticator: RequestAuthenticator, tokens: Tokens) -> Sequence[Reviewer]:
    """Give one reviewer a review kind."""
    raise NotImplementedError
