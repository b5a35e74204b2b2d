"""Provider configs: which accounts they lead to, and what is refused with which words."""

import pytest

from roadbed.apis.aws import VPC
from roadbed.controller import SystemClock
from roadbed.engines.providers.aws.accounts import Accounts
from roadbed.engines.providers.aws.credentials import parse_endpoint, parse_keys
from roadbed.engines.providers.aws.limits import TokenBucket
from roadbed.engines.providers.external import CredentialsError, ExternalError, UnsupportedFieldError

GOOD = "[default]\naws_access_key_id = AKIA\naws_secret_access_key = s3cr%t\n"


def test_a_credentials_file_is_read():
    keys = parse_keys(GOOD + "aws_session_token = tok\n[other]\naws_access_key_id = X\n", "Secret a/b")
    assert (keys.access_key_id, keys.secret_access_key, keys.session_token) == ("AKIA", "s3cr%t", "tok")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("aws_access_key_id = AKIA\naws_secret_access_key = topsecret", "is not an AWS credentials file"),
        ("[prod]\naws_access_key_id = AKIA\naws_secret_access_key = topsecret", r"no \[default\] section"),
        ("[default]\naws_secret_access_key = topsecret", "no aws_access_key_id"),
        ("", r"no \[default\] section"),
    ],
)
def test_a_malformed_file_is_named_without_its_secrets(text, says):
    with pytest.raises(CredentialsError, match=says) as caught:
        parse_keys(text, "Secret a/b")
    assert "Secret a/b" in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keys_do_not_show_in_tracebacks():
    assert "AKIA" not in repr(parse_keys(GOOD, ""))
    assert "s3cr" not in repr(parse_keys(GOOD, ""))


def test_endpoints_are_static_or_made_per_service_and_region():
    static = parse_endpoint({"endpoint": {"url": {"type": "Static", "static": "http://h:1"}}}, "x")
    assert static.url_for("s3", "eu-west-1") == "http://h:1"
    some = parse_endpoint(
        {"endpoint": {"url": {"type": "Static", "static": "http://h:1"}, "services": ["s3"]}}, "x"
    )
    assert some.url_for("rds", "eu-west-1") is None
    url = {"type": "Dynamic", "dynamic": {"protocol": "https", "host": "example.org"}}
    assert parse_endpoint({"endpoint": {"url": url}}, "x").url_for("s3", "r") == "https://s3.r.example.org"
    assert parse_endpoint({}, "x").url_for("s3", "r") is None


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254", "http://[fe80::1]/", "ftp://x", "nonsense", ""]
)
def test_endpoints_must_not_lead_to_the_metadata_service_or_nowhere(address):
    with pytest.raises(CredentialsError, match=r"spec\.endpoint\.url"):
        parse_endpoint({"endpoint": {"url": {"type": "Static", "static": address}}}, "x")


def test_an_endpoint_setting_that_is_not_done_is_refused():
    url = {"type": "Static", "static": "http://h"}
    with pytest.raises(UnsupportedFieldError, match="signingName"):
        parse_endpoint({"endpoint": {"url": url, "signingName": "x"}}, "x")
    with pytest.raises(UnsupportedFieldError, match="'Auto' is not supported; use Static or Dynamic"):
        parse_endpoint({"endpoint": {"url": {"type": "Auto"}}}, "x")


class Counted(SystemClock):
    def __init__(self):
        self.slept = []

    def monotonic(self):
        return 0.0

    async def sleep(self, seconds):
        self.slept.append(seconds)


async def test_calls_beyond_the_burst_wait_in_order():
    clock = Counted()
    bucket = TokenBucket(clock, rate_per_s=10, burst=2)
    for _ in range(5):
        await bucket.take()
    assert clock.slept == pytest.approx([0.1, 0.2, 0.3])


def config(name, namespace="", kind="ClusterProviderConfig", **spec):
    meta = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "aws.m.upbound.io/v1beta1", "kind": kind, "metadata": meta, "spec": spec}


def secret(name, namespace, text=GOOD):
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"creds": text}}


def using(name, kind="ClusterProviderConfig", namespace="default"):
    ref = {"providerConfigRef": {"name": name, "kind": kind}}
    return {"metadata": {"name": "x", "namespace": namespace}, "spec": ref}


def by_secret(name, namespace="default"):
    return {"source": "Secret", "secretRef": {"name": name, "namespace": namespace, "key": "creds"}}


@pytest.fixture
def accounts(plane):
    found = Accounts(plane.client, SystemClock())
    found.use()
    yield found
    found.release()


@pytest.mark.asyncio(loop_scope="session")
class TestAccounts:
    async def test_an_account_is_opened_once_until_its_secret_changes(self, plane, accounts):
        await plane.create(
            secret("rotating", "default"), config("rotating", credentials=by_secret("rotating"))
        )
        first = await accounts.of(using("rotating"), legacy=False)
        assert await accounts.of(using("rotating"), legacy=False) is first
        from roadbed.apis.core import SECRETS

        await plane.client.patch(
            SECRETS, "rotating", {"stringData": {"creds": GOOD.replace("AKIA", "NEW")}}, namespace="default"
        )
        second = await accounts.of(using("rotating"), legacy=False)
        assert second is not first
        assert second.keys.access_key_id == "NEW"

    async def test_a_namespaced_config_reads_secrets_of_its_own_namespace_only(self, plane, accounts):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "treasury"}}
        await plane.create(namespace, secret("vault", "treasury"))
        await plane.create(
            config("thief", "default", "ProviderConfig", credentials=by_secret("vault", "treasury"))
        )
        with pytest.raises(ExternalError, match="Secret default/vault does not exist"):
            await accounts.of(using("thief", "ProviderConfig"), legacy=False)

    async def test_a_missing_config_is_named(self, accounts):
        with pytest.raises(ExternalError, match="ClusterProviderConfig nowhere does not exist; create it"):
            await accounts.of(using("nowhere"), legacy=False)
        with pytest.raises(ExternalError, match="ProviderConfig nowhere does not exist; create it"):
            await accounts.of(using("nowhere"), legacy=True)

    @pytest.mark.parametrize("source", ["None", "WebIdentity", "Upbound"])
    async def test_sources_that_are_not_done_are_refused(self, plane, accounts, source):
        name = f"source-{source.lower()}"
        await plane.create(config(name, credentials={"source": source}))
        with pytest.raises(UnsupportedFieldError, match=f"credentials source '{source}' is not supported"):
            await accounts.of(using(name), legacy=False)

    async def test_the_process_own_environment_can_be_used(self, plane, accounts, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "FROMENV")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        await plane.create(config("ambient", credentials={"source": "IRSA"}))
        account = await accounts.of(using("ambient"), legacy=False)
        assert account.session().get_credentials().access_key == "FROMENV"

    async def test_a_profile_can_be_named(self, plane, accounts, monkeypatch, tmp_path):
        path = tmp_path / "credentials"
        path.write_text("[team]\naws_access_key_id = OFTEAM\naws_secret_access_key = x\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
        body = config("profiled", credentials={"source": "IRSA"})
        body["metadata"]["annotations"] = {"aws.roadbed.dev/profile": "team"}
        await plane.create(body)
        account = await accounts.of(using("profiled"), legacy=False)
        assert account.session().get_credentials().access_key == "OFTEAM"

    async def test_accounts_share_service_models(self, plane, accounts):
        for name in ("twin-a", "twin-b"):
            await plane.create(secret(name, "default"), config(name, credentials=by_secret(name)))
        one, two = [await accounts.of(using(name), legacy=False) for name in ("twin-a", "twin-b")]
        models = [
            account.session()._session.get_component("data_loader").load_service_model("rds", "service-2")
            for account in (one, two)
        ]
        assert models[0] is models[1]

    async def test_a_role_to_assume_must_be_named(self, plane, accounts):
        await plane.create(
            secret("nameless", "default"),
            config("nameless", credentials=by_secret("nameless"), assumeRoleChain=[{"externalID": "x"}]),
        )
        with pytest.raises(CredentialsError, match=r"assumeRoleChain\[0\]\.roleARN is empty"):
            await accounts.of(using("nameless"), legacy=False)

    @pytest.mark.timeout(20)  # moto is another process, and loads much at its first call
    async def test_roles_are_assumed_one_through_the_other(self, plane, accounts, moto):
        roles = [
            {"roleARN": "arn:aws:iam::111111111111:role/first"},
            {"roleARN": "arn:aws:iam::222222222222:role/second", "externalID": "external"},
        ]
        endpoint = {"url": {"type": "Static", "static": moto}}
        await plane.create(
            secret("roles", "default"),
            config("roles", credentials=by_secret("roles"), assumeRoleChain=roles, endpoint=endpoint),
        )
        account = await accounts.of(using("roles"), legacy=False)
        who = await account.call(lambda aws: aws.client("sts").get_caller_identity(), "eu-west-1", False)
        assert who["Account"] == "222222222222"
        assert who["Arn"].endswith("assumed-role/second/roadbed")


def test_the_kind_of_a_provider_config_is_checked():
    from roadbed.engines.providers.aws.accounts import config_of

    with pytest.raises(CredentialsError, match="'Bucket' is no provider config"):
        config_of(using("x", "Bucket"), legacy=False)
    assert config_of(using("x", "ProviderConfig"), legacy=False)[2] == "default"
    assert VPC.resource(legacy=True).namespaced is False
