"""The OIDC documents: by them others verify service-account tokens without asking us.

Asked by ``asgi`` under two fixed addresses. ``jwks_uri`` names the address that the listener got, so it is only
known once it listens.

Source: k8s.io/kubernetes/pkg/serviceaccount/openidmetadata.go
"""

from __future__ import annotations

from typing import Final

import orjson

from .tokens import AccountTokens

CONFIGURATION: Final = "/.well-known/openid-configuration"
KEY_SET: Final = "/openid/v1/jwks"


def configuration(tokens: AccountTokens) -> tuple[bytes, bytes]:
    """Give the discovery document and its media type."""
    document = {
        "issuer": tokens.issuer,
        "jwks_uri": f"https://{tokens.address}{KEY_SET}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": tokens.keys.algorithms,
    }
    return orjson.dumps(document), b"application/json"


def key_set(tokens: AccountTokens) -> tuple[bytes, bytes]:
    """Give the key set and its media type."""
    return orjson.dumps(tokens.keys.to_json()), b"application/jwk-set+json"
