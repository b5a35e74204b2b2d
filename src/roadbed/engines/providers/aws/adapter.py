"""What a kind's adapter does: the few AWS calls that a table can't describe.

Adapters run in worker threads, hold no state, and may raise what boto3 raises. They speak ``forProvider``
values: what they read is compared with what the user wants by ``comparison``, so that an adapter never decides
whether something should change, only how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from roadbed.apis.aws import Kind
from roadbed.engines.providers.external import Readiness

from .accounts import Aws
from .comparison import Change


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object, as adapters see it.

    ``values`` are its ``forProvider`` (with ``initProvider`` below it when creating), ``secrets`` its sensitive
    fields by name, ``known`` what ``status.atProvider`` said before.
    """

    name: str  # the external name, "" before there is one
    values: Mapping[str, Any]
    uid: str
    object_name: str
    terminating: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """An external resource as AWS tells it; ``values`` by forProvider names, ``more`` only observed."""

    name: str
    values: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)
    readiness: Readiness = "Available"
    message: str = ""
    connection: Mapping[str, str] = field(default_factory=dict)


class Adapter(Protocol):
    """One AWS kind.

    ``deterministic`` adapters may be asked to create twice for one object: the second time collides with the
    first, or does nothing. The others are asked to ``recover`` (see ``Searcher``) after an interruption.
    """

    kind: Kind
    deterministic: bool
    look_calls: int  # how many AWS calls one ``find`` makes, to keep the account's rate

    def find(self, aws: Aws, wanted: Wanted) -> Found | None:
        """Read the resource of that external name; None if it certainly does not exist."""
        ...

    def create(self, aws: Aws, wanted: Wanted) -> str:
        """Create it in one call, marked as this object's where AWS has a way; give its external name.

        What can't be set in that call is left to ``change``: a second call that fails would lose the name.
        """
        ...

    def change(self, aws: Aws, wanted: Wanted, found: Found, changes: Sequence[Change]) -> None:
        """Apply changes, none of them of an immutable field."""
        ...

    def remove(self, aws: Aws, wanted: Wanted, found: Found) -> None:
        """Ask for deletion; gone already is fine."""
        ...


@runtime_checkable
class Searcher(Protocol):
    """An adapter that finds again what it created, without its name."""

    def recover(self, aws: Aws, wanted: Wanted) -> str:
        """Give the external name of what was created for this object, "" if AWS shows nothing now."""
        ...


def parameters(kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
    """Give the API parameters of those values that map one to one."""
    result: dict[str, Any] = {}
    for entry in kind.inputs():
        if entry.api and values.get(entry.name) is not None:
            value = values[entry.name]
            result[entry.api] = int(value) if entry.type == "number" else value
    return result


def observed(kind: Kind, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values of an API answer under their forProvider names, where they map one to one."""
    return {
        entry.name: answer[entry.api]
        for entry in kind.fields
        if entry.api and answer.get(entry.api) is not None
    }
