"""Server-side apply and the tracking of who owns which field.

Called by the API server's create, update, patch and apply handlers, once per write, with the live object
and the wanted one; pure, so callers may run it anywhere and at once. Nothing is kept between calls but
what is compiled from the schema. It neither validates nor defaults: run those on what comes back.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .request import Object
from .structure import Structure


@dataclass(frozen=True, slots=True)
class FieldManager:
    """Tracks field ownership for one served version (and one subresource) of a kind.

    ``structure`` types the fields of this version. ``versions`` types every other served version of the
    kind; entries of ``managedFields`` in a version that is in neither are dropped, as its fields can't be
    found any more. ``reset`` names fields that a write through here never owns, as paths of field names:
    ``[("status",)]`` on the main resource when the kind has a status subresource.
    """

    structure: Structure
    api_version: str
    subresource: str = ""
    reset: Sequence[Sequence[str]] = ()
    versions: Mapping[str, Structure] = field(default_factory=dict)

    def update(self, live: Object | None, new: Object, *, manager: str, now: str) -> Object:
        """Give ``new`` with the ``metadata.managedFields`` that a create, update or patch leaves.

        ``live`` is None on create. ``manager`` is the ``fieldManager`` option or the user agent's name
        (see ``manager_name``); ``now`` is an RFC 3339 second. An update that changes no owned field
        leaves entries and their times as they are. ``new`` is not changed; the rest of it is shared.
        """
        raise NotImplementedError

    def apply(self, live: Object | None, applied: Object, *, manager: str, force: bool, now: str) -> Object:
        """Give the object that applying ``applied`` over ``live`` makes, with its ``managedFields``.

        ``live`` is None when the object does not exist yet. If nothing changes, the result equals
        ``live``, times included, so that a no-op apply needs no write.

        Raises:
            ConflictError: fields are owned by others with other values; one cause for each.
            BadRequestError: ``applied`` has managedFields, another apiVersion, or does not fit the schema.
        """
        raise NotImplementedError


def manager_name(field_manager: str, user_agent: str) -> str:
    """Give the manager's name as Kubernetes does: the option, or the user agent up to its first slash."""
    return (field_manager or user_agent.split("/")[0])[:128]
