"""EC2's network: VPCs, subnets, security groups.

AWS makes their names up, so each is created with a tag that holds the object's uid, in the same call: that
is how an interrupted creation is found again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from roadbed.apis.aws import KINDS, Kind
from roadbed.engines.providers.external import InvalidRequestError

from .accounts import Aws
from .adapter import Found, Wanted, observed, parameters
from .comparison import OWNER_TAG, Change, as_pairs, by_name, visible_tags
from .errors import code_of

NAME_LIMIT = 255  # of a security group's name


class VpcAdapter:
    """``ec2 VPC``."""

    kind: Kind = next(kind for kind in KINDS if kind.kind == "VPC")
    deterministic = False
    look_calls = 4

    def find(self, aws: Aws, wanted: Wanted) -> Found | None:
        ec2 = aws.client("ec2")
        vpc = _described(lambda: ec2.describe_vpcs(VpcIds=[wanted.name])["Vpcs"], ec2)
        if vpc is None:
            return None
        ipv6 = [
            entry
            for entry in vpc.get("Ipv6CidrBlockAssociationSet") or ()
            if entry.get("Ipv6CidrBlockState", {}).get("State") in {"associated", "associating"}
        ]
        values = observed(self.kind, vpc)
        values["tags"] = by_name(vpc.get("Tags") or ())
        values["assignGeneratedIpv6CidrBlock"] = bool(ipv6)
        for attribute in _VPC_ATTRIBUTES:
            values[attribute] = _vpc_attribute(ec2, wanted.name, attribute)
        more = {
            "arn": f"arn:{aws.partition}:ec2:{aws.region}:{vpc.get('OwnerId')}:vpc/{wanted.name}",
            "ownerId": vpc.get("OwnerId"),
            "dhcpOptionsId": vpc.get("DhcpOptionsId"),
            "ipv6AssociationId": ipv6[0].get("AssociationId") if ipv6 else None,
            **_companions(ec2, wanted),
        }
        pending = vpc.get("State") == "pending"
        return Found(wanted.name, values, more, "Creating" if pending else "Available")

    def create(self, aws: Aws, wanted: Wanted) -> str:
        request = parameters(self.kind, wanted.values)
        answer = aws.client("ec2").create_vpc(**request, TagSpecifications=_marked("vpc", wanted))
        return str(answer["Vpc"]["VpcId"])

    def change(self, aws: Aws, wanted: Wanted, found: Found, changes: Sequence[Change]) -> None:
        ec2 = aws.client("ec2")
        for change in changes:
            if change.field.name == "tags":
                _retag(ec2, wanted, found)
            elif change.field.name in _VPC_ATTRIBUTES:
                parameter = _capital(change.field.name)
                ec2.modify_vpc_attribute(VpcId=found.name, **{parameter: {"Value": bool(change.after)}})

    def remove(self, aws: Aws, wanted: Wanted, found: Found) -> None:  # noqa: ARG002 - the Protocol's
        ec2 = aws.client("ec2")
        _gone_is_fine(lambda: ec2.delete_vpc(VpcId=found.name), ec2)

    def recover(self, aws: Aws, wanted: Wanted) -> str:
        answer = aws.client("ec2").describe_vpcs(Filters=_mark_filter(wanted))
        return str(answer["Vpcs"][0]["VpcId"]) if answer["Vpcs"] else ""


_VPC_ATTRIBUTES = ("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics")


class SubnetAdapter:
    """``ec2 Subnet``."""

    kind: Kind = next(kind for kind in KINDS if kind.kind == "Subnet")
    deterministic = False
    look_calls = 1

    def find(self, aws: Aws, wanted: Wanted) -> Found | None:
        ec2 = aws.client("ec2")
        subnet = _described(lambda: ec2.describe_subnets(SubnetIds=[wanted.name])["Subnets"], ec2)
        if subnet is None:
            return None
        values = observed(self.kind, subnet)
        values["tags"] = by_name(subnet.get("Tags") or ())
        names = subnet.get("PrivateDnsNameOptionsOnLaunch") or {}
        values["privateDnsHostnameTypeOnLaunch"] = names.get("HostnameType")
        values["enableResourceNameDnsARecordOnLaunch"] = names.get("EnableResourceNameDnsARecord")
        values["enableResourceNameDnsAaaaRecordOnLaunch"] = names.get("EnableResourceNameDnsAAAARecord")
        ipv6 = subnet.get("Ipv6CidrBlockAssociationSet") or ()
        values["ipv6CidrBlock"] = ipv6[0].get("Ipv6CidrBlock") if ipv6 else None
        more = {
            "arn": subnet.get("SubnetArn"),
            "ownerId": subnet.get("OwnerId"),
            "ipv6CidrBlockAssociationId": ipv6[0].get("AssociationId") if ipv6 else None,
        }
        pending = subnet.get("State") == "pending"
        return Found(wanted.name, values, more, "Creating" if pending else "Available")

    def create(self, aws: Aws, wanted: Wanted) -> str:
        if not wanted.values.get("vpcId"):
            raise InvalidRequestError("spec.forProvider.vpcId is empty; set it, vpcIdRef or vpcIdSelector")
        given = parameters(self.kind, wanted.values)
        request = {key: value for key, value in given.items() if key not in _SUBNET_ATTRIBUTES.values()}
        answer = aws.client("ec2").create_subnet(**request, TagSpecifications=_marked("subnet", wanted))
        return str(answer["Subnet"]["SubnetId"])

    def change(self, aws: Aws, wanted: Wanted, found: Found, changes: Sequence[Change]) -> None:
        ec2 = aws.client("ec2")
        for change in changes:
            if change.field.name == "tags":
                _retag(ec2, wanted, found)
            elif parameter := _SUBNET_ATTRIBUTES.get(change.field.name):
                value = change.after if change.field.type == "string" else {"Value": bool(change.after)}
                ec2.modify_subnet_attribute(SubnetId=found.name, **{parameter: value})

    def remove(self, aws: Aws, wanted: Wanted, found: Found) -> None:  # noqa: ARG002 - the Protocol's
        ec2 = aws.client("ec2")
        _gone_is_fine(lambda: ec2.delete_subnet(SubnetId=found.name), ec2)

    def recover(self, aws: Aws, wanted: Wanted) -> str:
        answer = aws.client("ec2").describe_subnets(Filters=_mark_filter(wanted))
        return str(answer["Subnets"][0]["SubnetId"]) if answer["Subnets"] else ""


# AWS takes these one per call, and only once the subnet exists.
_SUBNET_ATTRIBUTES = {
    "mapPublicIpOnLaunch": "MapPublicIpOnLaunch",
    "assignIpv6AddressOnCreation": "AssignIpv6AddressOnCreation",
    "enableDns64": "EnableDns64",
    "enableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecordOnLaunch",
    "enableResourceNameDnsAaaaRecordOnLaunch": "EnableResourceNameDnsAAAARecordOnLaunch",
    "privateDnsHostnameTypeOnLaunch": "PrivateDnsHostnameTypeOnLaunch",
}


class SecurityGroupAdapter:
    """``ec2 SecurityGroup``."""

    kind: Kind = next(kind for kind in KINDS if kind.kind == "SecurityGroup")
    deterministic = True
    look_calls = 1

    def find(self, aws: Aws, wanted: Wanted) -> Found | None:
        ec2 = aws.client("ec2")
        group = _described(
            lambda: ec2.describe_security_groups(GroupIds=[wanted.name])["SecurityGroups"], ec2
        )
        if group is None:
            return None
        values = observed(self.kind, group)
        values["tags"] = by_name(group.get("Tags") or ())
        owner = group.get("OwnerId")
        arn = f"arn:{aws.partition}:ec2:{aws.region}:{owner}:security-group/{wanted.name}"
        more = {
            "arn": group.get("SecurityGroupArn") or arn,
            "ownerId": owner,
            "ingress": [_rule(entry, wanted.name) for entry in group.get("IpPermissions") or ()],
            "egress": [_rule(entry, wanted.name) for entry in group.get("IpPermissionsEgress") or ()],
        }
        return Found(wanted.name, values, more)

    def create(self, aws: Aws, wanted: Wanted) -> str:
        request = {
            "GroupName": _group_name(wanted),
            "Description": "Managed by Roadbed",  # AWS insists on one, and never lets it be changed
            **parameters(self.kind, wanted.values),
        }
        ec2 = aws.client("ec2")
        try:
            answer = ec2.create_security_group(**request, TagSpecifications=_marked("security-group", wanted))
        except ec2.exceptions.ClientError as error:
            if code_of(error) != "InvalidGroup.Duplicate":
                raise
            if name := self.recover(aws, wanted):
                return name
            raise InvalidRequestError(
                f"a security group {request['GroupName']} exists already and is not this object's;"
                " set another spec.forProvider.name, or its id as annotation crossplane.io/external-name"
            ) from error
        return str(answer["GroupId"])

    def change(self, aws: Aws, wanted: Wanted, found: Found, changes: Sequence[Change]) -> None:
        if any(change.field.name == "tags" for change in changes):
            _retag(aws.client("ec2"), wanted, found)

    def remove(self, aws: Aws, wanted: Wanted, found: Found) -> None:
        ec2 = aws.client("ec2")
        if wanted.values.get("revokeRulesOnDelete"):
            groups = ec2.describe_security_groups(GroupIds=[found.name])["SecurityGroups"]
            for group in groups:
                if group.get("IpPermissions"):
                    ec2.revoke_security_group_ingress(
                        GroupId=found.name, IpPermissions=group["IpPermissions"]
                    )
                if group.get("IpPermissionsEgress"):
                    ec2.revoke_security_group_egress(
                        GroupId=found.name, IpPermissions=group["IpPermissionsEgress"]
                    )
        _gone_is_fine(lambda: ec2.delete_security_group(GroupId=found.name), ec2)

    def recover(self, aws: Aws, wanted: Wanted) -> str:
        answer = aws.client("ec2").describe_security_groups(Filters=_mark_filter(wanted))
        return str(answer["SecurityGroups"][0]["GroupId"]) if answer["SecurityGroups"] else ""


def _group_name(wanted: Wanted) -> str:
    name = f"{wanted.object_name}-{wanted.uid[:8]}"[-NAME_LIMIT:]
    return f"group-{name[-NAME_LIMIT + 6 :]}" if name.startswith("sg-") else name  # AWS keeps sg- for ids


def _described(describe: Callable[[], list[dict[str, Any]]], ec2: Any) -> dict[str, Any] | None:
    try:
        found = describe()
    except ec2.exceptions.ClientError as error:
        if code_of(error).endswith(".NotFound"):
            return None
        raise
    return found[0] if found else None


def _gone_is_fine(delete: Callable[[], object], ec2: Any) -> None:
    try:
        delete()
    except ec2.exceptions.ClientError as error:
        if not code_of(error).endswith(".NotFound"):
            raise


def _marked(resource_type: str, wanted: Wanted) -> list[dict[str, Any]]:
    tags = {**(wanted.values.get("tags") or {}), OWNER_TAG: wanted.uid}
    return [{"ResourceType": resource_type, "Tags": as_pairs(tags)}]


def _mark_filter(wanted: Wanted) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{OWNER_TAG}", "Values": [wanted.uid]}]


def _retag(ec2: Any, wanted: Wanted, found: Found) -> None:
    before = visible_tags(found.values["tags"])
    after: Mapping[str, str] = wanted.values.get("tags") or {}
    gone = [{"Key": key} for key in sorted(set(before) - set(after))]
    if gone:
        ec2.delete_tags(Resources=[found.name], Tags=gone)
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    if changed:
        ec2.create_tags(Resources=[found.name], Tags=as_pairs(changed))


def _vpc_attribute(ec2: Any, vpc_id: str, attribute: str) -> bool:
    answer = ec2.describe_vpc_attribute(VpcId=vpc_id, Attribute=attribute)
    return bool((answer.get(_capital(attribute)) or {}).get("Value"))


def _companions(ec2: Any, wanted: Wanted) -> dict[str, Any]:
    """Give what AWS made along with a VPC; it stays the same, so what is known is not asked for again."""
    names = ("defaultSecurityGroupId", "mainRouteTableId", "defaultRouteTableId", "defaultNetworkAclId")
    if wanted.terminating or all(wanted.known.get(name) for name in names):
        return {name: wanted.known.get(name) for name in names}
    vpc = {"Name": "vpc-id", "Values": [wanted.name]}
    groups = ec2.describe_security_groups(Filters=[vpc, {"Name": "group-name", "Values": ["default"]}])
    tables = ec2.describe_route_tables(Filters=[vpc, {"Name": "association.main", "Values": ["true"]}])
    acls = ec2.describe_network_acls(Filters=[vpc, {"Name": "default", "Values": ["true"]}])
    table = _first(tables["RouteTables"], "RouteTableId")
    return {
        "defaultSecurityGroupId": _first(groups["SecurityGroups"], "GroupId"),
        "mainRouteTableId": table,
        "defaultRouteTableId": table,
        "defaultNetworkAclId": _first(acls["NetworkAcls"], "NetworkAclId"),
    }


def _first(entries: Sequence[Mapping[str, Any]], key: str) -> Any:
    return entries[0].get(key) if entries else None


def _rule(permission: Mapping[str, Any], own_id: str) -> dict[str, Any]:
    pairs = permission.get("UserIdGroupPairs") or ()
    groups = [pair.get("GroupId") for pair in pairs]
    rule: dict[str, Any] = {
        "protocol": permission.get("IpProtocol"),
        "fromPort": permission.get("FromPort", 0),
        "toPort": permission.get("ToPort", 0),
        "cidrBlocks": [entry["CidrIp"] for entry in permission.get("IpRanges") or ()],
        "ipv6CidrBlocks": [entry["CidrIpv6"] for entry in permission.get("Ipv6Ranges") or ()],
        "prefixListIds": [entry["PrefixListId"] for entry in permission.get("PrefixListIds") or ()],
        "securityGroups": sorted(group for group in groups if group and group != own_id),
        "self": own_id in groups,
    }
    return {key: value for key, value in rule.items() if value not in ([], None)}


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]
