"""The AWS kinds of the Upbound providers, as tables: what each field is called, and what AWS makes of it.

Only data and pure functions of it live here; calls to AWS belong to the provider engine.
"""

from .ec2 import SECURITY_GROUP, SUBNET, VPC
from .fields import Field, Kind, Target, Trait, target_gvk
from .providerconfig import CLUSTER_PROVIDER_CONFIGS, LEGACY_PROVIDER_CONFIGS, PROVIDER_CONFIGS
from .rds import INSTANCE, SUBNET_GROUP
from .s3 import BUCKET, BUCKET_VERSIONING
from .schema import definitions

KINDS = (BUCKET, BUCKET_VERSIONING, INSTANCE, SUBNET_GROUP, VPC, SUBNET, SECURITY_GROUP)

__all__ = [
    "CLUSTER_PROVIDER_CONFIGS",
    "KINDS",
    "LEGACY_PROVIDER_CONFIGS",
    "PROVIDER_CONFIGS",
    "Field",
    "Kind",
    "Target",
    "Trait",
    "definitions",
    "target_gvk",
]
