"""The keys that sign service-account tokens, and JSON Web Tokens as far as Kubernetes uses them.

``Access`` opens one at start. Without a file that somebody names, an ECDSA key is made in ``sa.key`` of the data
folder (ES256: made in a millisecond, where RSA takes a tenth of a second of every first start); an RSA key that
is named signs RS256, as kube-apiserver's does. Tokens of further public keys are accepted, so that a key can be
replaced while tokens of the old one are about. Nothing here knows what claims mean.

Source: RFC 7515 (compact form), RFC 7518 (ES256, RS256), k8s.io/kubernetes/pkg/serviceaccount/jwt.go (``kid``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from roadbed.apiserver import keyfiles

_PART_BYTES = 32  # of an ES256 signature: r and s of P-256

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class _Verifier:
    """One public key with the name that tokens call it by."""

    kid: str
    key: PublicKey

    @classmethod
    def of(cls, key: PublicKey) -> _Verifier:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        digest = hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).digest()
        return cls(encode(digest), key)

    @property
    def algorithm(self) -> str:
        return "RS256" if isinstance(self.key, rsa.RSAPublicKey) else "ES256"

    def accepts(self, signed: bytes, signature: bytes) -> bool:
        try:
            if isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
                return True
            if len(signature) != 2 * _PART_BYTES:
                return False
            r, s = (int.from_bytes(part) for part in (signature[:_PART_BYTES], signature[_PART_BYTES:]))
            self.key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def to_json(self) -> dict[str, str]:
        """Give the key as a JSON Web Key."""
        names = {"use": "sig", "kid": self.kid, "alg": self.algorithm}
        if isinstance(self.key, rsa.RSAPublicKey):
            numbers = self.key.public_numbers()
            return {**names, "kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        point = self.key.public_numbers()
        x, y = (encode(part.to_bytes(_PART_BYTES)) for part in (point.x, point.y))
        return {**names, "kty": "EC", "crv": "P-256", "x": x, "y": y}


class Keys:
    """One key that signs, and all whose signatures count."""

    def __init__(self, signing: PrivateKey, others: Sequence[PublicKey] = ()) -> None:
        self._signing = signing
        own = _Verifier.of(signing.public_key())
        self._own = own
        self._verifiers = {own.kid: own} | {each.kid: each for each in map(_Verifier.of, others)}

    @classmethod
    def open_folder(cls, folder: Path | None) -> Keys:
        """Read or make ``sa.key`` in ``folder``; None keeps a new key in memory.

        Raises:
            KeyFileError: the file is damaged, unreadable or open to others.
        """
        if folder is None:
            return cls(ec.generate_private_key(ec.SECP256R1()))
        path = folder / "sa.key"
        return cls(_private(path, keyfiles.read_or_make(path, _new_pem)))

    @classmethod
    def read(cls, signing: Path, verifying: Sequence[Path] = ()) -> Keys:
        """Read keys that somebody else made: a private PEM to sign with, public (or private) ones to accept.

        Raises:
            KeyFileError: a file is unreadable, or holds no RSA or P-256 key.
        """
        try:
            others = [_public(path, path.read_bytes()) for path in verifying]
            return cls(_private(signing, signing.read_bytes()), others)
        except OSError as error:
            raise keyfiles.KeyFileError(f"cannot read {error.filename}: {error.strerror}") from error

    @property
    def algorithms(self) -> list[str]:
        """The signature algorithms of all keys, sorted."""
        return sorted({each.algorithm for each in self._verifiers.values()})

    def to_json(self) -> dict[str, Any]:
        """Give all keys as a JSON Web Key Set."""
        return {"keys": [each.to_json() for each in self._verifiers.values()]}

    def sign(self, claims: dict[str, Any]) -> str:
        """Give a token in compact form; its claims' names are sorted, as Go encodes them."""
        header = {"alg": self._own.algorithm, "kid": self._own.kid}
        parts = (orjson.dumps(header), orjson.dumps(claims, option=orjson.OPT_SORT_KEYS))
        signed = ".".join(map(encode, parts)).encode()
        return f"{signed.decode()}.{encode(self._signature(signed))}"

    def verify(self, token: str) -> dict[str, Any] | None:
        """Give the claims of a token that one of the keys signed, or None; nothing else is checked."""
        try:
            signed, _, signature = token.encode("ascii").rpartition(b".")
            head, _, payload = signed.partition(b".")
            header, mark = orjson.loads(decode(head)), decode(signature)
        except (ValueError, binascii.Error):
            return None
        if not isinstance(header, dict):
            return None
        verifier = self._verifiers.get(str(header.get("kid")))
        # The header's word on the algorithm is only compared: it never chooses one.
        if verifier is None or header.get("alg") != verifier.algorithm or not verifier.accepts(signed, mark):
            return None
        claims = orjson.loads(decode(payload))  # ours: the signature fits
        return claims if isinstance(claims, dict) else None

    def _signature(self, signed: bytes) -> bytes:
        if isinstance(self._signing, rsa.RSAPrivateKey):
            return self._signing.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self._signing.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_PART_BYTES) + s.to_bytes(_PART_BYTES)


def encode(raw: bytes) -> str:
    """Give bytes as URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: bytes) -> bytes:
    """Give the bytes of URL-safe base64 without padding.

    Raises:
        binascii.Error: it is none.
    """
    return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def unverified(token: str) -> dict[str, Any]:
    """Give the claims of what looks like a token, to be believed by nobody; empty where it does not."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = orjson.loads(decode(parts[1].encode("ascii")))
    except (ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


def _number(value: int) -> str:
    return encode(value.to_bytes((value.bit_length() + 7) // 8))


def _new_pem() -> bytes:
    form = serialization.PrivateFormat.PKCS8
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _private(path: Path, pem: bytes) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise keyfiles.KeyFileError(
            f"{path} holds no private key that can be read: {error}; restore it from a backup, or remove it "
            "to have a new one (that ends every service-account token)"
        ) from error
    if isinstance(key, rsa.RSAPrivateKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise keyfiles.KeyFileError(f"{path} holds a key of another kind; give an RSA or a P-256 key")


def _public(path: Path, pem: bytes) -> PublicKey:
    if b"PRIVATE KEY" in pem:
        return _private(path, pem).public_key()
    key: object
    try:
        if b"BEGIN CERTIFICATE" in pem:  # test kits name the certificate of the key
            key = x509.load_pem_x509_certificate(pem).public_key()
        else:
            key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError) as error:
        raise keyfiles.KeyFileError(f"{path} holds no public key that can be read: {error}") from error
    if isinstance(key, rsa.RSAPublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise keyfiles.KeyFileError(f"{path} holds a key of another kind; give an RSA or a P-256 key")
