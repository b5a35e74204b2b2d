"""The TLS context for one server and one client certificate; blocks for a moment, called per connection pool."""

from __future__ import annotations

import os
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path

from roadbed.apimachinery.errors import BadRequestError

from .kubeconfigs import Target
from .proofs import Proof


def tls_context(target: Target, proof: Proof) -> ssl.SSLContext:
    """Give the context: whom to trust, and the certificate to show, if ``proof`` has one.

    Raises:
        BadRequestError: a certificate or key can't be used.
    """
    try:
        if target.is_insecure:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            context = ssl.create_default_context(
                cadata=target.ca_pem.decode("ascii") if target.ca_pem else None
            )
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise BadRequestError(
            f"cannot use kubeconfig {target.file}: certificate-authority holds no PEM certificate"
        ) from error
    if proof.certificate_pem:
        _show(context, target, proof)
    return context


def _show(context: ssl.SSLContext, target: Target, proof: Proof) -> None:
    # Python's ssl reads a certificate and its key from a file only; ours is gone before anybody connects.
    descriptor, path = tempfile.mkstemp(prefix="roadbed-client-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(proof.certificate_pem.rstrip() + b"\n" + proof.key_pem)
        context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise BadRequestError(
            f"cannot use kubeconfig {target.file}: the client certificate or its key can't be used, or don't belong "
            "together"
        ) from error
    finally:
        with suppress(OSError):
            Path(path).unlink()
