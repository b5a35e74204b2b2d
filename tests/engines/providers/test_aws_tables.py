"""The tables of AWS kinds: the definitions follow them, and comparison reads them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadbed.apis.aws import BUCKET_VERSIONING, INSTANCE, KINDS, SUBNET_GROUP, VPC, Trait, definitions
from roadbed.engines.providers.aws import comparison
from roadbed.engines.providers.aws.adapter import Wanted
from roadbed.engines.providers.aws.client import managed_kind
from roadbed.engines.providers.aws.rds import _is_satisfied, identifier
from roadbed.engines.providers.plugin import ADAPTERS

ALL = definitions(KINDS)


def test_every_kind_has_both_forms_and_an_adapter():
    names = {definition["metadata"]["name"] for definition in ALL}
    for kind in KINDS:
        assert f"{kind.plural}.{kind.service}.aws.m.upbound.io" in names
        assert f"{kind.plural}.{kind.service}.aws.upbound.io" in names
    assert {adapter.kind.kind for adapter in ADAPTERS} == {kind.kind for kind in KINDS}


def test_columns_and_categories_are_upbounds():
    for definition in ALL:
        names = definition["spec"]["names"]
        if "managed" not in names["categories"]:
            continue
        assert names["categories"] == ["crossplane", "managed", "aws"]
        for version in definition["spec"]["versions"]:
            columns = [column["name"] for column in version["additionalPrinterColumns"]]
            assert columns == ["SYNCED", "READY", "EXTERNAL-NAME", "AGE"]


def test_nothing_sensitive_is_in_the_status_schema():
    sensitive = [(kind, field) for kind in KINDS for field in kind.fields if field.has(Trait.SENSITIVE)]
    assert sensitive
    for kind, field in sensitive:
        for definition in ALL:
            if definition["metadata"]["name"].startswith(f"{kind.plural}."):
                text = json.dumps(definition)
                assert f'"{field.name}":' not in text
                assert field.secret_ref_name in text


def test_left_open_fields_never_differ():
    found = {"cidrBlock": "10.0.0.0/16", "enableDnsSupport": True, "tags": {"a": "b"}}
    assert comparison.changes(VPC, {"region": "x"}, {**found, "region": "x"}) == []


@pytest.mark.parametrize(
    ("kind", "wanted", "found"),
    [
        (VPC, {"enableDnsSupport": False}, {}),
        (VPC, {"tags": {"a": "b"}}, {"tags": {"a": "b", "aws:cloudformation": "x", "roadbed.dev/uid": "y"}}),
        (SUBNET_GROUP, {"subnetIds": ["b", "a"]}, {"subnetIds": ["a", "b"]}),
        (INSTANCE, {"allocatedStorage": 20.0}, {"allocatedStorage": 20}),
        (
            INSTANCE,
            {"maintenanceWindow": "Mon:00:00-Mon:03:00"},
            {"maintenanceWindow": "mon:00:00-mon:03:00"},
        ),
        (INSTANCE, {"skipFinalSnapshot": True}, {}),
        (
            BUCKET_VERSIONING,
            {"versioningConfiguration": [{"status": "Enabled"}]},
            {"versioningConfiguration": {"status": "Enabled", "mfaDelete": "Disabled"}},
        ),
    ],
)
def test_what_means_the_same_is_no_difference(kind, wanted, found):
    assert comparison.changes(kind, wanted, found) == []


@pytest.mark.parametrize(
    ("kind", "wanted", "found", "text"),
    [
        (VPC, {"cidrBlock": "a"}, {"cidrBlock": "b"}, 'cidrBlock: "b" to "a"'),
        (VPC, {"enableDnsSupport": False}, {"enableDnsSupport": True}, "enableDnsSupport: True to False"),
        (VPC, {"tags": {}}, {"tags": {"a": "b"}}, "tags: {'a': 'b'} to nothing"),
        (SUBNET_GROUP, {"subnetIds": ["a"]}, {"subnetIds": ["a", "b"]}, "subnetIds: ['a', 'b'] to ['a']"),
        (INSTANCE, {"allocatedStorage": 30}, {"allocatedStorage": 20}, "allocatedStorage: 20 to 30"),
    ],
)
def test_a_difference_says_field_before_and_after(kind, wanted, found, text):
    assert [str(change) for change in comparison.changes(kind, wanted, found)] == [text]


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.sampled_from([f.name for f in VPC.inputs() if f.type == "string"]), st.text(max_size=5)
    )
)
def test_what_was_read_back_never_differs_from_itself(values):
    assert comparison.changes(VPC, values, values) == []


def test_late_values_are_the_computed_ones_only():
    found = {
        "cidrBlock": "10.0.0.0/16",
        "instanceTenancy": "default",
        "tags": {"a": "b"},
        "enableDnsSupport": True,
    }
    late = comparison.late_values(VPC, found)
    assert late == {"cidrBlock": "10.0.0.0/16", "instanceTenancy": "default", "enableDnsSupport": True}


def test_unsupported_fields_are_named_however_they_are_set():
    wanted = {"ipv4IpamPoolIdRef": {"name": "x"}, "ipv4NetmaskLength": 20, "cidrBlock": "x"}
    assert comparison.unsupported(VPC, wanted) == ["ipv4IpamPoolIdRef", "ipv4NetmaskLength"]
    assert comparison.unsupported(INSTANCE, {"s3Import": {"bucketName": "b"}}) == ["s3Import"]
    assert comparison.unsupported(INSTANCE, {"passwordWoSecretRef": {"name": "x"}}) == ["passwordWoSecretRef"]


@pytest.mark.parametrize(
    ("desired", "actual", "satisfied"),
    [
        ("14", "14.9", True),
        ("14.9", "14.9", True),
        ("14.10", "14.9", False),
        ("13", "14.9", True),  # never downgraded
        ("1", "14.9", True),
        ("15", "14.9", False),
        ("5.7.mysql_aurora.2.12", "5.7.mysql_aurora.2.11", False),
    ],
)
def test_an_engine_version_is_satisfied_by_a_newer_or_more_exact_one(desired, actual, satisfied):
    assert _is_satisfied(desired, actual) is satisfied


def test_an_instance_gets_the_same_legal_identifier_at_every_try():
    wanted = Wanted("", {}, "0123456789ab", "Orders_DB." + "x" * 80)
    assert identifier(wanted) == identifier(wanted)
    assert len(identifier(wanted)) <= 63
    assert identifier(Wanted("", {}, "0123456789ab", "9lives")) == "db-9lives-01234567"
    assert identifier(Wanted("", {"identifier": "Mine"}, "0123456789ab", "x")) == "mine"


def test_references_lead_to_the_same_form_of_kind():
    (adapter,) = (adapter for adapter in ADAPTERS if adapter.kind.kind == "Subnet")
    for legacy, group in ((False, "ec2.aws.m.upbound.io"), (True, "ec2.aws.upbound.io")):
        (reference,) = managed_kind(adapter, legacy=legacy).references
        assert reference.to.group == group
        assert reference.ref == "vpcIdRef"
