"""What AWS's errors mean for the reconciler: translated once, where they enter.

Called by ``accounts`` around every call. Messages name the operation and the next step; AWS's own text is
quoted, and never holds a secret key.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

from roadbed.engines.providers.external import (
    AccessDeniedError,
    CredentialsError,
    ExternalError,
    InUseError,
    InvalidRequestError,
    ThrottledError,
    UnknownOutcomeError,
    UnreachableError,
)

THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
UNKNOWN_CALLER = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "MissingAuthenticationToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "Forbidden",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
IN_USE = frozenset(
    {
        "BucketNotEmpty",
        "DependencyViolation",
        "InvalidDBInstanceState",
        "InvalidDBSubnetGroupStateFault",
        "InvalidGroup.InUse",
        "ResourceInUse",
    }
)
MALFORMED = ("InvalidParameter", "MissingParameter", "ValidationError", "InvalidBucketName", "MalformedXML")


def code_of(error: Exception) -> str:
    """Give AWS's code for an error (``BucketNotEmpty``, ``404``), or the empty string."""
    response = getattr(error, "response", None) or {}
    return str((response.get("Error") or {}).get("Code") or "")


def is_aws(error: Exception) -> bool:
    """Say whether boto3 raised it; anything else is our own mistake and stays what it is."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return isinstance(error, BotoCoreError | ClientError | ResponseParserError)


def translated(error: Exception, *, through: str, changing: bool) -> ExternalError:
    """Give the external error for one that boto3 raised.

    ``through`` names the provider config. ``changing`` tells that the call was to change something, so
    that a lost answer leaves open whether it did.
    """
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    if isinstance(error, boto.ClientError):
        return _answered(error.response, through=through, operation=error.operation_name, changing=changing)
    if isinstance(error, boto.ParamValidationError):
        return InvalidRequestError(f"AWS would not understand the request: {error}")
    if isinstance(error, boto.NoCredentialsError | boto.PartialCredentialsError | boto.ProfileNotFound):
        return CredentialsError(f"{through}: {error}; set its credentials, or those of this process")
    if isinstance(error, boto.EndpointConnectionError | boto.ConnectTimeoutError | boto.ProxyConnectionError):
        return UnreachableError(
            f"cannot reach AWS: {error}; check the network, and spec.endpoint of {through}"
        )
    if isinstance(error, ResponseParserError):
        text = f"what answers is not AWS: {str(error)[:200]}; check spec.endpoint of {through}"
        return UnknownOutcomeError(text) if changing else UnreachableError(text)
    if isinstance(error, boto.BotoCoreError):
        lost = f"the connection to AWS broke before an answer came: {error}"
        return UnknownOutcomeError(lost) if changing else UnreachableError(lost)
    return ExternalError(f"{type(error).__name__}: {error}")


def _answered(response: dict[str, Any], *, through: str, operation: str, changing: bool) -> ExternalError:
    facts = response.get("Error") or {}
    meta = response.get("ResponseMetadata") or {}
    code, text = str(facts.get("Code") or ""), str(facts.get("Message") or "")
    status = int(meta.get("HTTPStatusCode") or 0)
    what = f"AWS {operation}: {text} ({code})" if text else f"AWS {operation}: {code}"
    if code in THROTTLED or status == 429:
        after_s = retry_after_s(meta)
        return ThrottledError(f"{what}; AWS asks to slow down, retrying", retry_after_s=after_s)
    if code in UNKNOWN_CALLER:
        return CredentialsError(f"{what}; check the credentials of {through}")
    if code == "403":
        # The answer to a HEAD has no body: which of the three it is, only AWS knows.
        return AccessDeniedError(
            f"{what}; check that the credentials of {through} are valid, that they have the right to "
            f"{operation}, and that the name is not another account's"
        )
    if code in DENIED:
        return AccessDeniedError(f"{what}; give the credentials of {through} the right to {operation}")
    if code in IN_USE:
        return InUseError(f"{what}; retrying until nothing depends on it")
    if code.startswith(MALFORMED):
        return InvalidRequestError(what)
    if status >= 500:
        after_s = retry_after_s(meta)
        failure = UnknownOutcomeError if changing else ExternalError
        trouble = "AWS has trouble or asks to slow down" if code == "503" else "AWS has trouble"
        return failure(f"{what}; {trouble}, retrying", retry_after_s=after_s)
    return ExternalError(what)


def retry_after_s(meta: dict[str, Any]) -> float:
    """Give the delay that a ``Retry-After`` header asks for, at most an hour; 0 without one."""
    headers = {name.lower(): value for name, value in (meta.get("HTTPHeaders") or {}).items()}
    text = str(headers.get("retry-after") or "").strip()
    if not text:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        try:
            until = parsedate_to_datetime(text)
            sent = parsedate_to_datetime(str(headers.get("date") or ""))
            seconds = (until - sent).total_seconds()
        except (ValueError, TypeError):  # unreadable, or one of the two without a zone
            return 0.0
    return min(max(seconds, 0.0), 3600.0)
