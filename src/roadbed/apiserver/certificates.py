"""The certificates of one data folder: a CA, the serving certificate, the admin's client certificate.

``app`` opens them at start, before anything listens. On first start everything is made in ``folder/pki``
(keys mode 0600); later starts make new what is about to expire or does not name a host that is asked for. One
TLS context lives as long as the process. It looks at every handshake whether a renewal is due, and is reloaded
in place: the connections after that one get the renewed certificate, open ones go on. Nothing here writes a
kubeconfig.
"""

from __future__ import annotations

import logging
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import keyfiles
from .ports import Clock

logger = logging.getLogger(__name__)

_CA_LIFE = timedelta(days=3650)
_LEAF_LIFE = timedelta(days=365)
_RENEW_AT = 1 / 3  # of a leaf's life left: time for several starts before it matters
_RETRY = timedelta(hours=1)  # after a full disk or the like
_BACKDATE = timedelta(minutes=5)  # a client whose clock is a little behind must not refuse us
_LOCAL = ("127.0.0.1", "::1", "localhost", "kubernetes", "kubernetes.default.svc")


@dataclass(frozen=True, slots=True)
class _Pair:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


class Certificates:
    """A private CA and what it signed, in PEM."""

    def __init__(self, folder: Path, *, clock: Clock, hosts: Sequence[str]) -> None:
        self._folder = folder
        self._clock = clock
        self._hosts = tuple(dict.fromkeys((*_LOCAL, *hosts)))
        self._context: ssl.SSLContext | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._ca = self._read("ca") or self._make("ca", _ca(self._clock()))
        self._serving, self._admin = self._leaves()
        self._due = min(_renewal(self._serving), _renewal(self._admin))

    @classmethod
    def open_folder(cls, folder: Path | None, *, clock: Clock, hosts: Sequence[str] = ()) -> Certificates:
        """Read or make the certificates in ``folder``; None keeps them in a folder that ``close`` removes.

        Raises:
            KeyFileError: a file is damaged, unreadable or open to others.
        """
        if folder is not None:
            try:
                (folder / "pki").mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise keyfiles.KeyFileError(f"cannot make {folder / 'pki'}: {error.strerror}") from error
            return cls(folder / "pki", clock=clock, hosts=hosts)
        # The TLS library loads keys from files only; mkdtemp gives one that nobody else may enter.
        temporary = tempfile.TemporaryDirectory(prefix="roadbed-pki-")
        made = cls(Path(temporary.name), clock=clock, hosts=hosts)
        made._temporary = temporary
        return made

    @property
    def ca_pem(self) -> bytes:
        """The CA's certificate, for clients to verify us with."""
        return self._ca.certificate_pem

    @property
    def serving_pem(self) -> bytes:
        """The serving certificate."""
        return self._serving.certificate_pem

    @property
    def admin_pem(self) -> bytes:
        """The client certificate of ``admin`` in ``system:masters``."""
        return self._admin.certificate_pem

    @property
    def admin_key_pem(self) -> bytes:
        """The admin's private key."""
        return self._admin.key_pem

    def server_context(self) -> ssl.SSLContext:
        """Give the one TLS context of the API port: client certificates are asked for, not required."""
        if self._context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=self.ca_pem.decode())
            context.load_cert_chain(self._folder / "serving.crt", self._folder / "serving.key")
            context.set_alpn_protocols(["http/1.1"])
            context.sni_callback = self._on_handshake
            self._context = context
        return self._context

    def renew_if_due(self) -> bool:
        """Make new leaf certificates when a third of their life is left; says whether it did.

        The context serves the new one from the next connection on. The admin's new certificate is in
        ``admin_pem``; the old one stays good until it expires.
        """
        before = (self.serving_pem, self.admin_pem)
        self._serving, self._admin = self._leaves()
        self._due = min(_renewal(self._serving), _renewal(self._admin))
        is_new = before != (self.serving_pem, self.admin_pem)
        if is_new and self._context is not None:
            self._context.load_cert_chain(self._folder / "serving.crt", self._folder / "serving.key")
        return is_new

    def _on_handshake(self, *_: object) -> None:
        """Renew in time without a task of its own: a certificate only matters when somebody connects."""
        if self._clock() < self._due:
            return
        try:
            self.renew_if_due()
        except keyfiles.KeyFileError:
            self._due = self._clock() + _RETRY
            logger.exception("cannot renew the certificates; the present ones go on until they expire")

    def issue_client(
        self, name: str, groups: Sequence[str] = (), *, life: timedelta = _LEAF_LIFE
    ) -> tuple[bytes, bytes]:
        """Give a new client certificate and its key, both PEM, for a user in some groups; nothing is kept."""
        pair = _client(self._ca, name, groups, self._clock(), life)
        return pair.certificate_pem, pair.key_pem

    def close(self) -> None:
        """Remove the folder of in-memory certificates; those of a data folder stay."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def _leaves(self) -> tuple[_Pair, _Pair]:
        serving = self._read("serving")
        if serving is None or not self._is_good(serving) or not _names(serving) >= set(self._hosts):
            serving = self._make("serving", _serving(self._ca, self._hosts, self._clock()))
        admin = self._read("admin")
        if admin is None or not self._is_good(admin):
            admin = self._make(
                "admin", _client(self._ca, "admin", ("system:masters",), self._clock(), _LEAF_LIFE)
            )
        return serving, admin

    def _is_good(self, pair: _Pair) -> bool:
        """Say whether a leaf is ours and has more than a third of its life left."""
        if pair.certificate.issuer != self._ca.certificate.subject:
            return False
        return self._clock() < _renewal(pair)

    def _read(self, name: str) -> _Pair | None:
        path = self._folder / f"{name}.key"
        try:
            key = serialization.load_pem_private_key(keyfiles.read(path), None)
            certificate = x509.load_pem_x509_certificate((self._folder / f"{name}.crt").read_bytes())
            if (
                not isinstance(key, ec.EllipticCurvePrivateKey)
                or key.public_key() != certificate.public_key()
            ):
                raise ValueError("key and certificate are no pair")
        except FileNotFoundError:
            if name == "ca" and path.exists() != path.with_suffix(".crt").exists():
                raise keyfiles.KeyFileError(
                    f"{self._folder} holds only one of ca.key and ca.crt; restore the other from a backup, or "
                    "remove both to have a new CA (every kubeconfig must then be written again)"
                ) from None
            return None
        except (ValueError, TypeError) as error:
            if name != "ca":
                return None  # a crash between writing the two: make both again, nobody keeps a copy
            raise keyfiles.KeyFileError(
                f"{path} or ca.crt beside it is damaged: {error}; restore both from a backup, or remove both to "
                "have new ones (every kubeconfig must then be written again)"
            ) from error
        return _Pair(certificate, key)

    def _make(self, name: str, pair: _Pair) -> _Pair:
        keyfiles.write(self._folder / f"{name}.key", pair.key_pem)
        keyfiles.write(self._folder / f"{name}.crt", pair.certificate_pem, mode=0o644)
        return pair


def _renewal(pair: _Pair) -> datetime:
    """Give when a leaf is to be made new."""
    start, end = pair.certificate.not_valid_before_utc, pair.certificate.not_valid_after_utc
    return end - (end - start) * _RENEW_AT


def _ca(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # A random part in the name: two data folders' CAs must not be taken for each other.
    serial = x509.random_serial_number()
    subject = _subject(f"roadbed-ca-{serial % 16**8:08x}", ())
    builder = _builder(subject, subject, key, now, _CA_LIFE).serial_number(serial)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return _Pair(builder.sign(key, hashes.SHA256()), key)


def _serving(ca: _Pair, hosts: Sequence[str], now: datetime) -> _Pair:
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    return _leaf(ca, _subject("roadbed", ()), ExtendedKeyUsageOID.SERVER_AUTH, now, _LEAF_LIFE, names)


def _client(ca: _Pair, name: str, groups: Sequence[str], now: datetime, life: timedelta) -> _Pair:
    return _leaf(ca, _subject(name, groups), ExtendedKeyUsageOID.CLIENT_AUTH, now, life, None)


def _leaf(
    ca: _Pair,
    subject: x509.Name,
    purpose: x509.ObjectIdentifier,
    now: datetime,
    life: timedelta,
    names: x509.SubjectAlternativeName | None,
) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(subject, ca.certificate.subject, key, now, life)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = builder.add_extension(issuer_id, critical=False)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return _Pair(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(name: str, groups: Sequence[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _names(pair: _Pair) -> set[str]:
    names = pair.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}
