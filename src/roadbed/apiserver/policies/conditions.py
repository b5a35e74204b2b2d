"""Match conditions: expressions that must all hold before a webhook or a policy looks at a write.

Used by ``webhooks.hooks``, ``validating`` and ``mutating``. One that says no is enough, whatever the others say or
fail to; only where none says no does a failure count.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions/matcher.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from roadbed.apimachinery.cel_expressions import RuleError

from .evaluation import OutOfBudgetError, Scope
from .expressions import Expression, compiled


@dataclass(frozen=True, slots=True)
class Conditions:
    """The compiled conditions of one webhook or policy, or why they do not compile."""

    named: Sequence[tuple[str, Expression]] = ()
    faults: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        told: Iterable[Mapping[str, Any]],
        *,
        variables: Mapping[str, str] | None = None,
        has_params: bool = False,
    ) -> Conditions:
        """Read a list of ``matchConditions``; what does not compile fails when it is evaluated."""
        named, faults = [], []
        for each in told:
            text = str(each.get("expression") or "").strip()
            try:
                found = compiled(text, "BOOL", variables=variables, has_params=has_params)
            except RuleError as error:
                faults.append(str(error))
            else:
                named.append((str(each.get("name")), found))
        return cls(tuple(named), tuple(faults))

    @property
    def is_empty(self) -> bool:
        """Say whether every write is seen."""
        return not self.named and not self.faults

    def hold(self, scope: Scope) -> tuple[bool, str]:
        """Say whether all hold; or, with False, what could not be evaluated while none said no."""
        troubles = list(self.faults)
        scope = scope.conditional()
        for _, expression in self.named:
            try:
                value, trouble = scope.run(expression)
            except OutOfBudgetError as error:
                return False, str(error)
            if trouble:
                troubles.append(f"expression '{expression.text}' resulted in error: {trouble}")
            elif value is not True:
                return False, ""
        if not troubles:
            return True, ""
        return False, troubles[0] if len(troubles) == 1 else f"[{', '.join(dict.fromkeys(troubles))}]"
