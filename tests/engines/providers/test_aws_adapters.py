"""Each AWS adapter against moto: what it creates, reads back, changes, finds again and deletes."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from roadbed.controller import SystemClock
from roadbed.engines.providers.aws.accounts import Account, Aws, Models
from roadbed.engines.providers.aws.adapter import Wanted
from roadbed.engines.providers.aws.comparison import changes
from roadbed.engines.providers.aws.credentials import Endpoint, Keys
from roadbed.engines.providers.aws.ec2 import SecurityGroupAdapter, SubnetAdapter, VpcAdapter
from roadbed.engines.providers.aws.limits import TokenBucket
from roadbed.engines.providers.aws.rds import InstanceAdapter, SubnetGroupAdapter
from roadbed.engines.providers.aws.s3 import BucketAdapter, BucketVersioningAdapter
from roadbed.engines.providers.external import InUseError, InvalidRequestError

pytestmark = pytest.mark.timeout(20)  # moto is another process, and loads much at its first call

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def account(moto):
    pool = ThreadPoolExecutor(1)
    found = Account(
        label="ClusterProviderConfig test",
        keys=Keys("a", "b", ""),
        profile="",
        endpoint=Endpoint(moto),
        path_style=True,
        bucket=TokenBucket(SystemClock()),
        threads=pool,
        models=Models(),
    )
    for service in ("ec2", "rds", "s3"):
        found.client(service, REGION)  # loading the models takes longer than a test may
    yield found
    found.close()
    pool.shutdown()


@pytest.fixture
def aws(account):
    return Aws(account, REGION)


def wanted(values, name="", **members):
    members = {"uid": str(uuid.uuid4()), "object_name": "thing", **members}
    return Wanted(name, values, **members)


def brought_to(adapter, aws, name, values, **members):
    """Apply what differs, as the client does, and read again."""
    want = wanted(values, name, **members)
    found = adapter.find(aws, want)
    adapter.change(aws, want, found, changes(adapter.kind, values, found.values))
    return adapter.find(aws, want)


def test_a_vpc_lives_a_whole_life(aws):
    adapter = VpcAdapter()
    first = wanted({"cidrBlock": "10.0.0.0/16", "tags": {"a": "b"}})
    name = adapter.create(aws, first)
    assert name.startswith("vpc-")
    assert adapter.recover(aws, first) == name
    assert adapter.recover(aws, wanted({})) == ""
    found = adapter.find(aws, wanted({}, name))
    assert found.values["cidrBlock"] == "10.0.0.0/16"
    assert found.values["enableDnsSupport"] is True
    assert found.values["enableDnsHostnames"] is False
    assert found.more["arn"] == f"arn:aws:ec2:{REGION}:123456789012:vpc/{name}"
    assert found.more["defaultSecurityGroupId"].startswith("sg-")
    assert found.more["mainRouteTableId"].startswith("rtb-")
    values = {"enableDnsHostnames": True, "tags": {"c": "d"}, "cidrBlock": "10.0.0.0/16"}
    found = brought_to(adapter, aws, name, values)
    assert changes(adapter.kind, values, found.values) == []
    adapter.remove(aws, wanted({}, name), found)
    assert adapter.find(aws, wanted({}, name)) is None
    adapter.remove(aws, wanted({}, name), found)  # gone already is fine


def test_what_is_known_of_a_vpc_is_not_asked_again(aws):
    adapter = VpcAdapter()
    name = adapter.create(aws, wanted({"cidrBlock": "10.0.0.0/16"}))
    names = ("defaultSecurityGroupId", "mainRouteTableId", "defaultRouteTableId", "defaultNetworkAclId")
    found = adapter.find(aws, wanted({}, name, known=dict.fromkeys(names, "kept")))
    assert {found.more[key] for key in names} == {"kept"}


def test_a_subnet_takes_its_attributes_after_creation(aws):
    vpc = VpcAdapter().create(aws, wanted({"cidrBlock": "10.0.0.0/16"}))
    adapter = SubnetAdapter()
    values = {
        "vpcId": vpc,
        "cidrBlock": "10.0.1.0/24",
        "availabilityZone": f"{REGION}a",
        "mapPublicIpOnLaunch": True,
    }
    first = wanted(values)
    name = adapter.create(aws, first)
    assert adapter.recover(aws, first) == name
    assert adapter.find(aws, wanted({}, name)).values["mapPublicIpOnLaunch"] is False
    found = brought_to(adapter, aws, name, values)
    assert changes(adapter.kind, values, found.values) == []
    assert found.more["arn"].endswith(name)
    adapter.remove(aws, wanted({}, name), found)
    assert adapter.find(aws, wanted({}, name)) is None


def test_a_subnet_needs_a_vpc(aws):
    with pytest.raises(InvalidRequestError, match=r"spec\.forProvider\.vpcId is empty"):
        SubnetAdapter().create(aws, wanted({"cidrBlock": "10.0.0.0/24"}))


def test_a_security_group_is_found_again_by_its_own_tag(aws):
    adapter = SecurityGroupAdapter()
    vpc = VpcAdapter().create(aws, wanted({"cidrBlock": "10.0.0.0/16"}))
    first = wanted({"vpcId": vpc, "description": "d"})
    name = adapter.create(aws, first)
    assert adapter.create(aws, first) == name, "a second creation of one object is the first"
    found = adapter.find(aws, wanted({}, name))
    assert found.values["name"].startswith("thing-")
    assert found.values["description"] == "d"
    assert found.more["egress"] == [
        {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"], "self": False}
    ]
    taken = wanted({"vpcId": vpc, "name": found.values["name"]})
    with pytest.raises(InvalidRequestError, match="exists already and is not this object's"):
        adapter.create(aws, taken)
    adapter.remove(aws, wanted({"revokeRulesOnDelete": True}, name), found)
    assert adapter.find(aws, wanted({}, name)) is None


def test_a_bucket_lives_a_whole_life(aws):
    adapter = BucketAdapter()
    name = adapter.create(aws, wanted({}, "my-bucket"))
    assert adapter.create(aws, wanted({}, name)) == name
    found = brought_to(adapter, aws, name, {"tags": {"a": "b"}})
    assert found.values["tags"] == {"a": "b"}
    assert found.connection == {"id": name, "arn": "arn:aws:s3:::my-bucket", "region": REGION}
    assert brought_to(adapter, aws, name, {"tags": {}}).values["tags"] == {}
    adapter.remove(aws, wanted({}, name), found)
    assert adapter.find(aws, wanted({}, name)) is None


def test_a_bucket_with_objects_goes_only_by_force(aws):
    adapter, versioning = BucketAdapter(), BucketVersioningAdapter()
    name = adapter.create(aws, wanted({}, "full"))
    versioning.create(aws, wanted({"bucket": name, "versioningConfiguration": {"status": "Enabled"}}))
    for body in (b"one", b"two"):
        aws.client("s3").put_object(Bucket=name, Key="k", Body=body)
    aws.client("s3").delete_object(Bucket=name, Key="k")
    found = adapter.find(aws, wanted({}, name))
    with pytest.raises(InUseError, match="forceDestroy"):
        adapter.remove(aws, wanted({}, name), found)
    adapter.remove(aws, wanted({"forceDestroy": True}, name), found)
    assert adapter.find(aws, wanted({}, name)) is None


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: [c]], ids=["object", "list"])
def test_versioning_is_read_in_the_shape_it_was_written(aws, wrap, request):
    bucket = f"versioned-{request.node.callspec.id}"
    BucketAdapter().create(aws, wanted({}, bucket))
    adapter = BucketVersioningAdapter()
    enabled = {"bucket": bucket, "versioningConfiguration": wrap({"status": "Enabled"})}
    assert adapter.find(aws, wanted(enabled, bucket)) is None
    name = adapter.create(aws, wanted(enabled))
    found = adapter.find(aws, wanted(enabled, name))
    assert found.values["versioningConfiguration"] == enabled["versioningConfiguration"]
    suspended = {"versioningConfiguration": wrap({"status": "Suspended"})}
    found = brought_to(adapter, aws, name, suspended)
    assert changes(adapter.kind, suspended, found.values) == []


def test_versioning_is_suspended_when_its_object_goes(aws):
    BucketAdapter().create(aws, wanted({}, "left"))
    adapter = BucketVersioningAdapter()
    values = {"bucket": "left", "versioningConfiguration": {"status": "Enabled"}}
    adapter.create(aws, wanted(values))
    found = adapter.find(aws, wanted(values, "left", terminating=True))
    adapter.remove(aws, wanted(values, "left", terminating=True), found)
    assert adapter.find(aws, wanted(values, "left", terminating=True)) is None
    assert aws.client("s3").get_bucket_versioning(Bucket="left")["Status"] == "Suspended"


@pytest.fixture
def subnets(aws):
    vpc = VpcAdapter().create(aws, wanted({"cidrBlock": "10.0.0.0/16"}))
    return [
        SubnetAdapter().create(
            aws, wanted({"vpcId": vpc, "cidrBlock": f"10.0.{n}.0/24", "availabilityZone": f"{REGION}{zone}"})
        )
        for n, zone in enumerate("abc")
    ]


def test_a_subnet_group_lives_a_whole_life(aws, subnets):
    adapter = SubnetGroupAdapter()
    name = adapter.create(aws, wanted({"subnetIds": subnets[:2], "tags": {"a": "b"}}, "group"))
    found = adapter.find(aws, wanted({}, name))
    assert found.values["subnetIds"] == sorted(subnets[:2])
    assert found.values["tags"] == {"a": "b"}
    tags = {"tags": {"c": "d"}}
    found = brought_to(adapter, aws, name, tags)
    assert changes(adapter.kind, tags, found.values) == []
    adapter.remove(aws, wanted({}, name), found)
    assert adapter.find(aws, wanted({}, name)) is None


def test_the_subnets_of_a_group_can_be_changed(aws, subnets):
    """moto forgets a group that is modified, so its answer to the modification is what we look at."""
    adapter = SubnetGroupAdapter()
    name = adapter.create(aws, wanted({"subnetIds": subnets[:2], "description": "kept"}, "modified"))
    want = wanted({"subnetIds": subnets[1:]}, name)
    found = adapter.find(aws, want)
    answers = []
    events = aws.client("rds").meta.events
    events.register("after-call.rds.ModifyDBSubnetGroup", lambda parsed, **_: answers.append(parsed))
    adapter.change(aws, want, found, changes(adapter.kind, want.values, found.values))
    (group,) = [answer["DBSubnetGroup"] for answer in answers]
    assert sorted(s["SubnetIdentifier"] for s in group["Subnets"]) == sorted(subnets[1:])
    assert group["DBSubnetGroupDescription"] == "kept"


INSTANCE = {
    "engine": "postgres",
    "engineVersion": "14",
    "instanceClass": "db.t3.micro",
    "allocatedStorage": 20,
    "username": "root_user",
    "skipFinalSnapshot": True,
}


def test_an_instance_lives_a_whole_life(aws):
    adapter = InstanceAdapter()
    first = wanted({**INSTANCE, "tags": {"a": "b"}}, secrets={"password": "hunter2hunter2"})
    name = adapter.create(aws, first)
    assert name.startswith("thing-")
    assert adapter.create(aws, first) == name, "a second creation of one object is the first"
    found = adapter.find(aws, wanted(INSTANCE, name))
    assert found.readiness == "Available"
    assert changes(adapter.kind, INSTANCE, found.values) == []
    assert set(found.connection) == {"username", "endpoint", "address", "host", "port"}
    assert found.connection["endpoint"] == f"{found.more['address']}:5432"
    assert "hunter2" not in str(found)
    by_id = adapter.find(aws, wanted(INSTANCE, found.more["resourceId"]))
    assert by_id.name == found.more["resourceId"], "upstream's external name is understood, and kept"
    values = {**INSTANCE, "instanceClass": "db.m5.large", "allocatedStorage": 30, "applyImmediately": True}
    found = brought_to(adapter, aws, name, values)
    assert changes(adapter.kind, values, found.values) == []
    adapter.remove(aws, wanted(INSTANCE, name), found)
    assert adapter.find(aws, wanted(INSTANCE, name)) is None


def test_an_instance_of_someone_else_is_not_taken_over(aws):
    adapter = InstanceAdapter()
    adapter.create(aws, wanted({**INSTANCE, "identifier": "mine"}, secrets={"password": "hunter2hunter2"}))
    with pytest.raises(InvalidRequestError, match="DB instance mine exists already and is not this object's"):
        adapter.create(
            aws, wanted({**INSTANCE, "identifier": "mine"}, secrets={"password": "hunter2hunter2"})
        )


def test_an_instance_is_not_deleted_before_its_last_snapshot_is_settled(aws):
    adapter = InstanceAdapter()
    values = {key: value for key, value in INSTANCE.items() if key != "skipFinalSnapshot"}
    name = adapter.create(aws, wanted(values, secrets={"password": "hunter2hunter2"}))
    found = adapter.find(aws, wanted(values, name))
    with pytest.raises(InvalidRequestError, match="finalSnapshotIdentifier is empty"):
        adapter.remove(aws, wanted(values, name), found)
    adapter.remove(aws, wanted({**values, "finalSnapshotIdentifier": "last"}, name), found)
    snapshots = aws.client("rds").describe_db_snapshots()["DBSnapshots"]
    assert "last" in {snapshot["DBSnapshotIdentifier"] for snapshot in snapshots}
