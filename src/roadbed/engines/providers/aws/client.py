"""The external client of every AWS kind: a table, an adapter, an account.

Made by ``AwsConnector`` for one reconcile. It reads sensitive fields from their Secrets, runs the adapter in
a worker thread, compares, and keeps secrets out of everything but the connection details.
"""

from __future__ import annotations

import secrets as randomness
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from roadbed.apimachinery.gvk import Resource
from roadbed.apimachinery.objects import is_terminating, name_of, namespace_of, owner_reference, uid_of
from roadbed.apimachinery.request import Object
from roadbed.apis.aws import (
    CLUSTER_PROVIDER_CONFIGS,
    KINDS,
    LEGACY_PROVIDER_CONFIGS,
    PROVIDER_CONFIGS,
    Kind,
    Trait,
    target_gvk,
)
from roadbed.apis.core import SECRETS
from roadbed.client import Client
from roadbed.engines.providers import connection, markers
from roadbed.engines.providers.external import (
    ConnectionDetails,
    Creation,
    CredentialsError,
    ManagedKind,
    Observation,
    Reference,
    ReplacementNeededError,
)

from . import comparison
from .accounts import Account, Accounts
from .adapter import Adapter, Found, Searcher, Wanted

REPLACING = (
    "refuse to update the external resource because the following update requires replacing it: cannot change"
)
PASSWORD_LENGTH = 27  # as upstream's generator; every engine takes it
PASSWORD_ALPHABET = string.ascii_letters + string.digits


class AwsConnector:
    """Connects objects of one kind, in one of its two forms."""

    def __init__(self, adapter: Adapter, accounts: Accounts, client: Client, *, legacy: bool) -> None:
        self._adapter = adapter
        self._accounts = accounts
        self._client = client
        self._legacy = legacy
        self.configs: Sequence[Resource] = (
            (LEGACY_PROVIDER_CONFIGS,) if legacy else (CLUSTER_PROVIDER_CONFIGS, PROVIDER_CONFIGS)
        )

    async def connect(self, managed: Object) -> AwsClient:
        """Give the client for one object."""
        kind = self._adapter.kind
        values = _values(managed, creating=True)
        account = await self._accounts.of(managed, legacy=self._legacy)
        sensitive = [field for field in kind.inputs() if field.has(Trait.SENSITIVE)]
        if not sensitive or is_terminating(managed):
            return AwsClient(self._adapter, account, {}, {})
        secrets = {
            field.name: value
            for field in sensitive
            if (value := await self._secret(managed, values.get(field.secret_ref_name), values)) is not None
        }
        return AwsClient(self._adapter, account, secrets, await connection.published(self._client, managed))

    async def _secret(
        self, managed: Object, ref: Mapping[str, str] | None, values: Mapping[str, Any]
    ) -> str | None:
        if not ref:
            return None
        # Namespaced objects read Secrets of their own namespace only, whatever the reference says.
        namespace = namespace_of(managed) or ref.get("namespace", "")
        where = f"Secret {namespace}/{ref['name']}"
        secret = await self._client.find(SECRETS, ref["name"], namespace)
        value = connection.decoded(secret).get(ref["key"], "") if secret else ""
        if value:
            return value
        if not values.get("autoGeneratePassword"):
            raise CredentialsError(
                f"{where} has no key {ref['key']!r}; create it, or set spec.forProvider.autoGeneratePassword"
            )
        password = "".join(randomness.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_LENGTH))
        if secret is None:
            await self._client.create(
                SECRETS,
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {
                        "name": ref["name"],
                        "namespace": namespace,
                        # Ours goes with the object; one that somebody else made is only added to.
                        "ownerReferences": [owner_reference(managed, controller=False, block=False)],
                    },
                    "stringData": {ref["key"]: password},
                },
            )
        else:
            await self._client.update(SECRETS, {**secret, "stringData": {ref["key"]: password}})
        return password


class AwsClient:
    """``ExternalClient`` for one object."""

    def __init__(
        self,
        adapter: Adapter,
        account: Account,
        secrets: Mapping[str, str],
        published: Mapping[str, str],
    ) -> None:
        self._adapter = adapter
        self._account = account
        self._secrets = secrets
        self._published = published
        self._found: Found | None = None

    async def observe(self, managed: Object) -> Observation:
        """Read the resource and compare it with ``forProvider``."""
        wanted = self._wanted(managed)
        found = await self._find(managed, wanted)
        if found is None:
            return Observation(exists=False)
        kind = self._adapter.kind
        differences = [str(change) for change in comparison.changes(kind, wanted.values, found.values)]
        stale = self._stale_secrets()
        return Observation(
            exists=True,
            differences=[*differences, *(f"{name}: changed" for name in stale)],
            readiness=found.readiness,
            message=found.message,
            at_provider=self._at_provider(found),
            late_init=comparison.late_values(kind, found.values),
            # A changed password is told only once AWS knows it, or a failed update would be forgotten.
            connection=self._details(found, without=stale),
            external_name=found.name,
        )

    async def _find(self, managed: Object, wanted: Wanted) -> Found | None:
        self._found = None
        if wanted.name:
            region = _region(managed)
            await self._account.bucket.take(self._adapter.look_calls - 1)
            found = await self._account.call(self._adapter.find, region, False, wanted)
            if found is not None:
                self._found = replace(found, values={**found.values, "region": region})
        return self._found

    async def create(self, managed: Object) -> Creation:
        """Create it."""
        wanted = self._wanted(managed, creating=True)
        region = str(wanted.values["region"])
        name = await self._account.call(self._adapter.create, region, True, wanted)
        return Creation(name, self._secret_details())

    async def update(self, managed: Object) -> ConnectionDetails:
        """Change what can be changed, refuse what can't."""
        found = self._found
        if found is None:
            raise RuntimeError("update without an observation: the reconciler observes first")
        wanted = self._wanted(managed)
        todo = comparison.changes(self._adapter.kind, wanted.values, found.values)
        fixed = [change for change in todo if change.field.has(Trait.IMMUTABLE)]
        if fixed:
            text = "; ".join(f"spec.forProvider.{change}" for change in fixed)
            raise ReplacementNeededError(
                f"{REPLACING} {text}; set it back, or delete this object and make another"
            )
        secrets = {name: self._secrets[name] for name in self._stale_secrets()}
        narrowed = self._wanted(managed, secrets=secrets)
        await self._account.call(self._adapter.change, _region(managed), True, narrowed, found, todo)
        return self._details(found)

    async def delete(self, managed: Object) -> None:
        """Ask for deletion."""
        if self._found is not None:
            wanted = self._wanted(managed)
            await self._account.call(self._adapter.remove, _region(managed), True, wanted, self._found)

    async def recover(self, managed: Object) -> str | None:
        """Look for the mark that creation leaves."""
        if not isinstance(self._adapter, Searcher):
            return None
        wanted = self._wanted(managed, creating=True)
        return await self._account.call(self._adapter.recover, _region(managed), False, wanted)

    def _wanted(
        self, managed: Object, *, creating: bool = False, secrets: Mapping[str, str] | None = None
    ) -> Wanted:
        return Wanted(
            name=markers.external_name(managed),
            values=_values(managed, creating=creating),
            uid=uid_of(managed),
            object_name=name_of(managed),
            terminating=is_terminating(managed),
            secrets=self._secrets if secrets is None else secrets,
            known=(managed.get("status") or {}).get("atProvider") or {},
        )

    def _stale_secrets(self) -> list[str]:
        return [
            name
            for name, value in self._secrets.items()
            if self._published.get(name) and self._published[name] != value
        ]

    def _secret_details(self) -> dict[str, str]:
        # Upstream publishes a sensitive field under both names.
        return {key: value for name, value in self._secrets.items() for key in (name, f"attribute.{name}")}

    def _details(self, found: Found, without: list[str] | None = None) -> dict[str, str]:
        hidden = {key for name in without or () for key in (name, f"attribute.{name}")}
        details = {**found.connection, **self._secret_details()}
        return {key: value for key, value in details.items() if key not in hidden}

    def _at_provider(self, found: Found) -> dict[str, Any]:
        tags = dict(found.values.get("tags") or {})
        shown = {**found.values, **found.more, "id": found.name}
        if self._adapter.kind.tagged:
            shown["tags"] = comparison.visible_tags(tags)
            shown["tagsAll"] = tags
        fields = {f.name: f for f in self._adapter.kind.fields if not f.has(Trait.SENSITIVE)}
        return {key: value for key, value in sorted(shown.items()) if key in fields and value is not None}


def managed_kind(adapter: Adapter, *, legacy: bool) -> ManagedKind:
    """Describe one form of a kind to the managed reconciler."""
    kind = adapter.kind
    return ManagedKind(
        resource=kind.resource(legacy=legacy),
        references=tuple(
            Reference(
                field=field.name,
                ref=field.ref_name,
                selector=field.selector_name,
                to=target_gvk(field.target, legacy=legacy),
                many=field.many,
                extract=field.target.extract,
            )
            for field in kind.inputs()
            if field.target is not None and not field.has(Trait.UNSUPPORTED)
        ),
        initial_name=name_of if kind.named else lambda _: "",
        fault=lambda obj: _fault(kind, obj),
        initialize=(lambda obj: _tag(kind, obj, legacy=legacy)) if kind.tagged else lambda _: None,
        deterministic=adapter.deterministic,
        legacy=legacy,
        users=[
            other.resource(legacy=legacy).gvk
            for other in KINDS
            for field in other.inputs()
            if field.target is not None
            and (field.target.service, field.target.kind) == (kind.service, kind.kind)
            and other is not kind
        ],
    )


def _fault(kind: Kind, obj: Object) -> str:
    values = _values(obj, creating=True)
    if not values.get("region"):
        return "spec.forProvider.region is empty; set it"
    refused = ", ".join(f"spec.forProvider.{name}" for name in comparison.unsupported(kind, values))
    return f"{refused}: not supported by this provider; remove it" if refused else ""


def _tag(kind: Kind, obj: Object, *, legacy: bool) -> None:
    """Add Crossplane's identifying tags to ``forProvider``, as upstream does; the user's own win."""
    ref = obj["spec"].get("providerConfigRef") or {}
    tags = {
        "crossplane-kind": f"{kind.kind.lower()}.{kind.group(legacy=legacy)}",
        "crossplane-name": name_of(obj),
        "crossplane-namespace": namespace_of(obj),
        "crossplane-providerconfig": ref.get("name", ""),
        "crossplane-providerconfig-kind": "" if legacy else ref.get("kind", ""),
    }
    given = obj["spec"]["forProvider"].get("tags") or {}
    wanted = {**{key: value for key, value in tags.items() if value}, **given}
    if wanted != given:
        obj["spec"]["forProvider"]["tags"] = wanted


def _values(managed: Object, *, creating: bool = False) -> dict[str, Any]:
    spec = managed["spec"]
    initial = (spec.get("initProvider") or {}) if creating else {}
    return {**initial, **spec["forProvider"]}


def _region(managed: Object) -> str:
    """Give the region that the resource is in: where it was seen last, or else where it shall be.

    Looking in a region that was only just written into the spec would find nothing and create a second one.
    """
    seen = ((managed.get("status") or {}).get("atProvider") or {}).get("region")
    return str(seen or managed["spec"]["forProvider"].get("region") or "")
