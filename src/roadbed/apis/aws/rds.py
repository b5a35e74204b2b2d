"""The RDS kinds: Instance and SubnetGroup."""

from __future__ import annotations

from .fields import ARN, ID, REGION, TAGS, TAGS_ALL, Field, Kind, Target, Trait

_FIXED = Trait.IMMUTABLE
_FILLED = Trait.COMPUTED
_FIXED_FILLED = Trait.IMMUTABLE | Trait.COMPUTED
_KEY = Target("kms", "Key", "arn")

SUBNET_GROUP = Kind(
    "rds",
    "SubnetGroup",
    "subnetgroups",
    "The subnets in which database instances may live. Its external name is the group's name.",
    named=True,
    fields=(
        REGION,
        Field("description", api="DBSubnetGroupDescription", traits=_FILLED, doc="What the group is for."),
        Field(
            "subnetIds",
            "set",
            "SubnetIds",
            doc="Subnets in at least two zones.",
            target=Target("ec2", "Subnet"),
            ref="subnetIdRefs",
            selector="subnetIdSelector",
        ),
        TAGS,
        ID,
        ARN,
        TAGS_ALL,
        Field("vpcId", api="VpcId", traits=Trait.OBSERVED, doc="The VPC of the subnets."),
        Field("supportedNetworkTypes", "set", "SupportedNetworkTypes", Trait.OBSERVED, doc="IPV4 or DUAL."),
    ),
)

_SHAPE = (
    Field("engine", api="Engine", traits=_FIXED | _FILLED, doc="The database engine, as postgres."),
    Field(
        "engineVersion",
        api="EngineVersion",
        traits=_FILLED,
        doc="Version, or its beginning. An instance is never downgraded: an older version is left alone.",
    ),
    Field("instanceClass", api="DBInstanceClass", traits=Trait.NEEDED, doc="As db.t3.micro."),
    Field("identifier", api="DBInstanceIdentifier", traits=_FIXED_FILLED, doc="The instance's name in RDS."),
    Field("identifierPrefix", traits=Trait.UNSUPPORTED, doc="Use identifier."),
    Field("dbName", api="DBName", traits=_FIXED, doc="Database to create in the instance."),
    Field("username", api="MasterUsername", traits=_FIXED_FILLED, doc="Name of the master user."),
    Field(
        "password",
        api="MasterUserPassword",
        traits=Trait.SENSITIVE | Trait.WRITE_ONLY,
        doc="Password of the master user. A change is noticed by comparison with the connection secret.",
    ),
    Field(
        "autoGeneratePassword",
        "boolean",
        traits=Trait.WRITE_ONLY,
        doc="Generate a password into the Secret of passwordSecretRef if it does not hold one.",
    ),
    Field("manageMasterUserPassword", "boolean", traits=Trait.UNSUPPORTED, doc="Keep it in Secrets Manager."),
    Field("passwordWo", traits=Trait.UNSUPPORTED | Trait.SENSITIVE, doc="Use passwordSecretRef."),
    Field("passwordWoVersion", "number", traits=Trait.UNSUPPORTED, doc="Use passwordSecretRef."),
    Field(
        "masterUserSecretKmsKeyId",
        traits=Trait.UNSUPPORTED,
        doc="Key of the Secrets Manager secret.",
        target=_KEY,
    ),
    Field("port", "number", "Port", _FILLED, doc="Where the database listens."),
    Field("multiAz", "boolean", "MultiAZ", _FILLED, doc="Keep a standby in another zone."),
    Field(
        "availabilityZone", api="AvailabilityZone", traits=_FIXED, doc="The zone of a single-zone instance."
    ),
    Field(
        "characterSetName", api="CharacterSetName", traits=_FIXED_FILLED, doc="Oracle and SQL Server only."
    ),
    Field("ncharCharacterSetName", api="NcharCharacterSetName", traits=_FIXED_FILLED, doc="Oracle only."),
    Field("timezone", api="Timezone", traits=_FIXED_FILLED, doc="SQL Server only."),
    Field("licenseModel", api="LicenseModel", traits=_FILLED, doc="As license-included."),
    Field(
        "engineLifecycleSupport", api="EngineLifecycleSupport", traits=_FIXED_FILLED, doc="Extended support."
    ),
)

_STORAGE = (
    Field("allocatedStorage", "number", "AllocatedStorage", _FILLED, doc="Storage in GiB."),
    Field(
        "maxAllocatedStorage", "number", "MaxAllocatedStorage", doc="How far storage may grow by itself, GiB."
    ),
    Field("storageType", api="StorageType", traits=_FILLED, doc="gp2, gp3, io1, io2 or standard."),
    Field("storageEncrypted", "boolean", "StorageEncrypted", _FIXED, doc="Encrypt the storage."),
    Field("kmsKeyId", api="KmsKeyId", traits=_FIXED_FILLED, doc="ARN of the storage key.", target=_KEY),
    Field("iops", "number", "Iops", _FILLED, doc="Provisioned IOPS."),
    Field("storageThroughput", "number", "StorageThroughput", _FILLED, doc="Throughput of gp3 storage."),
    Field("dedicatedLogVolume", "boolean", "DedicatedLogVolume", doc="Keep logs on a volume of their own."),
    Field("upgradeStorageConfig", "boolean", traits=Trait.UNSUPPORTED, doc="Replicas only."),
)

_NETWORK = (
    Field(
        "dbSubnetGroupName",
        api="DBSubnetGroupName",
        traits=_FILLED,
        doc="The subnet group that it lives in.",
        target=Target("rds", "SubnetGroup"),
    ),
    Field(
        "vpcSecurityGroupIds",
        "set",
        "VpcSecurityGroupIds",
        _FILLED,
        doc="Its firewall groups.",
        target=Target("ec2", "SecurityGroup"),
        ref="vpcSecurityGroupIdRefs",
        selector="vpcSecurityGroupIdSelector",
    ),
    Field("publiclyAccessible", "boolean", "PubliclyAccessible", doc="Give it a public address."),
    Field("networkType", api="NetworkType", traits=_FILLED, doc="IPV4 or DUAL."),
    Field("customerOwnedIpEnabled", "boolean", traits=Trait.UNSUPPORTED, doc="Outposts only."),
    Field(
        "caCertIdentifier", api="CACertificateIdentifier", traits=_FILLED, doc="Its certificate authority."
    ),
)

_CARE = (
    Field(
        "backupRetentionPeriod",
        "number",
        "BackupRetentionPeriod",
        _FILLED,
        doc="Days to keep backups, 0 to 35.",
    ),
    Field(
        "backupWindow",
        api="PreferredBackupWindow",
        traits=_FILLED | Trait.FOLDED,
        doc="When to back up, UTC, as 09:46-10:16.",
    ),
    Field("backupTarget", api="BackupTarget", traits=_FIXED_FILLED, doc="region or outposts."),
    Field(
        "maintenanceWindow",
        api="PreferredMaintenanceWindow",
        traits=_FILLED | Trait.FOLDED,
        doc="When to maintain, UTC, as Mon:00:00-Mon:03:00.",
    ),
    Field("autoMinorVersionUpgrade", "boolean", "AutoMinorVersionUpgrade", doc="Upgrade in the window."),
    Field(
        "allowMajorVersionUpgrade",
        "boolean",
        "AllowMajorVersionUpgrade",
        Trait.WRITE_ONLY,
        doc="Allow engineVersion to be a new major version.",
    ),
    Field(
        "applyImmediately",
        "boolean",
        "ApplyImmediately",
        Trait.WRITE_ONLY,
        doc="Change now, not in the maintenance window.",
    ),
    Field("copyTagsToSnapshot", "boolean", "CopyTagsToSnapshot", doc="Copy tags to snapshots."),
    Field("deletionProtection", "boolean", "DeletionProtection", doc="Refuse to be deleted."),
    Field(
        "deleteAutomatedBackups",
        "boolean",
        traits=Trait.WRITE_ONLY,
        doc="Delete automated backups with the instance; true when left open.",
    ),
    Field("skipFinalSnapshot", "boolean", traits=Trait.WRITE_ONLY, doc="Delete without a last snapshot."),
    Field(
        "finalSnapshotIdentifier",
        traits=Trait.WRITE_ONLY,
        doc="Name of the last snapshot; needed for deletion unless skipFinalSnapshot is true.",
    ),
    Field(
        "parameterGroupName",
        api="DBParameterGroupName",
        traits=_FILLED,
        doc="Its parameter group.",
        target=Target("rds", "ParameterGroup"),
    ),
    Field("optionGroupName", api="OptionGroupName", traits=_FILLED, doc="Its option group."),
    Field(
        "iamDatabaseAuthenticationEnabled",
        "boolean",
        "EnableIAMDatabaseAuthentication",
        doc="Let IAM users and roles sign in.",
    ),
    Field("enabledCloudwatchLogsExports", "set", doc="Logs to send to CloudWatch."),
    Field(
        "monitoringInterval",
        "number",
        "MonitoringInterval",
        doc="Seconds between enhanced metrics, 0 is off.",
    ),
    Field(
        "monitoringRoleArn",
        api="MonitoringRoleArn",
        traits=_FILLED,
        doc="Role for enhanced metrics.",
        target=Target("iam", "Role", "arn"),
    ),
    Field("performanceInsightsEnabled", "boolean", "EnablePerformanceInsights", doc="Performance Insights."),
    Field(
        "performanceInsightsKmsKeyId",
        api="PerformanceInsightsKMSKeyId",
        traits=_FIXED_FILLED,
        doc="Its key.",
        target=_KEY,
    ),
    Field(
        "performanceInsightsRetentionPeriod",
        "number",
        "PerformanceInsightsRetentionPeriod",
        _FILLED,
        doc="Days to keep Performance Insights.",
    ),
    Field("databaseInsightsMode", api="DatabaseInsightsMode", traits=_FILLED, doc="standard or advanced."),
)

_REFUSED = (
    Field(
        "blueGreenUpdate",
        "object",
        traits=Trait.UNSUPPORTED,
        doc="Blue/green updates.",
        wrapped=True,
        fields=(Field("enabled", "boolean"),),
    ),
    Field("customIamInstanceProfile", traits=Trait.UNSUPPORTED, doc="RDS Custom only."),
    Field("domain", traits=Trait.UNSUPPORTED, doc="Active Directory."),
    Field("domainAuthSecretArn", traits=Trait.UNSUPPORTED, doc="Active Directory."),
    Field("domainDnsIps", "list", traits=Trait.UNSUPPORTED, doc="Active Directory."),
    Field("domainFqdn", traits=Trait.UNSUPPORTED, doc="Active Directory."),
    Field("domainIamRoleName", traits=Trait.UNSUPPORTED, doc="Active Directory."),
    Field("domainOu", traits=Trait.UNSUPPORTED, doc="Active Directory."),
    Field("replicaMode", traits=Trait.UNSUPPORTED, doc="Replicas."),
    Field("replicateSourceDb", traits=Trait.UNSUPPORTED, doc="Replicas.", target=Target("rds", "Instance")),
    Field(
        "restoreToPointInTime",
        "object",
        traits=Trait.UNSUPPORTED,
        doc="Restoring.",
        wrapped=True,
        fields=(
            Field("restoreTime"),
            Field("sourceDbInstanceAutomatedBackupsArn"),
            Field("sourceDbInstanceIdentifier"),
            Field("sourceDbiResourceId"),
            Field("useLatestRestorableTime", "boolean"),
        ),
    ),
    Field(
        "s3Import",
        "object",
        traits=Trait.UNSUPPORTED,
        doc="Restoring from a bucket.",
        wrapped=True,
        fields=(
            Field("bucketName"),
            Field("bucketPrefix"),
            Field("ingestionRole"),
            Field("sourceEngine"),
            Field("sourceEngineVersion"),
        ),
    ),
    Field("snapshotIdentifier", traits=Trait.UNSUPPORTED, doc="Restoring from a snapshot."),
)

_SEEN = (
    ID,
    ARN,
    TAGS_ALL,
    Field("address", traits=Trait.OBSERVED, doc="Host name of the instance."),
    Field("endpoint", traits=Trait.OBSERVED, doc="address:port"),
    Field("engineVersionActual", traits=Trait.OBSERVED, doc="The version that runs."),
    Field("hostedZoneId", traits=Trait.OBSERVED, doc="Route 53 zone of the address."),
    Field("latestRestorableTime", traits=Trait.OBSERVED, doc="Latest time it can be restored to."),
    Field("replicas", "list", traits=Trait.OBSERVED, doc="Its read replicas."),
    Field("resourceId", traits=Trait.OBSERVED, doc="Its identifier that never changes."),
    Field("status", traits=Trait.OBSERVED, doc="As AWS calls it: creating, available, modifying…"),
)

INSTANCE = Kind(
    "rds",
    "Instance",
    "instances",
    "A database instance. Its external name is its identifier, or its RDS resource ID (db-…).",
    legacy_versions=("v1beta1", "v1beta2", "v1beta3"),
    fields=(REGION, *_SHAPE, *_STORAGE, *_NETWORK, *_CARE, *_REFUSED, TAGS, *_SEEN),
)
