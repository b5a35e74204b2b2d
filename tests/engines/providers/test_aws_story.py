"""Managed AWS resources through the plugin: real API server, real controllers, moto as the cloud."""

import base64

import boto3
import pytest
import pytest_asyncio

from roadbed.apis.apiextensions import CUSTOMRESOURCEDEFINITIONS
from roadbed.apis.aws import (
    BUCKET,
    BUCKET_VERSIONING,
    CLUSTER_PROVIDER_CONFIGS,
    INSTANCE,
    SECURITY_GROUP,
    SUBNET,
    SUBNET_GROUP,
    VPC,
)
from roadbed.apis.core import SECRETS
from roadbed.testing import control_plane, eventually

REGION = "eu-central-1"
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(30), pytest.mark.acceptance]


class Platform:
    """A control plane with the providers, and the cloud's own view of itself."""

    def __init__(self, plane, url):
        self.plane, self.client, self.url = plane, plane.client, url

    def cloud(self, service):
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )

    async def create(self, kind, name, values, *, legacy=False, labels=None, annotations=None, **spec):
        resource = kind.resource(legacy=legacy)
        meta = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
        if not legacy:
            meta["namespace"] = "default"
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
        await self.client.create(
            resource, {**body, "spec": {"forProvider": {"region": REGION, **values}, **spec}}
        )

    async def find(self, kind, name, *, legacy=False):
        return await self.client.find(kind.resource(legacy=legacy), name, "" if legacy else "default")

    async def patch(self, kind, name, patch):
        await self.client.patch(kind.resource(legacy=False), name, patch, namespace="default")

    async def condition(self, kind, name, which, *, legacy=False):
        obj = await self.find(kind, name, legacy=legacy) or {}
        found = (obj.get("status") or {}).get("conditions") or ()
        return next((c for c in found if c["type"] == which), {})

    async def ready(self, kind, name, *, legacy=False):
        async def ask():
            synced = await self.condition(kind, name, "Synced", legacy=legacy)
            ready = await self.condition(kind, name, "Ready", legacy=legacy)
            return synced.get("status") == ready.get("status") == "True"

        await eventually(ask, within_s=15)
        return await self.find(kind, name, legacy=legacy)

    async def says(self, kind, name, text):
        async def ask():
            return text in (await self.condition(kind, name, "Synced")).get("message", "")

        await eventually(ask, within_s=10)

    async def delete(self, kind, name, *, legacy=False):
        await self.client.delete(kind.resource(legacy=legacy), name, "" if legacy else "default")

    async def gone(self, kind, name, *, legacy=False):
        async def ask():
            return await self.find(kind, name, legacy=legacy) is None

        await eventually(ask, within_s=15)


def config(name, url, *, legacy=False, secret="aws"):
    reference = {"namespace": "default", "name": secret, "key": "creds"}
    return {
        "apiVersion": "aws.upbound.io/v1beta1" if legacy else "aws.m.upbound.io/v1beta1",
        "kind": "ProviderConfig" if legacy else "ClusterProviderConfig",
        "metadata": {"name": name},
        "spec": {
            "credentials": {"source": "Secret", "secretRef": reference},
            "endpoint": {"url": {"type": "Static", "static": url}},
            "s3_use_path_style": True,
        },
    }


def credentials(name):
    text = "[default]\naws_access_key_id = a\naws_secret_access_key = b\n"
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"creds": text}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(moto):
    plugins = ("roadbed.engines.core.plugin", "roadbed.engines.providers.plugin")
    async with control_plane(*plugins) as plane:
        await plane.create(credentials("aws"), config("default", moto), config("default", moto, legacy=True))
        yield Platform(plane, moto)


async def test_a_database_with_its_network_is_ordered_edited_and_deleted(platform):
    await platform.create(
        INSTANCE,
        "db",
        {
            "engine": "postgres",
            "instanceClass": "db.t3.micro",
            "allocatedStorage": 20,
            "username": "root_user",
            "autoGeneratePassword": True,
            "passwordSecretRef": {"name": "db-password", "key": "password"},
            "skipFinalSnapshot": True,
            "dbSubnetGroupNameRef": {"name": "group"},
            "vpcSecurityGroupIdRefs": [{"name": "door"}],
        },
        writeConnectionSecretToRef={"name": "db-connection"},
    )
    await platform.create(SUBNET_GROUP, "group", {"subnetIdSelector": {"matchLabels": {"part": "db"}}})
    await platform.create(SECURITY_GROUP, "door", {"vpcIdRef": {"name": "net"}})
    for zone, number in (("a", 1), ("b", 2)):
        values = {
            "cidrBlock": f"10.0.{number}.0/24",
            "availabilityZone": REGION + zone,
            "vpcIdRef": {"name": "net"},
        }
        await platform.create(SUBNET, f"subnet-{zone}", values, labels={"part": "db"})
    await platform.create(VPC, "net", {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True})

    instance = await platform.ready(INSTANCE, "db")
    rds = platform.cloud("rds")
    (real,) = [
        i for i in rds.describe_db_instances()["DBInstances"] if i["DBInstanceIdentifier"].startswith("db-")
    ]
    assert instance["metadata"]["annotations"]["crossplane.io/external-name"] == real["DBInstanceIdentifier"]
    assert real["DBSubnetGroup"]["DBSubnetGroupName"] == "group"
    vpc = await platform.ready(VPC, "net")
    assert real["DBSubnetGroup"]["VpcId"] == vpc["status"]["atProvider"]["id"]
    assert vpc["spec"]["forProvider"]["tags"]["crossplane-name"] == "net"
    assert vpc["spec"]["forProvider"]["instanceTenancy"] == "default", "late initialised"

    secret = await platform.client.get(SECRETS, "db-connection", "default")
    password = await platform.client.get(SECRETS, "db-password", "default")
    details = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    assert details["endpoint"] == f"{real['Endpoint']['Address']}:{details['port']}"
    assert details["username"] == "root_user"
    assert secret["data"]["password"] == password["data"]["password"]
    assert details["password"] not in str(instance)

    await platform.patch(INSTANCE, "db", {"spec": {"forProvider": {"instanceClass": "db.m5.large"}}})

    async def resized():
        return (
            rds.describe_db_instances(DBInstanceIdentifier=real["DBInstanceIdentifier"])["DBInstances"][0][
                "DBInstanceClass"
            ]
            == "db.m5.large"
        )

    await eventually(resized)

    # In the order that is hardest for the cloud: the network first.
    names = [
        (VPC, "net"),
        (SUBNET, "subnet-a"),
        (SUBNET, "subnet-b"),
        (SECURITY_GROUP, "door"),
        (SUBNET_GROUP, "group"),
    ]
    for kind, name in (*names, (INSTANCE, "db")):
        await platform.delete(kind, name)
    for kind, name in (*names, (INSTANCE, "db")):
        await platform.gone(kind, name)
    assert vpc["status"]["atProvider"]["id"] not in str(platform.cloud("ec2").describe_vpcs())
    assert "group" not in str(rds.describe_db_subnet_groups()["DBSubnetGroups"])


async def test_a_bucket_deleted_behind_our_back_comes_back(platform):
    await platform.create(BUCKET, "comes-back", {"tags": {"team": "shop"}})
    await platform.create(
        BUCKET_VERSIONING,
        "comes-back",
        {"bucketRef": {"name": "comes-back"}, "versioningConfiguration": {"status": "Enabled"}},
    )
    await platform.ready(BUCKET, "comes-back")
    await platform.ready(BUCKET_VERSIONING, "comes-back")
    s3 = platform.cloud("s3")
    s3.delete_bucket(Bucket="comes-back")
    again = {"metadata": {"annotations": {"crossplane.io/reconcile-requested-at": "now"}}}
    await platform.patch(BUCKET, "comes-back", again)

    async def back():
        return "comes-back" in str(s3.list_buckets()["Buckets"])

    await eventually(back)
    await platform.patch(BUCKET_VERSIONING, "comes-back", again)

    async def versioned():
        return s3.get_bucket_versioning(Bucket="comes-back").get("Status") == "Enabled"

    await eventually(versioned)
    assert s3.get_bucket_tagging(Bucket="comes-back")["TagSet"]


async def test_the_cluster_scoped_form_works_alike(platform):
    await platform.create(BUCKET, "legacy-bucket", {}, legacy=True)
    wrapped = {"bucketRef": {"name": "legacy-bucket"}, "versioningConfiguration": [{"status": "Enabled"}]}
    await platform.create(BUCKET_VERSIONING, "legacy-bucket", wrapped, legacy=True)
    await platform.ready(BUCKET, "legacy-bucket", legacy=True)
    found = await platform.ready(BUCKET_VERSIONING, "legacy-bucket", legacy=True)
    assert found["status"]["atProvider"]["versioningConfiguration"] == [{"status": "Enabled"}]
    await platform.delete(BUCKET_VERSIONING, "legacy-bucket", legacy=True)
    await platform.gone(BUCKET_VERSIONING, "legacy-bucket", legacy=True)
    await platform.delete(BUCKET, "legacy-bucket", legacy=True)
    await platform.gone(BUCKET, "legacy-bucket", legacy=True)
    assert "legacy-bucket" not in str(platform.cloud("s3").list_buckets()["Buckets"])


async def test_an_immutable_change_is_refused_and_names_the_way_back(platform):
    await platform.create(VPC, "rigid", {"cidrBlock": "10.1.0.0/16"})
    await platform.ready(VPC, "rigid")
    await platform.patch(VPC, "rigid", {"spec": {"forProvider": {"cidrBlock": "10.2.0.0/16"}}})
    await platform.says(
        VPC, "rigid", 'spec.forProvider.cidrBlock: "10.1.0.0/16" to "10.2.0.0/16"; set it back'
    )
    assert (await platform.condition(VPC, "rigid", "Ready"))["status"] == "True"
    await platform.patch(
        VPC, "rigid", {"spec": {"forProvider": {"cidrBlock": "10.1.0.0/16", "region": "us-east-1"}}}
    )
    await platform.says(VPC, "rigid", 'spec.forProvider.region: "eu-central-1" to "us-east-1"')
    others = [v for v in platform.cloud("ec2").describe_vpcs()["Vpcs"] if v["CidrBlock"] == "10.1.0.0/16"]
    assert len(others) == 1
    await platform.patch(VPC, "rigid", {"spec": {"forProvider": {"region": REGION}}})
    await platform.ready(VPC, "rigid")


async def test_a_field_that_is_not_done_is_refused_by_name(platform):
    await platform.create(VPC, "ipam", {"ipv4IpamPoolId": "pool-1", "ipv4NetmaskLength": 20})
    await platform.says(
        VPC, "ipam", "spec.forProvider.ipv4IpamPoolId, spec.forProvider.ipv4NetmaskLength: not supported"
    )


async def test_an_endpoint_that_is_down_is_told_and_mended_by_fixing_the_config(platform):
    await platform.plane.create(config("down", "http://127.0.0.1:9"))
    ref = {"kind": "ClusterProviderConfig", "name": "down"}
    await platform.create(BUCKET, "patient", {}, providerConfigRef=ref)
    await platform.says(BUCKET, "patient", "observe failed: cannot reach AWS")
    fixed = {"spec": {"endpoint": {"url": {"static": platform.url}}}}
    await platform.client.patch(CLUSTER_PROVIDER_CONFIGS, "down", fixed)
    await platform.ready(BUCKET, "patient")


@pytest.mark.parametrize(
    ("name", "status", "code", "says"),
    [
        ("throttled", 503, "SlowDown", "AWS asks to slow down, retrying"),
        ("stranger", 403, "InvalidAccessKeyId", "check the credentials of ClusterProviderConfig stranger"),
        (
            "forbidden",
            403,
            "AccessDenied",
            "give the credentials of ClusterProviderConfig forbidden the right",
        ),
    ],
)
async def test_what_aws_refuses_is_told_with_a_next_step(platform, endpoint, name, status, code, says):
    endpoint.status, endpoint.code, endpoint.headers = status, code, {}
    await platform.plane.create(config(name, endpoint.url))
    ref = {"kind": "ClusterProviderConfig", "name": name}
    await platform.create(SUBNET_GROUP, name, {"subnetIds": ["subnet-1"]}, providerConfigRef=ref)
    await platform.says(SUBNET_GROUP, name, says)
    assert "external-create-pending" not in str(await platform.find(SUBNET_GROUP, name))


async def test_a_changed_password_reaches_the_cloud_before_it_is_published(platform):
    values = {
        "engine": "mysql",
        "instanceClass": "db.t3.micro",
        "allocatedStorage": 20,
        "username": "root_user",
        "passwordSecretRef": {"name": "rotated", "key": "password"},
        "skipFinalSnapshot": True,
        "identifier": "rotated",
    }
    meta = {"name": "rotated", "namespace": "default"}
    await platform.plane.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"password": "first-password"}}
    )
    await platform.create(INSTANCE, "rotated", values, writeConnectionSecretToRef={"name": "rotated-out"})
    await platform.ready(INSTANCE, "rotated")
    patch = {"stringData": {"password": "second-password"}}
    await platform.client.patch(SECRETS, "rotated", patch, namespace="default")
    again = {"metadata": {"annotations": {"crossplane.io/reconcile-requested-at": "now"}}}
    await platform.patch(INSTANCE, "rotated", again)

    async def published():
        secret = await platform.client.get(SECRETS, "rotated-out", "default")
        return base64.b64decode(secret["data"]["password"]) == b"second-password"

    await eventually(published)
    from roadbed.apis.core import EVENTS

    async def told():
        events = await platform.client.list(EVENTS, "default", fields="involvedObject.name=rotated")
        assert "second-password" not in str(events)
        return "UpdatedExternalResource" in {event["reason"] for event in events}

    await eventually(told)


async def test_a_secret_that_lacks_the_password_is_named(platform):
    values = {
        "engine": "mysql",
        "instanceClass": "db.t3.micro",
        "passwordSecretRef": {"name": "nowhere", "key": "password"},
    }
    await platform.create(INSTANCE, "secretless", values)
    await platform.says(
        INSTANCE, "secretless", "Secret default/nowhere has no key 'password'; create it, or set"
    )


async def test_a_kind_whose_definition_goes_is_not_worked_on_any_more(platform):
    name = SECURITY_GROUP.resource(legacy=True).qualified
    assert platform.plane.manager.is_running(f"managed/{name}")
    definition = await platform.client.get(CUSTOMRESOURCEDEFINITIONS, name)
    await platform.client.delete(CUSTOMRESOURCEDEFINITIONS, name)

    async def stopped():
        return not platform.plane.manager.is_running(f"managed/{name}")

    await eventually(stopped)
    fresh = {key: definition[key] for key in ("apiVersion", "kind", "spec")}
    await platform.plane.create({**fresh, "metadata": {"name": name}})

    async def running():
        return platform.plane.manager.is_running(f"managed/{name}")

    await eventually(running)


async def test_a_config_stays_while_it_is_used(platform):
    await platform.plane.create(config("needed", platform.url))
    await platform.create(
        BUCKET, "needy", {}, providerConfigRef={"kind": "ClusterProviderConfig", "name": "needed"}
    )
    await platform.ready(BUCKET, "needy")

    async def counted():
        found = await platform.client.get(CLUSTER_PROVIDER_CONFIGS, "needed")
        return (found.get("status") or {}).get("users") == 1

    await eventually(counted)
    await platform.client.delete(CLUSTER_PROVIDER_CONFIGS, "needed")

    async def told():
        found = await platform.client.get(CLUSTER_PROVIDER_CONFIGS, "needed")
        return [c["message"] for c in found["status"].get("conditions", ()) if c["type"] == "Terminating"]

    assert await eventually(told) == ["Blocking deletion while usages still exist: 1"]
    await platform.delete(BUCKET, "needy")
    await platform.gone(BUCKET, "needy")

    async def gone():
        return await platform.client.find(CLUSTER_PROVIDER_CONFIGS, "needed") is None

    await eventually(gone)
    assert "needy" not in str(platform.cloud("s3").list_buckets()["Buckets"])


async def test_a_missing_config_wakes_its_objects_when_it_comes(platform):
    ref = {"kind": "ClusterProviderConfig", "name": "late"}
    await platform.create(BUCKET, "expectant", {}, providerConfigRef=ref)
    await platform.says(BUCKET, "expectant", "ClusterProviderConfig late does not exist; create it")
    await platform.plane.create(config("late", platform.url))
    await platform.ready(BUCKET, "expectant")
