"""S3: buckets and their versioning."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from roadbed.apis.aws import KINDS, Kind
from roadbed.engines.providers.external import InUseError, InvalidRequestError

from .accounts import Aws
from .adapter import Found, Wanted
from .comparison import Change, as_pairs, by_name, one
from .errors import code_of

EMPTYING_S = 40.0  # a call may take a minute; what is left is emptied at the next look
FIRST_REGION = "us-east-1"  # the one region that must not be named when creating a bucket


class BucketAdapter:
    """``s3 Bucket``; its external name is the bucket's name, so an interrupted creation needs no search."""

    kind: Kind = next(kind for kind in KINDS if kind.kind == "Bucket")
    deterministic = True
    look_calls = 3

    def find(self, aws: Aws, wanted: Wanted) -> Found | None:
        s3 = aws.client("s3")
        try:
            head = s3.head_bucket(Bucket=wanted.name)
        except s3.exceptions.ClientError as error:
            code = code_of(error)
            if code in {"404", "NoSuchBucket"}:
                return None
            if code in {"301", "PermanentRedirect"}:
                raise InvalidRequestError(
                    f"bucket {wanted.name} is in another region than spec.forProvider.region;"
                    " set that region, or another external name"
                ) from error
            raise
        home = head.get("BucketRegion") or aws.region
        domain = "amazonaws.com.cn" if aws.partition == "aws-cn" else "amazonaws.com"
        arn = f"arn:{aws.partition}:s3:::{wanted.name}"
        values: dict[str, Any] = {"tags": _tags(s3, wanted.name)}
        if wanted.values.get("objectLockEnabled") is not None:
            values["objectLockEnabled"] = _is_locked(s3, wanted.name)
        return Found(
            wanted.name,
            values,
            {
                "arn": arn,
                "bucketDomainName": f"{wanted.name}.s3.{domain}",
                "bucketRegionalDomainName": f"{wanted.name}.s3.{home}.{domain}",
            },
            connection={"id": wanted.name, "arn": arn, "region": home},
        )

    def create(self, aws: Aws, wanted: Wanted) -> str:
        s3 = aws.client("s3")
        request: dict[str, Any] = {"Bucket": wanted.name}
        if aws.region != FIRST_REGION:
            request["CreateBucketConfiguration"] = {"LocationConstraint": aws.region}
        if wanted.values.get("objectLockEnabled"):
            request["ObjectLockEnabledForBucket"] = True
        try:
            s3.create_bucket(**request)
        except s3.exceptions.ClientError as error:
            code = code_of(error)
            if code == "BucketAlreadyOwnedByYou":
                return wanted.name
            if code == "BucketAlreadyExists":
                raise InvalidRequestError(
                    f"the bucket name {wanted.name} belongs to another account;"
                    " set annotation crossplane.io/external-name to a name of your own"
                ) from error
            raise
        return wanted.name

    def change(self, aws: Aws, wanted: Wanted, found: Found, changes: Sequence[Change]) -> None:
        if not any(change.field.name == "tags" for change in changes):
            return
        s3 = aws.client("s3")
        # AWS's own tags can't be set, but putting a set without them is an error on buckets of a stack.
        own = {key: value for key, value in found.values["tags"].items() if key.startswith("aws:")}
        tags = {**own, **(wanted.values.get("tags") or {})}
        if tags:
            s3.put_bucket_tagging(Bucket=found.name, Tagging={"TagSet": as_pairs(tags)})
        else:
            s3.delete_bucket_tagging(Bucket=found.name)

    def remove(self, aws: Aws, wanted: Wanted, found: Found) -> None:
        s3 = aws.client("s3")
        if wanted.values.get("forceDestroy") and not _emptied(s3, found.name):
            return
        try:
            s3.delete_bucket(Bucket=found.name)
        except s3.exceptions.ClientError as error:
            code = code_of(error)
            if code == "BucketNotEmpty":
                raise InUseError(
                    f"bucket {found.name} is not empty; empty it, or set spec.forProvider.forceDestroy to true"
                ) from error
            if code != "NoSuchBucket":
                raise


class BucketVersioningAdapter:
    """``s3 BucketVersioning``; its external name is the bucket's name (and owner, if one is expected)."""

    kind: Kind = next(kind for kind in KINDS if kind.kind == "BucketVersioning")
    deterministic = True
    look_calls = 1

    def find(self, aws: Aws, wanted: Wanted) -> Found | None:
        s3 = aws.client("s3")
        bucket, _, owner = wanted.name.partition(",")
        try:
            answer = s3.get_bucket_versioning(Bucket=bucket, **_expected(owner))
        except s3.exceptions.ClientError as error:
            if code_of(error) == "NoSuchBucket":
                return None
            raise
        status = answer.get("Status") or "Disabled"
        # There is no such thing as deleting it: suspended is as gone as it gets.
        if wanted.terminating and status != "Enabled":
            return None
        if status == "Disabled" and one(wanted.values.get("versioningConfiguration")).get("status") != status:
            return None
        configuration = {"status": status}
        if answer.get("MFADelete"):
            configuration["mfaDelete"] = answer["MFADelete"]
        shape = wanted.values.get("versioningConfiguration")
        return Found(
            wanted.name,
            {
                "bucket": bucket,
                "versioningConfiguration": [configuration] if isinstance(shape, list) else configuration,
            },
        )

    def create(self, aws: Aws, wanted: Wanted) -> str:
        bucket = str(wanted.values.get("bucket") or "")
        if not bucket:
            raise InvalidRequestError("spec.forProvider.bucket is empty; set it, bucketRef or bucketSelector")
        owner = str(wanted.values.get("expectedBucketOwner") or "")
        _put_versioning(aws, wanted, bucket, owner)
        return f"{bucket},{owner}" if owner else bucket

    def change(self, aws: Aws, wanted: Wanted, found: Found, changes: Sequence[Change]) -> None:
        bucket, _, owner = found.name.partition(",")
        if changes:
            _put_versioning(aws, wanted, bucket, owner)

    def remove(self, aws: Aws, wanted: Wanted, found: Found) -> None:  # noqa: ARG002 - the Protocol's
        s3 = aws.client("s3")
        bucket, _, owner = found.name.partition(",")
        try:
            s3.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}, **_expected(owner)
            )
        except s3.exceptions.ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise


def _put_versioning(aws: Aws, wanted: Wanted, bucket: str, owner: str) -> None:
    configuration = one(wanted.values.get("versioningConfiguration"))
    status = configuration.get("status")
    if not status:
        raise InvalidRequestError("spec.forProvider.versioningConfiguration.status is empty; set it")
    if status == "Disabled":
        return  # never versioned is how a bucket begins; AWS has no way back to it
    request: dict[str, Any] = {"Status": status}
    if configuration.get("mfaDelete"):
        request["MFADelete"] = configuration["mfaDelete"]
    mfa = {"MFA": wanted.values["mfa"]} if wanted.values.get("mfa") else {}
    aws.client("s3").put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration=request, **mfa, **_expected(owner)
    )


def _expected(owner: str) -> dict[str, str]:
    return {"ExpectedBucketOwner": owner} if owner else {}


def _tags(s3: Any, bucket: str) -> dict[str, str]:
    try:
        return by_name(s3.get_bucket_tagging(Bucket=bucket)["TagSet"])
    except s3.exceptions.ClientError as error:
        if code_of(error) == "NoSuchTagSet":
            return {}
        raise


def _is_locked(s3: Any, bucket: str) -> bool:
    try:
        answer = s3.get_object_lock_configuration(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if code_of(error) == "ObjectLockConfigurationNotFoundError":
            return False
        raise
    return bool(answer["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled")


def _emptied(s3: Any, bucket: str) -> bool:
    """Delete objects and their versions for a while; say whether none is left."""
    until = time.monotonic() + EMPTYING_S
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if entries:
            keys = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
            s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        if time.monotonic() > until:
            return False
    return True
