"""The EC2 network kinds: VPC, Subnet, SecurityGroup."""

from __future__ import annotations

from .fields import ARN, ID, REGION, TAGS, TAGS_ALL, Field, Kind, Target, Trait

_VPC_REF = Target("ec2", "VPC")
_IPAM = Target("ec2", "VPCIpamPool")
_FIXED_COMPUTED = Trait.IMMUTABLE | Trait.COMPUTED
_OWNER = Field("ownerId", traits=Trait.OBSERVED, doc="The AWS account that owns the resource.")
_RULE = (
    Field("cidrBlocks", "list"),
    Field("description"),
    Field("fromPort", "number"),
    Field("ipv6CidrBlocks", "list"),
    Field("prefixListIds", "list"),
    Field("protocol"),
    Field("securityGroups", "set"),
    Field("self", "boolean"),
    Field("toPort", "number"),
)

VPC = Kind(
    "ec2",
    "VPC",
    "vpcs",
    "A virtual private cloud: a network of its own.",
    fields=(
        REGION,
        Field("cidrBlock", api="CidrBlock", traits=_FIXED_COMPUTED, doc="The IPv4 range, as 10.0.0.0/16."),
        Field(
            "instanceTenancy",
            api="InstanceTenancy",
            traits=_FIXED_COMPUTED,
            doc="default, or dedicated hardware for every instance.",
        ),
        Field(
            "assignGeneratedIpv6CidrBlock",
            "boolean",
            "AmazonProvidedIpv6CidrBlock",
            Trait.IMMUTABLE,
            doc="Ask for an Amazon-provided IPv6 range with a /56 prefix.",
        ),
        Field("enableDnsHostnames", "boolean", traits=Trait.COMPUTED, doc="Give instances DNS host names."),
        Field("enableDnsSupport", "boolean", traits=Trait.COMPUTED, doc="Resolve DNS within the VPC."),
        Field(
            "enableNetworkAddressUsageMetrics",
            "boolean",
            traits=Trait.COMPUTED,
            doc="Keep metrics of network address usage.",
        ),
        Field("ipv4IpamPoolId", traits=Trait.UNSUPPORTED, doc="IPAM pool of the range.", target=_IPAM),
        Field("ipv4NetmaskLength", "number", traits=Trait.UNSUPPORTED, doc="Netmask within the IPAM pool."),
        Field("ipv6CidrBlock", traits=Trait.UNSUPPORTED, doc="IPv6 range from an IPAM pool."),
        Field("ipv6CidrBlockNetworkBorderGroup", traits=Trait.UNSUPPORTED, doc="Where IPv6 is advertised."),
        Field("ipv6IpamPoolId", traits=Trait.UNSUPPORTED, doc="IPAM pool of the IPv6 range."),
        Field("ipv6NetmaskLength", "number", traits=Trait.UNSUPPORTED, doc="Netmask within the IPv6 pool."),
        TAGS,
        ID,
        ARN,
        TAGS_ALL,
        _OWNER,
        Field("dhcpOptionsId", api="DhcpOptionsId", traits=Trait.OBSERVED, doc="The DHCP options set."),
        Field("ipv6AssociationId", traits=Trait.OBSERVED, doc="The association of the IPv6 range."),
        Field("defaultSecurityGroupId", traits=Trait.OBSERVED, doc="The group that AWS made with the VPC."),
        Field("defaultRouteTableId", traits=Trait.OBSERVED, doc="The route table that AWS made with it."),
        Field("mainRouteTableId", traits=Trait.OBSERVED, doc="The main route table."),
        Field("defaultNetworkAclId", traits=Trait.OBSERVED, doc="The network ACL that AWS made with it."),
    ),
)

SUBNET = Kind(
    "ec2",
    "Subnet",
    "subnets",
    "A range of a VPC's addresses in one availability zone.",
    fields=(
        REGION,
        Field(
            "vpcId", api="VpcId", traits=Trait.IMMUTABLE, doc="The VPC that it belongs to.", target=_VPC_REF
        ),
        Field("cidrBlock", api="CidrBlock", traits=Trait.IMMUTABLE, doc="The IPv4 range, within the VPC's."),
        Field("availabilityZone", api="AvailabilityZone", traits=_FIXED_COMPUTED, doc="The zone, by name."),
        Field(
            "availabilityZoneId",
            api="AvailabilityZoneId",
            # Not COMPUTED: setting both zone fields is an error, so only the name is ever filled in.
            traits=Trait.IMMUTABLE,
            doc="The zone, by ID; instead of availabilityZone.",
        ),
        Field("ipv6CidrBlock", api="Ipv6CidrBlock", traits=Trait.IMMUTABLE, doc="The IPv6 range, a /64."),
        Field("ipv6Native", "boolean", "Ipv6Native", Trait.IMMUTABLE, doc="IPv6 only."),
        Field(
            "mapPublicIpOnLaunch",
            "boolean",
            "MapPublicIpOnLaunch",
            doc="Give instances a public IPv4 address.",
        ),
        Field(
            "assignIpv6AddressOnCreation",
            "boolean",
            "AssignIpv6AddressOnCreation",
            doc="Give network interfaces an IPv6 address.",
        ),
        Field("enableDns64", "boolean", "EnableDns64", doc="Answer DNS queries with synthetic IPv6."),
        Field(
            "enableResourceNameDnsARecordOnLaunch",
            "boolean",
            "EnableResourceNameDnsARecordOnLaunch",
            doc="Answer DNS A queries for instance host names.",
        ),
        Field(
            "enableResourceNameDnsAaaaRecordOnLaunch",
            "boolean",
            "EnableResourceNameDnsAAAARecordOnLaunch",
            doc="Answer DNS AAAA queries for instance host names.",
        ),
        Field(
            "privateDnsHostnameTypeOnLaunch",
            api="PrivateDnsHostnameTypeOnLaunch",
            traits=Trait.COMPUTED,
            doc="ip-name or resource-name.",
        ),
        Field("customerOwnedIpv4Pool", traits=Trait.UNSUPPORTED, doc="Outposts only."),
        Field("enableLniAtDeviceIndex", "number", traits=Trait.UNSUPPORTED, doc="Outposts only."),
        Field("mapCustomerOwnedIpOnLaunch", "boolean", traits=Trait.UNSUPPORTED, doc="Outposts only."),
        Field("outpostArn", traits=Trait.UNSUPPORTED, doc="Outposts only."),
        Field("ipv4IpamPoolId", traits=Trait.UNSUPPORTED, doc="IPAM pool of the range.", target=_IPAM),
        Field("ipv4NetmaskLength", "number", traits=Trait.UNSUPPORTED, doc="Netmask within the IPAM pool."),
        Field("ipv6IpamPoolId", traits=Trait.UNSUPPORTED, doc="IPAM pool of the IPv6 range."),
        Field("ipv6NetmaskLength", "number", traits=Trait.UNSUPPORTED, doc="Netmask within the IPv6 pool."),
        TAGS,
        ID,
        ARN,
        TAGS_ALL,
        _OWNER,
        Field("ipv6CidrBlockAssociationId", traits=Trait.OBSERVED, doc="The association of the IPv6 range."),
    ),
)

SECURITY_GROUP = Kind(
    "ec2",
    "SecurityGroup",
    "securitygroups",
    "A set of firewall rules for network interfaces. The rules are objects of their own.",
    fields=(
        REGION,
        Field(
            "name",
            api="GroupName",
            traits=_FIXED_COMPUTED,
            doc="The group's name; made from this object's name when left open.",
        ),
        Field("description", api="Description", traits=_FIXED_COMPUTED, doc="What the group is for."),
        Field(
            "vpcId",
            api="VpcId",
            traits=_FIXED_COMPUTED,
            doc="The VPC that it belongs to; the default VPC when left open.",
            target=_VPC_REF,
        ),
        Field(
            "revokeRulesOnDelete",
            "boolean",
            traits=Trait.WRITE_ONLY,
            doc="Revoke all rules before deletion, so that groups that name each other can go.",
        ),
        TAGS,
        ID,
        ARN,
        TAGS_ALL,
        _OWNER,
        Field("ingress", "objects", traits=Trait.OBSERVED, doc="Rules for what comes in.", fields=_RULE),
        Field("egress", "objects", traits=Trait.OBSERVED, doc="Rules for what goes out.", fields=_RULE),
    ),
)
