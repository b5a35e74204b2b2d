"""The first story, told by the stock kubectl: order, look, edit, drift, delete; the cloud is asked, too."""

import json
import time
from pathlib import Path

import boto3
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "01-database"
REGION = "eu-central-1"


@pytest.fixture
def cloud(platform):
    """The cloud's own view, through its own SDK; nothing of ours is between."""

    def client(service):
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=platform.sandbox_url,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        )

    return client


def eventually(ask, within_s=60):
    end = time.monotonic() + within_s
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_s} s: last answer {answer!r}")
        time.sleep(0.1)


def database(platform):
    return json.loads(platform.kubectl("get", "database", "orders", "-n", "shop", "-o", "json").stdout)


def condition(obj, kind):
    return next((c for c in obj.get("status", {}).get("conditions", ()) if c["type"] == kind), {})


def test_the_whole_story(platform, cloud):
    definitions = platform.kubectl("get", "xrd").stdout
    assert "databases.platform.example.org" in definitions
    assert "ESTABLISHED" in definitions

    platform.kubectl("apply", "-f", str(EXAMPLE))
    platform.kubectl("wait", "database/orders", "-n", "shop", "--for=condition=Ready", "--timeout=90s")

    managed = platform.kubectl("get", "managed", "-n", "shop").stdout
    assert "EXTERNAL-NAME" in managed
    assert managed.count("True") >= 12, managed

    found = database(platform)
    assert condition(found, "Synced")["status"] == "True"
    rds, ec2 = cloud("rds"), cloud("ec2")
    (instance,) = rds.describe_db_instances()["DBInstances"]
    assert instance["DBInstanceClass"] == "db.t3.micro"
    assert instance["Engine"] == "postgres"
    assert found["status"]["endpoint"] == instance["Endpoint"]["Address"]
    networks = [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc.get("IsDefault")]
    assert [vpc["CidrBlock"] for vpc in networks] == ["10.10.0.0/16"]

    tree = platform.roadbed("tree", "database/orders", "-n", "shop").stdout
    assert instance["DBInstanceIdentifier"] in tree
    assert networks[0]["VpcId"] in tree

    secret = json.loads(
        platform.kubectl("get", "secret", "orders-connection", "-n", "shop", "-o", "json").stdout
    )
    assert {"username", "password", "endpoint", "port"} <= set(secret["data"])

    # An edit of the order reaches the cloud, and only what it changes.
    platform.kubectl(
        "patch", "database", "orders", "-n", "shop", "--type=merge", "-p", '{"spec":{"size":"medium"}}'
    )
    eventually(lambda: rds.describe_db_instances()["DBInstances"][0]["DBInstanceClass"] == "db.m5.large")

    # A deletion behind our back is seen and mended; a look can be asked for, so the test need not wait a minute.
    before = instance["InstanceCreateTime"]
    rds.delete_db_instance(DBInstanceIdentifier=instance["DBInstanceIdentifier"], SkipFinalSnapshot=True)
    platform.kubectl(
        "annotate",
        "instances.rds.aws.m.upbound.io",
        "-n",
        "shop",
        "--all",
        "--overwrite",
        f"crossplane.io/reconcile-requested-at={time.time_ns()}",
    )
    eventually(
        lambda: [i for i in rds.describe_db_instances()["DBInstances"] if i["InstanceCreateTime"] > before]
    )

    platform.kubectl("delete", "-f", str(EXAMPLE), "--timeout=90s", timeout=120)
    assert rds.describe_db_instances()["DBInstances"] == []
    assert rds.describe_db_subnet_groups()["DBSubnetGroups"] == []
    assert [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc.get("IsDefault")] == []
