"""Everything about who may do what, opened together: certificates, tokens, RBAC, sealing, reviews.

``app`` opens it once, before the ``ApiServer``, hands ``authenticator``, ``authorizer`` and ``sealer`` to
it and registers ``admitters`` and ``reviewers`` on it. ``folder`` None keeps keys in memory only, for the
in-memory mode and tests. It runs nothing by itself; ``close`` lets go of the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from roadbed.apimachinery.admission import Admitter, Reviewer
from roadbed.storage import Storage

from .authn import RequestAuthenticator, Tokens
from .authz import Rbac
from .certificates import Certificates
from .encryption import AesSealer
from .escalation import EscalationGuard
from .ports import Clock
from .reviews import reviewers


@dataclass(frozen=True, slots=True)
class Access:
    """The parts of access control, wired to each other."""

    certificates: Certificates
    tokens: Tokens
    authenticator: RequestAuthenticator
    authorizer: Rbac
    sealer: AesSealer
    admitters: Sequence[Admitter]
    reviewers: Sequence[Reviewer]

    @classmethod
    def open(
        cls, folder: Path | None, storage: Storage, *, clock: Clock, hosts: Sequence[str] = ()
    ) -> Access:
        """Open (or make, on first start) keys and certificates in ``folder`` and follow RBAC in ``storage``.

        ``hosts`` are names and addresses to certify beside 127.0.0.1, ::1 and localhost.

        Raises:
            KeyFileError: a key file is unreadable, damaged, or open to others.
        """
        certificates = Certificates.open_folder(folder, clock=clock, hosts=hosts)
        tokens = Tokens.open_folder(folder, clock=clock)
        authorizer = Rbac(storage)
        authenticator = RequestAuthenticator(tokens, authorizer, clock=clock)
        return cls(
            certificates=certificates,
            tokens=tokens,
            authenticator=authenticator,
            authorizer=authorizer,
            sealer=AesSealer.open_folder(folder),
            admitters=(EscalationGuard(authorizer),),
            reviewers=reviewers(authorizer, tokens),
        )

    def close(self) -> None:
        """Stop following RBAC objects, and remove the certificates of the in-memory mode."""
        self.authorizer.close()
        self.certificates.close()
