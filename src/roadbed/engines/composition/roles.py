"""The ClusterRoles by which people get rights on a kind that a definition defines.

Called by the definition reconciler once the kind is served. Whoever is bound to ``edit`` or ``view``, in a
namespace or everywhere, may then edit or view the composites there; nobody has to write a role for each
definition. Names, labels and owner are those of Crossplane's RBAC manager. The roles go with their
definition: garbage collection takes them, nothing here deletes. Roles edited or deleted by hand come back.

On purpose different from Crossplane: see docs/reference/composition.md, "Who may do what".

Source: Crossplane v2's RBAC manager, controller of definitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roadbed.apimachinery.errors import ApiError, ConflictError
from roadbed.apimachinery.objects import controller_of, name_of, owner_reference, uid_of
from roadbed.apimachinery.request import Object
from roadbed.apis.crossplane import XRDS, composite_resource
from roadbed.apis.rbac import CLUSTERROLES
from roadbed.client import Client
from roadbed.controller import Recorder, TerminalError

from .compose import covers
from .mirrors import Mirrors
from .naming import MANAGER_SELECTION

PREFIX = "crossplane:composite:"
READ = ("get", "list", "watch")
# Not "*" as in Crossplane: nobody may grant what they don't have, and this list is what the engine has itself.
# So it needs no right to escalate, which the author of a Composition could otherwise use through it: what
# Compositions compose is written by the same user.
EDIT = (*READ, "create", "update", "patch", "delete", "deletecollection")

_REASON = "ApplyClusterRoles"
_CROSSPLANE = "rbac.crossplane.io/aggregate-to-"
_KUBERNETES = "rbac.authorization.k8s.io/aggregate-to-"  # Crossplane leaves Kubernetes' own roles alone


def render(definition: Object) -> list[Object]:
    """Give the ClusterRoles of the composites that a definition defines, controlled by it."""
    return [
        _role(definition, "edit", EDIT, _labels("admin", "edit")),
        _role(definition, "view", READ, _labels("view")),
        _role(definition, "browse", READ, {f"{_CROSSPLANE}browse": "true"}),
    ]


def definition_of(role: Object) -> str:
    """Name the definition that a ClusterRole of this name belongs to, or give the empty string."""
    name, _, suffix = name_of(role).removeprefix(PREFIX).rpartition(":")
    return name if name_of(role).startswith(PREFIX) and suffix.startswith("aggregate-to-") else ""


class Roles:
    """Applies what ``render`` gives, where it differs."""

    def __init__(self, client: Client, mirrors: Mirrors, recorder: Recorder) -> None:
        self._client = client
        self._mirrors = mirrors
        self._recorder = recorder

    async def ensure(self, definition: Object) -> None:
        """Bring about the roles of a definition; one that is as it should be is not written.

        Raises:
            ConflictError: one still belongs to a deleted definition of the same name; it will be collected.
            TerminalError: something else controls one.
            ApiError: the server refused one; there is an event that says so.
        """
        try:
            applied = [name_of(role) for role in render(definition) if await self._apply(definition, role)]
        except ConflictError:
            raise
        except (ApiError, TerminalError) as error:
            message = f"cannot apply ClusterRoles: {error}"
            await self._recorder.event(definition, "Warning", _REASON, message)
            raise
        if applied:
            message = f"Applied RBAC ClusterRoles: {', '.join(applied)}"
            await self._recorder.event(definition, "Normal", _REASON, message)

    async def _apply(self, definition: Object, role: Object) -> bool:
        live = self._mirrors.cluster_roles.get(name_of(role))
        if live is not None:
            _check_owner(definition, live)
            if covers(live, role):
                return False
        await self._client.apply(CLUSTERROLES, role, manager=MANAGER_SELECTION)
        return True


def _check_owner(definition: Object, live: Object) -> None:
    owner = controller_of(live)
    if owner is None or owner.get("uid") == uid_of(definition):
        return
    taken = f'ClusterRole "{name_of(live)}" is controlled by {owner.get("kind")} "{owner.get("name")}"'
    if (owner.get("kind"), owner.get("name")) == (XRDS.kind, name_of(definition)):
        raise ConflictError(f"{taken}, which was deleted: wait until it is collected")
    raise TerminalError(f"{taken}: delete it, or name the defined kind differently")


def _role(definition: Object, word: str, verbs: Sequence[str], labels: Mapping[str, str]) -> Object:
    resource = composite_resource(definition)
    rule: dict[str, Any] = {
        "apiGroups": [resource.group],
        "resources": [resource.plural, f"{resource.plural}/status"],
        "verbs": list(verbs),
    }
    metadata = {
        "name": f"{PREFIX}{name_of(definition)}:aggregate-to-{word}",
        "labels": dict(labels),
        "ownerReferences": [owner_reference(definition)],
    }
    return {
        "apiVersion": CLUSTERROLES.api_version,
        "kind": CLUSTERROLES.kind,
        "metadata": metadata,
        "rules": [rule],
    }


def _labels(*words: str) -> dict[str, str]:
    prefixes = (_CROSSPLANE, f"{_CROSSPLANE}ns-", _KUBERNETES)
    return {f"{prefix}{word}": "true" for word in words for prefix in prefixes}
