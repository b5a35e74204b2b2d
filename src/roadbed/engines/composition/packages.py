"""The Function reconciler: a Function that names what is built in becomes healthy, nothing is pulled.

Called by the controller of ``pkg.crossplane.io`` Functions. Any other package is refused in the object's
own conditions, until packages can be pulled.
"""

from __future__ import annotations

from contextlib import suppress

from roadbed.apimachinery.conditions import Condition
from roadbed.apimachinery.errors import NotFoundError
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import FUNCTIONS
from roadbed.client import Client
from roadbed.controller import Clock, Request, Result

from . import conditions
from .builtin import package_of, refusal, repository
from .mirrors import Mirrors
from .naming import MANAGER_SELECTION


class FunctionReconciler:
    """Writes the status of Functions."""

    def __init__(self, client: Client, mirrors: Mirrors, clock: Clock) -> None:
        self._client = client
        self._mirrors = mirrors
        self._clock = clock

    async def reconcile(self, request: Request) -> Result:
        """Say whether the function can be called."""
        function = self._mirrors.functions.get(request.name)
        if function is None or (function.get("metadata") or {}).get("deletionTimestamp"):
            return Result()
        status = status_of(function)
        merged = {
            **status,
            "conditions": conditions.merged(function, _conditions(function), self._clock.now()),
        }
        if function.get("status") == merged:
            return Result()
        body: Object = {
            "apiVersion": FUNCTIONS.api_version,
            "kind": FUNCTIONS.kind,
            "metadata": {"name": request.name, "uid": function["metadata"]["uid"]},
            "status": merged,
        }
        with suppress(NotFoundError):  # deleted meanwhile
            await self._client.apply(FUNCTIONS, body, manager=MANAGER_SELECTION, subresource="status")
        return Result()


def status_of(function: Object) -> dict[str, str]:
    """Give the members of the status beside the conditions."""
    package = package_of(function)
    if refusal(package):
        return {}
    return {
        "currentIdentifier": package,
        "currentRevision": f"{repository(package)}-builtin",
        "resolvedPackage": package,
    }


def _conditions(function: Object) -> list[Condition]:
    problem = refusal(package_of(function))
    if problem:
        return [
            Condition("Installed", "False", "NotBuiltIn", problem),
            Condition("Healthy", "False", "NotBuiltIn", problem),
        ]
    return [
        Condition("Installed", "True", "ActivePackageRevision"),
        Condition("Healthy", "True", "HealthyPackageRevision"),
    ]
