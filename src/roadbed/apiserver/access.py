"""Everything about who may do what, opened together: certificates, tokens, RBAC, sealing, reviews.

``app`` opens it once, before the ``ApiServer``, hands ``authenticator``, ``authorizer`` and ``sealer`` to
it and registers on it with ``join`` what answers reviews and token requests. ``folder`` None keeps keys in memory
only, for the in-memory mode and tests. It runs nothing by itself; ``close`` lets go of the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from roadbed.apimachinery.admission import Reviewer
from roadbed.storage import Storage

from .aggregation import frontproxy
from .authn import RequestAuthenticator, Tokens
from .authz import Rbac
from .certificates import Certificates
from .encryption import AesSealer
from .ports import Clock
from .reviews import reviewers
from .serviceaccounts import AccountTokens, Keys, TokenRequests, documents

if TYPE_CHECKING:
    from .server import ApiServer


@dataclass(frozen=True, slots=True)
class Access:
    """The parts of access control, wired to each other."""

    certificates: Certificates
    tokens: Tokens
    accounts: AccountTokens
    authenticator: RequestAuthenticator
    authorizer: Rbac
    sealer: AesSealer
    reviewers: Sequence[Reviewer]

    @classmethod
    def open(
        cls,
        folder: Path | None,
        storage: Storage,
        *,
        clock: Clock,
        hosts: Sequence[str] = (),
        keys: Keys | None = None,
    ) -> Access:
        """Open (or make, on first start) keys and certificates in ``folder`` and follow RBAC in ``storage``.

        ``hosts`` are names and addresses to certify beside 127.0.0.1, ::1 and localhost. ``keys`` sign the tokens
        of service accounts instead of a key in ``folder``.

        Raises:
            KeyFileError: a key file is unreadable, damaged, or open to others.
        """
        certificates = Certificates.open_folder(folder, clock=clock, hosts=hosts)
        tokens = Tokens.open_folder(folder, clock=clock)
        authorizer = Rbac(storage)
        sealer = AesSealer.open_folder(folder)
        accounts = AccountTokens(keys or Keys.open_folder(folder), storage, sealer, clock)
        authenticator = RequestAuthenticator(tokens, accounts, authorizer, clock=clock)
        return cls(
            certificates=certificates,
            tokens=tokens,
            accounts=accounts,
            authenticator=authenticator,
            authorizer=authorizer,
            sealer=sealer,
            reviewers=reviewers(authorizer, tokens, authenticator),
        )

    def join(self, server: ApiServer) -> None:
        """Register reviewers, token requests and the OIDC documents on a server, before it starts."""
        for reviewer in self.reviewers:
            server.add_reviewer(reviewer)
        server.add_poster("", "serviceaccounts", "token", TokenRequests(self.accounts))
        front_proxy = partial(self.certificates.issue_client, frontproxy.NAME)
        server.aggregate(front_proxy, frontproxy.configuration(self.certificates.ca_pem.decode()))
        server.add_document(documents.CONFIGURATION, partial(documents.configuration, self.accounts))
        server.add_document(documents.KEY_SET, partial(documents.key_set, self.accounts))

    def close(self) -> None:
        """Stop following RBAC objects, and remove the certificates of the in-memory mode."""
        self.authorizer.close()
        self.certificates.close()
