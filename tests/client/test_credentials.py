"""Who a kubeconfig says we are: plug-ins, refreshed and reloaded tokens, certificates, proxies, merged files."""

import asyncio
import base64
import json
import stat
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import yaml

from roadbed.apimachinery.errors import (
    BadRequestError,
    ForbiddenError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from roadbed.apis.authentication import SELFSUBJECTREVIEWS
from roadbed.apis.core import NAMESPACES
from roadbed.apiserver import Listener
from roadbed.client import connect
from roadbed.testing import control_plane, serving

pytestmark = pytest.mark.acceptance  # three dozen listeners and programs
EXEC = "client.authentication.k8s.io"


@pytest.fixture
async def plane():
    async with control_plane(crds=()) as running:
        yield running


class Config:
    """A kubeconfig that a test writes; the cluster and its certificate are right unless it says otherwise."""

    def __init__(self, path, plane):
        self.path = path
        self.folder = path.parent
        document = yaml.safe_load(path.read_text())
        self.cluster = document["clusters"][0]["cluster"]
        self.token = plane.access.tokens.admin_token
        self.certificates = plane.access.certificates

    def write(self, user, *, name="kubeconfig", cluster=None, context="roadbed"):
        path = self.folder / name
        document = {
            "clusters": [{"name": context, "cluster": {**self.cluster, **(cluster or {})}}],
            "users": [{"name": context, "user": user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def plugin(self, status, *, version="v1", mode="Never", **more):
        """Write a program that counts its runs, keeps what it was told, and prints ``status``."""
        answer = {"kind": "ExecCredential", "apiVersion": f"{EXEC}/{version}", "status": status}
        (self.folder / "answer").write_text(json.dumps(answer))
        program = self.folder / "plug-in"
        program.write_text(
            f"#!/bin/sh\ncd {self.folder}\necho run >> runs\n"
            'printf %s "$KUBERNETES_EXEC_INFO" > told\nprintf %s "$EXTRA$1" > given\ncat answer\n'
        )
        program.chmod(0o755)
        entry = {"apiVersion": f"{EXEC}/{version}", "command": "./plug-in", "interactiveMode": mode, **more}
        return {"exec": entry}

    @property
    def runs(self):
        runs = self.folder / "runs"
        return len(runs.read_text().split()) if runs.exists() else 0


@pytest.fixture
async def config(plane, tmp_path):
    async with serving(plane, tmp_path) as kubeconfig:
        yield Config(kubeconfig, plane)


async def who(path, *, times=1, **options):
    client = connect(path, **options)
    try:
        for _ in range(times):
            review = {"apiVersion": SELFSUBJECTREVIEWS.api_version, "kind": "SelfSubjectReview"}
            answer = await client.ask(SELFSUBJECTREVIEWS, review)
        return answer["status"]["userInfo"]["username"]
    finally:
        await client.transport.close()


async def test_a_plug_in_is_asked_once_and_told_what_it_may_know(config):
    user = config.plugin(
        {"token": config.token},
        provideClusterInfo=True,
        args=["-x"],
        env=[{"name": "EXTRA", "value": "extra"}],
    )
    extension = {"name": f"{EXEC}/exec", "extension": {"audience": "us"}}
    path = config.write(user, cluster={"extensions": [extension]})
    assert await who(path, times=3) == "admin"
    assert config.runs == 1
    told = json.loads((config.folder / "told").read_text())
    assert (told["kind"], told["apiVersion"]) == ("ExecCredential", f"{EXEC}/v1")
    assert told["spec"]["interactive"] is False
    assert told["spec"]["cluster"]["server"] == config.cluster["server"]
    assert told["spec"]["cluster"]["config"] == {"audience": "us"}
    assert (
        told["spec"]["cluster"]["certificate-authority-data"] == config.cluster["certificate-authority-data"]
    )
    assert (config.folder / "given").read_text() == "extra-x"


async def test_a_plug_in_of_v1beta1_may_leave_out_its_mode(config):
    user = config.plugin({"token": config.token}, version="v1beta1")
    del user["exec"]["interactiveMode"]
    assert await who(config.write(user)) == "admin"


@pytest.mark.parametrize(("age_s", "runs"), [(-60, 3), (3600, 1)])
async def test_a_plug_in_is_asked_again_when_its_answer_has_expired(config, age_s, runs):
    until = (datetime.now(UTC) + timedelta(seconds=age_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
    user = config.plugin({"token": config.token, "expirationTimestamp": until})
    assert await who(config.write(user), times=3) == "admin"
    assert config.runs == runs


async def test_a_refused_token_is_fetched_anew_once(config):
    user = config.plugin({"token": "stale"})
    client = connect(config.write(user))
    with pytest.raises(UnauthorizedError):
        await client.list(NAMESPACES)
    assert config.runs == 2  # fetched, refused, and fetched again; the same is not tried for ever
    answer = json.loads((config.folder / "answer").read_text())
    (config.folder / "answer").write_text(json.dumps({**answer, "status": {"token": config.token}}))
    found = await asyncio.gather(*(client.list(NAMESPACES) for _ in range(4)))
    assert all(found)
    assert config.runs == 3  # four were refused at once, and one asked for all of them
    await client.transport.close()


async def test_a_plug_in_may_give_a_certificate_and_replace_it(config):
    """A connection keeps the certificate that it was made with, so a new one needs a new connection."""

    def answer(name, group, age_s):
        certificate, key = config.certificates.issue_client(name, [group], life=timedelta(hours=1))
        until = datetime.now(UTC) + timedelta(seconds=age_s)
        status = {"clientCertificateData": certificate.decode(), "clientKeyData": key.decode()}
        return {**status, "expirationTimestamp": until.strftime("%Y-%m-%dT%H:%M:%SZ")}

    user = config.plugin(answer("first", "devs", -60))
    client = connect(config.write(user))
    review = {"apiVersion": SELFSUBJECTREVIEWS.api_version, "kind": "SelfSubjectReview"}

    async def name():
        return (await client.ask(SELFSUBJECTREVIEWS, review))["status"]["userInfo"]["username"]

    assert await name() == "first"
    config.plugin(answer("second", "devs", 3600))
    assert [await name(), await name()] == ["second", "second"]
    assert config.runs == 2
    await client.transport.close()


@pytest.mark.parametrize(
    ("mode", "has_terminal", "is_asked"),
    [
        ("Never", True, False),
        ("IfAvailable", True, True),
        ("IfAvailable", False, False),
        ("Always", True, True),
    ],
)
async def test_a_plug_in_may_ask_a_person_where_there_is_one(
    config, mode, has_terminal, is_asked, monkeypatch
):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: has_terminal, raising=False)
    assert await who(config.write(config.plugin({"token": config.token}, mode=mode))) == "admin"
    told = json.loads((config.folder / "told").read_text())
    assert told["spec"] == {"interactive": is_asked}  # and nothing of the cluster, unless it is to know


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"command": "./absent", "installHint": "brew install absent"}, "not found.*brew install absent"),
        ({"command": sys.executable, "args": ["-c", "raise SystemExit(3)"]}, "exit code 3"),
        ({"command": "/bin/echo", "args": ["no"]}, "printed no ExecCredential"),
        ({"interactiveMode": "Always"}, "standard input is not a terminal"),
        ({"apiVersion": f"{EXEC}/v1beta1"}, "returned version"),
    ],
)
async def test_a_plug_in_that_fails_says_how(config, change, said, monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    user = config.plugin({"token": config.token})
    user["exec"].update(change)
    with pytest.raises(UnauthorizedError, match=f"(?s){said}"):
        await who(config.write(user))


@pytest.mark.parametrize(
    ("status", "said"),
    [({}, "a token or cert/key pair"), ({"clientCertificateData": "x"}, "only certificate or key")],
)
async def test_an_answer_without_a_proof_is_refused(config, status, said):
    with pytest.raises(UnauthorizedError, match=said):
        await who(config.write(config.plugin(status)))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"apiVersion": f"{EXEC}/v1alpha1"}, "v1alpha1"),
        ({"interactiveMode": ""}, "must be specified"),
        ({"interactiveMode": "Sometimes"}, "Sometimes"),
        ({"command": ""}, "command must be specified"),
    ],
)
async def test_a_plug_in_that_is_described_badly_is_refused_before_anything_runs(config, entry, said):
    user = config.plugin({"token": config.token})
    user["exec"].update(entry)
    with pytest.raises(BadRequestError, match=said):
        connect(config.write(user))
    assert config.runs == 0


async def test_a_token_file_is_read_again_when_its_token_is_refused(config):
    file = config.folder / "token"
    file.write_text("stale\n")
    client = connect(config.write({"tokenFile": "token"}))
    with pytest.raises(UnauthorizedError):
        await client.list(NAMESPACES)
    file.write_text(f"{config.token}\n")
    assert await client.list(NAMESPACES)
    file.write_text("")  # it is being replaced: the last one still does
    assert await client.list(NAMESPACES)
    await client.transport.close()


def id_token(seconds):
    claims = (
        base64.urlsafe_b64encode(json.dumps({"exp": time.time() + seconds}).encode()).decode().rstrip("=")
    )
    return f"e30.{claims}.c2ln"


class Issuer:
    """An OpenID Connect issuer that takes a refresh token once."""

    def __init__(self):
        self.expected = "first"
        self.asked = 0
        self.listener = Listener(self.answer, host="127.0.0.1", port=0, tls=None)

    async def answer(self, scope, receive, send):
        body = (await receive()).get("body", b"")
        status, found = 200, {"token_endpoint": f"{self.url}/token"}
        if scope["path"] == "/token":
            self.asked += 1
            form = parse_qs(body.decode())
            if form["refresh_token"] == [self.expected] and form["client_id"] == ["us"]:
                self.expected = f"after-{self.expected}"
                found = {"id_token": id_token(3600), "refresh_token": self.expected}
            else:
                status, found = 400, {"error": "invalid_grant"}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(found).encode()})

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.port}"


@pytest.fixture
async def issuer():
    running = Issuer()
    await running.listener.start()
    yield running
    await running.listener.stop()


async def test_an_expired_id_token_is_refreshed_once_and_written_back(config, issuer):
    settings = {
        "idp-issuer-url": issuer.url,
        "client-id": "us",
        "refresh-token": "first",
        "id-token": id_token(-5),
    }
    path = config.write({"auth-provider": {"name": "oidc", "config": settings}})
    client = connect(path)
    proof = await client.transport._credentials.current()
    assert proof == await client.transport._credentials.current()
    assert issuer.asked == 1
    await client.transport.close()
    written = yaml.safe_load(path.read_text())["users"][0]["user"]["auth-provider"]["config"]
    assert proof.header == f"Bearer {written['id-token']}"
    assert written["refresh-token"] == "after-first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = connect(path)  # the next command goes on with what was written
    assert await again.transport._credentials.current() == proof
    assert issuer.asked == 1
    await again.transport.close()


async def test_an_id_token_that_cannot_be_refreshed_says_what_to_do(config, issuer):
    settings = {"idp-issuer-url": issuer.url, "client-id": "us", "id-token": id_token(-5)}
    user = {"auth-provider": {"name": "oidc", "config": settings}}
    with pytest.raises(UnauthorizedError, match="sign in at"):
        await who(config.write(user))
    settings["refresh-token"] = "unknown-and-secret"
    with pytest.raises(UnauthorizedError, match="400 invalid_grant") as refused:
        await who(config.write(user))
    assert "unknown-and-secret" not in str(refused.value)


async def test_a_provider_that_clients_no_longer_know_is_refused(config):
    with pytest.raises(BadRequestError, match="'gcp' was removed"):
        connect(config.write({"auth-provider": {"name": "gcp"}}))


async def test_a_client_certificate_as_data_and_as_files_beside_the_kubeconfig(config):
    certificates = config.certificates
    assert await who(config.path) == "admin"
    (config.folder / "me.crt").write_bytes(certificates.admin_pem)
    (config.folder / "me.key").write_bytes(certificates.admin_key_pem)
    assert await who(config.write({"client-certificate": "me.crt", "client-key": "me.key"})) == "admin"
    with pytest.raises(BadRequestError, match="no client key"):
        connect(config.write({"client-certificate": "me.crt"}))


async def test_impersonation_comes_from_the_kubeconfig(config):
    user = {"token": config.token, "as": "jane", "as-groups": ["developers"], "as-uid": "7"}
    path = config.write(user)
    assert await who(path) == "jane"
    client = connect(path)
    with pytest.raises(ForbiddenError, match='User "jane"'):
        await client.list(NAMESPACES)
    await client.transport.close()
    with pytest.raises(BadRequestError, match="without `as`"):
        connect(config.write({"token": config.token, "as-groups": ["developers"]}))


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"token": "t", "as": "a", "as-groups": 1}, "as-groups is no list"),
        ({"token": "t", "as": "a", "as-user-extra": 1}, "as-user-extra is no mapping"),
        ({"token": "t", "as": "a", "as-user-extra": {"k": 1}}, "as-user-extra holds no list for k"),
        ({"exec": "x"}, "exec is no mapping"),
        ({"exec": {"env": 1}}, "exec.env is no list"),
        ({"auth-provider": "oidc"}, "auth-provider is no mapping"),
        ({"auth-provider": {"config": [1]}}, "auth-provider.config is no mapping"),
        ({"client-certificate-data": "é"}, "client-certificate-data is not base64"),
        ({"client-certificate": "a\0b"}, "client-certificate a"),
    ],
)
def test_an_entry_of_another_shape_is_told_and_no_traceback(config, user, why):
    with pytest.raises(BadRequestError, match=why):
        connect(config.write(user))


async def test_the_name_in_the_certificate_may_be_another(config):
    user = {"token": config.token}
    assert await who(config.write(user, cluster={"tls-server-name": "localhost"})) == "admin"
    with pytest.raises(ServiceUnavailableError, match=r"(?i)hostname mismatch"):
        await who(config.write(user, cluster={"tls-server-name": "elsewhere.example.org"}))


async def test_skipping_verification_is_told_once(config):
    cluster = {"insecure-skip-tls-verify": True, "certificate-authority-data": None}
    client = connect(config.write({"token": config.token}, cluster=cluster))
    told = []
    client.transport.on_warning = told.append
    assert await client.list(NAMESPACES)
    assert await client.list(NAMESPACES)
    assert len(told) == 1
    assert "not verified" in told[0]
    await client.transport.close()
    with pytest.raises(BadRequestError, match="insecure flag is not allowed"):
        connect(config.write({}, cluster={"insecure-skip-tls-verify": True}))


async def test_a_proxy_carries_the_connection(config):
    carried = []

    async def carry(reader, writer):
        request = (await reader.readuntil(b"\r\n\r\n")).split()
        carried.append(request[1].decode())
        host, _, port = carried[-1].partition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

        async def pipe(source, sink):
            while piece := await source.read(65_536):
                sink.write(piece)
            sink.close()

        await asyncio.gather(pipe(reader, back), pipe(there, writer), return_exceptions=True)

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as proxy:
        url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        assert await who(config.write({"token": config.token}, cluster={"proxy-url": url})) == "admin"
    assert carried == [config.cluster["server"].removeprefix("https://")]


async def test_files_are_merged_and_the_first_that_names_a_thing_decides(config):
    first = config.write({"token": config.token}, name="first")
    second = config.write({"token": config.token, "as": "jane"}, name="second", context="other")
    third = config.write({"token": "wrong"}, name="third")
    absent = Path("absent")
    assert await who([absent, first, second, third]) == "admin"
    assert await who([absent, first, second, third], context="other") == "jane"
    assert await who([second, first]) == "jane"  # the first current-context counts
    with pytest.raises(BadRequestError, match="none of these files exists"):
        connect([absent, Path("gone")])
