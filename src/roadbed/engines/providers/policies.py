"""Management policies: what may be done to an external resource, and which combinations make sense.

Pure; asked by the managed reconciler at every turn.

Source: github.com/crossplane/crossplane-runtime pkg/reconciler/managed/policies.go (the 15 legal sets).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OBSERVE, CREATE, UPDATE, DELETE, LATE = "Observe", "Create", "Update", "Delete", "LateInitialize"
ALL = "*"

LEGAL = frozenset(
    frozenset(actions)
    for actions in (
        (ALL,),
        (OBSERVE, CREATE, UPDATE, LATE, DELETE),
        (OBSERVE,),  # read-only
        (),  # paused
        (OBSERVE, CREATE, UPDATE, DELETE),
        (OBSERVE, CREATE, UPDATE, LATE),
        (OBSERVE, CREATE, UPDATE),
        (OBSERVE, CREATE, DELETE, LATE),
        (OBSERVE, CREATE, LATE),
        (OBSERVE, CREATE, DELETE),
        (OBSERVE, CREATE),
        (OBSERVE, DELETE),
        (OBSERVE, UPDATE),  # one external resource shared by several objects
        (OBSERVE, LATE),  # import
        (OBSERVE, UPDATE, LATE),
    )
)


@dataclass(frozen=True, slots=True)
class Policy:
    """The actions that one object allows. ``orphan`` is the legacy ``deletionPolicy: Orphan``."""

    actions: frozenset[str]
    orphan: bool = False

    @classmethod
    def of(cls, spec: Mapping[str, Any], *, legacy: bool) -> Policy:
        """Read the policy of an object; all is allowed where ``managementPolicies`` is absent."""
        actions = spec.get("managementPolicies")
        return cls(
            frozenset([ALL] if actions is None else actions),
            orphan=legacy and spec.get("deletionPolicy") == "Orphan",
        )

    def fault(self) -> str:
        """Say what is wrong with the set of actions, in Crossplane's words; "" if it is legal."""
        if self.actions in LEGAL:
            return ""
        shown = " ".join(sorted(self.actions))
        return (
            f"`spec.managementPolicies` is set to a value([{shown}]) which is not supported. "
            "Check docs for supported policies"
        )

    def allows(self, action: str) -> bool:
        """Say whether one action is allowed."""
        return ALL in self.actions or action in self.actions

    @property
    def is_paused(self) -> bool:
        """Say whether nothing at all is allowed."""
        return not self.actions

    @property
    def only_observes(self) -> bool:
        """Say whether looking is all that is allowed."""
        return self.actions == {OBSERVE}

    @property
    def deletes(self) -> bool:
        """Say whether the external resource goes with the object.

        Of the two settings, the one that is not at its default decides; an explicit Delete action wins.
        """
        if ALL in self.actions:
            return not self.orphan
        return DELETE in self.actions
