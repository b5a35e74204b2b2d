"""The CA and what it signs: made once, kept, renewed in time, refused when damaged."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from roadbed.apiserver.certificates import Certificates
from roadbed.apiserver.keyfiles import KeyFileError


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def opened(folder: Path, clock: Clock | None = None, hosts: tuple[str, ...] = ()) -> Certificates:
    return Certificates.open_folder(folder, clock=clock or Clock(), hosts=hosts)


async def served_certificate(
    certificates: Certificates, client: ssl.SSLContext, host: str = "localhost"
) -> tuple[bytes, bytes | None]:
    """Give the server's certificate and the client's, as each other's side of one real handshake saw them."""
    seen: list[bytes | None] = []

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.write(b"!")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=certificates.server_context())
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=host)
        await reader.read(1)
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        await writer.wait_closed()
    return found, seen[0]


def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certificates.ca_pem.decode())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "roadbed.example.org"])
async def test_clients_verify_every_name_we_are_called_by(tmp_path: Path, host: str) -> None:
    certificates = opened(tmp_path, hosts=("roadbed.example.org",))
    assert (await served_certificate(certificates, trusting(certificates), host))[1] is None


async def test_a_client_without_our_ca_refuses_us(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await served_certificate(opened(tmp_path), ssl.create_default_context())


async def test_the_admin_certificate_reaches_the_server_verified(tmp_path: Path) -> None:
    certificates = opened(tmp_path)
    client = trusting(certificates)
    client.load_cert_chain(tmp_path / "pki/admin.crt", tmp_path / "pki/admin.key")
    der = (await served_certificate(certificates, client))[1]
    assert der is not None
    subject = x509.load_der_x509_certificate(der).subject.rfc4514_string()
    assert subject == "CN=admin,O=system:masters"


async def test_a_client_certificate_of_another_ca_ends_the_connection(tmp_path: Path) -> None:
    ours, theirs = opened(tmp_path / "a"), opened(tmp_path / "b")
    client = trusting(ours)
    client.load_cert_chain(tmp_path / "b/pki/admin.crt", tmp_path / "b/pki/admin.key")
    assert theirs.ca_pem != ours.ca_pem
    with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
        await served_certificate(ours, client)


def test_everything_is_kept_over_a_restart_with_keys_for_the_owner_only(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    assert (first.ca_pem, first.serving_pem, first.admin_pem) == (
        second.ca_pem,
        second.serving_pem,
        second.admin_pem,
    )
    for path in (tmp_path / "pki").glob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_host_makes_a_new_serving_certificate_only(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path, hosts=("10.0.0.7",))
    assert first.serving_pem != second.serving_pem
    assert (first.ca_pem, first.admin_pem) == (second.ca_pem, second.admin_pem)


async def test_leaves_are_renewed_before_they_expire_and_live_contexts_serve_them(tmp_path: Path) -> None:
    clock = Clock()
    certificates = opened(tmp_path, clock)
    context = certificates.server_context()
    before = certificates.serving_pem
    clock.now += timedelta(days=240)
    assert not certificates.renew_if_due()
    clock.now += timedelta(days=10)
    unverified = ssl.SSLContext(
        ssl.PROTOCOL_TLS_CLIENT
    )  # to this machine's clock the new one is from the future
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    first, _ = await served_certificate(certificates, unverified)
    second, _ = await served_certificate(certificates, unverified)
    assert ssl.DER_cert_to_PEM_cert(first).encode() == before
    assert ssl.DER_cert_to_PEM_cert(second).encode() == certificates.serving_pem != before
    assert certificates.server_context() is context
    assert opened(tmp_path, clock).serving_pem == certificates.serving_pem


async def test_a_renewal_that_cannot_be_written_does_not_refuse_connections(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    certificates = opened(tmp_path, clock)
    client = trusting(certificates)
    (tmp_path / "pki/serving.key").chmod(0o644)
    clock.now += timedelta(days=250)
    await served_certificate(certificates, client)
    await served_certificate(certificates, client)
    assert [record.message for record in caplog.records if record.name.startswith("roadbed")] == [
        "cannot renew the certificates; the present ones go on until they expire"
    ]


def test_half_a_ca_or_a_damaged_one_is_refused_by_name(tmp_path: Path) -> None:
    opened(tmp_path)
    (tmp_path / "pki/ca.crt").write_text("nonsense")
    with pytest.raises(KeyFileError, match=r"ca\.crt"):
        opened(tmp_path)
    (tmp_path / "pki/ca.crt").unlink()
    with pytest.raises(KeyFileError, match=r"only one of ca\.key and ca\.crt"):
        opened(tmp_path)


def test_a_damaged_leaf_is_made_new(tmp_path: Path) -> None:
    opened(tmp_path)
    (tmp_path / "pki/serving.crt").write_text("nonsense")
    assert b"BEGIN CERTIFICATE" in opened(tmp_path).serving_pem


def test_in_memory_certificates_leave_nothing_behind() -> None:
    certificates = Certificates.open_folder(None, clock=Clock())
    folder = certificates._folder
    certificates.server_context()
    certificates.close()
    assert not folder.exists()
