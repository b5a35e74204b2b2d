"""Service accounts as identities: keys, tokens, TokenRequest, the OIDC documents, tokens kept in Secrets.

What turns a ServiceAccount into a credential, or a credential into its user, lives here; making and deleting
ServiceAccount objects does not.
"""

from .keys import Keys
from .legacy import LegacyTokens
from .requests import TokenRequests
from .tokens import ISSUER, AccountTokens, InvalidTokenError, Verified

__all__ = [
    "ISSUER",
    "AccountTokens",
    "InvalidTokenError",
    "Keys",
    "LegacyTokens",
    "TokenRequests",
    "Verified",
]
