"""The connection Secret: where the details for using an external resource go, and nowhere else.

Called by the managed reconciler. Publishing adds and replaces keys, it removes none; the Secret is owned by
its managed object, so that it goes with it. Values are never logged.

Source: github.com/crossplane/crossplane-runtime pkg/reconciler/managed/api.go (APILocalSecretPublisher).
"""

from __future__ import annotations

import base64
import binascii

from roadbed.apimachinery.objects import controller_of, name_of, namespace_of, owner_reference, uid_of
from roadbed.apimachinery.request import Object
from roadbed.apis.core import SECRETS
from roadbed.apis.crossplane import CONNECTION_SECRET_TYPE
from roadbed.client import Client

from .external import ConnectionDetails


class PublishError(Exception):
    """The connection Secret can't be ours to write."""


def secret_key(obj: Object) -> tuple[str, str] | None:
    """Give namespace and name of the connection Secret that the object asks for, or None."""
    ref = obj["spec"].get("writeConnectionSecretToRef")
    if not ref or not ref.get("name"):
        return None
    return (namespace_of(obj) or ref.get("namespace") or "", ref["name"])


async def publish(client: Client, obj: Object, details: ConnectionDetails) -> None:
    """Write ``details`` to the object's connection Secret, if it wants one and they differ.

    Raises:
        PublishError: the Secret exists and belongs to someone else.
    """
    key = secret_key(obj)
    if key is None:
        return
    namespace, name = key
    wanted = {field: base64.b64encode(value.encode()).decode() for field, value in details.items() if value}
    secret = await client.find(SECRETS, name, namespace)
    if secret is None:
        await client.create(SECRETS, _new(obj, namespace, name, wanted))
        return
    _refuse_foreign(secret, obj)
    current = secret.get("data") or {}
    if any(current.get(field) != value for field, value in wanted.items()) or controller_of(secret) is None:
        secret["data"] = {**current, **wanted}
        _own(secret, obj)
        await client.update(SECRETS, secret)


async def published(client: Client, obj: Object) -> dict[str, str]:
    """Read the connection details that were published before; empty without a Secret."""
    key = secret_key(obj)
    if key is None:
        return {}
    secret = await client.find(SECRETS, key[1], key[0])
    return decoded(secret) if secret else {}


def decoded(secret: Object) -> dict[str, str]:
    """Give a Secret's text values; a value that is not base64 of UTF-8 is left out."""
    values: dict[str, str] = {}
    for field, value in (secret.get("data") or {}).items():
        try:
            values[field] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, TypeError):
            continue
    return values


def _new(obj: Object, namespace: str, name: str, data: dict[str, str]) -> Object:
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": CONNECTION_SECRET_TYPE,
        "data": data,
    }
    _own(secret, obj)
    return secret


def _own(secret: Object, obj: Object) -> None:
    if controller_of(secret) is None:
        owners = secret["metadata"].get("ownerReferences") or []
        secret["metadata"]["ownerReferences"] = [*owners, owner_reference(obj)]


def _refuse_foreign(secret: Object, obj: Object) -> None:
    shown = f"Secret {namespace_of(secret)}/{name_of(secret)}"
    step = "name another one in spec.writeConnectionSecretToRef, or delete it"
    owner = controller_of(secret)
    if owner is not None and owner.get("uid") != uid_of(obj):
        raise PublishError(
            f"cannot create or update connection secret: {shown} is controlled by"
            f" {owner.get('kind')} {owner.get('name')}; {step}"
        )
    if owner is None and secret.get("type") != CONNECTION_SECRET_TYPE:
        raise PublishError(
            f"cannot create or update connection secret: refusing to modify uncontrolled {shown}"
            f" of type {secret.get('type')!r}; {step}"
        )
