"""The first story, told by our own command; the cloud is asked after every step, and after a restart."""

import json
import time
from pathlib import Path

import boto3
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "01-database"


def cloud(running, service):
    return boto3.client(
        service,
        region_name="eu-central-1",
        endpoint_url=running.sandbox_url,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )


def instances(running):
    return cloud(running, "rds").describe_db_instances()["DBInstances"]


def eventually(ask, within_s=60):
    end = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < end, f"not within {within_s} s: {answer!r}"
        time.sleep(0.1)
    return answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("story") / "data"


def test_the_whole_story(start_platform, folder):
    running = start_platform(folder)
    running.roadbed("apply", "--wait", "--timeout", "90", "-f", str(EXAMPLE))
    (instance,) = instances(running)
    assert instance["DBInstanceClass"] == "db.t3.micro"
    tree = running.roadbed("tree", "database/orders", "-n", "shop").stdout
    assert instance["DBInstanceIdentifier"] in tree
    assert len(running.roadbed("get", "managed", "-n", "shop", "-o", "name").stdout.split()) == 6

    edited = (EXAMPLE / "database.yaml").read_text().replace("size: small", "size: medium")
    running.roadbed("apply", "-f", "-", stdin=edited)
    eventually(lambda: instances(running)[0]["DBInstanceClass"] == "db.m5.large")

    cloud(running, "rds").delete_db_instance(
        DBInstanceIdentifier=instance["DBInstanceIdentifier"], SkipFinalSnapshot=True
    )
    found = json.loads(
        running.roadbed("get", "instances.rds.aws.m.upbound.io", "-n", "shop", "-o", "json").stdout
    )
    (name,) = [item["metadata"]["name"] for item in found["items"]]
    look = {
        "apiVersion": "rds.aws.m.upbound.io/v1beta1",
        "kind": "Instance",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "annotations": {"crossplane.io/reconcile-requested-at": str(time.time_ns())},
        },
    }
    running.roadbed("apply", "-f", "-", stdin=json.dumps(look))
    eventually(
        lambda: [i for i in instances(running) if i["InstanceCreateTime"] > instance["InstanceCreateTime"]]
    )
    running.stop()


def test_after_a_restart_the_sandbox_is_empty_and_everything_is_made_again(start_platform, folder):
    """What the sandbox held ends with it; the orders are in the store, so the platform mends the loss."""
    running = start_platform(folder)
    eventually(lambda: [i for i in instances(running) if i["DBInstanceClass"] == "db.m5.large"], within_s=120)
    running.roadbed("delete", "--timeout", "90", "-f", str(EXAMPLE), timeout=120)
    assert instances(running) == []
    left = cloud(running, "ec2").describe_vpcs()["Vpcs"]
    assert [vpc for vpc in left if not vpc.get("IsDefault")] == []
