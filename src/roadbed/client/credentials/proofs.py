"""Who we are, proved anew for each request: the kubeconfig's user entry as something to ask for a header.

Made once per connection; asked by every request of one loop, told when the server refused (401). What has to be
fetched (a plug-in's answer, a refreshed token, a token file) is fetched by one task at a time, kept until it
expires, and fetched again when it was refused. Nothing here is logged.

Source: k8s.io/client-go/transport (token_source.go), rest/config.go.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from roadbed.apimachinery.errors import BadRequestError, UnauthorizedError

from .kubeconfigs import Target, material

FILE_FRESH_S = 60.0  # client-go's: a kubelet writes the next token long before the old one ends


@dataclass(frozen=True, slots=True)
class Proof:
    """What one request shows: an ``Authorization`` header, a client certificate, or nothing."""

    header: str = field(default="", repr=False)
    certificate_pem: bytes = field(default=b"", repr=False)
    key_pem: bytes = field(default=b"", repr=False)


class Credentials(Protocol):
    """Gives the proof for the next request."""

    async def current(self) -> Proof:
        """Give a proof that has not expired.

        Raises:
            UnauthorizedError: none can be had; the message says why, and the next step.
        """
        ...

    async def refused(self, proof: Proof) -> bool:
        """Take note that the server refused a proof (401); says whether another one can be tried."""
        ...


class Fixed:
    """What never changes: a token, a password, a certificate, nothing."""

    def __init__(self, proof: Proof) -> None:
        self._proof = proof

    async def current(self) -> Proof:
        """Give it."""
        return self._proof

    async def refused(self, proof: Proof) -> bool:  # noqa: ARG002 - there is only one
        """Say that there is no other."""
        return False


class TokenFile:
    """A token that something else keeps fresh in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._proof: Proof | None = None
        self._read_at = 0.0

    async def current(self) -> Proof:
        """Give the token as the file has it, at most a minute old."""
        now = asyncio.get_running_loop().time()
        if self._proof is None or now - self._read_at > FILE_FRESH_S:
            self._proof, self._read_at = self._read(self._proof), now
        return self._proof

    async def refused(self, proof: Proof) -> bool:
        """Read the file again; another token in it is worth a try."""
        self._proof, self._read_at = self._read(proof), asyncio.get_running_loop().time()
        return self._proof != proof

    def _read(self, last: Proof | None) -> Proof:
        try:
            token = self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            if last is not None:
                return last  # it is being replaced; the last one may still do
            reason = getattr(error, "strerror", None) or "it is not text"
            raise UnauthorizedError(f"cannot read the token file {self._path}: {reason}") from error
        if not token:
            if last is not None:
                return last
            raise UnauthorizedError(f"the token file {self._path} is empty: have a token written to it")
        return Proof(bearer(token))


class Renewed:
    """What has to be fetched and expires. ``fetch`` gives the proof and when it ends (None: never)."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._proof: Proof | None = None
        self._until: datetime | None = None
        self._turn = asyncio.Lock()  # a plug-in may ask a person: once is enough

    async def current(self) -> Proof:
        """Give what is kept, or fetch it."""
        async with self._turn:
            if self._proof is None or (self._until is not None and datetime.now(UTC) > self._until):
                self._proof, self._until = await self._fetch.fetch(is_refused=False)
            return self._proof

    async def refused(self, proof: Proof) -> bool:
        """Fetch another, unless another request has done so already."""
        async with self._turn:
            if self._proof == proof:
                self._proof, self._until = await self._fetch.fetch(is_refused=True)
            return self._proof != proof


class Fetch(Protocol):
    """Gets a proof from outside."""

    async def fetch(self, *, is_refused: bool) -> tuple[Proof, datetime | None]:
        """Give a proof and when it expires; ``is_refused``: the server did not take the last one."""
        ...


def bearer(token: str) -> str:
    """Give the header for a token.

    Raises:
        UnauthorizedError: it holds what no header can.
    """
    if not token.isascii() or not token.isprintable() or " " in token:
        raise UnauthorizedError(
            "the token holds characters that no token has; it may have been cut or pasted badly"
        )
    return f"Bearer {token}"


def credentials_for(target: Target) -> Credentials:
    """Give the credentials that the kubeconfig's user entry describes; client-go's order of precedence.

    Raises:
        BadRequestError: the entry is contradictory, incomplete, or of a kind that nobody supports any more.
    """
    user, place = target.user, target.file
    certificate = Proof("", *_certificate(target))
    if user.get("tokenFile"):
        return TokenFile(target.user_file.parent / Path(str(user["tokenFile"])).expanduser())
    if user.get("token"):
        return Fixed(Proof(bearer(str(user["token"])), certificate.certificate_pem, certificate.key_pem))
    if user.get("username") or user.get("password"):
        pair = f"{user.get('username', '')}:{user.get('password', '')}".encode()
        header = f"Basic {base64.b64encode(pair).decode()}"
        return Fixed(Proof(header, certificate.certificate_pem, certificate.key_pem))
    if certificate.certificate_pem:
        return Fixed(certificate)
    if user.get("exec") and user.get("auth-provider"):
        raise BadRequestError(
            f"cannot use kubeconfig {place}: auth-provider cannot be provided in combination with exec"
        )
    if user.get("exec"):
        from .execplugin import ExecPlugin

        return Renewed(ExecPlugin.of(user["exec"], target))
    if user.get("auth-provider"):
        return _provider(user["auth-provider"], target)
    return Fixed(Proof())


def _certificate(target: Target) -> tuple[bytes, bytes]:
    file = target.user_file
    certificate = material(target.user, "client-certificate", file)
    key = material(target.user, "client-key", file)
    if bool(certificate) != bool(key):
        has, lacks = ("certificate", "key") if certificate else ("key", "certificate")
        raise BadRequestError(
            f"cannot use kubeconfig {file}: the user has a client {has} and no client {lacks}"
        )
    return certificate, key


def _provider(provider: Mapping[str, Any], target: Target) -> Credentials:
    name = str(provider.get("name") or "")
    if name != "oidc":
        raise BadRequestError(
            f"cannot use kubeconfig {target.file}: the auth-provider {name!r} was removed from Kubernetes clients; "
            "use the exec plug-in of your provider"
        )
    from .oidc import OidcRefresh

    return Renewed(OidcRefresh.of(provider.get("config") or {}, target))
