"""Assuming roles: from one set of credentials to the next, as ``spec.assumeRoleChain`` says.

Used when an account's session is made. Nothing is asked of STS then: temporary credentials are fetched at the first
call and again shortly before they expire, by the worker thread that needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roadbed.engines.providers.external import CredentialsError

SESSION_NAME = "roadbed"  # what the role's owner sees in CloudTrail


@dataclass(frozen=True, slots=True)
class Role:
    """One role to assume, with what STS is told beside its ARN."""

    arn: str
    options: tuple[tuple[str, Any], ...] = ()


def parse_roles(chain: Sequence[Mapping[str, Any]], where: str) -> tuple[Role, ...]:
    """Read ``spec.assumeRoleChain``.

    Raises:
        CredentialsError: an entry has no ARN.
    """
    roles: list[Role] = []
    for number, entry in enumerate(chain):
        if not entry.get("roleARN"):
            raise CredentialsError(f"{where}: spec.assumeRoleChain[{number}].roleARN is empty; set it")
        options: dict[str, Any] = {"RoleSessionName": SESSION_NAME}
        if entry.get("externalID"):
            options["ExternalId"] = entry["externalID"]
        if entry.get("tags"):
            options["Tags"] = [{"Key": tag["key"], "Value": tag["value"]} for tag in entry["tags"]]
        if entry.get("transitiveTagKeys"):
            options["TransitiveTagKeys"] = list(entry["transitiveTagKeys"])
        roles.append(Role(entry["roleARN"], tuple(options.items())))
    return tuple(roles)


def assumed(credentials: Any, roles: Sequence[Role], make_client: Callable[..., Any]) -> Any:
    """Give botocore credentials for the last role; ``make_client(service, **credentials)`` makes STS clients."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    for role in roles:
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=make_client,
            source_credentials=credentials,
            role_arn=role.arn,
            extra_args=dict(role.options),
        )
        credentials = DeferredRefreshableCredentials(
            method="assume-role", refresh_using=fetcher.fetch_credentials
        )
    return credentials
