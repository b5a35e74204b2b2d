"""Connection secrets of legacy composites: the only ones that have one of their own.

Used by the composite reconciler after resources were applied. Publishing is additive: a key once
published stays until it is overwritten. Values never leave the Secret.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from roadbed.apimachinery.objects import controller_of, owner_reference, uid_of
from roadbed.apimachinery.request import Object
from roadbed.apimachinery.timestamps import format_time
from roadbed.apis.core import SECRETS
from roadbed.apis.crossplane import CONNECTION_SECRET_TYPE
from roadbed.client import Client
from roadbed.controller import Clock

from .compose import ComposeError
from .naming import MANAGER_COMPOSITE


class Publisher:
    """Publishes for one kind; ``definition`` gives its definition as it is now. Legacy kinds only."""

    def __init__(
        self, client: Client, clock: Clock, definition: Callable[[], Object], *, legacy: bool
    ) -> None:
        self._client = client
        self._clock = clock
        self._definition = definition
        self._legacy = legacy

    async def publish(self, composite: Object, details: Mapping[str, bytes]) -> str:
        """Write what may be published, and give the time of the last change, empty if there is no secret.

        Raises:
            ComposeError: the Secret belongs to something else.
        """
        reference = (composite.get("spec") or {}).get("writeConnectionSecretToRef") if self._legacy else None
        if not reference:
            return ""
        allowed = (self._definition().get("spec") or {}).get("connectionSecretKeys") or []
        data = {
            name: base64.b64encode(value).decode()
            for name, value in sorted(details.items())
            if not allowed or name in allowed
        }
        name, namespace = str(reference["name"]), str(reference["namespace"])
        present = await self._client.find(SECRETS, name, namespace)
        published = ((composite.get("status") or {}).get("connectionDetails") or {}).get("lastPublishedTime")
        if present is not None:
            controller = controller_of(present)
            if controller is None or controller.get("uid") != uid_of(composite):
                raise ComposeError(
                    f"cannot publish connection details: Secret {namespace}/{name} is not controlled by this "
                    "composite: choose another name in spec.writeConnectionSecretToRef"
                )
            if data.items() <= (present.get("data") or {}).items():
                return str(published or format_time(self._clock.now()))
            data = {**(present.get("data") or {}), **data}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "ownerReferences": [owner_reference(composite)],
            },
            "type": CONNECTION_SECRET_TYPE,
            "data": data,
        }
        await self._client.apply(SECRETS, secret, manager=MANAGER_COMPOSITE)
        return format_time(self._clock.now())
