"""The S3 kinds: Bucket and BucketVersioning."""

from __future__ import annotations

from .fields import ARN, ID, REGION, TAGS, TAGS_ALL, Field, Kind, Target, Trait

BUCKET = Kind(
    "s3",
    "Bucket",
    "buckets",
    "An S3 bucket. Its external name is the bucket's name, by default that of this object.",
    named=True,
    legacy_versions=("v1beta1", "v1beta2"),
    fields=(
        REGION,
        Field(
            "forceDestroy",
            "boolean",
            traits=Trait.WRITE_ONLY,
            doc="Delete all objects, versions included, when the bucket is deleted. They can't be recovered.",
        ),
        Field(
            "objectLockEnabled",
            "boolean",
            "ObjectLockEnabledForBucket",
            Trait.IMMUTABLE,
            doc="Whether objects can be locked against deletion; only at creation.",
        ),
        Field(
            "bucketNamespace",
            traits=Trait.UNSUPPORTED,
            doc="Namespace of the bucket's name; not supported here.",
        ),
        TAGS,
        ID,
        ARN,
        TAGS_ALL,
        Field("bucketDomainName", traits=Trait.OBSERVED, doc="<bucket>.s3.amazonaws.com"),
        Field("bucketRegionalDomainName", traits=Trait.OBSERVED, doc="<bucket>.s3.<region>.amazonaws.com"),
    ),
)

BUCKET_VERSIONING = Kind(
    "s3",
    "BucketVersioning",
    "bucketversionings",
    "Whether an S3 bucket keeps old versions of its objects. Deleting this object suspends versioning.",
    tagged=False,
    legacy_versions=("v1beta1", "v1beta2"),
    fields=(
        REGION,
        Field(
            "bucket",
            api="Bucket",
            traits=Trait.IMMUTABLE,
            doc="Name of the S3 bucket.",
            target=Target("s3", "Bucket"),
        ),
        Field(
            "expectedBucketOwner",
            api="ExpectedBucketOwner",
            traits=Trait.IMMUTABLE | Trait.WRITE_ONLY,
            doc="Account ID of the expected bucket owner.",
        ),
        Field(
            "mfa",
            api="MFA",
            traits=Trait.WRITE_ONLY,
            doc="The authentication device's serial number, a space, and its value; for mfaDelete only.",
        ),
        Field(
            "versioningConfiguration",
            "object",
            traits=Trait.NEEDED,
            doc="Versioning parameters.",
            wrapped=True,
            fields=(
                Field("status", api="Status", doc="Enabled, Suspended, or Disabled (never versioned)."),
                Field("mfaDelete", api="MFADelete", doc="Whether MFA delete is Enabled or Disabled."),
            ),
        ),
        ID,
    ),
)
