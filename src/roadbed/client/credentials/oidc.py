"""OpenID Connect ID tokens of the legacy ``oidc`` auth-provider, refreshed when they are about to end.

Called by ``Renewed``, one refresh at a time. A token that is still good is used as it is. A refreshed one is
written back into the kubeconfig that named the user, since many issuers take a refresh token only once; so the
next command, ours or kubectl, goes on with it.

Source: k8s.io/client-go/plugin/pkg/client/auth/oidc (oidc.go); OpenID Connect Core 1.0 section 12.
"""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import orjson
import yaml

from roadbed.apimachinery.errors import BadRequestError, UnauthorizedError

from .kubeconfigs import Target, material
from .proofs import Proof, bearer

EARLY = timedelta(seconds=10)  # clocks differ; client-go's own margin
TIMEOUT_S = 30.0


class OidcRefresh:
    """One user's ID and refresh token."""

    def __init__(self, config: Mapping[str, Any], file: Path, ca_pem: bytes) -> None:
        self._config = {str(key): str(value) for key, value in config.items()}
        self._file = file
        self._ca_pem = ca_pem

    @classmethod
    def of(cls, config: Mapping[str, Any], target: Target) -> OidcRefresh:
        """Take in a kubeconfig's ``auth-provider.config``.

        Raises:
            BadRequestError: issuer or client are missing.
        """
        file = target.user_file
        for name in ("idp-issuer-url", "client-id"):
            if not config.get(name):
                raise BadRequestError(f"cannot use kubeconfig {file}: auth-provider oidc must provide {name}")
        return cls(config, file, material(config, "idp-certificate-authority", file))

    async def fetch(self, *, is_refused: bool) -> tuple[Proof, datetime | None]:
        """Give the ID token that is kept while it is good, or have it refreshed.

        Raises:
            UnauthorizedError: it has ended and can't be refreshed; the message says why.
        """
        token = self._config.get("id-token", "")
        if token and not is_refused:
            until = _expiry(token) - EARLY
            if datetime.now(UTC) < until:
                return Proof(bearer(token)), until
        if not self._config.get("refresh-token"):
            raise UnauthorizedError(
                f"no valid id-token, and cannot refresh without refresh-token: sign in at "
                f"{self._config['idp-issuer-url']} again and put both into {self._file}"
            )
        fresh = await self._refresh()
        self._persist(fresh)
        self._config.update(fresh)
        return Proof(bearer(fresh["id-token"])), _expiry(fresh["id-token"]) - EARLY

    async def _refresh(self) -> dict[str, str]:
        issuer = self._config["idp-issuer-url"]
        context = ssl.create_default_context(cadata=self._ca_pem.decode() or None)
        try:
            async with httpx.AsyncClient(verify=context, timeout=TIMEOUT_S) as http:
                answer = await http.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
                endpoint = str(_members(answer, issuer).get("token_endpoint") or "")
                if not endpoint.startswith(("https://", "http://")):
                    raise UnauthorizedError(f"oidc: the discovery of {issuer} contains no token_endpoint")
                form = {
                    "grant_type": "refresh_token",
                    "refresh_token": self._config["refresh-token"],
                    "client_id": self._config["client-id"],
                }
                if secret := self._config.get("client-secret"):
                    form["client_secret"] = secret
                answer = await http.post(endpoint, data=form)
                found = _members(answer, issuer)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:  # ValueError: a name that is no name
            raise UnauthorizedError(
                f"oidc: cannot reach {issuer}: {error or type(error).__name__}"
            ) from error
        if not found.get("id_token"):
            raise UnauthorizedError(
                f"oidc: {issuer} refreshed without an id_token: sign in again with the scope openid, or use the "
                "exec plug-in of your provider"
            )
        fresh = {"id-token": str(found["id_token"])}
        if found.get("refresh_token"):
            fresh["refresh-token"] = str(found["refresh_token"])
        return fresh

    def _persist(self, fresh: Mapping[str, str]) -> None:
        """Write refreshed tokens to every user of the file that has this very refresh token."""
        try:
            document = yaml.load(self._file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
            for entry in document.get("users") or ():
                provider = (entry.get("user") or {}).get("auth-provider") or {}
                config = provider.get("config") or {}
                if config.get("refresh-token") == self._config.get("refresh-token"):
                    config.update(fresh)
            beside = self._file.with_name(f".{self._file.name}.{os.getpid()}")
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                yaml.safe_dump(document, file, sort_keys=False)
            beside.replace(self._file.resolve())
        except (OSError, yaml.YAMLError, AttributeError) as error:
            raise UnauthorizedError(f"oidc: could not persist new tokens in {self._file}: {error}") from error


def _members(answer: httpx.Response, issuer: str) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        found = None
    if answer.status_code != 200 or not isinstance(found, dict):
        # OAuth 2.0 errors are a code and a sentence; anything else that was sent stays unsaid.
        said = found.get("error", "") if isinstance(found, dict) else ""
        raise UnauthorizedError(f"oidc: {issuer} answered {answer.status_code} {said}".rstrip())
    return found


def _expiry(token: str) -> datetime:
    """Read when a JSON Web Token ends; its signature is the server's to judge."""
    try:
        claims = token.split(".")[1]
        content = orjson.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return datetime.fromtimestamp(float(content["exp"]), UTC)
    except (IndexError, ValueError, KeyError, TypeError, OverflowError, OSError) as error:
        raise UnauthorizedError(
            "oidc: the id-token is no JSON Web Token with an expiry: sign in again"
        ) from error
