"""The one error family of the resource model: what a Kubernetes ``Status`` says, as exceptions.

Raised by the API server, carried over any ``Transport``, caught by clients and controllers by class.
Every error renders itself as a ``v1.Status`` (``to_status``) and is rebuilt from one (``from_status``),
so that nothing is lost between a handler and the person who reads the message.

Source: k8s.io/apimachinery/pkg/apis/meta/v1/types.go (StatusReason) and pkg/api/errors/errors.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cause:
    """One field's part in a failure; ``reason`` is a ``CauseType`` such as ``FieldValueInvalid``."""

    reason: str
    message: str
    field: str = ""

    def to_json(self) -> dict[str, str]:
        """Give the wire form; empty members are left out."""
        cause = {"reason": self.reason, "message": self.message, "field": self.field}
        return {name: value for name, value in cause.items() if value}


class ApiError(Exception):
    """A failed request, as the ``Status`` the server answers with.

    ``code`` and ``reason`` come from the class; ``message`` says what failed, on which object, and the
    next step. ``kind`` in ``details`` is the *resource* (plural) for most reasons, as Kubernetes has it.
    """

    code: int = 500  # the class's, unless a server paired the reason with another
    reason: str = "InternalError"  # the class's, unless whoever denies gave another or none
    has_details: bool = False  # shown even when there is nothing in them

    def __init__(
        self,
        message: str,
        *,
        group: str = "",
        kind: str = "",
        name: str = "",
        causes: Sequence[Cause] = (),
        retry_after_s: int = 0,
        continue_token: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.group = group
        self.kind = kind
        self.name = name
        self.uid = ""
        self.causes = tuple(causes)
        self.retry_after_s = retry_after_s
        self.continue_token = continue_token
        self.warnings: tuple[str, ...] = ()  # given with the refusal, as with any answer

    def to_status(self) -> dict[str, Any]:
        """Give the ``v1.Status`` object for this failure."""
        details: dict[str, Any] = {
            "name": self.name,
            "group": self.group,
            "kind": self.kind,
            "uid": self.uid,
            "causes": [cause.to_json() for cause in self.causes],
            "retryAfterSeconds": self.retry_after_s,
        }
        details = {name: value for name, value in details.items() if value}
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_token} if self.continue_token else {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if details or self.has_details:
            status["details"] = details
        status["code"] = self.code
        return {name: value for name, value in status.items() if value != "" or name == "message"}

    @staticmethod
    def from_status(status: Mapping[str, Any]) -> ApiError:
        """Rebuild the error that a ``v1.Status`` describes; an unknown reason falls back to its code.

        Whoever sent it may have sent anything: what is of another type than it should be is taken as absent.
        """
        details, meta = _part(status, "details", {}), _part(status, "metadata", {})
        code = _part(status, "code", 0) or 500
        family = _BY_REASON.get(str(status.get("reason", ""))) or _BY_CODE.get(code) or ApiError
        error = family(
            str(status.get("message", "")),
            group=str(details.get("group", "")),
            kind=str(details.get("kind", "")),
            name=str(details.get("name", "")),
            causes=[
                Cause(
                    str(cause.get("reason", "")), str(cause.get("message", "")), str(cause.get("field", ""))
                )
                for cause in _part(details, "causes", [])
                if isinstance(cause, Mapping)
            ],
            retry_after_s=_part(details, "retryAfterSeconds", 0),
            continue_token=str(meta.get("continue", "")),
        )
        error.uid = str(details.get("uid", ""))
        if error.code != code:
            # A server may pair a reason with another code (a webhook denies with any); keep what it said.
            error.code = code
        return error


def _part(holder: Mapping[str, Any], name: str, absent: Any) -> Any:
    found = holder.get(name)
    return found if isinstance(found, type(absent)) else absent


class BadRequestError(ApiError):
    """The request makes no sense at all; resending it unchanged can't help."""

    code = 400
    reason = "BadRequest"


class UnauthorizedError(ApiError):
    """No credentials, or none that we know."""

    code = 401
    reason = "Unauthorized"


class ForbiddenError(ApiError):
    """Known caller, not allowed; also a write into a terminating namespace."""

    code = 403
    reason = "Forbidden"
    has_details = True


class NotFoundError(ApiError):
    """No such object, or no such resource."""

    code = 404
    reason = "NotFound"
    has_details = True


class MethodNotAllowedError(ApiError):
    """The resource exists but has no such verb."""

    code = 405
    reason = "MethodNotAllowed"
    has_details = True


class NotAcceptableError(ApiError):
    """None of the media types in ``Accept`` can be given."""

    code = 406
    reason = "NotAcceptable"


class ConflictError(ApiError):
    """The object changed since it was read, or fields belong to another manager."""

    code = 409
    reason = "Conflict"


class AlreadyExistsError(ApiError):
    """Create found an object of that name."""

    code = 409
    reason = "AlreadyExists"


class GoneError(ApiError):
    """What was asked for is gone for ever."""

    code = 410
    reason = "Gone"


class ExpiredError(ApiError):
    """A revision or a continue token is older than the last compaction; list again."""

    code = 410
    reason = "Expired"


class RequestEntityTooLargeError(ApiError):
    """The body is larger than the server takes."""

    code = 413
    reason = "RequestEntityTooLarge"


class UnsupportedMediaTypeError(ApiError):
    """The body's media type is not one that the server reads."""

    code = 415
    reason = "UnsupportedMediaType"


class InvalidError(ApiError):
    """The object does not satisfy its schema or rules; ``causes`` names the fields."""

    code = 422
    reason = "Invalid"


class TooManyRequestsError(ApiError):
    """Slow down; ``retry_after_s`` says for how long."""

    code = 429
    reason = "TooManyRequests"


class ServiceUnavailableError(ApiError):
    """The server can't answer now (starting, stopping, unreachable)."""

    code = 503
    reason = "ServiceUnavailable"


class TimeoutError(ApiError):  # noqa: A001 - the reason's own name
    """The server ran out of time, or the revision asked for is still in the future."""

    code = 504
    reason = "Timeout"


_FAMILIES: list[type[ApiError]] = [ApiError, *ApiError.__subclasses__()]
_BY_REASON = {family.reason: family for family in _FAMILIES}
_BY_CODE = {family.code: family for family in reversed(_FAMILIES)}
