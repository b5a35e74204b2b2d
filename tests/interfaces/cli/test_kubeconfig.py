"""A kubeconfig for somebody: a certificate of their own, signed without a server."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from roadbed.apiserver import Credentials
from roadbed.apiserver.certificates import Certificates
from roadbed.interfaces.cli.main import main
from roadbed.maintenance import FolderMaintenance
from roadbed.testing import control_plane


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificates = Certificates.open_folder(tmp_path, clock=lambda: datetime.now(UTC))
    cluster = {
        "server": "https://127.0.0.1:6443",
        "certificate-authority-data": base64.b64encode(certificates.ca_pem).decode(),
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump({"clusters": [{"name": "c", "cluster": cluster}]}))
    return tmp_path


def run(*words: str) -> int:
    def none(_: object) -> object:
        raise AssertionError("no platform is needed")

    return main(["kubeconfig", *words], platforms=none, maintenance=FolderMaintenance)  # type: ignore[arg-type]


async def test_the_certificate_is_that_user_in_those_groups_for_that_long(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        "--user",
        "ann",
        "--group",
        "devs",
        "--group",
        "ops",
        "--duration",
        "8h",
        "--data-dir",
        str(folder),
    )
    assert run(*words) == 0
    document = yaml.safe_load(capsys.readouterr().out)
    (user,) = document["users"]
    assert (document["current-context"], user["name"]) == ("ann", "ann")
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    pem = base64.b64decode(user["user"]["client-certificate-data"])
    certificate = x509.load_pem_x509_certificate(pem)
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(hours=7, minutes=59) < left < timedelta(hours=8, minutes=1)
    authority = x509.load_pem_x509_certificate((folder / "pki" / "ca.crt").read_bytes())
    certificate.verify_directly_issued_by(authority)
    async with control_plane(crds=()) as plane:
        from cryptography.hazmat.primitives.serialization import Encoding

        shown = Credentials({}, certificate.public_bytes(Encoding.DER))
        found = plane.access.authenticator.authenticate(shown)
    assert (found.name, found.groups) == ("ann", ("devs", "ops", "system:authenticated"))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--duration", "soon"], "soon is no duration"),
        (["--duration", "1m"], "1m is no duration"),
        (["--group", "system:masters"], "no role limits it"),
        (["--user", "front-proxy-client"], "who has it may speak for anybody there"),
    ],
)
def test_what_should_not_be_given_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str
) -> None:
    assert run("--user", "ann", "--data-dir", str(folder), *words) != 0
    assert text in capsys.readouterr().err


def test_without_a_data_folder_it_says_what_makes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--user", "ann", "--data-dir", str(tmp_path / "nowhere")) != 0
    assert "roadbed up" in capsys.readouterr().err
