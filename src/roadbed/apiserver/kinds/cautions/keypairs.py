"""What is said about a certificate and a key that are no pair. Pure; never shows what they are.

Source: tls.X509KeyPair in Go's crypto/tls, whose errors Kubernetes warns with.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

_BLOCK: Final = re.compile(rb"-----BEGIN ([^\r\n]*?)-----[ \t]*\r?\n(.*?)-----END \1-----", re.DOTALL)
_MALFORMED: Final = "x509: malformed certificate"
_PUBLIC: Final = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def keypair(secret: Mapping[str, Any]) -> Iterator[str]:
    """Warn of a TLS secret that no server can use."""
    found = secret.get("data") or {}
    chain, key = (base64.b64decode(found.get(name) or "") for name in ("tls.crt", "tls.key"))
    problem = _problem(chain, key)
    if problem:
        yield problem if problem == _MALFORMED else f"tls: {problem}"


def _problem(chain: bytes, key: bytes) -> str:
    kinds = [each[1].decode(errors="replace") for each in _BLOCK.finditer(chain)]
    if "CERTIFICATE" not in kinds:
        return _no_certificate(kinds)
    kinds = [each[1].decode(errors="replace") for each in _BLOCK.finditer(key)]
    if not any(each == "PRIVATE KEY" or each.endswith(" PRIVATE KEY") for each in kinds):
        return _no_key(kinds)
    try:
        public = x509.load_pem_x509_certificate(chain).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return _MALFORMED
    try:
        private: Any = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "failed to parse private key"
    if type(public).__name__.partition("Public")[0] != type(private).__name__.partition("Private")[0]:
        return "private key type does not match public key type"
    is_same = public.public_bytes(*_PUBLIC) == private.public_key().public_bytes(*_PUBLIC)
    return "" if is_same else "private key does not match public key"


def _no_certificate(kinds: list[str]) -> str:
    if not kinds:
        return "failed to find any PEM data in certificate input"
    if len(kinds) == 1 and kinds[0].endswith("PRIVATE KEY"):
        return (
            "failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may "
            "have been switched"
        )
    return (
        'failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: '
        f"[{' '.join(kinds)}]"
    )


def _no_key(kinds: list[str]) -> str:
    if not kinds:
        return "failed to find any PEM data in key input"
    if kinds == ["CERTIFICATE"]:
        return "found a certificate rather than a key in the PEM for the private key"
    return (
        'failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the '
        f"following types: [{' '.join(kinds)}]"
    )
