"""Certificates and static tokens that somebody else made, in the files that kube-apiserver's flags name.

Read once at start by the composition root of the API server alone; nothing is written and nothing is followed
afterwards. A platform of its own uses ``certificates`` and ``authn`` instead. The key files may be readable by
others: test kits write them so, and they are theirs.

Source: ``--tls-cert-file``, ``--client-ca-file`` and ``--token-auth-file`` of kube-apiserver 1.35.
"""

from __future__ import annotations

import csv
import ssl
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from roadbed.apimachinery.request import User

from .keyfiles import KeyFileError

AUTHENTICATED = "system:authenticated"


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Give a TLS context that serves a certificate and asks for client certificates without requiring one.

    Raises:
        KeyFileError: a file can't be read, or the two are no pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # what the TLS library finds wrong is one, too
        raise KeyFileError(
            f"cannot serve {certificate} with {key}: {error.strerror or error}; give a PEM certificate and its key"
        ) from error
    return context


def believe(context: ssl.SSLContext, authority: Path) -> None:
    """Let ``context`` believe client certificates that the authority in a PEM file signed.

    Raises:
        KeyFileError: it can't be read or holds no certificate.
    """
    try:
        context.load_verify_locations(cafile=authority)
    except OSError as error:
        raise KeyFileError(
            f"cannot believe clients of {authority}: {error.strerror or error}; give the CA's PEM certificate"
        ) from error


def authority(path: Path) -> bytes:
    """Give the certificates of a PEM file, for publishing.

    Raises:
        KeyFileError: it can't be read or holds no certificate.
    """
    try:
        pem = path.read_bytes()
        if not x509.load_pem_x509_certificates(pem):
            raise ValueError("it holds none")
    except (OSError, ValueError) as error:
        raise KeyFileError(f"cannot publish the CA in {path}: {error}; give its PEM certificate") from error
    return pem


def tokens(path: Path) -> Iterator[tuple[str, User]]:
    """Yield the tokens of a file with lines ``token,user,uid,"group1,group2"`` and whom each stands for.

    Raises:
        KeyFileError: it can't be read, or a line has too few columns; the message never holds a token.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise KeyFileError(f"cannot read the tokens in {path}: {error}") from error
    for number, row in enumerate(csv.reader(lines, skipinitialspace=True), start=1):
        if not row:
            continue
        if len(row) < 3 or not row[0]:
            raise KeyFileError(f"{path} line {number}: a token needs three columns: token, user, uid")
        groups = row[3].split(",") if len(row) > 3 and row[3] else []
        yield row[0], User(row[1], (*groups, AUTHENTICATED), row[2])
