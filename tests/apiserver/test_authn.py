"""Who a request comes from: tokens, certificates, impersonation."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from roadbed.apimachinery.errors import BadRequestError, ForbiddenError, UnauthorizedError
from roadbed.apimachinery.request import User
from roadbed.apiserver.access import Access
from roadbed.apiserver.authn import Tokens
from roadbed.apiserver.bootstrap import policy
from roadbed.apiserver.keyfiles import KeyFileError
from roadbed.apiserver.ports import Credentials
from roadbed.storage import open_storage

ADMIN = User("admin", ("system:masters", "system:authenticated"))


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


CLOCK = Clock()


@pytest.fixture
async def access() -> AsyncIterator[Access]:
    storage = await open_storage("memory:")
    for obj in [*policy(), *grants()]:
        metadata = obj["metadata"]
        path = f"{obj['kind'].lower()}s/{metadata.get('namespace', '')}/{metadata['name']}".replace("//", "/")
        encoded = orjson.dumps(obj)
        await storage.create(f"/rbac.authorization.k8s.io/{path}", lambda _, encoded=encoded: encoded)
    opened = Access.open(None, storage, clock=CLOCK)
    yield opened
    opened.close()
    await storage.close()


def grants() -> list[dict[str, Any]]:
    """Let the user lead act as ann and the group devs, and nothing else."""
    rules = [
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["ann"]},
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["groups"], "resourceNames": ["devs"]},
        {"verbs": ["impersonate"], "apiGroups": [""], "resources": ["serviceaccounts"]},
        {
            "verbs": ["impersonate"],
            "apiGroups": ["authentication.k8s.io"],
            "resources": ["userextras/scopes"],
            "resourceNames": ["read"],
        },
    ]
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "lead"}
    return [
        {"kind": "ClusterRole", "metadata": {"name": "lead"}, "rules": rules},
        {
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "lead"},
            "roleRef": reference,
            "subjects": [{"kind": "User", "name": "lead"}],
        },
    ]


def bearer(token: str) -> Credentials:
    return Credentials({"authorization": f"Bearer {token}"})


def test_no_credentials_mean_anonymous(access: Access) -> None:
    anonymous = User("system:anonymous", ("system:unauthenticated",))
    for headers in ({}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer "}):
        assert access.authenticator.authenticate(Credentials(headers)) == anonymous


def test_the_admin_token_is_the_admin(access: Access) -> None:
    assert access.authenticator.authenticate(bearer(access.tokens.admin_token)) == ADMIN
    assert (
        access.authenticator.authenticate(
            Credentials({"authorization": f"bearer  {access.tokens.admin_token}"})
        )
        == ADMIN
    )


@pytest.mark.parametrize("token", ["x", "rb1.", "rb1.x.y", "rb1.e30.e30", "ü", "x" * 10_000])
def test_an_unknown_token_is_unauthorized(access: Access, token: str) -> None:
    with pytest.raises(UnauthorizedError) as refused:
        access.authenticator.authenticate(bearer(token))
    assert refused.value.message == "Unauthorized"


def test_an_issued_token_stands_for_its_user_until_it_ends(access: Access) -> None:
    user = User("ann", ("devs",), "u1", {"scopes": ("read",)})
    token, expires = access.tokens.issue(user, 60)
    assert expires == CLOCK.now + timedelta(seconds=60)
    assert access.authenticator.authenticate(bearer(token)) == user
    CLOCK.now += timedelta(seconds=60)
    with pytest.raises(UnauthorizedError):
        access.authenticator.authenticate(bearer(token))


TOKENS = Tokens.open_folder(None, clock=CLOCK)
ISSUED, _ = TOKENS.issue(User("ann", ("devs",)), 1e9)


@given(position=st.integers(0, len(ISSUED) - 1), letter=st.characters())
def test_a_changed_token_never_stands_for_anyone(position: int, letter: str) -> None:
    changed = ISSUED[:position] + letter + ISSUED[position + 1 :]
    if changed != ISSUED:
        with pytest.raises(UnauthorizedError):
            TOKENS.user_of(changed)


def test_a_token_of_another_data_folder_is_unknown() -> None:
    other = Tokens.open_folder(None, clock=CLOCK)
    with pytest.raises(UnauthorizedError):
        other.user_of(ISSUED)


def test_tokens_survive_a_restart_but_for_those_of_somebody_elses_choice(tmp_path: Path) -> None:
    first = Tokens.open_folder(tmp_path, clock=CLOCK)
    first.add_static("chosen", User("ci", ("builders",)))
    assert first.user_of("chosen") == User("ci", ("builders",))
    second = Tokens.open_folder(tmp_path, clock=CLOCK)
    with pytest.raises(UnauthorizedError):
        second.user_of("chosen")
    assert second.user_of(first.admin_token) == ADMIN
    issued, _ = first.issue(User("ann"), 60)
    assert second.user_of(issued) == User("ann")
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_key_is_refused_by_name(tmp_path: Path) -> None:
    Tokens.open_folder(tmp_path, clock=CLOCK)
    (tmp_path / "token.key").write_bytes(b"zz")
    with pytest.raises(KeyFileError, match=r"token\.key"):
        Tokens.open_folder(tmp_path, clock=CLOCK)


def test_a_client_certificate_names_user_and_groups_until_it_expires(access: Access) -> None:
    pem, _ = access.certificates.issue_client("ann", ("devs", "ops"), life=timedelta(hours=1))
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    found = access.authenticator.authenticate(Credentials({}, der))
    mark = {"authentication.kubernetes.io/credential-id": (f"X509SHA256={hashlib.sha256(der).hexdigest()}",)}
    assert found == User("ann", ("devs", "ops", "system:authenticated"), extra=mark)
    CLOCK.now += timedelta(hours=2)
    with pytest.raises(UnauthorizedError):
        access.authenticator.authenticate(Credentials({}, der))


def test_a_valid_certificate_goes_before_a_token(access: Access) -> None:
    pem, _ = access.certificates.issue_client("ann")
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    shown = Credentials({"authorization": f"Bearer {access.tokens.admin_token}"}, der)
    assert access.authenticator.authenticate(shown).name == "ann"


def asked(**headers: str) -> Credentials:
    return Credentials({name.replace("_", "-"): value for name, value in headers.items()})


def test_impersonation_completes_groups_as_kubernetes_does(access: Access) -> None:
    act = access.authenticator.impersonated
    lead = User("lead", ("system:authenticated",))
    assert act(lead, Credentials({})) is lead
    assert act(lead, asked(impersonate_user="ann")) == User("ann", ("system:authenticated",))
    assert act(lead, asked(impersonate_user="ann", impersonate_group="devs")) == User(
        "ann", ("devs", "system:authenticated")
    )
    account = "system:serviceaccount:shop:builder"
    groups = ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated")
    assert act(lead, asked(impersonate_user=account)) == User(account, groups)
    assert act(ADMIN, asked(impersonate_user="system:anonymous")).groups == ("system:unauthenticated",)


def test_several_groups_and_extras_come_line_by_line(access: Access) -> None:
    shown = Credentials(
        {
            "impersonate-user": "ann",
            "impersonate-group": "a,b\nc",
            "impersonate-uid": "7",
            "impersonate-extra-acme.com%2fproject": "one\ntwo",
        }
    )
    found = access.authenticator.impersonated(ADMIN, shown)
    extra = {"acme.com/project": ("one", "two")}
    assert found == User("ann", ("a,b", "c", "system:authenticated"), "7", extra)


def test_names_beyond_ascii_are_read_as_utf8(access: Access) -> None:
    shown = asked(impersonate_user="Žofie".encode().decode("latin-1"), impersonate_group="café")
    assert access.authenticator.impersonated(ADMIN, shown).name == "Žofie"
    assert access.authenticator.impersonated(ADMIN, shown).groups[0] == "café"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (
            {"impersonate_user": "bob"},
            'users "bob" is forbidden: User "lead" cannot impersonate resource "users"',
        ),
        ({"impersonate_user": "ann", "impersonate_group": "ops"}, 'groups "ops" is forbidden'),
        ({"impersonate_user": "ann", "impersonate_uid": "7"}, 'uids.authentication.k8s.io "7" is forbidden'),
        (
            {"impersonate_user": "ann", "impersonate_extra_scopes": "write"},
            'cannot impersonate resource "userextras/scopes"',
        ),
    ],
)
def test_impersonating_more_than_granted_is_refused(
    access: Access, headers: dict[str, str], said: str
) -> None:
    with pytest.raises(ForbiddenError) as refused:
        access.authenticator.impersonated(User("lead"), asked(**headers))
    assert said in refused.value.message


def test_groups_without_a_user_are_a_bad_request(access: Access) -> None:
    with pytest.raises(BadRequestError, match="without impersonating a user"):
        access.authenticator.impersonated(ADMIN, asked(impersonate_group="devs"))


def test_the_portal_acts_as_anyone_but_never_as_root(access: Access) -> None:
    portal = User("system:portal", ("system:authenticated",))
    act = access.authenticator.act_as
    assert act(portal, User("ann", ("roadbed:admins",))).groups == ("roadbed:admins", "system:authenticated")
    assert act(portal, User("ann", (), "1", {"scopes": ("read",)})).extra == {"scopes": ("read",)}
    with pytest.raises(ForbiddenError, match="only who may do everything"):
        act(portal, User("ann", ("system:masters",)))
    assert act(User("x", ("roadbed:admins",)), User("ann", ("system:masters",))).groups[0] == "system:masters"
