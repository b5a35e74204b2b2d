"""RDS: database instances and subnet groups.

An instance's identifier is the user's, or made from the object's name and uid: the same at every try, so
that a second creation of one object collides instead of doubling. That identifier is also its external
name. Upstream writes RDS's resource ID (db-…) there; either side understands both, and keeps what it finds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from roadbed.apis.aws import KINDS, Kind
from roadbed.engines.providers.external import InvalidRequestError, Readiness

from .accounts import Aws
from .adapter import Found, Wanted, observed, parameters
from .comparison import OWNER_TAG, Change, as_pairs, by_name, visible_tags
from .errors import code_of

RESOURCE_ID = re.compile(r"db-[A-Z0-9]{20,40}")
IDENTIFIER_LIMIT = 63
SERVING = frozenset(
    {
        "available",
        "backing-up",
        "configuring-enhanced-monitoring",
        "configuring-iam-database-auth",
        "configuring-log-exports",
        "maintenance",
        "modifying",
        "resetting-master-credentials",
        "storage-config-upgrade",
        "storage-initialization",
        "storage-optimization",
        "upgrading",
    }
)
# Parameters that creating takes and modifying does not, or by another name.
_MODIFY_NAMES = {"Port": "DBPortNumber"}
_MODIFY_ONLY = ("ApplyImmediately", "AllowMajorVersionUpgrade")


class SubnetGroupAdapter:
    """``rds SubnetGroup``; its external name is its name."""

    kind: Kind = next(kind for kind in KINDS if kind.kind == "SubnetGroup")
    deterministic = True
    look_calls = 2

    def find(self, aws: Aws, wanted: Wanted) -> Found | None:
        rds = aws.client("rds")
        try:
            groups = rds.describe_db_subnet_groups(DBSubnetGroupName=wanted.name)["DBSubnetGroups"]
        except rds.exceptions.ClientError as error:
            if code_of(error) == "DBSubnetGroupNotFoundFault":
                return None
            raise
        if not groups:
            return None
        group = groups[0]
        arn = group.get("DBSubnetGroupArn")
        tags = rds.list_tags_for_resource(ResourceName=arn)["TagList"] if arn else ()
        values = {
            "description": group.get("DBSubnetGroupDescription"),
            "subnetIds": sorted(subnet["SubnetIdentifier"] for subnet in group.get("Subnets") or ()),
            "tags": by_name(tags),
        }
        more = {
            "arn": arn,
            "vpcId": group.get("VpcId"),
            "supportedNetworkTypes": group.get("SupportedNetworkTypes") or None,
        }
        return Found(wanted.name, values, more)

    def create(self, aws: Aws, wanted: Wanted) -> str:
        subnets = wanted.values.get("subnetIds")
        if not subnets:
            raise InvalidRequestError(
                "spec.forProvider.subnetIds is empty; set it, subnetIdRefs or subnetIdSelector"
            )
        aws.client("rds").create_db_subnet_group(
            DBSubnetGroupName=wanted.name,
            DBSubnetGroupDescription=wanted.values.get("description") or "Managed by Roadbed",
            SubnetIds=list(subnets),
            Tags=as_pairs(wanted.values.get("tags") or {}),
        )
        return wanted.name

    def change(self, aws: Aws, wanted: Wanted, found: Found, changes: Sequence[Change]) -> None:
        rds = aws.client("rds")
        names = {change.field.name for change in changes}
        if names & {"subnetIds", "description"}:
            description = wanted.values.get("description") or found.values.get("description")
            rds.modify_db_subnet_group(
                DBSubnetGroupName=found.name,
                DBSubnetGroupDescription=description,
                SubnetIds=list(wanted.values.get("subnetIds") or found.values["subnetIds"]),
            )
        if "tags" in names:
            _retag(rds, wanted, found)

    def remove(self, aws: Aws, wanted: Wanted, found: Found) -> None:  # noqa: ARG002 - the Protocol's
        rds = aws.client("rds")
        try:
            rds.delete_db_subnet_group(DBSubnetGroupName=found.name)
        except rds.exceptions.ClientError as error:
            if code_of(error) != "DBSubnetGroupNotFoundFault":
                raise


class InstanceAdapter:
    """``rds Instance``."""

    kind: Kind = next(kind for kind in KINDS if kind.kind == "Instance")
    deterministic = True
    look_calls = 1

    def find(self, aws: Aws, wanted: Wanted) -> Found | None:
        instance = _instance(aws.client("rds"), wanted.name)
        if instance is None:
            return None
        values = _values(instance)
        desired = str(wanted.values.get("engineVersion") or "")
        actual = str(instance.get("EngineVersion") or "")
        if desired and _is_satisfied(desired, actual):
            values["engineVersion"] = desired  # a prefix, or older: neither is to be changed
        endpoint = instance.get("Endpoint") or {}
        address, port = endpoint.get("Address"), endpoint.get("Port")
        status = str(instance.get("DBInstanceStatus") or "")
        more = {
            "arn": instance.get("DBInstanceArn"),
            "resourceId": instance.get("DbiResourceId"),
            "status": status,
            "engineVersionActual": actual,
            "address": address,
            "endpoint": f"{address}:{port}" if address else None,
            "hostedZoneId": endpoint.get("HostedZoneId"),
            "latestRestorableTime": _moment(instance.get("LatestRestorableTime")),
            "replicas": instance.get("ReadReplicaDBInstanceIdentifiers") or None,
        }
        readiness, message = _readiness(status, has_address=bool(address))
        return Found(
            wanted.name,
            values,
            more,
            readiness,
            message,
            connection=_connection(instance, address, port),
        )

    def create(self, aws: Aws, wanted: Wanted) -> str:
        rds = aws.client("rds")
        request = {
            **parameters(self.kind, wanted.values),
            "DBInstanceIdentifier": identifier(wanted),
            "Tags": as_pairs({**(wanted.values.get("tags") or {}), OWNER_TAG: wanted.uid}),
        }
        for name in _MODIFY_ONLY:
            request.pop(name, None)
        if logs := wanted.values.get("enabledCloudwatchLogsExports"):
            request["EnableCloudwatchLogsExports"] = list(logs)
        if password := wanted.secrets.get("password"):
            request["MasterUserPassword"] = password
        try:
            rds.create_db_instance(**request)
        except rds.exceptions.ClientError as error:
            if code_of(error) != "DBInstanceAlreadyExists":
                raise
            if ours := self.recover(aws, wanted):
                return ours
            raise InvalidRequestError(
                f"a DB instance {request['DBInstanceIdentifier']} exists already and is not this object's; set"
                " another spec.forProvider.identifier, or take it over by annotation crossplane.io/external-name"
            ) from error
        return str(request["DBInstanceIdentifier"])

    def change(self, aws: Aws, wanted: Wanted, found: Found, changes: Sequence[Change]) -> None:
        rds = aws.client("rds")
        name = str(found.values["identifier"])
        if any(change.field.name == "tags" for change in changes):
            _retag(rds, wanted, found)
        changed = {change.field.name: change.after for change in changes if change.field.name != "tags"}
        request = {
            _MODIFY_NAMES.get(key, key): value for key, value in parameters(self.kind, changed).items()
        }
        logs = next(
            (change for change in changes if change.field.name == "enabledCloudwatchLogsExports"), None
        )
        if logs is not None:
            before, after = set(logs.before or ()), set(logs.after or ())
            request["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(after - before),
                "DisableLogTypes": sorted(before - after),
            }
        if password := wanted.secrets.get("password"):
            request["MasterUserPassword"] = password
        if not request:
            return
        flags = ("applyImmediately", "allowMajorVersionUpgrade")
        given = {key: wanted.values[key] for key in flags if key in wanted.values}
        rds.modify_db_instance(DBInstanceIdentifier=name, **request, **parameters(self.kind, given))

    def remove(self, aws: Aws, wanted: Wanted, found: Found) -> None:
        if found.more.get("status") == "deleting":
            return
        rds = aws.client("rds")
        request: dict[str, Any] = {
            "DBInstanceIdentifier": found.values["identifier"],
            "DeleteAutomatedBackups": wanted.values.get("deleteAutomatedBackups", True),
            "SkipFinalSnapshot": bool(wanted.values.get("skipFinalSnapshot")),
        }
        if not request["SkipFinalSnapshot"]:
            snapshot = wanted.values.get("finalSnapshotIdentifier")
            if not snapshot:
                raise InvalidRequestError(
                    "spec.forProvider.finalSnapshotIdentifier is empty and skipFinalSnapshot is not true;"
                    " set one of them, so that it is clear whether a last snapshot is wanted"
                )
            request["FinalDBSnapshotIdentifier"] = snapshot
        try:
            rds.delete_db_instance(**request)
        except rds.exceptions.ClientError as error:
            if code_of(error) != "DBInstanceNotFound":
                raise

    def recover(self, aws: Aws, wanted: Wanted) -> str:
        instance = _instance(aws.client("rds"), identifier(wanted))
        if instance is None or by_name(instance.get("TagList") or ()).get(OWNER_TAG) != wanted.uid:
            return ""
        return str(instance["DBInstanceIdentifier"])


def identifier(wanted: Wanted) -> str:
    """Give the name of an instance in RDS: the user's, or one that is the same at every try."""
    given = wanted.values.get("identifier")
    if given:
        return str(given).lower()
    suffix = wanted.uid[:8]
    stem = re.sub(r"[^a-z0-9]+", "-", wanted.object_name.lower()).strip("-")
    stem = stem if stem[:1].isalpha() else f"db-{stem}"
    return f"{stem[: IDENTIFIER_LIMIT - len(suffix) - 1].rstrip('-')}-{suffix}"


def _instance(rds: Any, name: str) -> dict[str, Any] | None:
    try:
        if RESOURCE_ID.fullmatch(name):
            by_id = [{"Name": "dbi-resource-id", "Values": [name]}]
            found = rds.describe_db_instances(Filters=by_id)["DBInstances"]
        else:
            found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    except rds.exceptions.ClientError as error:
        if code_of(error) == "DBInstanceNotFound":
            return None
        raise
    return dict(found[0]) if found else None


def _values(instance: Mapping[str, Any]) -> dict[str, Any]:
    # What is on its way counts as done, or every poll would ask for it again until the maintenance window.
    pending = {k: v for k, v in (instance.get("PendingModifiedValues") or {}).items() if v is not None}
    merged = {**instance, **pending}
    values = observed(InstanceAdapter.kind, merged)
    values.pop("password", None)  # pending changes name it, masked; it is nobody's business
    group = instance.get("DBSubnetGroup") or {}
    values |= {
        "tags": by_name(instance.get("TagList") or ()),
        "dbSubnetGroupName": group.get("DBSubnetGroupName"),
        "vpcSecurityGroupIds": sorted(
            entry["VpcSecurityGroupId"] for entry in instance.get("VpcSecurityGroups") or ()
        ),
        "port": pending.get("Port") or (instance.get("Endpoint") or {}).get("Port"),
        "parameterGroupName": _named(instance, "DBParameterGroups", "DBParameterGroupName"),
        "optionGroupName": _named(instance, "OptionGroupMemberships", "OptionGroupName"),
        "iamDatabaseAuthenticationEnabled": merged.get("IAMDatabaseAuthenticationEnabled"),
        "performanceInsightsEnabled": instance.get("PerformanceInsightsEnabled"),
        "enabledCloudwatchLogsExports": sorted(instance.get("EnabledCloudwatchLogsExports") or ()),
    }
    return {key: value for key, value in values.items() if value is not None}


def _named(instance: Mapping[str, Any], members: str, key: str) -> str | None:
    entries = instance.get(members) or ()
    return str(entries[0][key]) if entries and entries[0].get(key) else None


def _connection(instance: Mapping[str, Any], address: str | None, port: Any) -> dict[str, str]:
    details = {"username": str(instance.get("MasterUsername") or "")}
    if address:
        details |= {"endpoint": f"{address}:{port}", "address": address, "host": address, "port": str(port)}
    return details


def _readiness(status: str, *, has_address: bool) -> tuple[Readiness, str]:
    if status == "creating" or (status in SERVING and not has_address):
        return "Creating", f"DB instance is {status}"
    if status in SERVING:
        return "Available", ""
    return "Unavailable", f"DB instance is {status}"


def _moment(value: Any) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else None


def _is_satisfied(desired: str, actual: str) -> bool:
    wanted, runs = _version(desired), _version(actual)
    return runs[: len(wanted)] == wanted or runs > wanted


def _version(text: str) -> tuple[tuple[int, str], ...]:
    """Give a version as something that orders: numbers by value, the rest by letters."""
    parts = re.findall(r"\d+|[a-z]+", text.lower())
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in parts)


def _retag(rds: Any, wanted: Wanted, found: Found) -> None:
    arn = found.more.get("arn")
    before = visible_tags(found.values["tags"])
    after: Mapping[str, str] = wanted.values.get("tags") or {}
    gone = sorted(set(before) - set(after))
    if gone:
        rds.remove_tags_from_resource(ResourceName=arn, TagKeys=gone)
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    if changed:
        rds.add_tags_to_resource(ResourceName=arn, Tags=as_pairs(changed))
